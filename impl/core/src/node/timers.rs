//! When something is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::graph::NodeId;
use crate::name::NodeName;

/// What can be due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Look after connections, leases and memories; repeats.
    Housekeeping,
    /// Renew the packet keys; repeats.
    KeyExpire,
    /// Probe the path to a node.
    Probe(NodeId),
    /// See whether the path to a node still carries what flows over it.
    Watch(NodeId),
    /// Dial a node again.
    Redial(NodeName),
}

/// The table of what is due when; one entry a timer.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Sets a timer, anew if it was set.
    pub(super) fn set(&mut self, timer: Timer, due: Instant) {
        self.stop(&timer);
        self.due.insert(timer.clone(), due);
        self.order.insert((due, timer));
    }

    /// Stops a timer if it was set.
    pub(super) fn stop(&mut self, timer: &Timer) {
        if let Some(due) = self.due.remove(timer) {
            self.order.remove(&(due, timer.clone()));
        }
    }

    pub(super) fn is_set(&self, timer: &Timer) -> bool {
        self.due.contains_key(timer)
    }

    /// When the next timer is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Takes the next timer that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        if self.deadline()? > now {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.due.remove(&timer);
        Some(timer)
    }

    /// Makes everything due that does not repeat by itself.
    pub(super) fn hasten(&mut self, now: Instant) {
        let waiting: Vec<_> = self
            .due
            .keys()
            .filter(|timer| matches!(timer, Timer::Probe(_) | Timer::Redial(_)))
            .cloned()
            .collect();
        for timer in waiting {
            self.set(timer, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_come_in_the_order_in_which_they_are_due() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.set(Timer::KeyExpire, at(3));
        timers.set(Timer::Housekeeping, at(5));
        timers.set(Timer::Housekeeping, at(1));
        assert_eq!(timers.deadline(), Some(at(1)));
        assert_eq!(timers.pop(at(0)), None);
        assert_eq!(timers.pop(at(4)), Some(Timer::Housekeeping));
        assert_eq!(timers.pop(at(4)), Some(Timer::KeyExpire));
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(timers.deadline(), None);
    }

    #[test]
    fn a_stopped_timer_is_never_due() {
        let start = Instant::now();
        let mut timers = Timers::default();
        timers.set(Timer::KeyExpire, start);
        timers.stop(&Timer::KeyExpire);
        assert!(!timers.is_set(&Timer::KeyExpire));
        assert_eq!(timers.pop(start), None);
    }
}
