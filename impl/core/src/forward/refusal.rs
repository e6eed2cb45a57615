//! Tells the sender of an IP packet why it is not passed on.

use std::net::IpAddr;

use pnet_packet::icmp::destination_unreachable::IcmpCodes;
use pnet_packet::icmp::{IcmpType, IcmpTypes};
use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::ip::IpNextHeaderProtocols::{Icmp, Icmpv6};
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;

use crate::wire::ethernet::Frame;
use crate::wire::extension::{Upper, upper};
use crate::wire::icmp::{self, IPV4_HEADER_LEN};
use crate::wire::icmpv6::{self, IPV6_HEADER_LEN};
use crate::wire::ip::Ends;

/// Longest answer as an IP packet, in bytes (legacy protocol: 576, for IPv6 too).
const MAX_ANSWER: usize = 576;
/// Bytes of an ICMP or ICMPv6 error before the packet it quotes (RFC 792, RFC 4443).
const ICMP_HEADER_LEN: usize = 8;

/// Why a packet goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No subnet holds its destination.
    NoSubnet,
    /// The node that owns its destination cannot be reached.
    OwnerUnreachable,
    /// It would take a way that the configuration forbids.
    Prohibited,
    /// It is longer than the path carries.
    TooBig {
        /// What the path carries, as an IP packet, in bytes.
        mtu: u16,
    },
    /// It has used up its hops.
    TimeExceeded,
}

impl Reason {
    /// Type, code and the rest of the header of the ICMP error (RFC 792, RFC 1191, RFC 1812
    /// section 5.2.7.1).
    fn icmp(self) -> [u8; ICMP_HEADER_LEN] {
        let unreachable = IcmpTypes::DestinationUnreachable.0;
        let (kind, code, mtu) = match self {
            Self::NoSubnet => (unreachable, IcmpCodes::DestinationNetworkUnknown.0, 0),
            Self::OwnerUnreachable => (unreachable, IcmpCodes::DestinationNetworkUnreachable.0, 0),
            Self::Prohibited => {
                let code = IcmpCodes::NetworkAdministrativelyProhibited.0;
                (unreachable, code, 0)
            }
            Self::TooBig { mtu } => {
                let code = IcmpCodes::FragmentationRequiredAndDFFlagSet.0;
                (unreachable, code, mtu)
            }
            Self::TimeExceeded => (IcmpTypes::TimeExceeded.0, 0, 0),
        };
        let [high, low] = mtu.to_be_bytes();
        [kind, code, 0, 0, 0, 0, high, low]
    }

    /// The same of the ICMPv6 error (RFC 4443 section 3).
    fn icmpv6(self) -> [u8; ICMP_HEADER_LEN] {
        let unreachable = Icmpv6Types::DestinationUnreachable.0;
        let (kind, code, mtu) = match self {
            Self::NoSubnet => (unreachable, 3, 0),
            Self::OwnerUnreachable => (unreachable, 0, 0),
            Self::Prohibited => (unreachable, 1, 0),
            Self::TooBig { mtu } => (Icmpv6Types::PacketTooBig.0, 0, mtu),
            Self::TimeExceeded => (Icmpv6Types::TimeExceeded.0, 0, 0),
        };
        let [high, low] = mtu.to_be_bytes();
        [kind, code, 0, 0, 0, 0, high, low]
    }
}

/// A packet whose sender may be told why it goes no further. Nothing is built before
/// [`Refusal::answer`], so that the caller can ask its rate limit first.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    frame: Frame<'a>,
    ends: Ends,
    packet: &'a [u8],
    reason: Reason,
}

impl<'a> Refusal<'a> {
    /// `None` if the packet in the frame is malformed or nobody must be told.
    ///
    /// Nobody is told about errors, about packets to groups or about later fragments (RFC 1122
    /// section 3.2.2, RFC 4443 section 2.4).
    #[must_use]
    pub fn new(frame: Frame<'a>, reason: Reason) -> Option<Self> {
        let ends = Ends::of(&frame)?;
        let packet = match ends {
            Ends::V4 { .. } => answerable_ipv4(frame.payload())?,
            Ends::V6 { .. } => answerable_ipv6(frame.payload())?,
        };
        let is_group = frame.source().is_multicast() || frame.destination().is_multicast();
        (ends.are_hosts() && !is_group).then_some(Self {
            frame,
            ends,
            packet,
            reason,
        })
    }

    /// Who is to be told.
    #[must_use]
    pub fn sender(&self) -> IpAddr {
        self.ends.source()
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The frame that tells the sender, in the name of `router` if that is an address of the
    /// sender's family, else of the packet's destination.
    #[must_use]
    pub fn answer(&self, router: Option<IpAddr>) -> Vec<u8> {
        let link = self.frame.answer_header();
        match self.ends {
            Ends::V4 {
                source,
                destination,
            } => {
                let message = [&self.reason.icmp(), self.quote(IPV4_HEADER_LEN)].concat();
                let from = match router {
                    Some(IpAddr::V4(router)) => router,
                    _ => destination,
                };
                icmp::frame(&link, from, source, &message)
            }
            Ends::V6 {
                source,
                destination,
            } => {
                let message = [&self.reason.icmpv6(), self.quote(IPV6_HEADER_LEN)].concat();
                let from = match router {
                    Some(IpAddr::V6(router)) => router,
                    _ => destination,
                };
                icmpv6::frame(&link, from, source, &message)
            }
        }
    }

    /// As much of the packet as the answer has room for.
    fn quote(&self, ip_header_len: usize) -> &'a [u8] {
        let room = MAX_ANSWER - ip_header_len - ICMP_HEADER_LEN;
        self.packet.get(..room).unwrap_or(self.packet)
    }
}

/// The packet without padding, unless nobody must be told about it.
fn answerable_ipv4(payload: &[u8]) -> Option<&[u8]> {
    let view = Ipv4Packet::new(payload)?;
    let packet = payload.get(..view.get_total_length().into())?;
    let header_len = usize::from(view.get_header_length()) * 4;
    let body = packet.get(header_len..)?;
    let is_error = view.get_next_level_protocol() == Icmp && is_icmp_error(body);
    let is_later_fragment = view.get_fragment_offset() != 0;
    (header_len >= IPV4_HEADER_LEN && !is_error && !is_later_fragment).then_some(packet)
}

/// The packet without padding, unless nobody must be told about it.
fn answerable_ipv6(payload: &[u8]) -> Option<&[u8]> {
    let view = Ipv6Packet::new(payload)?;
    let length = IPV6_HEADER_LEN + usize::from(view.get_payload_length());
    let packet = payload.get(..length)?;
    let body = packet.get(IPV6_HEADER_LEN..)?;
    let may_be_error = match upper(view.get_next_header().0, body) {
        // Types below 128 are errors (RFC 4443 section 2.1).
        Upper::Header {
            protocol, bytes, ..
        } => protocol == Icmpv6.0 && bytes.first().is_none_or(|&kind| kind < 128),
        Upper::LaterFragment | Upper::Missing => true,
    };
    (!may_be_error).then_some(packet)
}

/// The errors among ICMP messages (RFC 1122 section 3.2.2).
fn is_icmp_error(message: &[u8]) -> bool {
    let errors = [
        IcmpTypes::DestinationUnreachable,
        IcmpTypes::ParameterProblem,
        IcmpTypes::RedirectMessage,
        IcmpTypes::SourceQuench,
        IcmpTypes::TimeExceeded,
    ];
    message
        .first()
        .is_none_or(|&kind| errors.contains(&IcmpType(kind)))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use pnet_packet::Packet;
    use pnet_packet::icmp::{self as pnet_icmp, IcmpPacket};
    use pnet_packet::icmpv6::{self as pnet_icmpv6, Icmpv6Packet};
    use pnet_packet::ip::IpNextHeaderProtocols::Udp;
    use pnet_packet::ipv4::{self, MutableIpv4Packet};
    use pnet_packet::ipv6::MutableIpv6Packet;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};

    const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7)];
    const V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
    ];
    const REASONS: [Reason; 5] = [
        Reason::NoSubnet,
        Reason::OwnerUnreachable,
        Reason::Prohibited,
        Reason::TooBig { mtu: 1400 },
        Reason::TimeExceeded,
    ];

    fn v4_frame(payload: usize) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &ETHERTYPE_IPV4.to_be_bytes()].concat();
        frame.resize(34 + payload, 9);
        let mut ip = MutableIpv4Packet::new(&mut frame[14..]).unwrap();
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_total_length(u16::try_from(20 + payload).unwrap());
        ip.set_fragment_offset(0);
        ip.set_next_level_protocol(Udp);
        ip.set_source(V4[0]);
        ip.set_destination(V4[1]);
        frame
    }

    fn v6_frame(payload: usize) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &ETHERTYPE_IPV6.to_be_bytes()].concat();
        frame.resize(54 + payload, 9);
        let mut ip = MutableIpv6Packet::new(&mut frame[14..]).unwrap();
        ip.set_version(6);
        ip.set_payload_length(u16::try_from(payload).unwrap());
        ip.set_next_header(Udp);
        ip.set_source(V6[0]);
        ip.set_destination(V6[1]);
        frame
    }

    fn answer(frame: &[u8], reason: Reason, router: Option<IpAddr>) -> Vec<u8> {
        let refusal = Refusal::new(Frame::new(frame).unwrap(), reason).unwrap();
        refusal.answer(router)
    }

    /// Type and code as tincd 1.0.36 sends them.
    #[test]
    fn each_reason_has_its_type_and_code() {
        let codes = |frame: &[u8], at: usize| {
            REASONS.map(|reason| {
                let answer = answer(frame, reason, None);
                (answer[at], answer[at + 1])
            })
        };
        let v4 = codes(&v4_frame(30), 34);
        assert_eq!(v4, [(3, 6), (3, 0), (3, 9), (3, 4), (11, 0)]);
        let v6 = codes(&v6_frame(30), 54);
        assert_eq!(v6, [(1, 3), (1, 0), (1, 1), (2, 0), (3, 0)]);
    }

    #[test]
    fn a_router_speaks_in_its_own_name_if_it_has_one_of_the_family() {
        let router: IpAddr = [192, 0, 2, 254].into();
        let frame = v4_frame(30);
        let told = answer(&frame, Reason::TimeExceeded, Some(router));
        assert_eq!(told[26..30], [192, 0, 2, 254]);
        let told = answer(&frame, Reason::TimeExceeded, Some(V6[0].into()));
        assert_eq!(told[26..30], V4[1].octets());
    }

    #[test]
    fn the_padding_of_a_short_frame_is_not_quoted() {
        let mut frame = v4_frame(10);
        frame.resize(60, 0);
        assert_eq!(
            answer(&frame, Reason::NoSubnet, None).len(),
            14 + 20 + 8 + 30
        );
    }

    #[test]
    fn nobody_is_told_about_errors_or_in_the_name_of_a_group() {
        let refused =
            |frame: &[u8]| Refusal::new(Frame::new(frame).unwrap(), Reason::TimeExceeded).is_some();
        let mut error = v4_frame(30);
        (error[23], error[34]) = (1, 11);
        assert!(!refused(&error));
        let mut error = v6_frame(30);
        (error[20], error[54]) = (58, 3);
        assert!(!refused(&error));
        let mut group = v6_frame(30);
        group[38] = 0xff;
        assert!(!refused(&group));
        let mut beyond = v4_frame(30);
        beyond[17] = 200;
        assert!(!refused(&beyond));
    }

    #[test]
    fn nobody_is_told_about_errors_behind_extension_headers() {
        let is_told = |next: u8, chain: &[u8]| {
            let mut frame = v6_frame(chain.len());
            frame[20] = next;
            frame[54..].copy_from_slice(chain);
            Refusal::new(Frame::new(&frame).unwrap(), Reason::NoSubnet).is_some()
        };
        // Behind destination options: an echo request, an error, and no type at all.
        let options = [58_u8, 0, 1, 4, 0, 0, 0, 0];
        assert!(is_told(60, &[&options[..], &[128, 0]].concat()));
        assert!(!is_told(60, &[&options[..], &[3, 0]].concat()));
        assert!(!is_told(60, &options));
        let fragment = |offset: u8, kind: u8| [58, 0, 0, offset, 0, 0, 0, 9, kind, 0];
        assert!(is_told(44, &fragment(1, 128)));
        assert!(!is_told(44, &fragment(1, 3)));
        assert!(!is_told(44, &fragment(9, 128)));
        // The chain of headers ends before what it leads to.
        assert!(!is_told(60, &[58, 1, 0, 0, 0, 0, 0, 0]));
    }

    proptest! {
        #[test]
        fn every_answer_is_read_by_another_decoder(
            payload in 0..1400usize,
            v6: bool,
            reason in prop::sample::select(REASONS.to_vec()),
        ) {
            let frame = if v6 { v6_frame(payload) } else { v4_frame(payload) };
            let answer = answer(&frame, reason, None);
            prop_assert!(answer.len() <= 14 + MAX_ANSWER);
            if v6 {
                let ip = Ipv6Packet::new(&answer[14..]).unwrap();
                prop_assert_eq!((ip.get_source(), ip.get_destination()), (V6[1], V6[0]));
                prop_assert_eq!((ip.get_version(), ip.get_hop_limit()), (6, 255));
                prop_assert_eq!(usize::from(ip.get_payload_length()), answer.len() - 54);
                let message = Icmpv6Packet::new(ip.payload()).unwrap();
                let sum = pnet_icmpv6::checksum(&message, &V6[1], &V6[0]);
                prop_assert_eq!(message.get_checksum(), sum);
                prop_assert!(frame[14..].starts_with(&answer[62..]));
            } else {
                let ip = Ipv4Packet::new(&answer[14..]).unwrap();
                prop_assert_eq!((ip.get_source(), ip.get_destination()), (V4[1], V4[0]));
                prop_assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
                prop_assert_eq!(usize::from(ip.get_total_length()), answer.len() - 14);
                let message = IcmpPacket::new(ip.payload()).unwrap();
                prop_assert_eq!(message.get_checksum(), pnet_icmp::checksum(&message));
                prop_assert!(frame[14..].starts_with(&answer[42..]));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            start in prop::sample::select(vec![v4_frame(60), v6_frame(60)]),
            changes in prop::collection::vec((12..60usize, any::<u8>()), 0..12),
            len in 14..100usize,
        ) {
            let mut frame = start;
            for (at, byte) in changes {
                frame[at] = byte;
            }
            frame.truncate(len);
            if let Some(refusal) = Refusal::new(Frame::new(&frame).unwrap(), Reason::NoSubnet) {
                let _ = refusal.answer(None);
            }
        }
    }
}
