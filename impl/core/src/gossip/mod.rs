//! What flooding needs to stay finite: memory of the lines already seen, of contradictions that
//! betray two nodes with one name, and of how much a neighbour has said.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// Most lines remembered at once. Our own cap: a peer that floods faster loses duplicate
/// suppression for its oldest lines, not our memory.
const MOST_LINES: usize = 65_536;

/// Requests that a neighbour may make at once: the whole state of a mesh of six thousand nodes,
/// which a new connection or the end of a partition brings. Our own cap.
const MOST_AT_ONCE: u32 = 65_536;

/// Requests that it may make each second from then on; a mesh of a thousand nodes at rest makes
/// a few. Our own cap.
const PER_SECOND: u32 = 500;

/// Contradictions of each kind within one housekeeping pass from which on the name is taken to
/// be in use twice (tinc 1.0).
const CONTRADICTIONS: u32 = 100;

/// First and shortest suspension after that (tinc 1.0).
const SHORTEST_SUSPENSION: Duration = Duration::from_secs(10);

/// Longest suspension; our own cap.
const LONGEST_SUSPENSION: Duration = Duration::from_secs(3600);

/// Memory of flooded request lines, by which loops in the mesh end (tinc 1.0 legacy protocol,
/// flooding).
///
/// Lines are kept as truncated SHA-256 values, so that the memory a peer can make us use does
/// not depend on how long its lines are.
#[derive(Debug, Default)]
pub struct PastLines(HashMap<[u8; 16], Instant>);

impl PastLines {
    /// Remembers a line; says whether it is new.
    pub fn is_new(&mut self, line: &[u8], now: Instant) -> bool {
        if self.0.len() >= MOST_LINES {
            self.forget_oldest_half();
        }
        let mut key = [0; 16];
        for (slot, byte) in key.iter_mut().zip(Sha256::digest(line)) {
            *slot = byte;
        }
        match self.0.entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                slot.insert(now);
                true
            }
        }
    }

    /// Forgets what is older than `age`.
    pub fn expire(&mut self, age: Duration, now: Instant) {
        self.0
            .retain(|_, seen| now.saturating_duration_since(*seen) < age);
    }

    fn forget_oldest_half(&mut self) {
        let mut times: Vec<_> = self.0.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.0.retain(|_, seen| *seen > median);
    }
}

/// How much a neighbour has said of late: no honest burst is too much, a flood is.
#[derive(Debug)]
pub struct Allowance {
    left: u32,
    /// Up to when it was earned.
    earned: Instant,
}

impl Allowance {
    /// Of somebody who appeared at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            left: MOST_AT_ONCE,
            earned: now,
        }
    }

    /// Counts one request; says whether it is still within bounds.
    pub fn spend(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.earned).as_secs();
        if seconds > 0 {
            let whole = u32::try_from(seconds).unwrap_or(u32::MAX);
            let more = PER_SECOND.saturating_mul(whole);
            self.left = self.left.saturating_add(more).min(MOST_AT_ONCE);
            self.earned += Duration::from_secs(seconds);
        }
        let within = self.left > 0;
        self.left = self.left.saturating_sub(1);
        within
    }
}

/// Counts how often others said things about us that are not so.
///
/// Two nodes that share a name take each other's edges back for ever. When that shows, the
/// reference stops its whole loop for a while; we only stop dialling, so that other peers are
/// not disturbed.
#[derive(Debug)]
pub struct Contradictions {
    added: u32,
    deleted: u32,
    suspension: Duration,
}

impl Default for Contradictions {
    fn default() -> Self {
        Self {
            added: 0,
            deleted: 0,
            suspension: SHORTEST_SUSPENSION,
        }
    }
}

impl Contradictions {
    /// Somebody announced an edge of ours that does not exist.
    pub fn edge_added(&mut self) {
        self.added = self.added.saturating_add(1);
    }

    /// Somebody withdrew an edge of ours that does exist.
    pub fn edge_deleted(&mut self) {
        self.deleted = self.deleted.saturating_add(1);
    }

    /// Ends one housekeeping pass: how long to stop dialling, if our name is in use twice.
    pub fn verdict(&mut self) -> Option<Duration> {
        let twice = self.added > CONTRADICTIONS && self.deleted > CONTRADICTIONS;
        (self.added, self.deleted) = (0, 0);
        if twice {
            let suspension = self.suspension;
            self.suspension = (suspension * 2).min(LONGEST_SUSPENSION);
            Some(suspension)
        } else {
            self.suspension = (self.suspension / 2).max(SHORTEST_SUSPENSION);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_new_once_until_it_expires() {
        let start = Instant::now();
        let mut past = PastLines::default();
        assert!(past.is_new(b"12 1 a b 192.0.2.1 655 c 5", start));
        assert!(!past.is_new(b"12 1 a b 192.0.2.1 655 c 5", start));
        assert!(past.is_new(b"12 2 a b 192.0.2.1 655 c 5", start));
        let later = start + Duration::from_secs(61);
        past.expire(Duration::from_secs(60), later);
        assert!(past.is_new(b"12 1 a b 192.0.2.1 655 c 5", later));
    }

    #[test]
    fn memory_of_lines_is_bounded() {
        let start = Instant::now();
        let mut past = PastLines::default();
        for number in 0..3 * MOST_LINES {
            let now = start + Duration::from_micros(u64::try_from(number).unwrap());
            past.is_new(number.to_string().as_bytes(), now);
            assert!(past.0.len() <= MOST_LINES);
        }
    }

    #[test]
    fn an_allowance_is_spent_at_once_and_earned_again_by_the_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut spend = |times: u32, at: Duration| (0..times).all(|_| allowance.spend(start + at));
        assert!(spend(MOST_AT_ONCE, Duration::ZERO));
        assert!(!spend(1, Duration::from_millis(999)));
        for second in 1..10 {
            // Fractions of a second are not lost.
            assert!(spend(PER_SECOND, Duration::from_millis(1100) * second));
        }
        assert!(spend(PER_SECOND, Duration::from_secs(10)));
        assert!(!spend(1, Duration::from_secs(10)));
        assert!(spend(MOST_AT_ONCE, Duration::from_secs(1000)));
        assert!(!spend(1, Duration::from_secs(1000)));
    }

    #[test]
    fn a_name_in_use_twice_suspends_dialling_longer_each_time() {
        let mut seen = Contradictions::default();
        let mut pass = |times: u32| {
            for _ in 0..times {
                seen.edge_added();
                seen.edge_deleted();
            }
            seen.verdict()
        };
        assert_eq!(pass(100), None);
        assert_eq!(pass(101), Some(Duration::from_secs(10)));
        assert_eq!(pass(101), Some(Duration::from_secs(20)));
        assert_eq!(pass(0), None);
        assert_eq!(pass(101), Some(Duration::from_secs(20)));
    }
}
