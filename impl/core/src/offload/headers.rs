//! Where the headers of a TCP segment or UDP datagram are in its frame.

use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, HEADER_LEN};
use crate::wire::icmp::IPV4_HEADER_LEN;
use crate::wire::icmpv6::IPV6_HEADER_LEN;

/// Protocol number of TCP (RFC 9293).
pub(super) const TCP: u8 = 6;
/// Protocol number of UDP (RFC 768).
pub(super) const UDP: u8 = 17;
/// Bytes of a UDP header (RFC 768).
const UDP_HEADER_LEN: usize = 8;
/// EtherType of the outer of two VLAN tags (IEEE 802.1ad).
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
/// Bytes of a VLAN tag.
const TAG_LEN: usize = 4;

/// Flags of a TCP header (RFC 9293 section 3.1).
pub(super) mod flag {
    pub(in super::super) const FIN: u8 = 0x01;
    pub(in super::super) const PSH: u8 = 0x08;
    pub(in super::super) const ACK: u8 = 0x10;
    pub(in super::super) const CWR: u8 = 0x80;
}

/// Offsets in a frame, each of which is within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headers {
    /// IPv6 and not IPv4.
    pub(super) v6: bool,
    /// UDP and not TCP.
    pub(super) udp: bool,
    /// Where the IP header begins.
    pub(super) network: usize,
    /// Where the TCP or UDP header begins.
    pub(super) transport: usize,
    /// Where the payload begins.
    pub(super) payload: usize,
}

impl Headers {
    /// Finds the headers of a frame whose transport protocol is known, as is where its header
    /// begins: other headers may stand before it.
    pub(super) fn at(frame: &[u8], transport: usize, udp: bool) -> Option<Self> {
        let (network, v6) = network(frame)?;
        let least = if v6 {
            network + IPV6_HEADER_LEN
        } else {
            network + ipv4_header_len(frame, network)?
        };
        if transport < least || !v6 && transport != least {
            return None;
        }
        let payload = payload(frame, transport, udp)?;
        Some(Self {
            v6,
            udp,
            network,
            transport,
            payload,
        })
    }

    /// Finds the headers of a frame that holds one whole TCP segment or UDP datagram and nothing
    /// else, right behind an IP header without options.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let (network, v6) = network(frame)?;
        let packet = frame.get(network..)?;
        let (protocol, len, header_len) = if v6 {
            let header = packet.first_chunk::<IPV6_HEADER_LEN>()?;
            let payload = u16::from_be_bytes([header[4], header[5]]);
            (
                header[6],
                IPV6_HEADER_LEN + usize::from(payload),
                IPV6_HEADER_LEN,
            )
        } else {
            let header = packet.first_chunk::<IPV4_HEADER_LEN>()?;
            // No options, and no fragment: only "don't fragment" may be set.
            if header[0] != 0x45 || header[6] & !0x40 != 0 || header[7] != 0 {
                return None;
            }
            let len = u16::from_be_bytes([header[2], header[3]]);
            (header[9], len.into(), IPV4_HEADER_LEN)
        };
        let udp = match protocol {
            TCP => false,
            UDP => true,
            _ => return None,
        };
        let transport = network + header_len;
        let payload = payload(frame, transport, udp)?;
        (len == packet.len()).then_some(Self {
            v6,
            udp,
            network,
            transport,
            payload,
        })
    }

    /// Where the checksum of the transport header is, in the frame.
    pub(super) fn checksum(&self) -> usize {
        self.transport + self.checksum_field()
    }

    /// Where it is in the transport header (RFC 9293 section 3.1, RFC 768).
    pub(super) fn checksum_field(&self) -> usize {
        if self.udp { 6 } else { 16 }
    }
}

/// Where the IP header begins behind VLAN tags, and whether it is that of IPv6.
fn network(frame: &[u8]) -> Option<(usize, bool)> {
    let ethertype = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    let mut at = HEADER_LEN;
    for _ in 0..2 {
        match ethertype(at - 2)? {
            ETHERTYPE_VLAN | ETHERTYPE_SERVICE_VLAN => at += TAG_LEN,
            _ => break,
        }
    }
    let version = frame.get(at)? >> 4;
    match (ethertype(at - 2)?, version) {
        (ETHERTYPE_IPV4, 4) => Some((at, false)),
        (ETHERTYPE_IPV6, 6) => Some((at, true)),
        _ => None,
    }
}

fn ipv4_header_len(frame: &[u8], network: usize) -> Option<usize> {
    let words = usize::from(frame.get(network)? & 0x0f);
    Some(words * 4).filter(|len| *len >= IPV4_HEADER_LEN)
}

/// Where the payload begins; `None` if the frame ends before it.
fn payload(frame: &[u8], transport: usize, udp: bool) -> Option<usize> {
    let header_len = if udp {
        UDP_HEADER_LEN
    } else {
        let words = usize::from(frame.get(transport + 12)? >> 4);
        Some(words * 4).filter(|len| *len >= 20)?
    };
    Some(transport + header_len).filter(|payload| *payload <= frame.len())
}
