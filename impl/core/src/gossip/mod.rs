//! What flooding needs to stay finite: memory of the lines already seen, of contradictions that
//! betray two nodes with one name, and of how much a neighbour has said and caused.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::budget::Budget;

/// Most lines remembered at once. Our own cap: a peer that floods faster loses duplicate
/// suppression for its oldest lines, not our memory.
const MOST_LINES: usize = 65_536;

/// What a neighbour may ask of us: at once the whole state of a mesh of six thousand nodes, which a new connection or the
/// end of a partition brings, and 500 requests a second from then on; a mesh of a thousand nodes at rest makes a few.
/// Our own cap.
pub(crate) const ALLOWANCE: Budget = Budget::new(65_536, Duration::from_millis(2));

/// What may follow from what a neighbour says, over all its connections: at once the news of a mesh of five thousand
/// nodes, passed on to the others, which is 4 MiB at most, and 500 units a second from then on. A new connection brings
/// no new budget, or whoever is cut off would begin again. Our own cap.
pub(crate) const CONSEQUENCES: Budget = Budget::new(65_536, Duration::from_millis(2));

/// What a neighbour may say of keys, over all its connections: question and answer, which are four units, of 65,000
/// pairs of nodes at once, and of 250 a second from then on. Where a thousand nodes all talk to each other, each has a
/// thousand pairs. Our own cap.
pub(crate) const KEYS: Budget = Budget::new(262_144, Duration::from_millis(1));

/// Bytes of a line, LF included, that count as one unit, begun ones too: most lines are shorter. Ours.
const UNIT: usize = 64;

/// Contradictions of each kind within one housekeeping pass from which on the name is taken to
/// be in use twice (tinc 1.0).
const CONTRADICTIONS: u32 = 100;

/// First and shortest suspension after that (tinc 1.0).
const SHORTEST_SUSPENSION: Duration = Duration::from_secs(10);

/// Longest suspension; our own cap.
const LONGEST_SUSPENSION: Duration = Duration::from_secs(3600);

/// As how many units a line counts.
pub(crate) fn units(line: &[u8]) -> usize {
    line.len() / UNIT + 1
}

/// Spends so many units of a budget, or what is left of it; says whether there were so many.
pub(crate) fn spend(budget: &mut Budget, units: usize, now: Instant) -> bool {
    (0..units).all(|_| budget.take(now))
}

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
    fn a_line_counts_by_its_length() {
        let counts = [0, 62, 63, 64, 2175].map(|len| units(&vec![b'x'; len]));
        assert_eq!(counts, [1, 1, 1, 2, 34]);
        let (start, mut budget) = (Instant::now(), CONSEQUENCES);
        let line = [b'x'; 2175];
        let mut passes = || spend(&mut budget, units(&line), start);
        let passed = (0..10_000).take_while(|_| passes()).count();
        assert!(passed * (line.len() + 1) <= 4 << 20);
        assert!(!passes());
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
