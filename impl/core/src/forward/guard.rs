//! What must not cross a router's border: words that only a link's own router or server may say,
//! and addresses that a frame claims (RFC 6105, RFC 7113, RFC 7610).

use std::net::Ipv6Addr;

use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::ip::IpNextHeaderProtocols::{Icmpv6, Udp};

use crate::wire::ethernet::{ETHERTYPE_IPV6, ETHERTYPE_VLAN};
use crate::wire::extension::{Upper, upper};
use crate::wire::icmpv6::IPV6_HEADER_LEN;
use crate::wire::ndp;

/// EtherType of the outer of two VLAN tags (IEEE 802.1ad).
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
/// Where the EtherType, or the first tag, stands in a frame.
const ETHERTYPE_AT: usize = 12;
/// Bytes a VLAN tag adds (IEEE 802.1Q).
const TAG_LEN: usize = 4;
/// UDP port of clients of DHCPv6 (RFC 8415 section 7.2).
const DHCP_CLIENT: u16 = 546;
/// UDP port of its servers and relays (RFC 8415 section 7.2).
const DHCP_SERVER: u16 = 547;
/// Where a neighbour solicitation or advertisement says of which address it speaks (RFC 4861
/// sections 4.3 and 4.4).
const TARGET_AT: usize = 8;

/// What a frame says that nobody from elsewhere may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// Who is a router (RFC 4861 section 4.2).
    Advertisement,
    /// Who is a better router (RFC 4861 section 4.5).
    Redirect,
    /// What addresses and resolvers to use (RFC 7610).
    DhcpAnswer,
    /// Neighbour discovery in fragments, which nobody has an honest use for (RFC 6980), or
    /// something whose kind cannot be seen (RFC 7112).
    Disguised,
}

/// An IPv6 packet as a border sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Who claims to have sent it.
    pub source: Ipv6Addr,
    /// Whom it is sent to.
    pub destination: Ipv6Addr,
    /// The address of which a message of neighbour discovery says that the sender has it, or wants
    /// to have it.
    pub target: Option<Ipv6Addr>,
    /// What nobody from elsewhere may say.
    pub forbidden: Option<Forbidden>,
}

/// Looks at the IPv6 packet in a frame, if there is one.
///
/// As many VLAN tags are looked through as there are, since kernels do so with priority tags. Hop
/// limits, checksums and lengths do not matter: hosts are not trusted to check them.
#[must_use]
pub fn look(frame: &[u8]) -> Option<Seen> {
    let (header, rest) = packet(frame)?.split_first_chunk::<IPV6_HEADER_LEN>()?;
    let (source, rest_of_header) = header.get(8..)?.split_first_chunk::<16>()?;
    let (destination, _) = rest_of_header.split_first_chunk::<16>()?;
    let source = Ipv6Addr::from(*source);
    let (forbidden, target) = match upper(header[6], rest) {
        Upper::Header {
            protocol,
            bytes,
            fragmented,
        } if protocol == Icmpv6.0 => icmpv6(bytes, fragmented, source),
        Upper::Header {
            protocol, bytes, ..
        } if protocol == Udp.0 => (udp(bytes), None),
        // A later fragment is of no use without the first.
        Upper::Header { .. } | Upper::LaterFragment => (None, None),
        Upper::Missing => (Some(Forbidden::Disguised), None),
    };
    Some(Seen {
        source,
        destination: Ipv6Addr::from(*destination),
        target,
        forbidden,
    })
}

/// The IPv6 packet in a frame.
fn packet(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(ETHERTYPE_AT..)?;
    loop {
        let (ethertype, behind) = rest.split_first_chunk::<2>()?;
        match u16::from_be_bytes(*ethertype) {
            ETHERTYPE_VLAN | ETHERTYPE_SERVICE_VLAN => rest = rest.get(TAG_LEN..)?,
            ETHERTYPE_IPV6 => return Some(behind),
            _ => return None,
        }
    }
}

fn icmpv6(
    message: &[u8],
    fragmented: bool,
    source: Ipv6Addr,
) -> (Option<Forbidden>, Option<Ipv6Addr>) {
    const ADVERTISEMENT: u8 = Icmpv6Types::RouterAdvert.0;
    const REDIRECT: u8 = Icmpv6Types::Redirect.0;
    const SOLICITS: u8 = Icmpv6Types::NeighborSolicit.0;
    const ADVERTISES: u8 = Icmpv6Types::NeighborAdvert.0;
    let Some(kind) = message.first() else {
        return (Some(Forbidden::Disguised), None);
    };
    let target = || {
        let target = message.get(TARGET_AT..)?.first_chunk::<16>()?;
        Some(Ipv6Addr::from(*target))
    };
    match *kind {
        ADVERTISEMENT => (Some(Forbidden::Advertisement), None),
        REDIRECT => (Some(Forbidden::Redirect), None),
        kind if fragmented && ndp::TYPES.contains(&kind) => (Some(Forbidden::Disguised), None),
        ADVERTISES => (None, target()),
        // Whoever asks without an address wants to have that one (RFC 4862 section 5.4.2).
        SOLICITS if source.is_unspecified() => (None, target()),
        _ => (None, None),
    }
}

fn udp(datagram: &[u8]) -> Option<Forbidden> {
    let Some(&[s0, s1, d0, d1]) = datagram.first_chunk::<4>() else {
        return Some(Forbidden::Disguised);
    };
    let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    // A server may send from any port, but to that of clients.
    let answers = source == DHCP_SERVER || destination == DHCP_CLIENT;
    answers.then_some(Forbidden::DhcpAnswer)
}

#[cfg(test)]
mod tests;
