//! Who lives behind a router, as far as it was heard, and how many others may be asked for: against those who send to
//! every address of a prefix, so that its router asks for them all and forgets its real neighbours (RFC 6583).
//!
//! Threads share it without a lock: what one of them misses is taken for a stranger once more.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Addresses remembered at least: as many as the kernel has room for neighbours (`gc_thresh3`, 1,024), and places for
/// each address, so that few drive out each other.
const PLACES: usize = 4096;
const WAYS: usize = 4;

/// How often a stranger may be asked for in the long run, and how many at once. An entry that nobody answers for takes
/// the kernel three seconds to give up, so that there are at most 428 of them.
const INTERVAL: Duration = Duration::from_millis(10);
const AT_ONCE: u32 = 128;

/// The addresses that were heard, and the budget for others.
#[derive(Debug)]
pub(crate) struct Residents {
    places: Box<[AtomicU64]>,
    /// Nobody who does not know it can tell which addresses share a place.
    secret: [u64; 2],
    begun: Instant,
    /// When the next stranger would be due if they came evenly, in nanoseconds from the beginning (GCRA).
    due: AtomicU64,
}

impl Residents {
    /// Nobody, as of now. `secret` is to be drawn anew each time.
    #[must_use]
    pub(crate) fn new(secret: [u64; 2], now: Instant) -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            secret,
            begun: now,
            due: AtomicU64::new(0),
        }
    }

    /// Somebody was heard with this address.
    pub(crate) fn heard(&self, address: Ipv6Addr) {
        let (tag, set) = self.places_of(address);
        if set.iter().any(|place| place.load(Ordering::Relaxed) == tag) {
            return;
        }
        // The one that came first goes first: each moves on by a place.
        let mut moved = tag;
        for place in set {
            moved = place.swap(moved, Ordering::Relaxed);
            if moved == 0 {
                break;
            }
        }
    }

    /// Whether a packet to this address may be handed to the kernel, which will ask for it if it does not know it.
    pub(crate) fn may_be_asked_for(&self, address: Ipv6Addr, now: Instant) -> bool {
        let (tag, set) = self.places_of(address);
        if set.iter().any(|place| place.load(Ordering::Relaxed) == tag) {
            return true;
        }
        let passed = nanos(now.saturating_duration_since(self.begun));
        let due = self.due.load(Ordering::Relaxed);
        let slack = nanos(INTERVAL * AT_ONCE);
        if due > passed.saturating_add(slack) {
            return false;
        }
        let next = due.max(passed).saturating_add(nanos(INTERVAL));
        self.due.store(next, Ordering::Relaxed);
        true
    }

    /// What an address is remembered as, which is never 0, and where it may be.
    fn places_of(&self, address: Ipv6Addr) -> (u64, &[AtomicU64]) {
        let [prefix, host] = [
            address.to_bits() >> 64,
            address.to_bits() & u128::from(u64::MAX),
        ];
        let [a, b] = self.secret.map(u128::from);
        let mixed = (prefix ^ a) * (host ^ b);
        let folded = (mixed ^ mixed >> 64) & u128::from(u64::MAX);
        let tag = u64::try_from(folded).unwrap_or_default().max(1);
        let sets = PLACES / WAYS;
        // A remainder is smaller than what it is divided by.
        let set = usize::try_from(tag % sets as u64).unwrap_or_default();
        let places = self.places.chunks_exact(WAYS).nth(set);
        (tag, places.unwrap_or_default())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];

    fn address(n: u32) -> Ipv6Addr {
        Ipv6Addr::from_bits(0x2001_0db8_85a3_ef11 << 64 | u128::from(n))
    }

    fn asked(residents: &Residents, from: u32, count: u32, now: Instant) -> usize {
        let all = (from..from + count).filter(|n| residents.may_be_asked_for(address(*n), now));
        all.count()
    }

    #[test]
    fn who_was_heard_is_always_asked_for() {
        let now = Instant::now();
        let residents = Residents::new(SECRET, now);
        residents.heard(address(7));
        asked(&residents, 1000, 10_000, now);
        assert!((0..1000).all(|_| residents.may_be_asked_for(address(7), now)));
        assert!(!residents.may_be_asked_for(address(8), now));
    }

    #[test]
    fn strangers_are_asked_for_within_bounds() {
        let now = Instant::now();
        let residents = Residents::new(SECRET, now);
        assert_eq!(asked(&residents, 0, 10_000, now), AT_ONCE as usize + 1);
        let mut more = 0;
        for n in 1..=100 {
            let now = now + INTERVAL * n;
            more += asked(&residents, n * 10_000, 1000, now);
        }
        assert_eq!(more, 100);
        // After a rest there are as many at once as at first.
        let later = now + INTERVAL * 10_000;
        assert_eq!(asked(&residents, 0, 10_000, later), AT_ONCE as usize + 1);
    }

    #[test]
    fn a_whole_neighbourhood_is_remembered() {
        let now = Instant::now();
        let residents = Residents::new(SECRET, now);
        for n in 0..1024 {
            residents.heard(address(n));
        }
        let strangers = asked(&residents, 5000, 10_000, now);
        assert_eq!(strangers, AT_ONCE as usize + 1);
        let known = asked(&residents, 0, 1024, now);
        // With four places for each four addresses on average, few are driven out.
        assert!(known >= 1000, "{known}");
    }

    #[test]
    fn a_host_that_makes_up_addresses_drives_out_others_only_to_be_asked_for() {
        let now = Instant::now();
        let residents = Residents::new(SECRET, now);
        for n in 0..100_000 {
            residents.heard(address(n));
        }
        assert!(residents.may_be_asked_for(address(200_000), now));
    }
}
