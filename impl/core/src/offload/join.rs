//! Frames for the kernel, as one that it would otherwise take one by one.

use super::headers::{Headers, flag};
use super::virtio::{Checksum, Header, Kind, Segmentation};
use crate::wire::checksum::Sum;

/// Frames that are joined at most (Linux, `UDP_MAX_SEGMENTS` of its older versions).
const MOST: usize = 64;
/// Bytes of a packet that its length field can tell.
const MOST_BYTES: usize = 65_535;

/// Joins frames of one flow that follow each other.
///
/// Frames leave in the order in which they came, at the latest with [`Joiner::flush`].
#[derive(Debug)]
pub struct Joiner {
    /// Datagrams are joined as well as TCP segments.
    udp: bool,
    /// The frames of the run.
    frame: Vec<u8>,
    run: Option<Run>,
}

/// Frames that are joined.
#[derive(Debug, Clone, Copy)]
struct Run {
    at: Headers,
    /// Bytes of payload of each frame but the last.
    size: usize,
    count: usize,
    /// Nothing can follow: the last frame is shorter, or wants to be delivered.
    is_complete: bool,
}

/// A frame that can be joined with others.
struct Part<'a> {
    at: Headers,
    headers: &'a [u8],
    payload: &'a [u8],
}

impl Joiner {
    /// A joiner of TCP segments, and of datagrams if the kernel takes those too.
    #[must_use]
    pub fn new(udp: bool) -> Self {
        Self {
            udp,
            frame: Vec::new(),
            run: None,
        }
    }

    /// Takes a frame, and hands to `write` what no later frame can change.
    pub fn push(&mut self, frame: &[u8], mut write: impl FnMut(Header, &[u8])) {
        let part = Part::of(frame).filter(|part| self.udp || !part.at.udp);
        if let (Some(run), Some(part)) = (&mut self.run, &part)
            && run.takes(&self.frame, part)
        {
            run.append(&mut self.frame, part);
            return;
        }
        self.flush(&mut write);
        let Some(part) = part else {
            return write(Header::default(), frame);
        };
        self.frame.extend_from_slice(frame);
        self.run = Some(Run {
            at: part.at,
            size: part.payload.len(),
            count: 1,
            is_complete: part.is_pushed(),
        });
    }

    /// Hands to `write` what waits for other frames.
    pub fn flush(&mut self, mut write: impl FnMut(Header, &[u8])) {
        if let Some(run) = self.run.take() {
            // One frame by itself is as it came.
            let header = Some(run).filter(|run| run.count > 1);
            let header = header.and_then(|run| run.close(&mut self.frame));
            write(header.unwrap_or_default(), &self.frame);
            self.frame.clear();
        }
    }
}

impl<'a> Part<'a> {
    /// A frame with payload and nothing out of the ordinary, whose checksum is right: the kernel
    /// takes it for granted once frames are joined.
    fn of(frame: &'a [u8]) -> Option<Self> {
        let at = Headers::of(frame)?;
        let (headers, payload) = frame.split_at_checked(at.payload)?;
        let transport = frame.get(at.transport..)?;
        let is_ordinary = if at.udp {
            let len = u16::from_be_bytes([*transport.get(4)?, *transport.get(5)?]);
            let has_checksum = transport.get(6..8)? != [0; 2];
            usize::from(len) == transport.len() && has_checksum
        } else {
            transport.get(13)? & !flag::PSH == flag::ACK
        };
        let is_whole = pseudo_header(headers, &at, transport.len())?
            .and(Sum::of(transport))
            .is_intact();
        let network = headers.get(at.network..at.transport)?;
        let is_whole = is_whole && (at.v6 || Sum::of(network).is_intact());
        (!payload.is_empty() && is_ordinary && is_whole).then_some(Self {
            at,
            headers,
            payload,
        })
    }

    /// The sender wants everything so far delivered (RFC 9293 section 3.1).
    fn is_pushed(&self) -> bool {
        let flags = self.headers.get(self.at.transport + 13);
        !self.at.udp && flags.is_some_and(|flags| flags & flag::PSH != 0)
    }
}

impl Run {
    /// Whether a frame is what cutting would make of the next one.
    fn takes(&self, frame: &[u8], part: &Part<'_>) -> bool {
        let len = frame.len() - self.at.network + part.payload.len();
        !self.is_complete
            && self.at == part.at
            && part.payload.len() <= self.size
            && self.count < MOST
            && len <= MOST_BYTES
            && self.follows(frame, part.headers).unwrap_or(false)
    }

    /// Whether headers are those of the first frame, counted up.
    fn follows(&self, first: &[u8], next: &[u8]) -> Option<bool> {
        let Headers {
            network, transport, ..
        } = self.at;
        let same = |from: usize, to: usize| Some(first.get(from..to)? == next.get(from..to)?);
        let before_network = same(0, network)?;
        // All but lengths, and what else differs from one to the next.
        let network = if self.at.v6 {
            same(network, network + 4)? && same(network + 6, transport)?
        } else {
            let number = |headers: &[u8]| {
                let field = headers.get(network + 4..)?.first_chunk()?;
                Some(u16::from_be_bytes(*field))
            };
            let count = u16::try_from(self.count).ok()?;
            same(network, network + 2)?
                && same(network + 6, network + 10)?
                && same(network + 12, transport)?
                && number(first)?.wrapping_add(count) == number(next)?
        };
        let ports = same(transport, transport + 4)?;
        let rest = self.at.udp || {
            let number = |headers: &[u8]| {
                let field = headers.get(transport + 4..)?.first_chunk()?;
                Some(u32::from_be_bytes(*field))
            };
            let sent = u32::try_from(self.size * self.count).ok()?;
            // The acknowledgement, the window, urgency and options; PSH was looked at.
            number(first)?.wrapping_add(sent) == number(next)?
                && same(transport + 8, transport + 13)?
                && same(transport + 14, transport + 16)?
                && same(transport + 18, self.at.payload)?
        };
        Some(before_network && network && ports && rest)
    }

    fn append(&mut self, frame: &mut Vec<u8>, part: &Part<'_>) {
        frame.extend_from_slice(part.payload);
        self.count += 1;
        self.is_complete = part.payload.len() < self.size || part.is_pushed();
        if part.is_pushed()
            && let Some(flags) = frame.get_mut(self.at.transport + 13)
        {
            *flags |= flag::PSH;
        }
    }

    /// Makes the headers those of everything; `None` only if they are not as they were checked.
    fn close(self, frame: &mut [u8]) -> Option<Header> {
        let at = self.at;
        let packet_len = u16::try_from(frame.len() - at.network).ok()?;
        let transport_len = u16::try_from(frame.len() - at.transport).ok()?;
        let (headers, _) = frame.split_at_mut_checked(at.payload)?;
        let pseudo_header = pseudo_header(headers, &at, transport_len.into())?;
        let network = headers.get_mut(at.network..)?;
        if at.v6 {
            *network.get_mut(4..)?.first_chunk_mut()? = packet_len.checked_sub(40)?.to_be_bytes();
        } else {
            *network.get_mut(2..)?.first_chunk_mut()? = packet_len.to_be_bytes();
            *network.get_mut(10..)?.first_chunk_mut()? = [0; 2];
            let checksum = Sum::of(network.get(..at.transport - at.network)?).checksum();
            *network.get_mut(10..)?.first_chunk_mut()? = checksum;
        }
        if at.udp {
            let len = headers.get_mut(at.transport + 4..)?.first_chunk_mut()?;
            *len = transport_len.to_be_bytes();
        }
        *headers.get_mut(at.checksum()..)?.first_chunk_mut()? = pseudo_header.bytes();
        Some(Header {
            checksum: Some(Checksum {
                start: u16::try_from(at.transport).ok()?,
                field: u16::try_from(at.checksum_field()).ok()?,
            }),
            segmentation: Some(Segmentation {
                kind: match (at.udp, at.v6) {
                    (true, _) => Kind::Udp,
                    (false, false) => Kind::Tcp4,
                    (false, true) => Kind::Tcp6,
                },
                size: u16::try_from(self.size).ok()?,
                headers: u16::try_from(at.payload).ok()?,
            }),
        })
    }
}

/// The sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1).
fn pseudo_header(headers: &[u8], at: &Headers, len: usize) -> Option<Sum> {
    let addresses = if at.v6 { 8..40 } else { 12..20 };
    let network = headers.get(at.network..)?;
    let protocol = if at.udp {
        super::headers::UDP
    } else {
        super::headers::TCP
    };
    let sum = Sum::of(network.get(addresses)?)
        .and(Sum::of_word(protocol.into()))
        .and(Sum::of_word(u16::try_from(len).ok()?));
    Some(sum)
}
