//! What the fuzz targets of IPv6 over Bluetooth Low Energy call, as those in `lib.rs`; the tests of
//! `sixlowpan` replay their corpora.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use sixlowpan::MTU;
use sixlowpan::coc::{Channel, Event, ReceiveError, SIGNALLING_CID, Settings};
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iid::{DeviceAddress, Iid, IidMode};
use sixlowpan::iphc::{self, NextHeaders};
use sixlowpan::link::Link;
use sixlowpan::nd::{Limits, NdPacket, Options, Registry};

use super::checksum;

/// A target: its name, which is also that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 3] = [("iphc", iphc), ("lowpan_nd", lowpan_nd), ("coc", coc)];

/// A compressed packet. What can be restored is compressed and restored to the same.
pub fn iphc(data: &[u8]) {
    let mut here = Link::new(ROUTER, NODE, IidMode::Rfc7668);
    here.peer.register(REGISTERED);
    let there = Link {
        own: here.peer.clone(),
        peer: here.own.clone(),
    };
    let contexts = contexts();
    let Ok(packet) = iphc::decompress(data, &here, &contexts) else {
        return;
    };
    for (udp, extensions) in [(false, false), (true, false), (false, true), (true, true)] {
        let next_headers = NextHeaders { udp, extensions };
        let payload = iphc::compress(&packet, &there, &contexts, next_headers);
        let payload = payload.expect("what was restored is a packet");
        assert!(payload.len() <= packet.len());
        let again = iphc::decompress(&payload, &here, &contexts);
        assert_eq!(again.as_ref(), Ok(&packet));
    }
}

/// A message of neighbour discovery behind an octet that chooses its addresses; its checksum is made
/// right. What is legal is written as something that means the same, and registers.
pub fn lowpan_nd(data: &[u8]) {
    let Some((how, message)) = data.split_first() else {
        return;
    };
    for option in Options::new(message).flatten() {
        let mut written = Vec::new();
        option.write(&mut written);
        let read: Vec<_> = Options::new(&written).collect();
        assert_eq!(read, [Ok(option)]);
    }
    let node = Iid::of_device(NODE, IidMode::Rfc7668).link_local();
    let router = Iid::of_device(ROUTER, IidMode::Rfc7668).link_local();
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let ends = [node, router, REGISTERED, Ipv6Addr::UNSPECIFIED, all];
    let end = |number: u8| ends[usize::from(number) % ends.len()];
    let packet = sealed(end(how & 0x0f), end(how >> 4), message);
    let Ok(Some(read)) = NdPacket::parse(&packet) else {
        return;
    };
    let again = read.to_vec();
    assert_eq!(NdPacket::parse(&again), Ok(Some(read.clone())));
    if let Some((address, request)) = read.request() {
        let mut registry = Registry::new(Limits {
            total: 2,
            per_channel: 1,
        });
        let now = Instant::now();
        for channel in [1, 2] {
            let outcome = registry.register(channel, address, request, now);
            let answer = read.answer(outcome.status, ROUTER.octets, node);
            assert!(answer.is_some_and(|answer| answer.to_vec().len() <= MTU));
        }
        registry.expire(now + Duration::from_secs(60 * 65_536));
        assert_eq!(registry.iter().count(), 0);
    }
}

/// What a peer sends on a channel: after an octet that says who opened it come pieces, each behind
/// one octet for what it is and one for its length.
pub fn coc(data: &[u8]) {
    let Some((how, mut rest)) = data.split_first() else {
        return;
    };
    let settings = Settings::new(OWN_CID, 23, 3).expect("settings of a channel");
    let mut channel = match how & 1 {
        0 => Channel::listen(settings),
        _ => Channel::connect(settings),
    };
    let mut ends = 0;
    while let [kind, length, behind @ ..] = rest {
        let (piece, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        let cid = match kind >> 2 & 0b11 {
            0 | 1 => SIGNALLING_CID,
            2 => OWN_CID,
            _ => PEER_CID,
        };
        match kind & 0b11 {
            0 => hear(&mut channel, piece),
            1 => {
                let length = (piece.len() as u16).to_le_bytes();
                hear(
                    &mut channel,
                    &[&length, &cid.to_le_bytes()[..], piece].concat(),
                );
            }
            2 => {
                let was_ready = channel.is_ready();
                assert_eq!(channel.send(piece).is_ok(), was_ready);
            }
            _ => channel.close(),
        }
        if kind & 0x10 != 0 {
            while channel.poll_frame().is_some() {}
            ends += closed(&mut channel);
        }
    }
    while let Some(frame) = channel.poll_frame() {
        assert!(frame.len() <= 4 + MTU + 2);
    }
    ends += closed(&mut channel);
    assert!(ends <= 1, "closed {ends} times");
}

/// The channel hears a frame; it survives unless the frame is a violation.
fn hear(channel: &mut Channel, frame: &[u8]) {
    let was_open = channel.is_open();
    match channel.receive(frame) {
        Ok(()) => {}
        Err(ReceiveError::Violation(_)) => assert!(!channel.is_open()),
        Err(_) => assert_eq!(channel.is_open(), was_open),
    }
}

/// Takes what happened; how often the channel was closed.
fn closed(channel: &mut Channel) -> usize {
    std::iter::from_fn(|| channel.poll_event())
        .filter(|event| matches!(event, Event::Closed(_)))
        .count()
}

const ROUTER: DeviceAddress = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);
const NODE: DeviceAddress = DeviceAddress::public([0, 0x1b, 0xdc, 0, 0, 2]);
/// An address that the node has registered.
const REGISTERED: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 7);
/// Numbers of the two ends of a channel.
const OWN_CID: u16 = 0x40;
const PEER_CID: u16 = 0x41;

/// Contexts of all kinds; of some numbers there are none.
fn contexts() -> Contexts {
    let mut contexts = Contexts::default();
    for (id, prefix, length) in [
        (0, "2001:db8:1:2::", 64),
        (1, "2001:db8::", 32),
        (2, "64:ff9b::", 96),
        (3, "2001:db8:53::53", 128),
        (15, "::", 0),
    ] {
        let id = ContextId::new(id).expect("a number of four bits");
        let prefix = prefix.parse().expect("an address");
        contexts.set(id, Context::new(prefix, length, true).expect("a length"));
    }
    contexts
}

/// The packet of a message, with the checksum that it has to have.
fn sealed(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
        let sum = checksum::of_message(source, destination, &message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
    }
    let [a, b] = (message.len() as u16).to_be_bytes();
    [
        &[0x60, 0, 0, 0, a, b, 58, 255][..],
        &source.octets(),
        &destination.octets(),
        &message,
    ]
    .concat()
}
