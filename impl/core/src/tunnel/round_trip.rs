//! How long it takes until an answer is back, smoothed (RFC 6298 section 2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Probes timed at once; ours. A burst has fewer.
const MAX_TIMED: usize = 16;

/// Round-trip times to one node by one kind of path.
#[derive(Debug, Clone, Default)]
pub struct RoundTrip {
    smoothed: Option<Duration>,
    /// Probes whose answers are waited for, each with its mark; the latest last.
    timed: VecDeque<(u32, Instant)>,
}

impl RoundTrip {
    /// Notes that the probe with this mark was sent.
    pub fn on_probe(&mut self, mark: u32, now: Instant) {
        if self.timed.len() >= MAX_TIMED {
            self.timed.pop_front();
        }
        self.timed.push_back((mark, now));
    }

    /// Notes the answer to the probe with this mark.
    pub fn on_reply(&mut self, mark: u32, now: Instant) {
        let nth = self.timed.iter().position(|(sent, _)| *sent == mark);
        if let Some((_, sent)) = nth.and_then(|nth| self.timed.remove(nth)) {
            self.took(now.saturating_duration_since(sent));
        }
    }

    /// Notes one measurement.
    pub fn took(&mut self, time: Duration) {
        self.smoothed = Some(match self.smoothed {
            Some(smoothed) => (smoothed * 7 + time) / 8,
            None => time,
        });
    }

    /// The time as it is lately; `None` if it was never measured.
    #[must_use]
    pub const fn time(&self) -> Option<Duration> {
        self.smoothed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_answer_counts_whole_and_later_ones_by_an_eighth() {
        let mut trip = RoundTrip::default();
        assert_eq!(trip.time(), None);
        trip.took(16 * MS);
        trip.took(32 * MS);
        assert_eq!(trip.time(), Some(18 * MS));
    }

    #[test]
    fn each_probe_is_timed_once_by_its_mark() {
        let (mut trip, now) = (RoundTrip::default(), Instant::now());
        trip.on_probe(7, now);
        trip.on_probe(8, now + 100 * MS);
        trip.on_reply(8, now + 108 * MS);
        trip.on_reply(8, now + 900 * MS);
        trip.on_reply(9, now + 900 * MS);
        assert_eq!(trip.time(), Some(8 * MS));
        trip.on_reply(7, now + 16 * MS);
        assert_eq!(trip.time(), Some(9 * MS));
    }

    #[test]
    fn probes_without_answer_take_no_room() {
        let (mut trip, now) = (RoundTrip::default(), Instant::now());
        for mark in 0..1000 {
            trip.on_probe(mark, now);
        }
        assert_eq!(trip.timed.len(), MAX_TIMED);
    }
}
