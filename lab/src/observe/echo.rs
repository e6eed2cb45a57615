//! Echo requests of either family, and what a network may answer to one.
//!
//! Only bytes here: RFC 792 (ICMP) and RFC 4443 (ICMPv6). The kernel fills in the checksum of ICMPv6.

use std::net::IpAddr;

use pnet_packet::Packet;
use pnet_packet::icmp::{self, IcmpPacket, IcmpTypes};
use pnet_packet::icmpv6::{Icmpv6Packet, Icmpv6Types};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;

/// Bytes of an echo message before its payload, in both families.
const HEADER: usize = 8;

/// Which echo request of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EchoId {
    pub(super) ident: u16,
    pub(super) seq: u16,
}

/// What came back for an echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The target's echo reply.
    Reply(EchoId),
    /// A router, or the sender's own kernel, could not pass the request on.
    Problem(EchoId, Problem),
}

impl Answer {
    /// The request it is about.
    pub(super) fn id(self) -> EchoId {
        match self {
            Self::Reply(id) | Self::Problem(id, _) => id,
        }
    }
}

/// Why a packet was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Problem {
    /// The hop limit ran out.
    #[error("hop limit exceeded")]
    TimeExceeded,
    /// No route leads there.
    #[error("no route to destination")]
    NoRoute,
    /// The last router finds nobody with that address.
    #[error("address unreachable")]
    AddressUnreachable,
    /// A filter forbids it.
    #[error("administratively prohibited")]
    Prohibited,
    /// Unreachable for another reason: the code of RFC 792 or RFC 4443.
    #[error("destination unreachable, code {0}")]
    Unreachable(u8),
    /// A link on the way is too small for it; the MTU in bytes.
    #[error("packet too big for an MTU of {0}")]
    TooBig(u32),
}

/// An echo request to `target`, from the ICMP header on.
pub(super) fn request(target: IpAddr, id: EchoId, payload: &[u8]) -> Vec<u8> {
    let kind = match target {
        IpAddr::V4(_) => IcmpTypes::EchoRequest.0,
        IpAddr::V6(_) => Icmpv6Types::EchoRequest.0,
    };
    let mut packet = Vec::with_capacity(HEADER + payload.len());
    packet.extend([kind, 0, 0, 0]);
    packet.extend(id.ident.to_be_bytes());
    packet.extend(id.seq.to_be_bytes());
    packet.extend(payload);
    if target.is_ipv4()
        && let Some(view) = IcmpPacket::new(&packet)
    {
        let [high, low] = icmp::checksum(&view).to_be_bytes();
        packet[2] = high;
        packet[3] = low;
    }
    packet
}

/// Reads what a raw socket received: with an IPv4 header before it for IPv4, without for IPv6.
pub(super) fn parse(received: &[u8], ipv6: bool) -> Option<Answer> {
    if ipv6 {
        return parse_v6(received);
    }
    let ip = Ipv4Packet::new(received)?;
    let message = received.get(usize::from(ip.get_header_length()) * 4..)?;
    let view = IcmpPacket::new(message)?;
    let code = view.get_icmp_code().0;
    let problem = match view.get_icmp_type() {
        IcmpTypes::EchoReply => return Some(Answer::Reply(id_of(message)?)),
        IcmpTypes::TimeExceeded => Problem::TimeExceeded,
        IcmpTypes::DestinationUnreachable => match code {
            0 => Problem::NoRoute,
            1 => Problem::AddressUnreachable,
            4 => Problem::TooBig(u32::from(u16::from_be_bytes([
                *message.get(6)?,
                *message.get(7)?,
            ]))),
            9 | 10 | 13 => Problem::Prohibited,
            code => Problem::Unreachable(code),
        },
        _ => return None,
    };
    let quoted = message.get(HEADER..)?;
    let quoted_ip = Ipv4Packet::new(quoted)?;
    let quoted_echo = quoted.get(usize::from(quoted_ip.get_header_length()) * 4..)?;
    let ours = quoted_ip.get_next_level_protocol() == IpNextHeaderProtocols::Icmp
        && quoted_echo.first() == Some(&IcmpTypes::EchoRequest.0);
    ours.then(|| Some(Answer::Problem(id_of(quoted_echo)?, problem)))?
}

fn parse_v6(message: &[u8]) -> Option<Answer> {
    let view = Icmpv6Packet::new(message)?;
    let problem = match view.get_icmpv6_type() {
        Icmpv6Types::EchoReply => return Some(Answer::Reply(id_of(message)?)),
        Icmpv6Types::TimeExceeded => Problem::TimeExceeded,
        Icmpv6Types::PacketTooBig => {
            let mtu = message.get(4..HEADER)?;
            Problem::TooBig(u32::from_be_bytes(mtu.try_into().ok()?))
        }
        Icmpv6Types::DestinationUnreachable => match view.get_icmpv6_code().0 {
            0 => Problem::NoRoute,
            1 => Problem::Prohibited,
            3 => Problem::AddressUnreachable,
            code => Problem::Unreachable(code),
        },
        _ => return None,
    };
    let quoted = Ipv6Packet::new(message.get(HEADER..)?)?;
    let echo = quoted.payload();
    let ours = quoted.get_next_header() == IpNextHeaderProtocols::Icmpv6
        && echo.first() == Some(&Icmpv6Types::EchoRequest.0);
    ours.then(|| Some(Answer::Problem(id_of(echo)?, problem)))?
}

fn id_of(message: &[u8]) -> Option<EchoId> {
    Some(EchoId {
        ident: u16::from_be_bytes([*message.get(4)?, *message.get(5)?]),
        seq: u16::from_be_bytes([*message.get(6)?, *message.get(7)?]),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const ID: EchoId = EchoId {
        ident: 0x1234,
        seq: 7,
    };
    const WWW: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x42));

    fn quoted_v6(kind: u8, code: u8, rest: [u8; 4]) -> Vec<u8> {
        let echo = request(WWW, ID, b"payload");
        let mut message = vec![kind, code, 0, 0];
        message.extend(rest);
        let mut ip = vec![0x60, 0, 0, 0, 0, 15, 58, 64];
        ip.extend([0; 32]);
        message.extend(ip);
        message.extend(echo);
        message
    }

    #[test]
    fn a_reply_carries_the_identity_of_its_request() {
        let mut reply = request(WWW, ID, b"payload");
        reply[0] = Icmpv6Types::EchoReply.0;
        assert_eq!(parse(&reply, true), Some(Answer::Reply(ID)));
    }

    #[test]
    fn the_checksum_of_an_ipv4_request_covers_its_payload() {
        let packet = request(Ipv4Addr::LOCALHOST.into(), ID, b"odd");
        let sum: u32 = packet
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn a_problem_names_the_request_it_quotes() {
        let no_route = quoted_v6(1, 0, [0; 4]);
        assert_eq!(
            parse(&no_route, true),
            Some(Answer::Problem(ID, Problem::NoRoute))
        );
        let too_big = quoted_v6(2, 0, 1400_u32.to_be_bytes());
        assert_eq!(
            parse(&too_big, true),
            Some(Answer::Problem(ID, Problem::TooBig(1400)))
        );
        let mut v4 = vec![0x45; 20];
        v4.extend([11, 0, 0, 0, 0, 0, 0, 0]);
        v4.extend([
            0x45, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        v4.extend(request(Ipv4Addr::LOCALHOST.into(), ID, b""));
        assert_eq!(
            parse(&v4, false),
            Some(Answer::Problem(ID, Problem::TimeExceeded))
        );
    }

    #[test]
    fn cut_and_foreign_messages_are_nobodys_answer() {
        let message = quoted_v6(1, 0, [0; 4]);
        for len in 0..message.len() - b"payload".len() {
            assert_eq!(parse(&message[..len], true), None, "{len} bytes");
        }
        for byte in 0..=u8::MAX {
            assert_eq!(parse(&[byte; 19], false), None);
        }
        assert_eq!(
            parse(&request(WWW, ID, b""), true),
            None,
            "a request is no answer"
        );
    }
}
