//! The IPv6 header (RFC 8200 section 3), and those of its fields that are packed.

use std::net::Ipv6Addr;

use super::error::{DecompressError, Field, PacketError};
use super::reader::Reader;
use crate::MTU;

/// Octets of an IPv6 header.
pub(super) const LEN: usize = 40;

/// An IPv6 header, but for its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) traffic_class: u8,
    /// 20 bits.
    pub(super) flow_label: u32,
    pub(super) next_header: u8,
    pub(super) hop_limit: u8,
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
}

impl Header {
    /// Splits a packet, of which the length has to be right, into header and payload.
    pub(super) fn split(packet: &[u8]) -> Result<(Self, &[u8]), PacketError> {
        if packet.len() > MTU {
            return Err(PacketError::TooLong(packet.len()));
        }
        let short = PacketError::Short(packet.len());
        let (head, payload) = packet.split_first_chunk::<LEN>().ok_or(short)?;
        let [a, b, c, d, hi, lo, next_header, hop_limit, addresses @ ..] = *head;
        if a >> 4 != 6 {
            return Err(PacketError::Version(a >> 4));
        }
        let said = u16::from_be_bytes([hi, lo]);
        if usize::from(said) != payload.len() {
            let found = payload.len();
            return Err(PacketError::Length { said, found });
        }
        let (source, destination) = addresses.split_first_chunk::<16>().ok_or(short)?;
        let destination = destination.first_chunk::<16>().ok_or(short)?;
        let header = Self {
            traffic_class: a << 4 | b >> 4,
            flow_label: u32::from_be_bytes([0, b & 0x0f, c, d]),
            next_header,
            hop_limit,
            source: Ipv6Addr::from(*source),
            destination: Ipv6Addr::from(*destination),
        };
        Ok((header, payload))
    }

    /// The header of a packet without payload.
    pub(super) fn to_octets(self) -> [u8; LEN] {
        let [_, flow, c, d] = self.flow_label.to_be_bytes();
        let (a, b) = (
            0x60 | self.traffic_class >> 4,
            self.traffic_class << 4 | (flow & 0x0f),
        );
        let mut octets = [0; LEN];
        let fixed = [a, b, c, d, 0, 0, self.next_header, self.hop_limit];
        let fields = fixed
            .into_iter()
            .chain(self.source.octets())
            .chain(self.destination.octets());
        for (octet, field) in octets.iter_mut().zip(fields) {
            *octet = field;
        }
        octets
    }
}

/// The two bits TF, and what is carried of traffic class and flow label.
///
/// Here the two bits of ECN stand before the six of DSCP, other than in the IPv6 header.
pub(super) fn pack_traffic(traffic_class: u8, flow_label: u32) -> (u8, Vec<u8>) {
    let class = traffic_class.rotate_right(2);
    let [_, a, b, c] = flow_label.to_be_bytes();
    match (traffic_class, flow_label) {
        (0, 0) => (0b11, Vec::new()),
        (_, 0) => (0b10, vec![class]),
        (ecn, _) if ecn >> 2 == 0 => (0b01, vec![class | a, b, c]),
        _ => (0b00, vec![class, a, b, c]),
    }
}

/// Traffic class and flow label by the two bits TF.
pub(super) fn unpack_traffic(
    reader: &mut Reader<'_>,
    tf: u8,
) -> Result<(u8, u32), DecompressError> {
    let field = Field::TrafficClass;
    Ok(match tf & 0b11 {
        0b00 => {
            let [class, a, b, c] = reader.take(field)?;
            (
                class.rotate_left(2),
                u32::from_be_bytes([0, a & 0x0f, b, c]),
            )
        }
        0b01 => {
            let [a, b, c] = reader.take(field)?;
            (a >> 6, u32::from_be_bytes([0, a & 0x0f, b, c]))
        }
        0b10 => (reader.octet(field)?.rotate_left(2), 0),
        _ => (0, 0),
    })
}

/// The two bits HLIM, and the hop limit where they do not say it.
pub(super) const fn pack_hop_limit(hop_limit: u8) -> (u8, Option<u8>) {
    match hop_limit {
        1 => (0b01, None),
        64 => (0b10, None),
        255 => (0b11, None),
        other => (0b00, Some(other)),
    }
}

/// The hop limit by the two bits HLIM.
pub(super) fn unpack_hop_limit(reader: &mut Reader<'_>, hlim: u8) -> Result<u8, DecompressError> {
    match hlim & 0b11 {
        0b01 => Ok(1),
        0b10 => Ok(64),
        0b11 => Ok(255),
        _ => reader.octet(Field::HopLimit),
    }
}
