//! The Internet checksum over a pseudo-header and an upper-layer message (RFC 8200 section 8.1).

use std::net::Ipv6Addr;

/// The checksum of `message`, whose checksum field is zero; 0 if the field is right already.
pub(crate) fn of_message(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: u8,
    message: &[u8],
) -> u16 {
    // Messages are far shorter than 4 GiB, and packets of a link than 64 KiB.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let sum = words(&source.octets())
        + words(&destination.octets())
        + words(&length.to_be_bytes())
        + u64::from(protocol)
        + words(message);
    !folded(sum)
}

/// The sum of the 16-bit words; an odd octet at the end is the upper half of one.
fn words(octets: &[u8]) -> u64 {
    let (pairs, odd) = octets.as_chunks::<2>();
    let pairs: u64 = pairs
        .iter()
        .map(|pair| u64::from(u16::from_be_bytes(*pair)))
        .sum();
    pairs + odd.first().map_or(0, |octet| u64::from(*octet) << 8)
}

/// The carries added until there are none.
const fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [.., high, low] = sum.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The echo request of the vectors.
    #[test]
    fn a_message_with_its_checksum_sums_up_to_nothing() {
        let source = "fe80::1b:dcff:fe00:2".parse().unwrap();
        let destination = "fe80::b827:ebff:fe00:1".parse().unwrap();
        let mut message = [0x80, 0, 0, 0, 0x12, 0x34, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(of_message(source, destination, 58, &message), 0xe726);
        message[2..4].copy_from_slice(&[0xe7, 0x26]);
        assert_eq!(of_message(source, destination, 58, &message), 0);
    }

    #[test]
    fn an_odd_octet_counts_as_if_a_zero_followed() {
        let [one, two] = [&[1, 2, 3][..], &[1, 2, 3, 0]].map(words);
        assert_eq!(one, two);
    }
}
