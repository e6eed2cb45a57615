//! What the kernel gives as one frame and leaves to us to cut.

use super::headers::{Headers, flag};
use super::virtio::{Header, Kind, Malformed};
use crate::wire::checksum::Sum;

/// Frames of one flow that differ in their payload, and in their headers only as counting makes
/// them differ.
#[derive(Debug, Clone, Copy)]
pub struct Burst<'a> {
    headers: &'a [u8],
    payload: &'a [u8],
    at: Headers,
    /// Bytes of payload of each frame but the last; not 0.
    size: usize,
    /// The sum of what is the same in each checksum: pseudo-header without length, and the header
    /// itself without what is counted.
    same: Sum,
}

impl<'a> Burst<'a> {
    /// Reads the frame that stands for several; `None` if it stands for itself.
    ///
    /// # Errors
    /// If it is not what its header says.
    pub fn parse(header: Header, frame: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let Some(cut) = header.segmentation else {
            return Ok(None);
        };
        Self::read(header, cut.kind, cut.size.into(), frame)
            .map(Some)
            .ok_or(Malformed)
    }

    fn read(header: Header, kind: Kind, size: usize, frame: &'a [u8]) -> Option<Self> {
        let checksum = header.checksum?;
        let udp = kind == Kind::Udp;
        let at = Headers::at(frame, checksum.start.into(), udp)?;
        let is_of_kind = match kind {
            Kind::Tcp4 => !at.v6,
            Kind::Tcp6 => at.v6,
            Kind::Udp => true,
        };
        if !is_of_kind || at.checksum_field() != usize::from(checksum.field) || size == 0 {
            return None;
        }
        let (headers, payload) = frame.split_at_checked(at.payload)?;
        if payload.is_empty() {
            return None;
        }
        // The field holds the sum of the pseudo-header, with the length of everything in it.
        let covered = frame.get(at.transport..)?;
        let len = u16::try_from(covered.len()).ok()?;
        let same = Sum::of(headers.get(at.transport..)?).without(len);
        Some(Self {
            headers,
            payload,
            at,
            size,
            same,
        })
    }

    /// How many frames it stands for.
    #[must_use]
    pub fn count(&self) -> usize {
        self.payload.len().div_ceil(self.size)
    }

    /// Bytes of a frame, counted from 0.
    #[must_use]
    pub fn frame_len(&self, index: usize) -> usize {
        let behind = self.payload.len().saturating_sub(index * self.size);
        self.headers.len() + behind.min(self.size)
    }

    /// Writes a frame to `room`, which has its length.
    pub fn write(&self, index: usize, room: &mut [u8]) {
        let begin = index * self.size;
        let payload = self.payload.get(begin..).unwrap_or_default();
        let payload = payload.get(..self.size).unwrap_or(payload);
        let Some((headers, body)) = room.split_at_mut_checked(self.headers.len()) else {
            return;
        };
        headers.copy_from_slice(self.headers);
        if body.len() == payload.len() {
            body.copy_from_slice(payload);
        }
        // Lengths fit, since those of everything did.
        let _ = self.count_up(headers, index, payload);
    }

    /// Makes the headers those of one frame; `None` only if they are not as they were checked.
    fn count_up(&self, headers: &mut [u8], index: usize, payload: &[u8]) -> Option<()> {
        let at = &self.at;
        let behind_network = |len: usize| u16::try_from(len - at.network + payload.len()).ok();
        let packet_len = behind_network(headers.len())?;
        let network = headers.get_mut(at.network..)?;
        if at.v6 {
            let fixed = 40;
            *word(network, 4)? = packet_len.checked_sub(fixed)?.to_be_bytes();
        } else {
            *word(network, 2)? = packet_len.to_be_bytes();
            let first = u16::from_be_bytes(*word(network, 4)?);
            // The identification is counted modulo its size (RFC 791).
            let number = first.wrapping_add(low_bits(index));
            *word(network, 4)? = number.to_be_bytes();
            *word(network, 10)? = [0; 2];
            let header = network.get(..at.transport - at.network)?;
            *word(network, 10)? = Sum::of(header).checksum();
        }
        let transport_len = at.payload - at.transport + payload.len();
        let transport_len = u16::try_from(transport_len).ok()?;
        let transport = headers.get_mut(at.transport..)?;
        let mut sum = self
            .same
            .and(Sum::of_word(transport_len))
            .and(Sum::of(payload));
        if at.udp {
            let before = u16::from_be_bytes(*word(transport, 4)?);
            *word(transport, 4)? = transport_len.to_be_bytes();
            sum = sum.without(before).and(Sum::of_word(transport_len));
        } else {
            let counted = |transport: &[u8]| Some(Sum::of(transport.get(4..14)?));
            let before = counted(transport)?;
            let sequence = transport.get_mut(4..)?.first_chunk_mut()?;
            let begin = u32::try_from(index * self.size).ok()?;
            *sequence = u32::from_be_bytes(*sequence)
                .wrapping_add(begin)
                .to_be_bytes();
            let is_last = index + 1 == self.count();
            let flags = transport.get_mut(13)?;
            if !is_last {
                *flags &= !(flag::FIN | flag::PSH);
            }
            if index > 0 {
                *flags &= !flag::CWR;
            }
            sum = sum
                .without(u16::from_be_bytes(before.bytes()))
                .and(counted(transport)?);
        }
        let mut checksum = sum.checksum();
        if at.udp && checksum == [0; 2] {
            checksum = [0xff; 2];
        }
        *word(transport, at.checksum_field())? = checksum;
        Some(())
    }
}

fn word(bytes: &mut [u8], at: usize) -> Option<&mut [u8; 2]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}

/// A number modulo that of 16 bits.
fn low_bits(number: usize) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or_default()
}
