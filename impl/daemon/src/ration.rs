//! Log lines that a stranger, or a broken link, could cause without end.

use std::fmt;
use std::time::{Duration, Instant};

/// Allows a burst of lines, then one in each interval, and counts the others.
#[derive(Debug)]
pub(crate) struct Ration {
    burst: u32,
    interval: Duration,
    /// Lines that may be written now.
    left: u32,
    /// When `left` was last complete or increased.
    filled: Option<Instant>,
    skipped: u64,
}

/// How many lines were left out before this one; shows as nothing if there were none.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skipped(u64);

impl Ration {
    pub(crate) fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            left: burst,
            filled: None,
            skipped: 0,
        }
    }

    /// Whether a line may be written now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Skipped> {
        let filled = *self.filled.get_or_insert(now);
        let intervals =
            now.saturating_duration_since(filled).as_nanos() / self.interval.as_nanos().max(1);
        if intervals > 0 {
            let gained = u32::try_from(intervals).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(gained).min(self.burst);
            self.filled = Some(now);
        }
        if self.left == 0 {
            self.skipped += 1;
            return None;
        }
        self.left -= 1;
        Some(Skipped(std::mem::take(&mut self.skipped)))
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} similar lines left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_burst_one_line_in_an_interval_tells_of_those_left_out() {
        let mut ration = Ration::new(2, Duration::from_secs(10));
        let start = Instant::now();
        assert_eq!(ration.take(start), Some(Skipped(0)));
        assert_eq!(ration.take(start), Some(Skipped(0)));
        for second in 1..10 {
            assert_eq!(ration.take(start + Duration::from_secs(second)), None);
        }
        let next = ration.take(start + Duration::from_secs(10)).unwrap();
        assert_eq!(next.to_string(), " (9 similar lines left out)");
        assert_eq!(ration.take(start + Duration::from_secs(11)), None);
        assert_eq!(Skipped(0).to_string(), "");
    }

    #[test]
    fn a_quiet_time_restores_the_burst_and_no_more() {
        let mut ration = Ration::new(2, Duration::from_secs(1));
        let start = Instant::now();
        let later = start + Duration::from_secs(100);
        let taken =
            [start, start, start, later, later, later].map(|now| ration.take(now).is_some());
        assert_eq!(taken, [true, true, false, true, true, false]);
    }
}
