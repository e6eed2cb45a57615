//! The checksum that a sender left out (RFC 6282 section 4.3.2).

use std::net::Ipv6Addr;

use crate::nhc::UDP;

/// The checksum of a UDP datagram of which the checksum field is zero (RFC 8200 section 8.1).
pub(super) fn udp(source: Ipv6Addr, destination: Ipv6Addr, length: u16, datagram: &[u8]) -> u16 {
    let [hi, lo] = length.to_be_bytes();
    let sum = sum(&source.octets())
        .wrapping_add(sum(&destination.octets()))
        .wrapping_add(sum(&[hi, lo, 0, UDP]))
        .wrapping_add(sum(datagram));
    match !fold(sum) {
        // Zero would say that there is none.
        0 => u16::MAX,
        checksum => checksum,
    }
}

/// The sum of 16-bit words; a packet of this link has too few of them to overflow it.
fn sum(octets: &[u8]) -> u32 {
    let words = octets.chunks(2).map(|word| match *word {
        [hi, lo] => u16::from_be_bytes([hi, lo]),
        [hi] => u16::from_be_bytes([hi, 0]),
        _ => 0,
    });
    words.map(u32::from).fold(0, u32::wrapping_add)
}

/// The sum with its carries added until none is left.
fn fold(sum: u32) -> u16 {
    let [a, b, c, d] = sum.to_be_bytes();
    let (sum, carry) = u16::from_be_bytes([a, b]).overflowing_add(u16::from_be_bytes([c, d]));
    sum.wrapping_add(u16::from(carry))
}
