//! How many ICMP errors may be sent.

use std::time::{Duration, Instant};

/// Most answers in a row, and how long one takes to be earned again. Our own figures: each new
/// flow of each client needs one answer, and tinc's three a second starve them.
const ANSWER_BURST: u32 = 50;
const ANSWER_INTERVAL: Duration = Duration::from_millis(10);

/// A budget that refills with time.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: u32,
    refilled: Option<Instant>,
}

impl Budget {
    /// Spends one answer; `false` if there is none left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let refilled = *self.refilled.get_or_insert(now);
        let earned =
            now.saturating_duration_since(refilled).as_millis() / ANSWER_INTERVAL.as_millis();
        if earned > 0 {
            self.spent = self
                .spent
                .saturating_sub(earned.try_into().unwrap_or(u32::MAX));
            self.refilled = Some(now);
        }
        if self.spent >= ANSWER_BURST {
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
        let start = Instant::now();
        let mut budget = Budget::default();
        assert_eq!((0..100).filter(|_| budget.take(start)).count(), 50);
        let later = start + 3 * ANSWER_INTERVAL;
        assert_eq!((0..100).filter(|_| budget.take(later)).count(), 3);
    }
}
