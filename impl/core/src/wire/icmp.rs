//! Wraps ICMP messages (RFC 792) into IPv4 (RFC 791).

use std::net::Ipv4Addr;

use pnet_packet::MutablePacket;
use pnet_packet::icmp::{self, MutableIcmpPacket};
use pnet_packet::ip::IpNextHeaderProtocols::Icmp;
use pnet_packet::ipv4::{self, MutableIpv4Packet};

/// Bytes of an IPv4 header without options (RFC 791 section 3.1).
pub(crate) const IPV4_HEADER_LEN: usize = 20;

/// Time to live of what we send (legacy protocol).
const TTL: u8 = 255;

/// A frame of `link`, an IPv4 header and the ICMP message, whose checksum is filled in.
pub(crate) fn frame(
    link: &[u8],
    source: Ipv4Addr,
    destination: Ipv4Addr,
    message: &[u8],
) -> Vec<u8> {
    let mut frame = [link, &[0; IPV4_HEADER_LEN], message].concat();
    if let Some(packet) = frame.get_mut(link.len()..)
        && let Ok(total_length) = u16::try_from(packet.len())
        && let Some(mut ip) = MutableIpv4Packet::new(packet)
    {
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_total_length(total_length);
        ip.set_ttl(TTL);
        ip.set_next_level_protocol(Icmp);
        ip.set_source(source);
        ip.set_destination(destination);
        ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
        if let Some(mut icmp) = MutableIcmpPacket::new(ip.payload_mut()) {
            icmp.set_checksum(icmp::checksum(&icmp.to_immutable()));
        }
    }
    frame
}
