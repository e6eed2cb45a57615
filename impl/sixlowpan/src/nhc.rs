//! How the headers behind the IPv6 header are announced and shortened (RFC 6282 section 4).

use crate::iphc::DecompressError;

/// Hop-by-hop options (RFC 8200 section 4.3).
const HOP_BY_HOP: u8 = 0;
/// UDP (RFC 768).
pub(crate) const UDP: u8 = 17;
/// An IPv6 packet in the packet (RFC 2473).
pub(crate) const IPV6: u8 = 41;
/// A routing header (RFC 8200 section 4.4).
const ROUTING: u8 = 43;
/// A fragment header (RFC 8200 section 4.5).
const FRAGMENT: u8 = 44;
/// Destination options (RFC 8200 section 4.6).
const DESTINATION_OPTIONS: u8 = 60;
/// A mobility header (RFC 6275 section 6.1).
const MOBILITY: u8 = 135;

/// The announcement of an extension header, in its first four bits (RFC 6282 section 4.2).
const EXTENSION_ID: u8 = 0xe0;
/// That of a UDP header, in its first five (RFC 6282 section 4.3.3).
const UDP_ID: u8 = 0xf0;
/// The header behind the extension header is announced as well: NH.
const NEXT_COMPRESSED: u8 = 0x01;
/// The checksum is left out: C.
const CHECKSUM_ELIDED: u8 = 0x04;
/// The number of an IPv6 header among the extension headers: EID.
const IPV6_EID: u8 = 7;

/// Extension headers and options count units of this many octets (RFC 8200 section 4).
pub(crate) const UNIT: usize = 8;
/// One octet of padding (RFC 8200 section 4.2).
const PAD_1: u8 = 0;
/// As many octets of padding as its length says, and two (RFC 8200 section 4.2).
const PAD_N: u8 = 1;

/// What the octet before a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nhc {
    /// An extension header; whether the header behind it is announced as well.
    Extension(Extension, bool),
    /// An IPv6 header, itself compressed.
    Ipv6,
    /// A UDP header.
    Udp {
        checksum_elided: bool,
        ports: PortMode,
    },
}

impl Nhc {
    pub(crate) const fn from_octet(octet: u8) -> Result<Self, DecompressError> {
        let eid = octet >> 1 & 0b111;
        match octet & 0xf0 {
            EXTENSION_ID if eid == IPV6_EID => Ok(Self::Ipv6),
            EXTENSION_ID => match Extension::from_eid(eid) {
                Some(kind) => Ok(Self::Extension(kind, octet & NEXT_COMPRESSED != 0)),
                None => Err(DecompressError::UnknownNhc(octet)),
            },
            _ if octet & 0xf8 == UDP_ID => Ok(Self::Udp {
                checksum_elided: octet & CHECKSUM_ELIDED != 0,
                ports: PortMode::from_bits(octet),
            }),
            _ => Err(DecompressError::UnknownNhc(octet)),
        }
    }

    pub(crate) const fn to_octet(self) -> u8 {
        match self {
            Self::Extension(kind, false) => EXTENSION_ID | kind.eid() << 1,
            Self::Extension(kind, true) => EXTENSION_ID | kind.eid() << 1 | NEXT_COMPRESSED,
            Self::Ipv6 => EXTENSION_ID | IPV6_EID << 1,
            Self::Udp {
                checksum_elided: false,
                ports,
            } => UDP_ID | ports as u8,
            Self::Udp {
                checksum_elided: true,
                ports,
            } => UDP_ID | CHECKSUM_ELIDED | ports as u8,
        }
    }

    /// The number of the protocol of the header.
    pub(crate) const fn protocol(self) -> u8 {
        match self {
            Self::Extension(kind, _) => kind.protocol(),
            Self::Ipv6 => IPV6,
            Self::Udp { .. } => UDP,
        }
    }
}

/// An extension header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    HopByHop,
    Routing,
    Fragment,
    DestinationOptions,
    Mobility,
}

impl Extension {
    const fn from_eid(eid: u8) -> Option<Self> {
        Some(match eid {
            0 => Self::HopByHop,
            1 => Self::Routing,
            2 => Self::Fragment,
            3 => Self::DestinationOptions,
            4 => Self::Mobility,
            _ => return None,
        })
    }

    const fn eid(self) -> u8 {
        match self {
            Self::HopByHop => 0,
            Self::Routing => 1,
            Self::Fragment => 2,
            Self::DestinationOptions => 3,
            Self::Mobility => 4,
        }
    }

    pub(crate) const fn from_protocol(protocol: u8) -> Option<Self> {
        Some(match protocol {
            HOP_BY_HOP => Self::HopByHop,
            ROUTING => Self::Routing,
            FRAGMENT => Self::Fragment,
            DESTINATION_OPTIONS => Self::DestinationOptions,
            MOBILITY => Self::Mobility,
            _ => return None,
        })
    }

    const fn protocol(self) -> u8 {
        match self {
            Self::HopByHop => HOP_BY_HOP,
            Self::Routing => ROUTING,
            Self::Fragment => FRAGMENT,
            Self::DestinationOptions => DESTINATION_OPTIONS,
            Self::Mobility => MOBILITY,
        }
    }

    /// Whether it consists of options, which can be padded.
    pub(crate) const fn has_options(self) -> bool {
        matches!(self, Self::HopByHop | Self::DestinationOptions)
    }
}

/// The padding that fills an extension header of `length` octets up to whole units.
pub(crate) const fn padding(length: usize) -> &'static [u8] {
    match length % UNIT {
        0 => &[],
        7 => &[PAD_1],
        6 => &[PAD_N, 0],
        5 => &[PAD_N, 1, 0],
        4 => &[PAD_N, 2, 0, 0],
        3 => &[PAD_N, 3, 0, 0, 0],
        2 => &[PAD_N, 4, 0, 0, 0, 0],
        _ => &[PAD_N, 5, 0, 0, 0, 0, 0],
    }
}

/// `options` without the last one, if that is padding which the receiver restores.
pub(crate) fn without_padding(options: &[u8]) -> &[u8] {
    let (mut rest, mut last) = (options, 0);
    while !rest.is_empty() {
        last = options.len().saturating_sub(rest.len());
        let tail = match rest {
            [PAD_1, tail @ ..] => Some(tail),
            [_, length, tail @ ..] => tail.get(usize::from(*length)..),
            _ => None,
        };
        match tail {
            Some(tail) => rest = tail,
            None => return options,
        }
    }
    match options.split_at_checked(last) {
        // Before the options stand two octets.
        Some((kept, pad)) if pad == padding(last.saturating_add(2)) => kept,
        _ => options,
    }
}

/// How ports are shortened: P (RFC 6282 section 4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortMode {
    /// Both whole.
    Whole = 0b00,
    /// The destination is 0xf0XX.
    ShortDestination = 0b01,
    /// The source is 0xf0XX.
    ShortSource = 0b10,
    /// Both are 0xf0bX.
    Nibbles = 0b11,
}

impl PortMode {
    const fn from_bits(octet: u8) -> Self {
        match octet & 0b11 {
            0b00 => Self::Whole,
            0b01 => Self::ShortDestination,
            0b10 => Self::ShortSource,
            _ => Self::Nibbles,
        }
    }

    /// The shortest way to carry the two ports of a UDP header, and what is carried.
    pub(crate) fn shorten(ports: [u8; 4]) -> (Self, Vec<u8>) {
        match ports {
            [0xf0, a @ 0xb0..=0xbf, 0xf0, b @ 0xb0..=0xbf] => {
                (Self::Nibbles, vec![(a & 0x0f) << 4 | (b & 0x0f)])
            }
            [a, b, 0xf0, c] => (Self::ShortDestination, vec![a, b, c]),
            [0xf0, a, b, c] => (Self::ShortSource, vec![a, b, c]),
            whole => (Self::Whole, whole.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_announcement_that_is_understood_is_written_the_same() {
        let understood =
            (0..=u8::MAX).filter_map(|octet| Some((octet, Nhc::from_octet(octet).ok()?)));
        let mut count = 0;
        for (octet, nhc) in understood {
            count += 1;
            let unused = if nhc == Nhc::Ipv6 { NEXT_COMPRESSED } else { 0 };
            assert_eq!(nhc.to_octet(), octet & !unused);
        }
        // Five extension headers and IPv6, each with NH or not, and eight of UDP.
        assert_eq!(count, 2 * 6 + 8);
    }

    #[test]
    fn only_padding_that_comes_back_is_left_out() {
        assert_eq!(without_padding(&[5, 2, 0, 0, PAD_N, 0]), [5, 2, 0, 0]);
        assert_eq!(without_padding(&[5, 3, 0, 0, 0, PAD_1]), [5, 3, 0, 0, 0]);
        assert_eq!(without_padding(&[PAD_N, 4, 0, 0, 0, 0]), [0; 0]);
        // Two of them, of which the second alone would come back.
        assert_eq!(
            without_padding(&[5, 2, 0, 0, PAD_1, PAD_1]),
            [5, 2, 0, 0, PAD_1]
        );
        for kept in [
            &[PAD_N, 4, 0, 0, 0, 1][..],
            &[5, 4, 0, 0, 0, 0],
            &[5, 9, 0, 0, PAD_N, 0],
        ] {
            assert_eq!(without_padding(kept), kept);
        }
    }

    #[test]
    fn padding_fills_whole_units() {
        for length in 0..64 {
            assert_eq!((length + padding(length).len()) % UNIT, 0);
        }
    }
}
