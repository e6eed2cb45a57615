//! SDUs cut into payloads of frames and joined again (volume 3, part A, section 3.4): the first
//! payload of each begins with the length of the SDU.

use super::error::Violation;

/// An SDU on its way out.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// The SDU behind its length.
    octets: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    /// `sdu` is at most 65,535 octets.
    pub(super) fn new(sdu: &[u8]) -> Self {
        let length = u16::try_from(sdu.len()).unwrap_or(u16::MAX).to_le_bytes();
        let octets = [&length[..], sdu].concat();
        Self { octets, sent: 0 }
    }

    /// The next payload, of at most `mps` octets; never empty before the SDU [is sent](Self::is_sent).
    pub(super) fn next_payload(&mut self, mps: u16) -> &[u8] {
        let rest = self.octets.get(self.sent..).unwrap_or_default();
        let payload = rest.get(..mps.into()).unwrap_or(rest);
        self.sent = self.sent.saturating_add(payload.len());
        payload
    }

    pub(super) const fn is_sent(&self) -> bool {
        self.sent >= self.octets.len()
    }
}

/// An SDU on its way in.
#[derive(Debug, Clone, Default)]
pub(super) struct Incoming {
    /// What came of it and how long it is going to be; nothing between two SDUs.
    partial: Option<(Vec<u8>, usize)>,
}

impl Incoming {
    /// Takes the payload of a frame; the SDU that is whole with it.
    pub(super) fn push(&mut self, payload: &[u8], mtu: u16) -> Result<Option<Vec<u8>>, Violation> {
        let (mut octets, length, more) = match self.partial.take() {
            Some((octets, length)) => (octets, length, payload),
            None => {
                let (length, rest) = payload.split_first_chunk().ok_or(Violation::NoLength)?;
                let length = u16::from_le_bytes(*length);
                if length > mtu {
                    return Err(Violation::LongSdu(length));
                }
                (Vec::with_capacity(length.into()), length.into(), rest)
            }
        };
        octets.extend_from_slice(more);
        if octets.len() > length {
            return Err(Violation::Overrun);
        }
        if octets.len() == length {
            return Ok(Some(octets));
        }
        self.partial = Some((octets, length));
        Ok(None)
    }
}
