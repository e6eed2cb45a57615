//! The view of an IP packet that routing needs: its two ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame};
use super::icmp::IPV4_HEADER_LEN;
use super::icmpv6::IPV6_HEADER_LEN;

/// Source and destination of an IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Of an IPv4 packet (RFC 791).
    V4 {
        /// Who sent it.
        source: Ipv4Addr,
        /// Whom it is for.
        destination: Ipv4Addr,
    },
    /// Of an IPv6 packet (RFC 8200).
    V6 {
        /// Who sent it.
        source: Ipv6Addr,
        /// Whom it is for.
        destination: Ipv6Addr,
    },
}

impl Ends {
    /// Reads them from the packet in a frame; `None` if there is none, or less of it than its
    /// header.
    #[must_use]
    pub fn of(frame: &Frame<'_>) -> Option<Self> {
        match frame.ethertype() {
            ETHERTYPE_IPV4 => {
                let header = frame.payload().first_chunk::<IPV4_HEADER_LEN>()?;
                let [version, .., a, b, c, d, e, f, g, h] = *header;
                (version >> 4 == 4).then_some(Self::V4 {
                    source: [a, b, c, d].into(),
                    destination: [e, f, g, h].into(),
                })
            }
            ETHERTYPE_IPV6 => {
                let header = frame.payload().first_chunk::<IPV6_HEADER_LEN>()?;
                let (&source, _) = header.get(8..)?.split_first_chunk::<16>()?;
                let destination = *header.last_chunk::<16>()?;
                (header[0] >> 4 == 6).then_some(Self::V6 {
                    source: source.into(),
                    destination: destination.into(),
                })
            }
            _ => None,
        }
    }

    /// Who sent the packet.
    #[must_use]
    pub fn source(self) -> IpAddr {
        match self {
            Self::V4 { source, .. } => source.into(),
            Self::V6 { source, .. } => source.into(),
        }
    }

    /// Whether the packet is for a group: multicast, or the IPv4 address of everybody.
    #[must_use]
    pub fn is_for_group(self) -> bool {
        match self {
            Self::V4 { destination, .. } => {
                destination.is_multicast() || destination.is_broadcast()
            }
            Self::V6 { destination, .. } => destination.is_multicast(),
        }
    }

    /// Whether each end is one host, which can be told something or be spoken for.
    #[must_use]
    pub fn are_hosts(self) -> bool {
        let (source_is_host, source_is_unspecified) = match self {
            Self::V4 { source, .. } => (
                !(source.is_multicast() || source.is_broadcast()),
                source.is_unspecified(),
            ),
            Self::V6 { source, .. } => (!source.is_multicast(), source.is_unspecified()),
        };
        let to_nobody = match self {
            Self::V4 { destination, .. } => destination.is_unspecified(),
            Self::V6 { destination, .. } => destination.is_unspecified(),
        };
        source_is_host && !source_is_unspecified && !to_nobody && !self.is_for_group()
    }
}

/// The class of service of the IP packet in a frame (RFC 2474), 0 without one.
///
/// The two bits of ECN beside it are left out: a mark on the outer packet would be lost where the
/// tunnel ends, so nobody must be invited to make one (RFC 6040 section 4.1).
#[must_use]
pub fn class_of_service(frame: &Frame<'_>) -> u8 {
    let octet = match (frame.ethertype(), frame.payload()) {
        (ETHERTYPE_IPV4, [_, tos, ..]) => *tos,
        (ETHERTYPE_IPV6, [high, low, ..]) => high << 4 | low >> 4,
        _ => 0,
    };
    octet & !0x03
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(ethertype: u16, packet: &[u8]) -> Vec<u8> {
        [&[0; 12], &ethertype.to_be_bytes()[..], packet].concat()
    }

    fn ends(bytes: &[u8]) -> Option<Ends> {
        Ends::of(&Frame::new(bytes).unwrap())
    }

    #[test]
    fn the_ends_are_read_from_either_family() {
        let mut v4 = [0; 20];
        v4[0] = 0x45;
        v4[12..20].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 7]);
        let (source, destination) = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
        let found = ends(&frame(ETHERTYPE_IPV4, &v4));
        assert_eq!(
            found,
            Some(Ends::V4 {
                source,
                destination
            })
        );
        let mut v6 = [0; 40];
        v6[0] = 0x60;
        v6[8] = 0xfd;
        v6[39] = 1;
        let source = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0);
        let destination = Ipv6Addr::LOCALHOST;
        let found = ends(&frame(ETHERTYPE_IPV6, &v6));
        assert_eq!(
            found,
            Some(Ends::V6 {
                source,
                destination
            })
        );
    }

    #[test]
    fn the_version_has_to_be_that_of_the_ethertype() {
        assert_eq!(ends(&frame(ETHERTYPE_IPV6, &[0x45; 60])), None);
        assert_eq!(ends(&frame(ETHERTYPE_IPV4, &[0x60; 60])), None);
        assert_eq!(ends(&frame(0x0806, &[0x45; 60])), None);
    }

    #[test]
    fn groups_and_nobody_are_no_hosts() {
        let ends = |source: [u8; 4], destination: [u8; 4]| Ends::V4 {
            source: source.into(),
            destination: destination.into(),
        };
        assert!(ends([192, 0, 2, 1], [192, 0, 2, 2]).are_hosts());
        for (source, destination) in [
            ([0; 4], [192, 0, 2, 2]),
            ([224, 0, 0, 1], [192, 0, 2, 2]),
            ([192, 0, 2, 1], [224, 0, 0, 1]),
            ([192, 0, 2, 1], [255; 4]),
            ([192, 0, 2, 1], [0; 4]),
        ] {
            assert!(!ends(source, destination).are_hosts());
        }
        assert!(ends([192, 0, 2, 1], [255; 4]).is_for_group());
    }

    #[test]
    fn the_class_of_service_is_read_without_ecn() {
        let class = |ethertype, packet: &[u8]| {
            class_of_service(&Frame::new(&frame(ethertype, packet)).unwrap())
        };
        assert_eq!(class(ETHERTYPE_IPV4, &[0x45, 0xb9]), 0xb8);
        assert_eq!(class(ETHERTYPE_IPV6, &[0x6b, 0x9f]), 0xb8);
        assert_eq!(class(ETHERTYPE_IPV6, &[0x6b]), 0);
        assert_eq!(class(0x0806, &[0x45, 0xb9]), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(packet: Vec<u8>, v6: bool) {
            let ethertype = if v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
            let _ = ends(&frame(ethertype, &packet)).map(Ends::are_hosts);
        }
    }
}
