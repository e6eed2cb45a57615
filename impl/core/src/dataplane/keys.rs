//! Keys in use: what a thread needs to seal or open packets, made ready once.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::constants::MAX_SEQNO;
use crate::crypto::packet::{Opener, PacketKey, Sealer};

/// How far apart frames are kept: on a busy tunnel a copy a millisecond costs nothing.
const KEEP_INTERVAL: Duration = Duration::from_millis(1);

/// How long a kept frame may have been lost: the way to a near peer and our own reaction.
const KEEP: Duration = Duration::from_millis(2);

/// Number of a key within this process; replay windows belong to it, so that no window outlives
/// its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyEpoch(pub u64);

/// The key a peer chose for what we send to it, with the sequence numbers spent on it.
///
/// The counter lives in the key: whoever seals takes a number nobody else gets, and a new key
/// starts at 1 by construction.
pub struct OutKey {
    sealer: Sealer,
    sent: AtomicU32,
    kept: Mutex<Option<Kept>>,
    /// The interval in which a frame was kept last, counted from the first one, and 1.
    kept_in: AtomicU64,
    first_kept: OnceLock<Instant>,
    /// Longest frame since the control side looked last; 0 for none.
    longest: AtomicU16,
    /// The control side looks from time to time.
    watched: AtomicBool,
}

/// A frame that was sealed a moment ago.
struct Kept {
    at: Instant,
    frame: Vec<u8>,
}

impl OutKey {
    /// Makes a key ready; no number is spent yet.
    #[must_use]
    pub fn new(key: &PacketKey) -> Self {
        Self {
            sealer: Sealer::new(key),
            sent: AtomicU32::new(0),
            kept: Mutex::new(None),
            kept_in: AtomicU64::new(0),
            first_kept: OnceLock::new(),
            longest: AtomicU16::new(0),
            watched: AtomicBool::new(false),
        }
    }

    /// Notes that a frame of this many bytes was sealed; says whether nobody watches the path.
    pub(super) fn used_unwatched(&self, len: u16) -> bool {
        // On a busy tunnel this only reads.
        if self.longest.load(Ordering::Relaxed) < len {
            self.longest.fetch_max(len, Ordering::Relaxed);
        }
        !self.watched.load(Ordering::Relaxed)
    }

    /// Length in bytes of the longest frame that was sealed since the last call; 0 for none.
    pub(crate) fn take_longest(&self) -> u16 {
        self.longest.swap(0, Ordering::Relaxed)
    }

    /// Begins or ends to watch: while nobody does, each frame is reported.
    pub(crate) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// Keeps a frame that is about to be sealed, for [`OutKey::take_kept`].
    pub(super) fn keep(&self, frame: &[u8], now: Instant) {
        let first = self.first_kept.get_or_init(|| now);
        let elapsed = now.saturating_duration_since(*first).as_micros();
        let interval = elapsed / KEEP_INTERVAL.as_micros() + 1;
        let interval = u64::try_from(interval).unwrap_or(u64::MAX);
        // On a busy tunnel this only reads.
        if self.kept_in.load(Ordering::Relaxed) == interval {
            return;
        }
        self.kept_in.store(interval, Ordering::Relaxed);
        // Whoever holds the lock keeps a frame of the same moment.
        let Ok(mut kept) = self.kept.try_lock() else {
            return;
        };
        match &mut *kept {
            Some(last) => {
                last.at = now;
                last.frame.clear();
                last.frame.extend_from_slice(frame);
            }
            None => {
                *kept = Some(Kept {
                    at: now,
                    frame: frame.to_vec(),
                });
            }
        }
    }

    /// The frame that was sealed in the moment in which the peer gave the key up.
    ///
    /// A tincd looks at its clock after it has sent a packet, so that the answer to that packet
    /// and the end of the key pass each other on the way: without this, each renewal of its
    /// keys costs a packet.
    pub(crate) fn take_kept(&self, now: Instant) -> Option<Vec<u8>> {
        let kept = self.kept.try_lock().ok()?.take()?;
        (now.saturating_duration_since(kept.at) < KEEP).then_some(kept.frame)
    }

    /// Appends the datagram for a frame of `len` bytes, which `write` writes, to `out`, all but
    /// what [`OutKey::finish`] does; `false` if the key is spent, which a peer that renews its
    /// keys never lets happen.
    #[must_use]
    pub(super) fn lay_out(
        &self,
        len: usize,
        write: impl FnOnce(&mut [u8]),
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(seqno) = self.next_number() else {
            return false;
        };
        self.sealer.lay_out(seqno, len, write, out);
        true
    }

    /// Like [`OutKey::lay_out`] for a probe or the answer to one: compression does not make it
    /// shorter.
    #[must_use]
    pub(super) fn lay_out_probe(&self, frame: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(seqno) = self.next_number() else {
            return false;
        };
        self.sealer.lay_out_probe(seqno, frame, out);
        true
    }

    /// Seals datagrams that were laid out, side by side.
    pub(super) fn finish(&self, datagrams: &mut [&mut [u8]]) {
        self.sealer.finish(datagrams);
    }

    /// Appends the datagram of a probe to `out`; `false` if the key is spent.
    #[must_use]
    pub(crate) fn seal_probe(&self, frame: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let is_laid_out = self.lay_out_probe(frame, out);
        if is_laid_out {
            self.finish(&mut [out.get_mut(start..).unwrap_or_default()]);
        }
        is_laid_out
    }

    fn next_number(&self) -> Option<u32> {
        // Far above the number from which the receiver asks for a new key, far below wrapping.
        if self.sent.load(Ordering::Relaxed) >= 2 * MAX_SEQNO {
            return None;
        }
        Some(self.sent.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A key of ours, by which a peer seals what it sends to us.
pub struct InKey {
    /// Identity of the key.
    pub epoch: KeyEpoch,
    /// Opens what the peer sealed.
    pub opener: Opener,
    /// Packets carry a MAC, so that their sender can be found by trying keys.
    pub authenticates: bool,
}

impl InKey {
    /// Makes a key ready.
    #[must_use]
    pub fn new(key: &PacketKey, epoch: KeyEpoch) -> Self {
        Self {
            epoch,
            opener: Opener::new(key),
            authenticates: key.spec().mac_on_wire() > 0,
        }
    }
}

impl std::fmt::Debug for OutKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutKey")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for InKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InKey")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
