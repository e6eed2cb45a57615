//! Neighbour discovery messages (RFC 4861).

use std::net::Ipv6Addr;

use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::icmpv6::ndp::NdpOptionTypes;

use super::ethernet::ETHERTYPE_IPV6;
use super::icmpv6;
use crate::subnet::Mac;

/// All nodes on the link (RFC 4291 section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The Ethernet address of [`ALL_NODES`] (RFC 2464 section 7).
const ALL_NODES_MAC: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
/// The sender is a router (RFC 4861 section 4.4).
const FLAG_ROUTER: u8 = 0x80;
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
    // The length of an option counts units of eight bytes.
    let target_address = [NdpOptionTypes::TargetLLAddr.0, 1];
    let message = [&fixed[..], &address.octets(), &target_address, &mac.0].concat();
    icmpv6::frame(&link, address, ALL_NODES, &message)
}

#[cfg(test)]
mod tests {
    use pnet_packet::Packet;
    use pnet_packet::icmpv6::ndp::NeighborAdvertPacket;
    use pnet_packet::icmpv6::{Icmpv6Packet, checksum};
    use pnet_packet::ipv6::Ipv6Packet;

    use super::super::ethernet::Frame;
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
}
