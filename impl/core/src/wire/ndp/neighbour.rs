//! Neighbour solicitations and advertisements (RFC 4861 sections 4.3 and 4.4).

use std::net::Ipv6Addr;

use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::icmpv6::ndp::NdpOptionTypes;

use super::options::OPTION_UNIT;
use super::{ALL_NODES, Received, message_in};
use crate::subnet::Mac;
use crate::wire::ethernet::{ETHERTYPE_IPV6, Frame};
use crate::wire::icmpv6;

/// The Ethernet address of [`ALL_NODES`] (RFC 2464 section 7).
const ALL_NODES_MAC: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
/// The sender is a router (RFC 4861 section 4.4).
const FLAG_ROUTER: u8 = 0x80;
/// The advertisement answers a solicitation (RFC 4861 section 4.4).
const FLAG_SOLICITED: u8 = 0x40;
/// Cached link-layer addresses are to be replaced (RFC 4861 section 4.4).
const FLAG_OVERRIDE: u8 = 0x20;

/// The whole Ethernet frame by which `mac` tells its link, unasked, that `address` is found
/// there now (RFC 4861 section 7.2.6).
///
/// `router` is whether the sender forwards: hosts stop using a router that says it is none.
#[must_use]
pub fn unsolicited_neighbour_advertisement(mac: Mac, address: Ipv6Addr, router: bool) -> Vec<u8> {
    let ethertype = ETHERTYPE_IPV6.to_be_bytes();
    let link = [&ALL_NODES_MAC.0[..], &mac.0, &ethertype].concat();
    let flags = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    let fixed = [Icmpv6Types::NeighborAdvert.0, 0, 0, 0, flags, 0, 0, 0];
    let message = [&fixed[..], &address.octets(), &target_address(mac)].concat();
    icmpv6::frame(&link, address, ALL_NODES, &message)
}

/// The option that says which station an advertisement speaks of (RFC 4861 section 4.6.1).
fn target_address(Mac([a, b, c, d, e, f]): Mac) -> [u8; OPTION_UNIT] {
    [NdpOptionTypes::TargetLLAddr.0, 1, a, b, c, d, e, f]
}

/// A station asks who has an IPv6 address (RFC 4861 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solicitation {
    /// The station that asks.
    pub sender: Mac,
    /// Its address.
    pub sender_address: Ipv6Addr,
    /// The address it asks for.
    pub target: Ipv6Addr,
    /// It told its link-layer address and wants to be told one.
    pub tells_link_address: bool,
}

impl Solicitation {
    /// Whether a frame holds one, valid or not.
    #[must_use]
    pub fn is_in(frame: &Frame<'_>) -> bool {
        message_in(frame).is_some_and(|(_, kind)| kind == Icmpv6Types::NeighborSolicit.0)
    }

    /// Reads one that can be answered; `None` if it fails a check of RFC 4861 section 7.1.1 or
    /// asks whether its own sender's address is taken.
    #[must_use]
    pub fn parse(frame: &Frame<'_>) -> Option<Self> {
        let received = Received::in_frame(frame)?;
        let parts = received.parts::<20>(Icmpv6Types::NeighborSolicit);
        // Behind four bytes that are reserved.
        let (&[_, _, _, _, ref target @ ..], options) = parts.ok()?;
        let (source, target) = (received.source, Ipv6Addr::from(*target));
        let has_sender = !(source.is_unspecified() || source.is_multicast());
        if !has_sender || target.is_multicast() || frame.source().is_multicast() {
            return None;
        }
        let told = options.link_address(NdpOptionTypes::SourceLLAddr.0);
        Some(Self {
            sender: frame.source(),
            sender_address: source,
            target,
            tells_link_address: told.is_some(),
        })
    }

    /// The whole frame that answers: `mac` has the address.
    ///
    /// Its source is the address asked for, also where the question went to a group, in whose
    /// name nothing can be sent.
    #[must_use]
    pub fn advertisement(&self, mac: Mac) -> Vec<u8> {
        let ethertype = ETHERTYPE_IPV6.to_be_bytes();
        let link = [&self.sender.0[..], &mac.0, &ethertype].concat();
        let fixed = [
            Icmpv6Types::NeighborAdvert.0,
            0,
            0,
            0,
            FLAG_SOLICITED,
            0,
            0,
            0,
        ];
        let mut message = [&fixed[..], &self.target.octets()].concat();
        if self.tells_link_address {
            message.extend(target_address(mac));
        }
        icmpv6::frame(&link, self.target, self.sender_address, &message)
    }
}

#[cfg(test)]
mod tests {
    use pnet_packet::Packet;
    use pnet_packet::icmpv6::ndp::NeighborAdvertPacket;
    use pnet_packet::icmpv6::{Icmpv6Packet, checksum};
    use pnet_packet::ipv6::Ipv6Packet;
    use proptest::prelude::*;

    use super::*;

    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x85a3, 0xef00, 0, 0, 0, 0x11);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 0xaa]);

    #[test]
    fn the_advertisement_reads_as_rfc_4861_has_it() {
        let bytes = unsolicited_neighbour_advertisement(MAC, ADDRESS, false);
        assert_eq!(bytes.len(), 86);
        let frame = Frame::new(&bytes).unwrap();
        assert_eq!(frame.destination(), ALL_NODES_MAC);
        assert_eq!(frame.source(), MAC);
        let ip = Ipv6Packet::new(frame.payload()).unwrap();
        assert_eq!(ip.get_version(), 6);
        assert_eq!(ip.get_hop_limit(), 255);
        assert_eq!(ip.get_source(), ADDRESS);
        assert_eq!(ip.get_destination(), ALL_NODES);
        assert_eq!(usize::from(ip.get_payload_length()), ip.payload().len());
        let advert = NeighborAdvertPacket::new(ip.payload()).unwrap();
        assert_eq!(advert.get_icmpv6_type(), Icmpv6Types::NeighborAdvert);
        assert_eq!(advert.get_flags(), FLAG_OVERRIDE);
        assert_eq!(advert.get_target_addr(), ADDRESS);
        assert_eq!(advert.packet()[24..], [2, 1, 2, 0, 0, 0, 0, 0xaa]);
    }

    #[test]
    fn its_checksum_is_right() {
        let bytes = unsolicited_neighbour_advertisement(MAC, ADDRESS, true);
        let ip = Ipv6Packet::new(&bytes[14..]).unwrap();
        let message = Icmpv6Packet::new(ip.payload()).unwrap();
        assert_eq!(
            message.get_checksum(),
            checksum(&message, &ADDRESS, &ALL_NODES)
        );
    }

    #[test]
    fn a_router_says_so() {
        let bytes = unsolicited_neighbour_advertisement(MAC, ADDRESS, true);
        assert_eq!(bytes[58], FLAG_ROUTER | FLAG_OVERRIDE);
    }

    const ASKER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
    const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x11);

    /// A solicitation for `ADDRESS` with these options.
    fn solicitation(source: Ipv6Addr, options: &[u8]) -> Vec<u8> {
        let link = [&[0x33, 0x33, 0xff, 0, 0, 0x11], &MAC.0[..], &[0x86, 0xdd]].concat();
        let message = [&[135, 0, 0, 0, 0, 0, 0, 0], &ADDRESS.octets()[..], options].concat();
        icmpv6::frame(&link, source, GROUP, &message)
    }

    fn parse(bytes: &[u8]) -> Option<Solicitation> {
        Solicitation::parse(&Frame::new(bytes)?)
    }

    #[test]
    fn a_solicitation_is_answered_as_rfc_4861_has_it() {
        let asked = solicitation(ASKER, &[1, 1, 2, 0, 0, 0, 0, 0xaa]);
        let answer = parse(&asked)
            .unwrap()
            .advertisement(Mac([2, 0, 0, 0, 0, 0x55]));
        let frame = Frame::new(&answer).unwrap();
        assert_eq!(frame.destination(), MAC);
        let ip = Ipv6Packet::new(frame.payload()).unwrap();
        assert_eq!((ip.get_source(), ip.get_destination()), (ADDRESS, ASKER));
        assert_eq!(ip.get_hop_limit(), 255);
        let advert = NeighborAdvertPacket::new(ip.payload()).unwrap();
        assert_eq!(advert.get_icmpv6_type(), Icmpv6Types::NeighborAdvert);
        assert_eq!(advert.get_flags(), FLAG_SOLICITED);
        assert_eq!(advert.get_target_addr(), ADDRESS);
        assert_eq!(advert.packet()[24..], [2, 1, 2, 0, 0, 0, 0, 0x55]);
        let message = Icmpv6Packet::new(ip.payload()).unwrap();
        assert_eq!(message.get_checksum(), checksum(&message, &ADDRESS, &ASKER));
    }

    #[test]
    fn who_tells_no_link_address_is_told_none() {
        let answer = parse(&solicitation(ASKER, &[])).unwrap().advertisement(MAC);
        assert_eq!(answer.len(), 14 + 40 + 24);
    }

    #[test]
    fn options_of_other_kinds_are_skipped_and_malformed_ones_end_it() {
        let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
        let asked = parse(&solicitation(ASKER, &nonce)).unwrap();
        assert!(!asked.tells_link_address);
        for malformed in [
            &[1, 0, 0, 0, 0, 0, 0, 0][..],
            &[1, 2, 0, 0, 0, 0, 0, 0],
            &[1],
        ] {
            assert_eq!(parse(&solicitation(ASKER, malformed)), None);
        }
    }

    #[test]
    fn what_rfc_4861_has_discarded_is_not_answered() {
        let good = solicitation(ASKER, &[]);
        assert!(parse(&good).is_some());
        for (at, why) in [
            (21, "a router passed it on"),
            (54, "another type"),
            (55, "another code"),
            (56, "a wrong checksum"),
            (70, "a changed target"),
            (18, "a wrong length"),
        ] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(parse(&bad), None, "{why}");
        }
        let own = solicitation(Ipv6Addr::UNSPECIFIED, &[]);
        assert_eq!(
            parse(&own),
            None,
            "it looks for a duplicate of its own address"
        );
        assert!(Solicitation::is_in(&Frame::new(&own).unwrap()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            options: Vec<u8>,
            changes in prop::collection::vec((0..78usize, any::<u8>()), 0..4),
            len in 0..120usize,
        ) {
            let mut frame = solicitation(ASKER, &options);
            for (at, byte) in changes {
                frame[at] = byte;
            }
            frame.truncate(len.max(frame.len() / 2));
            if let Some(asked) = parse(&frame) {
                let answer = asked.advertisement(MAC);
                let ip = Ipv6Packet::new(&answer[14..]).unwrap();
                let message = Icmpv6Packet::new(ip.payload()).unwrap();
                let sum = checksum(&message, &ip.get_source(), &ip.get_destination());
                prop_assert_eq!(message.get_checksum(), sum);
            }
        }
    }
}
