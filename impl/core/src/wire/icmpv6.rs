//! Wraps ICMPv6 messages (RFC 4443) into IPv6 (RFC 8200).

use std::net::Ipv6Addr;

use pnet_packet::ip::IpNextHeaderProtocols::Icmpv6;
use pnet_packet::util;

/// Bytes of the fixed IPv6 header (RFC 8200).
pub(crate) const IPV6_HEADER_LEN: usize = 40;

/// The word of an ICMPv6 message that holds the checksum (RFC 4443 section 2.1).
const CHECKSUM_WORD: usize = 1;

/// A frame of `link`, an IPv6 header of hop limit 255 and `message`, whose checksum is filled
/// in. The length field saturates: every message we build is far from 64 KiB.
pub(crate) fn frame(
    link: &[u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
    message: &[u8],
) -> Vec<u8> {
    let checksum = util::ipv6_checksum(message, CHECKSUM_WORD, &[], &source, &destination, Icmpv6);
    let length = u16::try_from(message.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let fixed = [0x60, 0, 0, 0, length[0], length[1], Icmpv6.0, 255];
    let mut message = message.to_vec();
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    [
        link,
        &fixed,
        &source.octets(),
        &destination.octets(),
        &message,
    ]
    .concat()
}

/// Whether the checksum of a message is right.
pub(crate) fn is_intact(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> bool {
    let sum = util::ipv6_checksum(message, CHECKSUM_WORD, &[], &source, &destination, Icmpv6);
    message.get(2..4) == Some(&sum.to_be_bytes())
}
