//! How often something may be done that others can cause.

use std::time::{Duration, Instant};

/// A budget that refills with time.
#[derive(Debug)]
pub(crate) struct Budget {
    burst: u32,
    interval: Duration,
    spent: u32,
    /// Up to when what was spent has been earned again.
    refilled: Option<Instant>,
}

impl Budget {
    /// A full budget: so many in a row, and one more is earned in each interval, which is a millisecond at least.
    pub(crate) const fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            spent: 0,
            refilled: None,
        }
    }

    /// Spends one; `false` if there is none left.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let refilled = *self.refilled.get_or_insert(now);
        let passed = now.saturating_duration_since(refilled).as_millis();
        let earned = u32::try_from(passed / self.interval.as_millis().max(1)).unwrap_or(u32::MAX);
        self.spent = self.spent.saturating_sub(earned);
        // A full budget earns nothing; otherwise the rest of an interval counts for the next.
        self.refilled = Some(match self.spent {
            0 => now,
            _ => refilled + self.interval * earned,
        });
        if self.spent >= self.burst {
            return false;
        }
        self.spent += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_earned_again_one_by_one() {
        let (start, interval) = (Instant::now(), Duration::from_millis(10));
        let mut budget = Budget::new(50, interval);
        let mut takes =
            |times: u32, at: Duration| (0..times).filter(|_| budget.take(start + at)).count();
        assert_eq!(takes(100, Duration::ZERO), 50);
        assert_eq!(takes(100, 3 * interval), 3);
        // Fractions of an interval are not lost.
        for nth in 1..=10 {
            assert_eq!(
                takes(100, 3 * interval + nth * Duration::from_millis(15)),
                if nth % 2 == 0 { 2 } else { 1 }
            );
        }
        assert_eq!(takes(100, 1000 * interval), 50);
    }
}
