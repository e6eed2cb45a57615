//! From a payload to the packet.

use std::net::Ipv6Addr;

use super::address::{self, End};
use super::error::{DecompressError, Field};
use super::header::{self, Header, unpack_hop_limit, unpack_traffic};
use super::reader::Reader;
use super::{CONTEXT_IDS, DISPATCH, DISPATCH_IPV6, DISPATCH_MASK, NEXT_COMPRESSED};
use crate::MTU;
use crate::checksum;
use crate::context::{ContextId, Contexts};
use crate::link::Link;
use crate::nhc::{Extension, Nhc, PortMode, UDP, UNIT, padding};

/// Octets of a UDP header.
const UDP_LEN: usize = 8;
/// Where its checksum stands.
const UDP_CHECKSUM: usize = 6;
/// Where the payload length stands in an IPv6 header.
const PAYLOAD_LENGTH: usize = 4;

/// The IPv6 packet in `payload`, which the peer of `link` sent.
///
/// # Errors
/// What is wrong with the payload; it is to be dropped.
pub fn decompress(
    payload: &[u8],
    link: &Link,
    contexts: &Contexts,
) -> Result<Vec<u8>, DecompressError> {
    let (dispatch, rest) = payload.split_first().ok_or(DecompressError::Empty)?;
    match *dispatch {
        // RFC 7668 has every packet compressed, but kernels send and take this one too.
        DISPATCH_IPV6 => {
            Header::split(rest)?;
            Ok(rest.to_vec())
        }
        dispatch if dispatch & DISPATCH_MASK == DISPATCH => {
            let (source, destination) = (End::Device(&link.peer), End::Device(&link.own));
            Restorer::new(contexts).run(Reader::new(payload), source, destination)
        }
        dispatch => Err(DecompressError::Dispatch(dispatch)),
    }
}

/// A packet as it comes to be.
struct Restorer<'a> {
    contexts: &'a Contexts,
    packet: Vec<u8>,
    /// Where IPv6 headers stand, which get their lengths at the end.
    headers: Vec<usize>,
    /// The innermost pair of addresses.
    source: Ipv6Addr,
    destination: Ipv6Addr,
    /// What follows was cut, a packet in the packet with it.
    is_fragment: bool,
    /// The innermost destination is not the last one.
    is_routed: bool,
}

impl<'a> Restorer<'a> {
    const fn new(contexts: &'a Contexts) -> Self {
        Self {
            contexts,
            packet: Vec::new(),
            headers: Vec::new(),
            source: Ipv6Addr::UNSPECIFIED,
            destination: Ipv6Addr::UNSPECIFIED,
            is_fragment: false,
            is_routed: false,
        }
    }

    fn run(
        mut self,
        mut reader: Reader<'_>,
        source: End<'_>,
        destination: End<'_>,
    ) -> Result<Vec<u8>, DecompressError> {
        let mut next = self.ipv6(&mut reader, source, destination)?;
        let mut elided_checksum = None;
        while let Some(nhc) = next {
            next = match nhc {
                Nhc::Ipv6 => {
                    let (source, destination) = (self.source, self.destination);
                    let (source, destination) =
                        (End::Enclosing(source), End::Enclosing(destination));
                    self.ipv6(&mut reader, source, destination)?
                }
                Nhc::Extension(kind, next_compressed) => {
                    self.extension(&mut reader, kind, next_compressed)?
                }
                Nhc::Udp {
                    checksum_elided,
                    ports,
                } => {
                    if checksum_elided {
                        elided_checksum = Some(self.packet.len());
                    }
                    self.udp(&mut reader, checksum_elided, ports)?;
                    None
                }
            };
        }
        self.push(reader.rest())?;
        self.set_lengths();
        if let Some(datagram) = elided_checksum {
            self.set_checksum(datagram);
        }
        Ok(self.packet)
    }

    /// Restores an IPv6 header; what is announced behind it.
    fn ipv6(
        &mut self,
        reader: &mut Reader<'_>,
        source: End<'_>,
        destination: End<'_>,
    ) -> Result<Option<Nhc>, DecompressError> {
        let [first, second] = reader.take(Field::Base)?;
        if first & DISPATCH_MASK != DISPATCH {
            return Err(DecompressError::InnerDispatch(first));
        }
        let ids = match second & CONTEXT_IDS {
            0 => 0,
            _ => reader.octet(Field::ContextIds)?,
        };
        let source_id = ContextId::from_low_nibble(ids >> 4);
        let destination_id = ContextId::from_low_nibble(ids);
        let (traffic_class, flow_label) = unpack_traffic(reader, first >> 3)?;
        let inline = match first & NEXT_COMPRESSED {
            0 => Some(reader.octet(Field::NextHeader)?),
            _ => None,
        };
        let hop_limit = unpack_hop_limit(reader, first)?;
        let contexts = self.contexts;
        self.source = address::source(reader, second >> 4, source_id, source, contexts)?;
        self.destination =
            address::destination(reader, second, destination_id, destination, contexts)?;
        self.is_routed = false;
        let (next_header, nhc) = announced(reader, inline)?;
        let header = Header {
            traffic_class,
            flow_label,
            next_header,
            hop_limit,
            source: self.source,
            destination: self.destination,
        };
        self.headers.push(self.packet.len());
        self.push(&header.to_octets())?;
        Ok(nhc)
    }

    /// Restores an extension header; what is announced behind it.
    fn extension(
        &mut self,
        reader: &mut Reader<'_>,
        kind: Extension,
        next_compressed: bool,
    ) -> Result<Option<Nhc>, DecompressError> {
        let inline = match next_compressed {
            true => None,
            false => Some(reader.octet(Field::NextHeader)?),
        };
        let length = reader.octet(Field::Extension)?;
        // A fragment header has no length: in its place stands what is reserved.
        let is_fragment = kind == Extension::Fragment;
        let carried = if is_fragment { UNIT - 2 } else { length.into() };
        let data = reader.slice(carried, Field::Extension)?;
        let padding = padding(carried.saturating_add(2));
        if !(padding.is_empty() || kind.has_options()) {
            return Err(DecompressError::ExtensionLength(length));
        }
        let units = data.len().saturating_add(padding.len()) / UNIT;
        let second = match is_fragment {
            true => length,
            false => u8::try_from(units).map_err(|_| DecompressError::TooLong)?,
        };
        let segments_left = data.get(1).is_some_and(|left| *left != 0);
        self.is_fragment |= is_fragment;
        self.is_routed |= kind == Extension::Routing && segments_left;
        let (next_header, nhc) = announced(reader, inline)?;
        self.push(&[next_header, second])?;
        self.push(data)?;
        self.push(padding)?;
        Ok(nhc)
    }

    /// Restores a UDP header, but for a checksum that was left out.
    fn udp(
        &mut self,
        reader: &mut Reader<'_>,
        checksum_elided: bool,
        ports: PortMode,
    ) -> Result<(), DecompressError> {
        let [a, b, c, d] = match ports {
            PortMode::Whole => reader.take(Field::Udp)?,
            PortMode::ShortDestination => {
                reader.take(Field::Udp).map(|[a, b, c]| [a, b, 0xf0, c])?
            }
            PortMode::ShortSource => reader.take(Field::Udp).map(|[a, b, c]| [0xf0, a, b, c])?,
            PortMode::Nibbles => {
                let both = reader.octet(Field::Udp)?;
                [0xf0, 0xb0 | both >> 4, 0xf0, 0xb0 | (both & 0x0f)]
            }
        };
        let [hi, lo] = match checksum_elided {
            true if self.is_fragment || self.is_routed => {
                return Err(DecompressError::ElidedChecksum);
            }
            true => [0, 0],
            false => reader.take(Field::Udp)?,
        };
        let length = u16::try_from(reader.len().saturating_add(UDP_LEN));
        let [e, f] = length.map_err(|_| DecompressError::TooLong)?.to_be_bytes();
        self.push(&[a, b, c, d, e, f, hi, lo])
    }

    fn push(&mut self, octets: &[u8]) -> Result<(), DecompressError> {
        self.packet.extend_from_slice(octets);
        match self.packet.len() > MTU {
            true => Err(DecompressError::TooLong),
            false => Ok(()),
        }
    }

    fn set_lengths(&mut self) {
        let end = self.packet.len();
        for at in &self.headers {
            let length = end.saturating_sub(at.saturating_add(header::LEN));
            // A packet is no longer than the MTU, hence the length fits.
            let length = u16::try_from(length).unwrap_or(u16::MAX);
            put(&mut self.packet, at.saturating_add(PAYLOAD_LENGTH), length);
        }
    }

    fn set_checksum(&mut self, at: usize) {
        let datagram = self.packet.get(at..).unwrap_or_default();
        let checksum = match checksum::of_message(self.source, self.destination, UDP, datagram) {
            // Zero would say that there is none (RFC 8200 section 8.1).
            0 => u16::MAX,
            checksum => checksum,
        };
        put(&mut self.packet, at.saturating_add(UDP_CHECKSUM), checksum);
    }
}

/// The number of the next header: `inline`, or that of what the next octet announces.
fn announced(
    reader: &mut Reader<'_>,
    inline: Option<u8>,
) -> Result<(u8, Option<Nhc>), DecompressError> {
    if let Some(next_header) = inline {
        return Ok((next_header, None));
    }
    let nhc = Nhc::from_octet(reader.octet(Field::Nhc)?)?;
    Ok((nhc.protocol(), Some(nhc)))
}

fn put(packet: &mut [u8], at: usize, value: u16) {
    if let Some((_, field)) = packet.split_at_mut_checked(at)
        && let Some(place) = field.first_chunk_mut()
    {
        *place = value.to_be_bytes();
    }
}
