//! What passes the device, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What was read from the device and written to it so far.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    calls: AtomicU64,
}

impl Traffic {
    /// Counts a read that brought frames of so many bytes.
    pub(super) fn came(&self, bytes: usize) {
        self.count(&self.bytes_in, bytes);
    }

    /// Counts a write of frames of so many bytes.
    pub(super) fn left(&self, bytes: usize) {
        self.count(&self.bytes_out, bytes);
    }

    fn count(&self, counter: &AtomicU64, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        counter.fetch_add(bytes, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes read from the device.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    /// Bytes written to the device.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// What had passed by `at`, which is now.
    pub(super) fn seen(&self, at: Instant) -> Seen {
        Seen {
            at,
            bytes: self.bytes_in().saturating_add(self.bytes_out()),
            calls: self.calls.load(Ordering::Relaxed),
        }
    }
}

/// What had passed by when, in both directions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) bytes: u64,
    pub(super) calls: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_written_are_told_apart() {
        let traffic = Traffic::default();
        traffic.came(100);
        traffic.left(30);
        traffic.left(4);
        assert_eq!((traffic.bytes_in(), traffic.bytes_out()), (100, 34));
    }
}
