//! Packets that are made by hand.

use std::net::Ipv6Addr;

pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// A packet without traffic class and flow label.
pub(crate) fn ipv6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    next_header: u8,
    hop_limit: u8,
    payload: &[u8],
) -> Vec<u8> {
    let [a, b] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [
        &[0x60, 0, 0, 0, a, b, next_header, hop_limit][..],
        &source.octets(),
        &destination.octets(),
        payload,
    ]
    .concat()
}

/// A UDP datagram or a message of ICMPv6 with its checksum, which is zero before.
pub(crate) fn with_checksum(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: u8,
    mut message: Vec<u8>,
) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    let mut octets = [&source.octets()[..], &destination.octets()].concat();
    octets.extend(length.to_be_bytes());
    octets.extend([0, 0, 0, protocol]);
    octets.extend(&message);
    let words = octets.chunks(2).map(|word| {
        let low = word.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([word[0], low]))
    });
    let sum = words.sum::<u32>();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    let at = if protocol == UDP { 6 } else { 2 };
    message[at..at + 2].copy_from_slice(&(!sum).to_be_bytes());
    message
}
