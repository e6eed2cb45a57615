//! The header before each frame of a device that offloads (virtio 1.2 section 5.1.6, in the byte
//! order of the machine).

use crate::wire::checksum::Sum;

/// A checksum is still to be computed (`VIRTIO_NET_HDR_F_NEEDS_CSUM`).
const NEEDS_CHECKSUM: u8 = 1;
/// The connection marks congestion (`VIRTIO_NET_HDR_GSO_ECN`).
const ECN: u8 = 0x80;

/// What the kernel wants done with a frame, or was spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The checksum that is still to be computed.
    pub checksum: Option<Checksum>,
    /// The frame stands for several.
    pub segmentation: Option<Segmentation>,
}

/// A checksum over everything from one place to the end, of which its field holds the part that
/// is not there: the sum of the pseudo-header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// Where the header begins whose checksum it is, in bytes.
    pub start: u16,
    /// Where its field is from there, in bytes.
    pub field: u16,
}

/// How a frame is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segmentation {
    /// What is in it.
    pub kind: Kind,
    /// Bytes of payload of each frame but the last.
    pub size: u16,
    /// Bytes of all headers; a hint.
    pub headers: u16,
}

/// What is in a frame that stands for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP datagrams over either.
    Udp,
}

/// A frame and its header do not fit together, or it is of a kind that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kernel gave a frame that does not fit its header")]
pub struct Malformed;

impl Header {
    /// Bytes of the header.
    pub const LEN: usize = 10;

    /// Reads a header.
    ///
    /// # Errors
    /// If it is of a kind that we do not know.
    pub fn parse([flags, gso, rest @ ..]: [u8; Self::LEN]) -> Result<Self, Malformed> {
        let [a, b, c, d, e, f, g, h] = rest;
        let word = |low, high| u16::from_ne_bytes([low, high]);
        let kind = match gso & !ECN {
            0 => None,
            1 => Some(Kind::Tcp4),
            4 => Some(Kind::Tcp6),
            5 => Some(Kind::Udp),
            _ => return Err(Malformed),
        };
        Ok(Self {
            checksum: (flags & NEEDS_CHECKSUM != 0).then_some(Checksum {
                start: word(e, f),
                field: word(g, h),
            }),
            segmentation: kind.map(|kind| Segmentation {
                kind,
                size: word(c, d),
                headers: word(a, b),
            }),
        })
    }

    /// The bytes of the header.
    #[must_use]
    pub fn bytes(self) -> [u8; Self::LEN] {
        let flags = if self.checksum.is_some() {
            NEEDS_CHECKSUM
        } else {
            0
        };
        let gso = self.segmentation.map_or(0, |cut| match cut.kind {
            Kind::Tcp4 => 1,
            Kind::Tcp6 => 4,
            Kind::Udp => 5,
        });
        let words = [
            self.segmentation.map_or(0, |cut| cut.headers),
            self.segmentation.map_or(0, |cut| cut.size),
            self.checksum.map_or(0, |checksum| checksum.start),
            self.checksum.map_or(0, |checksum| checksum.field),
        ];
        let [[a, b], [c, d], [e, f], [g, h]] = words.map(u16::to_ne_bytes);
        [flags, gso, a, b, c, d, e, f, g, h]
    }

    /// The header of the same frame with `len` bytes more before it.
    #[must_use]
    pub fn behind(self, len: u16) -> Self {
        self.shifted(|offset| offset.saturating_add(len))
    }

    /// The header of the same frame without its first `len` bytes.
    #[must_use]
    pub fn without(self, len: u16) -> Self {
        self.shifted(|offset| offset.saturating_sub(len))
    }

    fn shifted(mut self, shift: impl Fn(u16) -> u16) -> Self {
        if let Some(checksum) = &mut self.checksum {
            checksum.start = shift(checksum.start);
        }
        if let Some(segmentation) = &mut self.segmentation {
            segmentation.headers = shift(segmentation.headers);
        }
        self
    }

    /// Bytes of all the frames that a frame of `len` bytes stands for.
    #[must_use]
    pub fn stands_for(self, len: usize) -> usize {
        let Some(cut) = self.segmentation else {
            return len;
        };
        let headers = usize::from(cut.headers).min(len);
        let frames = (len - headers).div_ceil(usize::from(cut.size).max(1));
        len + headers * frames.saturating_sub(1)
    }

    /// Computes the checksum of a frame that stands for itself.
    ///
    /// # Errors
    /// If the frame ends before the field.
    pub fn complete(self, frame: &mut [u8]) -> Result<(), Malformed> {
        let Some(Checksum { start, field }) = self.checksum else {
            return Ok(());
        };
        let covered = frame.get_mut(start.into()..).ok_or(Malformed)?;
        let mut checksum = Sum::of(covered).checksum();
        let field = covered
            .get_mut(field.into()..)
            .and_then(<[u8]>::first_chunk_mut);
        // Zero means that there is none, to UDP (RFC 768), and is the same sum.
        if checksum == [0; 2] {
            checksum = [0xff; 2];
        }
        *field.ok_or(Malformed)? = checksum;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_header_is_what_its_bytes_say(bytes: [u8; Header::LEN]) {
            if let Ok(header) = Header::parse(bytes) {
                prop_assert_eq!(Header::parse(header.bytes()), Ok(header));
            }
        }

        #[test]
        fn no_header_makes_a_frame_panic(bytes: [u8; Header::LEN], mut frame: Vec<u8>) {
            if let Ok(header) = Header::parse(bytes) {
                let _ = header.complete(&mut frame);
            }
        }
    }
}
