//! What becomes of a frame that is longer than the path to its owner: the sender is told, the
//! packet is cut, or the frame goes another way.

use pnet_packet::ipv4::{Ipv4Flags, Ipv4Packet};
use pnet_packet::ipv6::Ipv6Packet;

use super::fragment::Fragments;
use super::refusal::{Reason, Refusal};
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame};
use crate::wire::icmp::IPV4_HEADER_LEN;
use crate::wire::icmpv6::IPV6_HEADER_LEN;

/// The IPv4 packet everybody accepts (RFC 791): shorter ones are left to the TCP path, and no
/// sender is told less.
const IPV4_MIN_MTU: u16 = 576;
/// The IPv6 packet every link carries (RFC 8200 section 5), likewise.
const IPV6_MIN_MTU: u16 = 1280;

/// What to do with a frame, given the path MTU.
#[derive(Debug, Clone)]
pub enum Verdict<'a> {
    /// It fits, or its sender cannot be told: send it, by TCP if it is too long for UDP.
    Send,
    /// Drop it and, as the rate limit allows, tell its sender.
    Refuse(Refusal<'a>),
    /// Send these in its stead.
    Fragment(Fragments<'a>),
    /// Drop it: an IPv4 packet that may be cut but has options.
    Drop,
}

/// Judges a frame against `mtu`, the longest frame of the path in bytes (legacy protocol; switch
/// and router mode set the same limits).
///
/// Nobody is told about errors, about packets to groups or about later fragments; such frames
/// are sent like those of unknown protocols.
#[must_use]
pub fn judge(bytes: &[u8], mtu: u16) -> Verdict<'_> {
    if bytes.len() <= usize::from(mtu) {
        return Verdict::Send;
    }
    let Some(frame) = Frame::new(bytes) else {
        return Verdict::Send;
    };
    let path = usize::from(mtu).saturating_sub(frame.header().len());
    let path = u16::try_from(path).unwrap_or(u16::MAX);
    let verdict = match frame.ethertype() {
        ETHERTYPE_IPV4 => judge_ipv4(frame, path.max(IPV4_MIN_MTU)),
        ETHERTYPE_IPV6 => judge_ipv6(frame, path.max(IPV6_MIN_MTU)),
        _ => None,
    };
    verdict.unwrap_or(Verdict::Send)
}

/// `None` if the packet is malformed, fits, or must not be answered.
fn judge_ipv4(frame: Frame<'_>, mtu: u16) -> Option<Verdict<'_>> {
    let view = Ipv4Packet::new(frame.payload())?;
    let packet = frame.payload().get(..view.get_total_length().into())?;
    let header_len = usize::from(view.get_header_length()) * 4;
    if view.get_version() != 4 || header_len < IPV4_HEADER_LEN || packet.len() <= mtu.into() {
        return None;
    }
    if view.get_flags() & Ipv4Flags::DontFragment == 0 {
        let fragments = Fragments::new(frame.header(), packet, mtu);
        return Some(fragments.map_or(Verdict::Drop, Verdict::Fragment));
    }
    Refusal::new(frame, Reason::TooBig { mtu }).map(Verdict::Refuse)
}

/// `None` if the packet is malformed, fits, or must not be answered.
fn judge_ipv6(frame: Frame<'_>, mtu: u16) -> Option<Verdict<'_>> {
    let view = Ipv6Packet::new(frame.payload())?;
    let length = IPV6_HEADER_LEN + usize::from(view.get_payload_length());
    if length <= mtu.into() {
        return None;
    }
    Refusal::new(frame, Reason::TooBig { mtu }).map(Verdict::Refuse)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use pnet_packet::Packet;
    use pnet_packet::icmp::{self as pnet_icmp, IcmpPacket};
    use pnet_packet::icmpv6::{self as pnet_icmpv6, Icmpv6Packet};
    use pnet_packet::ip::IpNextHeaderProtocols::Icmp;
    use pnet_packet::ipv4::{self, MutableIpv4Packet};
    use pnet_packet::ipv6::MutableIpv6Packet;
    use proptest::prelude::*;

    use super::*;

    const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7)];
    const V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
    ];
    const UDP: u8 = 17;

    /// A frame of `len` bytes from `HERE` to `THERE`.
    fn v4_frame(len: usize, flags: u8) -> Vec<u8> {
        let mut frame = [&THERE[..], &HERE, &ETHERTYPE_IPV4.to_be_bytes()].concat();
        frame.resize(len, 9);
        let mut ip = MutableIpv4Packet::new(&mut frame[14..]).unwrap();
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_total_length(u16::try_from(len - 14).unwrap());
        ip.set_fragment_offset(0);
        ip.set_flags(flags);
        ip.set_next_level_protocol(pnet_packet::ip::IpNextHeaderProtocol(UDP));
        ip.set_source(V4[0]);
        ip.set_destination(V4[1]);
        frame
    }

    fn v6_frame(len: usize) -> Vec<u8> {
        let mut frame = [&THERE[..], &HERE, &ETHERTYPE_IPV6.to_be_bytes()].concat();
        frame.resize(len, 9);
        let mut ip = MutableIpv6Packet::new(&mut frame[14..]).unwrap();
        ip.set_version(6);
        ip.set_payload_length(u16::try_from(len - 54).unwrap());
        ip.set_next_header(pnet_packet::ip::IpNextHeaderProtocol(UDP));
        ip.set_source(V6[0]);
        ip.set_destination(V6[1]);
        frame
    }

    fn tagged(mut frame: Vec<u8>) -> Vec<u8> {
        frame.splice(12..12, [0x81, 0, 0, 5]);
        frame
    }

    fn answer(frame: &[u8], mtu: u16) -> Vec<u8> {
        match judge(frame, mtu) {
            Verdict::Refuse(refusal) => refusal.answer(None),
            verdict => panic!("no answer but {verdict:?}"),
        }
    }

    fn is_sent(frame: &[u8], mtu: u16) -> bool {
        matches!(judge(frame, mtu), Verdict::Send)
    }

    #[test]
    fn an_ipv4_sender_that_forbids_cutting_learns_the_mtu() {
        let frame = v4_frame(1514, Ipv4Flags::DontFragment);
        let answer = answer(&frame, 1000);
        assert_eq!(answer[..14], [&HERE[..], &THERE, &[8, 0]].concat());
        let ip = Ipv4Packet::new(&answer[14..]).unwrap();
        assert_eq!(usize::from(ip.get_total_length()), 576);
        assert_eq!(ip.packet().len(), 576);
        assert_eq!((ip.get_source(), ip.get_destination()), (V4[1], V4[0]));
        assert_eq!((ip.get_version(), ip.get_ttl()), (4, 255));
        assert_eq!(ip.get_next_level_protocol(), Icmp);
        assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
        let icmp = IcmpPacket::new(ip.payload()).unwrap();
        assert_eq!(icmp.packet()[..2], [3, 4]);
        assert_eq!(icmp.get_checksum(), pnet_icmp::checksum(&icmp));
        assert_eq!(icmp.packet()[4..8], 986_u32.to_be_bytes());
        assert_eq!(icmp.packet()[8..], frame[14..14 + 548]);
    }

    #[test]
    fn an_ipv6_sender_learns_the_mtu_but_never_less_than_1280() {
        let frame = v6_frame(1514);
        for (mtu, told) in [(1451, 1437_u32), (1000, 1280)] {
            let answer = answer(&frame, mtu);
            assert_eq!(answer[..14], [&HERE[..], &THERE, &[0x86, 0xdd]].concat());
            let ip = Ipv6Packet::new(&answer[14..]).unwrap();
            assert_eq!(ip.packet().len(), 576);
            assert_eq!(usize::from(ip.get_payload_length()), 536);
            assert_eq!((ip.get_source(), ip.get_destination()), (V6[1], V6[0]));
            assert_eq!(ip.get_hop_limit(), 255);
            let icmp = Icmpv6Packet::new(ip.payload()).unwrap();
            assert_eq!(icmp.packet()[..2], [2, 0]);
            assert_eq!(
                icmp.get_checksum(),
                pnet_icmpv6::checksum(&icmp, &V6[1], &V6[0])
            );
            assert_eq!(icmp.packet()[4..8], told.to_be_bytes());
            assert_eq!(icmp.packet()[8..], frame[14..14 + 528]);
        }
    }

    #[test]
    fn a_vlan_tag_is_returned_and_takes_its_room() {
        let frame = tagged(v4_frame(1514, Ipv4Flags::DontFragment));
        let answer = answer(&frame, 1000);
        assert_eq!(answer[12..18], [0x81, 0, 0, 5, 8, 0]);
        assert_eq!(answer[18 + 20 + 4..18 + 20 + 8], 982_u32.to_be_bytes());
    }

    #[test]
    fn an_ipv4_packet_that_may_be_cut_is_cut() {
        let frame = v4_frame(1242, 0);
        let Verdict::Fragment(fragments) = judge(&frame, 1000) else {
            panic!("not cut");
        };
        assert_eq!(fragments.map(|f| f.len()).collect::<Vec<_>>(), [994, 282]);
    }

    #[test]
    fn no_fragment_is_cut_shorter_than_the_minimum_of_ipv4() {
        let frame = v4_frame(1242, 0);
        let Verdict::Fragment(mut fragments) = judge(&frame, 100) else {
            panic!("not cut");
        };
        assert_eq!(fragments.next().map(|f| f.len()), Some(14 + 20 + 552));
    }

    #[test]
    fn a_packet_with_options_that_may_be_cut_is_dropped() {
        let mut frame = v4_frame(1242, 0);
        frame[14] = 0x46;
        assert!(matches!(judge(&frame, 1000), Verdict::Drop));
    }

    #[test]
    fn frames_within_the_path_or_the_minimum_of_ip_are_sent() {
        assert!(is_sent(&v4_frame(1000, Ipv4Flags::DontFragment), 1000));
        assert!(is_sent(&v4_frame(590, Ipv4Flags::DontFragment), 100));
        assert!(!is_sent(&v4_frame(591, Ipv4Flags::DontFragment), 100));
        assert!(is_sent(&v6_frame(1294), 1000));
        assert!(!is_sent(&v6_frame(1295), 1000));
    }

    #[test]
    fn other_protocols_and_malformed_packets_are_sent() {
        let mut arp = v4_frame(1514, Ipv4Flags::DontFragment);
        arp[12..14].copy_from_slice(&[8, 6]);
        let mut wrong_version = v4_frame(1514, Ipv4Flags::DontFragment);
        wrong_version[14] = 0x65;
        let mut beyond_the_frame = v4_frame(1514, Ipv4Flags::DontFragment);
        beyond_the_frame[16] = 0xff;
        for frame in [arp, wrong_version, beyond_the_frame] {
            assert!(is_sent(&frame, 1000));
        }
    }

    #[test]
    fn nobody_is_told_about_errors_groups_or_later_fragments() {
        let dont_fragment = v4_frame(1514, Ipv4Flags::DontFragment);
        let changed = |changes: &[(usize, u8)], frame: &[u8]| {
            let mut frame = frame.to_vec();
            for &(at, byte) in changes {
                frame[at] = byte;
            }
            frame
        };
        assert!(is_sent(&changed(&[(23, 1), (34, 3)], &dont_fragment), 1000));
        assert!(!is_sent(
            &changed(&[(23, 1), (34, 8)], &dont_fragment),
            1000
        ));
        assert!(is_sent(&changed(&[(21, 9)], &dont_fragment), 1000));
        assert!(is_sent(&changed(&[(30, 224)], &dont_fragment), 1000));
        assert!(is_sent(&changed(&[(0, 0xff)], &dont_fragment), 1000));
        let v6 = v6_frame(1514);
        assert!(is_sent(&changed(&[(20, 58), (54, 2)], &v6), 1000));
        assert!(!is_sent(&changed(&[(20, 58), (54, 128)], &v6), 1000));
        assert!(is_sent(&changed(&[(38, 0xff)], &v6), 1000));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            start in prop::sample::select(vec![v4_frame(100, 0), v4_frame(100, 2), v6_frame(100)]),
            changes in prop::collection::vec((0..60usize, any::<u8>()), 0..12),
            len in 0..2000usize,
            mtu: u16,
        ) {
            let mut frame = start;
            for (at, byte) in changes {
                frame[at] = byte;
            }
            frame.resize(len, 0);
            match judge(&frame, mtu) {
                Verdict::Refuse(refusal) => prop_assert!(refusal.answer(None).len() <= 18 + 576),
                Verdict::Fragment(fragments) => fragments.for_each(drop),
                Verdict::Send | Verdict::Drop => {}
            }
        }
    }
}
