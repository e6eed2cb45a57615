//! From a packet to the payload.

use super::address::{End, Shortened};
use super::error::PacketError;
use super::header::{Header, pack_hop_limit, pack_traffic};
use super::{CONTEXT_IDS, DISPATCH, NEXT_COMPRESSED};
use crate::context::Contexts;
use crate::link::Link;
use crate::nhc::{Extension, IPV6, Nhc, PortMode, UDP, UNIT, without_padding};

/// Which headers behind the first are compressed. Not every receiver understands all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHeaders {
    /// UDP, with its checksum: to leave that out takes a promise of the application (RFC 6282
    /// section 4.3.2), which nobody can give here.
    pub udp: bool,
    /// Extension headers, and IPv6 in IPv6. Linux does not understand them.
    pub extensions: bool,
}

impl Default for NextHeaders {
    /// What Linux understands, too.
    fn default() -> Self {
        Self {
            udp: true,
            extensions: false,
        }
    }
}

/// The shortest payload that carries `packet` to the peer of `link`; it is never longer than
/// the packet.
///
/// # Errors
/// If that is no IPv6 packet, or one that is too long for the link. Then its sender has to be
/// told (RFC 4443 section 3.2).
pub fn compress(
    packet: &[u8],
    link: &Link,
    contexts: &Contexts,
    next_headers: NextHeaders,
) -> Result<Vec<u8>, PacketError> {
    let (header, mut rest) = Header::split(packet)?;
    let mut payload = Vec::with_capacity(packet.len());
    let mut ends = (End::Device(&link.own), End::Device(&link.peer));
    let mut current = Part::Ipv6(header);
    loop {
        let next = current
            .next_header()
            .and_then(|protocol| Part::of(protocol, rest, next_headers));
        let is_first = payload.is_empty();
        let nh = next.is_some();
        match current {
            Part::Ipv6(header) => {
                if !is_first {
                    payload.push(Nhc::Ipv6.to_octet());
                }
                write_ipv6(&mut payload, &header, nh, ends, contexts);
                ends = (
                    End::Enclosing(header.source),
                    End::Enclosing(header.destination),
                );
            }
            Part::Extension(extension) => extension.write(&mut payload, nh),
            Part::Udp(ports, checksum) => write_udp(&mut payload, ports, checksum),
        }
        match next {
            Some((part, behind)) => (current, rest) = (part, behind),
            None => break,
        }
    }
    payload.extend_from_slice(rest);
    Ok(payload)
}

/// A header that can be compressed.
enum Part<'a> {
    Ipv6(Header),
    Extension(Carried<'a>),
    /// Ports and checksum.
    Udp([u8; 4], [u8; 2]),
}

impl<'a> Part<'a> {
    /// The header of `protocol` at the front of `octets`, if it is to be compressed and can be,
    /// and what is behind it.
    fn of(protocol: u8, octets: &'a [u8], wanted: NextHeaders) -> Option<(Self, &'a [u8])> {
        if protocol == UDP && wanted.udp {
            let ([a, b, c, d, e, f, checksum @ ..], rest) = octets.split_first_chunk::<8>()?;
            // The length is not carried, hence it has to be that of the datagram.
            let is_whole = usize::from(u16::from_be_bytes([*e, *f])) == octets.len();
            return is_whole.then_some((Self::Udp([*a, *b, *c, *d], *checksum), rest));
        }
        if protocol == IPV6 && wanted.extensions {
            let (header, rest) = Header::split(octets).ok()?;
            return Some((Self::Ipv6(header), rest));
        }
        let kind = Extension::from_protocol(protocol).filter(|_| wanted.extensions)?;
        let (carried, rest) = Carried::split(kind, octets)?;
        Some((Self::Extension(carried), rest))
    }

    /// The number of the header behind it; `None` if none can be compressed there.
    const fn next_header(&self) -> Option<u8> {
        match self {
            Self::Ipv6(header) => Some(header.next_header),
            Self::Extension(carried) => Some(carried.next_header),
            Self::Udp(..) => None,
        }
    }
}

/// What is carried of an extension header.
struct Carried<'a> {
    kind: Extension,
    next_header: u8,
    /// The octets of `data`; of a fragment header what is reserved, as it has no length.
    length: u8,
    data: &'a [u8],
}

impl<'a> Carried<'a> {
    fn split(kind: Extension, octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let [next_header, second, ..] = *octets else {
            return None;
        };
        let is_fragment = kind == Extension::Fragment;
        let units = if is_fragment { 0 } else { usize::from(second) };
        let (header, rest) =
            octets.split_at_checked(UNIT.saturating_mul(units.saturating_add(1)))?;
        let mut data = header.get(2..)?;
        if kind.has_options() {
            data = without_padding(data);
        }
        let length = match is_fragment {
            true => second,
            // One that is longer cannot be compressed (RFC 6282 section 4.2).
            false => u8::try_from(data.len()).ok()?,
        };
        let carried = Self {
            kind,
            next_header,
            length,
            data,
        };
        Some((carried, rest))
    }

    fn write(&self, payload: &mut Vec<u8>, next_compressed: bool) {
        payload.push(Nhc::Extension(self.kind, next_compressed).to_octet());
        if !next_compressed {
            payload.push(self.next_header);
        }
        payload.push(self.length);
        payload.extend_from_slice(self.data);
    }
}

fn write_ipv6(
    payload: &mut Vec<u8>,
    header: &Header,
    next_compressed: bool,
    (source_end, destination_end): (End<'_>, End<'_>),
    contexts: &Contexts,
) {
    let source = Shortened::source(header.source, source_end, contexts);
    let destination = Shortened::destination(header.destination, destination_end, contexts);
    let (tf, traffic) = pack_traffic(header.traffic_class, header.flow_label);
    let (hlim, hop_limit) = pack_hop_limit(header.hop_limit);
    let ids = source.context.get() << 4 | destination.context.get();
    let nh = if next_compressed { NEXT_COMPRESSED } else { 0 };
    let cid = if ids == 0 { 0 } else { CONTEXT_IDS };
    payload.push(DISPATCH | tf << 3 | nh | hlim);
    payload.push(cid | source.bits << 4 | destination.bits);
    if ids != 0 {
        payload.push(ids);
    }
    payload.extend(traffic);
    if !next_compressed {
        payload.push(header.next_header);
    }
    payload.extend(hop_limit);
    payload.extend(source.inline);
    payload.extend(destination.inline);
}

fn write_udp(payload: &mut Vec<u8>, ports: [u8; 4], checksum: [u8; 2]) {
    let (mode, ports) = PortMode::shorten(ports);
    let nhc = Nhc::Udp {
        checksum_elided: false,
        ports: mode,
    };
    payload.push(nhc.to_octet());
    payload.extend(ports);
    payload.extend(checksum);
}
