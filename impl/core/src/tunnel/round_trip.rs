//! How long it takes until an answer is back, smoothed (RFC 6298 section 2).

use std::time::{Duration, Instant};

/// A probe that is unanswered for so long is given up and another one is timed; ours.
const PATIENCE: Duration = Duration::from_secs(2);

/// Round-trip times to one node by one kind of path.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundTrip {
    smoothed: Option<Duration>,
    timed: Option<Timed>,
}

/// A probe whose answer is waited for.
#[derive(Debug, Clone, Copy)]
struct Timed {
    /// Length in bytes of frame, by which the answer is known.
    len: u16,
    sent: Instant,
    /// One of the same length was sent at another moment: nobody can tell which is answered
    /// (Karn's rule, RFC 6298 section 3).
    again: bool,
}

impl RoundTrip {
    /// Notes that a probe of `len` bytes of frame was sent. Of several at one moment the shortest
    /// is timed, which is the likeliest to pass.
    pub fn on_probe(&mut self, len: u16, now: Instant) {
        let expired = |timed: &Timed| now.saturating_duration_since(timed.sent) >= PATIENCE;
        match &mut self.timed {
            Some(timed) if !expired(timed) => {
                if timed.sent == now {
                    timed.len = timed.len.min(len);
                } else if timed.len == len {
                    timed.again = true;
                }
            }
            timed => {
                *timed = Some(Timed {
                    len,
                    sent: now,
                    again: false,
                });
            }
        }
    }

    /// Notes the answer to a probe of `len` bytes of frame.
    pub fn on_reply(&mut self, len: u16, now: Instant) {
        let Some(timed) = self.timed.take_if(|timed| timed.len == len) else {
            return;
        };
        if !timed.again {
            self.took(now.saturating_duration_since(timed.sent));
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
    fn the_shortest_probe_of_a_burst_is_timed() {
        let (mut trip, now) = (RoundTrip::default(), Instant::now());
        for len in [1451, 1211, 1300] {
            trip.on_probe(len, now);
        }
        trip.on_reply(1451, now + 5 * MS);
        assert_eq!(trip.time(), None);
        trip.on_reply(1211, now + 7 * MS);
        assert_eq!(trip.time(), Some(7 * MS));
    }

    #[test]
    fn an_answer_that_may_be_to_either_of_two_probes_measures_nothing() {
        let (mut trip, now) = (RoundTrip::default(), Instant::now());
        trip.on_probe(1000, now);
        trip.on_probe(1000, now + 300 * MS);
        trip.on_reply(1000, now + 310 * MS);
        assert_eq!(trip.time(), None);
        trip.on_probe(1000, now + 600 * MS);
        trip.on_reply(1000, now + 605 * MS);
        assert_eq!(trip.time(), Some(5 * MS));
    }

    #[test]
    fn a_probe_that_is_lost_keeps_no_other_from_being_timed() {
        let (mut trip, now) = (RoundTrip::default(), Instant::now());
        trip.on_probe(1451, now);
        trip.on_probe(1400, now + PATIENCE);
        trip.on_reply(1400, now + PATIENCE + 4 * MS);
        assert_eq!(trip.time(), Some(4 * MS));
    }
}
