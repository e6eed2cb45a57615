//! How often something may be done that others can cause.

use std::time::{Duration, Instant};

/// A budget that refills with time.
#[derive(Debug)]
pub(super) struct Budget {
    burst: u32,
    interval: Duration,
    spent: u32,
    refilled: Option<Instant>,
}

impl Budget {
    /// A full budget: so many in a row, and one more is earned in each interval.
    pub(super) const fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            spent: 0,
            refilled: None,
        }
    }

    /// Spends one; `false` if there is none left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let refilled = *self.refilled.get_or_insert(now);
        let earned =
            now.saturating_duration_since(refilled).as_millis() / self.interval.as_millis().max(1);
        if earned > 0 {
            self.spent = self
                .spent
                .saturating_sub(earned.try_into().unwrap_or(u32::MAX));
            self.refilled = Some(now);
        }
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
        assert_eq!((0..100).filter(|_| budget.take(start)).count(), 50);
        let later = start + 3 * interval;
        assert_eq!((0..100).filter(|_| budget.take(later)).count(), 3);
    }
}
