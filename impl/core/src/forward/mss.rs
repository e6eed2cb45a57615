//! Lowers the maximum segment size a TCP header offers (RFC 9293 section 3.7.1) to what fits the
//! tunnel, so that TCP never meets a frame too big for the path.

use super::checksum::corrected;
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame};
use crate::wire::icmpv6::IPV6_HEADER_LEN;

/// Protocol number of TCP (IANA).
const TCP: u8 = 6;
/// Bytes of a TCP header without options (RFC 9293 section 3.1).
const TCP_HEADER_LEN: usize = 20;
/// TCP option kinds (RFC 9293 section 3.2).
const OPTION_END: u8 = 0;
const OPTION_NO_OPERATION: u8 = 1;
const OPTION_MSS: u8 = 2;
const OPTION_MSS_LEN: u8 = 4;

/// Lowers the MSS option of a TCP segment so that no answering segment makes a frame longer than
/// `limit` bytes; says whether it did.
///
/// `limit` is the least path MTU, as a frame length, of those the connection will cross. TCP in
/// IPv4, or directly in IPv6, is found behind at most one VLAN tag; anything else, a later
/// fragment and a limit with no room for a segment leave the frame alone. The checksum is
/// corrected for the change (RFC 1624), so it must be complete: a checksum left to the network
/// card must not pass here.
pub fn clamp(frame: &mut [u8], limit: u16) -> bool {
    let Some(tcp_at) = tcp_offset(frame) else {
        return false;
    };
    let room = usize::from(limit).saturating_sub(tcp_at + TCP_HEADER_LEN);
    let Some(max) = u16::try_from(room).ok().filter(|&max| max > 0) else {
        return false;
    };
    frame
        .get_mut(tcp_at..)
        .is_some_and(|segment| clamp_segment(segment, max))
}

/// Where the TCP header of the frame begins, if it has one.
fn tcp_offset(bytes: &[u8]) -> Option<usize> {
    let frame = Frame::new(bytes)?;
    let ip = frame.payload();
    let header_len = match frame.ethertype() {
        ETHERTYPE_IPV4 => {
            let &[
                version_ihl,
                _,
                _,
                _,
                _,
                _,
                flags_offset,
                offset,
                _,
                protocol,
                ..,
            ] = ip
            else {
                return None;
            };
            let later_fragment = flags_offset & 0x1f != 0 || offset != 0;
            let ihl = usize::from(version_ihl & 0xf);
            if version_ihl >> 4 != 4 || ihl < 5 || protocol != TCP || later_fragment {
                return None;
            }
            ihl * 4
        }
        ETHERTYPE_IPV6 => {
            let &[version_class, _, _, _, _, _, next_header, ..] = ip else {
                return None;
            };
            if version_class >> 4 != 6 || next_header != TCP {
                return None;
            }
            IPV6_HEADER_LEN
        }
        _ => return None,
    };
    Some(frame.header().len() + header_len)
}

fn clamp_segment(segment: &mut [u8], max: u16) -> bool {
    let Some(&data_offset) = segment.get(12) else {
        return false;
    };
    let header_len = usize::from(data_offset >> 4) * 4;
    let Some((fixed, options)) = segment
        .get_mut(..header_len)
        .and_then(|header| header.split_first_chunk_mut::<TCP_HEADER_LEN>())
    else {
        return false;
    };
    let Some(at) = mss_value(options) else {
        return false;
    };
    let Some(value) = options
        .get_mut(at..)
        .and_then(|rest| rest.first_chunk_mut::<2>())
    else {
        return false;
    };
    let mss = u16::from_be_bytes(*value);
    if mss <= max {
        return false;
    }
    *value = max.to_be_bytes();
    // A value across two words of the sum counts with its bytes exchanged (RFC 1071).
    let (old, new) = if at % 2 == 0 {
        (mss, max)
    } else {
        (mss.swap_bytes(), max.swap_bytes())
    };
    let checksum = corrected(u16::from_be_bytes([fixed[16], fixed[17]]), old, new);
    [fixed[16], fixed[17]] = checksum.to_be_bytes();
    true
}

/// Where among the options the value of the MSS option stands.
fn mss_value(options: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let option = options.get(at..)?;
        at += match *option {
            [OPTION_MSS, OPTION_MSS_LEN, _, _, ..] => return Some(at + 2),
            [OPTION_END | OPTION_MSS, ..] => return None,
            [OPTION_NO_OPERATION, ..] => 1,
            [_, len, ..] if len >= 2 => usize::from(len),
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use pnet_packet::tcp::{TcpPacket, ipv4_checksum, ipv6_checksum};
    use proptest::prelude::*;

    use super::*;

    const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7)];
    const V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
    ];
    const MSS_1460: [u8; 4] = [2, 4, 0x05, 0xb4];

    /// A SYN with these options, padded to whole words, and `payload` behind.
    fn segment(options: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut options = options.to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        let words = u8::try_from(5 + options.len() / 4).unwrap();
        let mut fixed = [0; TCP_HEADER_LEN];
        fixed[0..8].copy_from_slice(&[0xc0, 1, 0, 80, 1, 2, 3, 4]);
        fixed[12] = words << 4;
        fixed[13] = 2;
        [&fixed[..], &options, payload].concat()
    }

    fn link(ethertype: u16, tagged: bool) -> Vec<u8> {
        let mut link = vec![2; 12];
        if tagged {
            link.extend([0x81, 0, 0, 5]);
        }
        link.extend(ethertype.to_be_bytes());
        link
    }

    fn v4_frame(mut segment: Vec<u8>, tagged: bool) -> Vec<u8> {
        let sum = ipv4_checksum(&TcpPacket::new(&segment).unwrap(), &V4[0], &V4[1]);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut ip = [0; 20];
        ip[0] = 0x45;
        ip[9] = TCP;
        ip[12..16].copy_from_slice(&V4[0].octets());
        ip[16..20].copy_from_slice(&V4[1].octets());
        [&link(ETHERTYPE_IPV4, tagged)[..], &ip, &segment].concat()
    }

    fn v6_frame(mut segment: Vec<u8>) -> Vec<u8> {
        let sum = ipv6_checksum(&TcpPacket::new(&segment).unwrap(), &V6[0], &V6[1]);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut ip = [0; 40];
        ip[0] = 0x60;
        ip[6] = TCP;
        ip[8..24].copy_from_slice(&V6[0].octets());
        ip[24..40].copy_from_slice(&V6[1].octets());
        [&link(ETHERTYPE_IPV6, false)[..], &ip, &segment].concat()
    }

    fn v4_sum_is_right(tcp: &[u8]) -> bool {
        let tcp = TcpPacket::new(tcp).unwrap();
        tcp.get_checksum() == ipv4_checksum(&tcp, &V4[0], &V4[1])
    }

    #[test]
    fn a_path_of_1000_makes_1460_into_946() {
        let mut frame = v4_frame(segment(&MSS_1460, b""), false);
        assert!(clamp(&mut frame, 1000));
        assert_eq!(frame[54..58], [2, 4, 0x03, 0xb2]);
        assert!(v4_sum_is_right(&frame[34..]));
    }

    #[test]
    fn ipv6_and_a_vlan_tag_leave_less_room() {
        let mut frame = v6_frame(segment(&MSS_1460, b""));
        assert!(clamp(&mut frame, 1000));
        assert_eq!(frame[74..78], [2, 4, 0x03, 0x9e]);
        let tcp = TcpPacket::new(&frame[54..]).unwrap();
        assert_eq!(tcp.get_checksum(), ipv6_checksum(&tcp, &V6[0], &V6[1]));

        let mut frame = v4_frame(segment(&MSS_1460, b""), true);
        assert!(clamp(&mut frame, 1000));
        assert_eq!(frame[58..62], [2, 4, 0x03, 0xae]);
        assert!(v4_sum_is_right(&frame[38..]));
    }

    #[test]
    fn the_mss_option_is_found_behind_others_at_any_alignment() {
        for before in 0..4 {
            let options = [
                &[1; 4][..before],
                &[8, 10, 0, 0, 0, 0, 0, 0, 0, 0],
                &MSS_1460,
            ]
            .concat();
            let mut frame = v4_frame(segment(&options, b"odd"), false);
            assert!(clamp(&mut frame, 1400));
            assert_eq!(frame[64 + before..68 + before], [2, 4, 0x05, 0x42]);
            assert!(v4_sum_is_right(&frame[34..]));
        }
    }

    #[test]
    fn what_fits_already_or_is_no_mss_option_stays() {
        let untouched = [
            (v4_frame(segment(&MSS_1460, b""), false), 1514),
            (v4_frame(segment(&[4, 2, 1, 1], b""), false), 600),
            (v4_frame(segment(&[0, 2, 4, 5, 0xb4], b""), false), 600),
            (v4_frame(segment(&[2, 3, 9, 9], b""), false), 600),
            (v4_frame(segment(&[8, 0, 2, 4, 5, 0xb4], b""), false), 600),
            (v4_frame(segment(&[], &MSS_1460), false), 600),
            (v4_frame(segment(&MSS_1460, b""), false), 54),
        ];
        for (frame, limit) in untouched {
            let mut clamped = frame.clone();
            assert!(!clamp(&mut clamped, limit));
            assert_eq!(clamped, frame);
        }
    }

    #[test]
    fn a_later_fragment_has_no_tcp_header() {
        let mut frame = v4_frame(segment(&MSS_1460, b""), false);
        frame[21] = 1;
        assert!(!clamp(&mut frame, 600));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut frame: Vec<u8>, limit: u16) {
            clamp(&mut frame, limit);
        }

        #[test]
        fn no_options_make_it_panic_and_the_checksum_stays_valid(
            options in proptest::collection::vec(0..8u8, 0..=40),
            payload: Vec<u8>,
            limit: u16,
        ) {
            let mut frame = v4_frame(segment(&options, &payload), false);
            clamp(&mut frame, limit);
            prop_assert!(v4_sum_is_right(&frame[34..]));
        }

        #[test]
        fn any_mss_keeps_the_checksum_valid(mss: u16, limit: u16, before in 0..4usize, payload: Vec<u8>) {
            let option = [&[1; 4][..before], &[2, 4], &mss.to_be_bytes()].concat();
            let mut frame = v4_frame(segment(&option, &payload), false);
            clamp(&mut frame, limit);
            prop_assert!(v4_sum_is_right(&frame[34..]));
        }
    }
}
