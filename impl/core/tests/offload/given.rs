//! Frames that stand for several, and what becomes of them here.
#![allow(dead_code, reason = "each test binary uses its part")]

use proptest::prelude::*;
use v6router_core::offload::{Burst, Header, Joiner, Kind};
use v6router_core::wire::checksum::Sum;

/// A frame as the kernel gives it: one that stands for several.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) kind: Kind,
    pub(crate) v6: bool,
    pub(crate) tagged: bool,
    pub(crate) size: u16,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
    /// Where numbers begin that are counted up.
    pub(crate) from: u32,
}

impl Given {
    pub(crate) fn network(&self) -> usize {
        if self.tagged { 18 } else { 14 }
    }

    pub(crate) fn transport(&self) -> usize {
        self.network() + if self.v6 { 40 } else { 20 }
    }

    pub(crate) fn headers(&self) -> usize {
        // TCP with twelve bytes of options.
        self.transport() + if self.kind == Kind::Udp { 8 } else { 32 }
    }

    /// The length field of the packet that an ICMP error about one of the frames quotes.
    pub(crate) fn quoted_length(&self, answer: &[u8]) -> [u8; 2] {
        // Behind an IP header as long as the packet's own, and the eight bytes of the error.
        let at = self.transport() + 8 + if self.v6 { 4 } else { 2 };
        [answer[at], answer[at + 1]]
    }

    /// The frame and its header.
    pub(crate) fn frame(&self) -> (Header, Vec<u8>) {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        if self.tagged {
            frame.extend([0x81, 0, 0, 7]);
        }
        let behind_network = (self.headers() - self.transport() + self.payload.len()) as u16;
        let protocol = if self.kind == Kind::Udp { 17 } else { 6 };
        let pseudo = if self.v6 {
            frame.extend([0x86, 0xdd, 0x60, 1, 2, 3]);
            frame.extend(behind_network.to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
            Sum::of(&frame[self.network() + 8..])
        } else {
            frame.extend([8, 0, 0x45, 0]);
            frame.extend((behind_network + 20).to_be_bytes());
            frame.extend((self.from as u16).to_be_bytes());
            frame.extend([0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
            let at = self.network();
            let checksum = Sum::of(&frame[at..]).checksum();
            frame[at + 10..at + 12].copy_from_slice(&checksum);
            Sum::of(&frame[at + 12..])
        };
        let pseudo = pseudo
            .and(Sum::of_word(protocol.into()))
            .and(Sum::of_word(behind_network))
            .bytes();
        frame.extend([0x30, 0x39, 0x00, 0x50]);
        if self.kind == Kind::Udp {
            frame.extend(behind_network.to_be_bytes());
            frame.extend(pseudo);
        } else {
            frame.extend(self.from.to_be_bytes());
            frame.extend([0, 0, 0, 9, 0x80, self.flags, 1, 0]);
            frame.extend(pseudo);
            frame.extend([0, 0, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
        }
        frame.extend(&self.payload);
        let [a, b] = (self.headers() as u16).to_ne_bytes();
        let [c, d] = self.size.to_ne_bytes();
        let [e, f] = (self.transport() as u16).to_ne_bytes();
        let [g, h] = if self.kind == Kind::Udp { 6_u16 } else { 16 }.to_ne_bytes();
        let kind = match self.kind {
            Kind::Tcp4 => 1,
            Kind::Tcp6 => 4,
            Kind::Udp => 5,
        };
        let header = Header::parse([1, kind, a, b, c, d, e, f, g, h]).unwrap();
        (header, frame)
    }

    pub(crate) fn is_ordinary(&self) -> bool {
        self.kind == Kind::Udp || self.flags & !8 == 0x10
    }
}

pub(crate) fn given() -> impl Strategy<Value = Given> {
    let kinds = prop::sample::select(vec![
        (Kind::Tcp4, false),
        (Kind::Tcp6, true),
        (Kind::Udp, false),
        (Kind::Udp, true),
    ]);
    let flags = prop::sample::select(vec![0x10, 0x18, 0x11, 0x19, 0x90, 0x50, 0x30]);
    let sizes = (1..1400_u16, 1..40_usize, 1..=1400_u16);
    (
        kinds,
        any::<bool>(),
        flags,
        sizes,
        any::<u32>(),
        any::<u8>(),
    )
        .prop_map(
            |((kind, v6), tagged, flags, (size, whole, rest), from, first)| {
                let len = usize::from(size) * whole + usize::from(rest.min(size));
                let payload =
                    (0..len).map(|at| first.wrapping_mul(31).wrapping_add((at * at) as u8));
                Given {
                    kind,
                    v6,
                    tagged,
                    size,
                    flags,
                    payload: payload.collect(),
                    from,
                }
            },
        )
}

/// The frames that a frame stands for.
pub(crate) fn cut(header: Header, frame: &[u8]) -> Vec<Vec<u8>> {
    let Some(burst) = Burst::parse(header, frame).unwrap() else {
        return vec![frame.to_vec()];
    };
    let frames = (0..burst.count()).map(|index| {
        let mut frame = vec![0; burst.frame_len(index)];
        burst.write(index, &mut frame);
        frame
    });
    frames.collect()
}

/// What the kernel is given in their stead.
pub(crate) fn joined(frames: &[Vec<u8>]) -> Vec<(Header, Vec<u8>)> {
    let mut joiner = Joiner::new(true);
    let mut all = Vec::new();
    for frame in frames {
        joiner.push(frame, |header, frame| all.push((header, frame.to_vec())));
    }
    joiner.flush(|header, frame| all.push((header, frame.to_vec())));
    all
}
