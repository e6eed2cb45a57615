//! Counts a hop: lowers the time to live of IPv4 packets (RFC 1812 section 5.3.1) and the hop
//! limit of IPv6 ones (RFC 8200 section 3).

use super::checksum::corrected;
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame};

/// Where the fields stand in the IP header.
const V4_TTL: usize = 8;
const V4_CHECKSUM: usize = 10;
const V6_HOP_LIMIT: usize = 7;

/// Takes one hop from the IP packet in a frame; `false` if it has none left and must go no
/// further. Frames without an IP packet have no such count and pass.
#[must_use]
pub fn decrement(bytes: &mut [u8]) -> bool {
    let Some(frame) = Frame::new(bytes) else {
        return true;
    };
    let (at, ethertype) = (frame.header().len(), frame.ethertype());
    let Some(packet) = bytes.get_mut(at..) else {
        return true;
    };
    match ethertype {
        ETHERTYPE_IPV4 => decrement_ipv4(packet),
        ETHERTYPE_IPV6 => packet.get_mut(V6_HOP_LIMIT).is_none_or(lower),
        _ => true,
    }
}

fn decrement_ipv4(packet: &mut [u8]) -> bool {
    let Some((fields, _)) = packet
        .get_mut(V4_TTL..)
        .and_then(|rest| rest.split_first_chunk_mut::<{ V4_CHECKSUM + 2 - V4_TTL }>())
    else {
        return true;
    };
    let [ttl, protocol, high, low] = fields;
    let old = u16::from_be_bytes([*ttl, *protocol]);
    if !lower(ttl) {
        return false;
    }
    let new = u16::from_be_bytes([*ttl, *protocol]);
    let checksum = corrected(u16::from_be_bytes([*high, *low]), old, new);
    [*high, *low] = checksum.to_be_bytes();
    true
}

fn lower(count: &mut u8) -> bool {
    let is_left = *count > 1;
    if is_left {
        *count -= 1;
    }
    is_left
}

#[cfg(test)]
mod tests {
    use pnet_packet::ipv4::{Ipv4Packet, MutableIpv4Packet, checksum};
    use proptest::prelude::*;

    use super::*;

    fn v4(ttl: u8, rest: [u8; 11]) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &ETHERTYPE_IPV4.to_be_bytes(), &[0; 20]].concat();
        frame[15..22].copy_from_slice(&rest[..7]);
        frame[23] = rest[7];
        frame[26..29].copy_from_slice(&rest[8..]);
        let mut ip = MutableIpv4Packet::new(&mut frame[14..]).unwrap();
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_ttl(ttl);
        ip.set_checksum(checksum(&ip.to_immutable()));
        frame
    }

    #[test]
    fn the_hop_limit_is_lowered_until_one() {
        let mut frame = [&[0; 12][..], &ETHERTYPE_IPV6.to_be_bytes(), &[0x60; 40]].concat();
        frame[21] = 2;
        assert!(decrement(&mut frame));
        assert_eq!(frame[21], 1);
        assert!(!decrement(&mut frame));
        assert_eq!(frame[21], 1);
    }

    #[test]
    fn what_is_no_ip_packet_passes_unchanged() {
        let arp = [[0; 12].as_slice(), &[8, 6], &[1; 28]].concat();
        let mut frame = arp.clone();
        assert!(decrement(&mut frame));
        assert_eq!(frame, arp);
        assert!(decrement(&mut [0; 5]));
    }

    proptest! {
        #[test]
        fn the_ipv4_checksum_stays_right(ttl: u8, rest: [u8; 11]) {
            let mut frame = v4(ttl, rest);
            let before = frame.clone();
            if decrement(&mut frame) {
                let ip = Ipv4Packet::new(&frame[14..]).unwrap();
                prop_assert_eq!(ip.get_ttl(), ttl - 1);
                // Both forms of zero verify (RFC 1624 section 3).
                let sum = |bytes: &[u8]| bytes.chunks(2).fold(0_u32, |sum, word| {
                    let sum = sum + u32::from(u16::from_be_bytes([word[0], word[1]]));
                    (sum & 0xffff) + (sum >> 16)
                });
                prop_assert_eq!(sum(&frame[14..34]), 0xffff);
            } else {
                prop_assert!(ttl <= 1);
                prop_assert_eq!(frame, before);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(packet: Vec<u8>, v6: bool) {
            let ethertype = if v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
            let mut frame = [&[0; 12], &ethertype.to_be_bytes()[..], &packet].concat();
            let _ = decrement(&mut frame);
        }
    }
}
