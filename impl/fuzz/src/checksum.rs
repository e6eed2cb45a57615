//! The checksum of ICMPv6, which a fuzzer would not guess.

use std::net::Ipv6Addr;

/// The checksum of a message between two addresses (RFC 4443 section 2.3); its own is zero.
pub(crate) fn of_message(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let ends = [source.octets(), destination.octets()].concat();
    let words = [
        &ends[..],
        &(message.len() as u32).to_be_bytes(),
        &[0, 0, 0, 58],
        message,
    ]
    .concat();
    let words = words.chunks(2).map(|word| {
        let low = word.get(1).copied().unwrap_or(0);
        u64::from(u16::from_be_bytes([word[0], low]))
    });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
