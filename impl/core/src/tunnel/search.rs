//! The search for the longest frame a path carries, counted in bursts instead of time.

use super::pmtu::{MAX_LEN, MIN_LEN};

/// Lengths under trial at a time.
const TRIALS: usize = 8;

/// Bursts a length may go unanswered, beyond those the slowest answer so far took, before it
/// counts as too long.
const PATIENCE: u8 = 4;

/// Limit of what slow answers add to [`PATIENCE`]: a round trip of 3.6 s at a burst each 300 ms.
const MAX_SLOWNESS: u8 = 12;

/// Lengths worth a try before any other: what is longest under the default cipher (16 n - 5)
/// where the path carries IPv4 packets of 576, 1280, 1400 and 1500 bytes or IPv6 packets of 1280
/// and 1500, the shortest probe, and one byte more than 1500 can carry, so that the most common
/// path is settled soonest. PPPoE's 1492 bytes carry the same lengths as 1500.
const WELL_KNOWN: [u16; TRIALS] = [MIN_LEN, 539, 1211, 1243, 1355, 1435, 1451, 1452];

/// The lengths of the probes to send at one time, in bytes of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Probes {
    lens: [u16; TRIALS + 1],
    count: usize,
}

impl Probes {
    /// The lengths.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        self.lens.get(..self.count).unwrap_or_default()
    }
}

impl FromIterator<u16> for Probes {
    /// Takes as many as there is room for.
    fn from_iter<I: IntoIterator<Item = u16>>(lens: I) -> Self {
        let mut probes = Self::default();
        for (slot, len) in probes.lens.iter_mut().zip(lens) {
            *slot = len;
            probes.count += 1;
        }
        probes
    }
}

/// What is known of the path, and the lengths under trial.
///
/// A trial is sent in every burst until it is answered, which proves it and everything shorter, or
/// until it missed so many bursts that it and everything longer is given up. Only bursts of which
/// something was answered count as missed: a path that carries nothing proves nothing. The
/// longest proven length is sent along for that reason.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Longest length that was answered; 0 if none was.
    proven: u16,
    /// Longest length that was not given up.
    top: u16,
    trials: [Option<Trial>; TRIALS],
    /// Bursts sent in vain before the slowest answer: both long round trips and loss show here.
    slowness: u8,
    /// Whether the last burst was answered in part.
    heard: bool,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    len: u16,
    sent: u8,
    missed: u8,
}

impl Search {
    /// A search from `proven`, 0 if nothing is, up to `top`.
    pub(super) const fn new(proven: u16, top: u16) -> Self {
        Self {
            proven,
            top,
            trials: [None; TRIALS],
            slowness: 0,
            heard: false,
        }
    }

    pub(super) const fn proven(&self) -> u16 {
        self.proven
    }

    pub(super) const fn top(&self) -> u16 {
        self.top
    }

    pub(super) const fn heard(&self) -> bool {
        self.heard
    }

    /// Takes an answer into account; says whether it proves more than was known.
    ///
    /// An answer counts for more than silence: a length given up too early comes back by it.
    pub(super) fn answer(&mut self, len: u16) -> bool {
        self.heard = true;
        if let Some(trial) = self.trials.iter().flatten().find(|trial| trial.len == len) {
            let in_vain = trial.sent.saturating_sub(1);
            self.slowness = self.slowness.max(in_vain).min(MAX_SLOWNESS);
        }
        self.top = self.top.max(len);
        let raised = len > self.proven;
        self.proven = self.proven.max(len);
        raised
    }

    /// Gives up what is longer than `top`.
    pub(super) fn lower_top(&mut self, top: u16) {
        self.top = self.top.min(top);
    }

    /// The next burst, or `None` once the longest length is known.
    pub(super) fn next_burst(&mut self) -> Option<Probes> {
        if self.heard {
            self.count_missed();
        }
        self.heard = false;
        let (proven, top) = (self.proven, self.top);
        self.retain(|trial| trial.len > proven && trial.len <= top);
        if proven >= top {
            return None;
        }
        self.refill();
        let trials = self.trials.iter_mut().flatten().map(|trial| {
            trial.sent = trial.sent.saturating_add(1);
            trial.len
        });
        let control = (proven > 0).then_some(proven);
        Some(control.into_iter().chain(trials).collect())
    }

    fn count_missed(&mut self) {
        let patience = PATIENCE + self.slowness;
        for trial in self.trials.iter_mut().flatten() {
            trial.missed = trial.missed.saturating_add(1);
            if trial.missed >= patience && trial.len > self.proven {
                self.top = self.top.min(trial.len - 1);
            }
        }
    }

    /// Fills the free places with lengths between what is proven and the shortest trial.
    fn refill(&mut self) {
        if self.trials.iter().all(Option::is_none) {
            let (proven, top) = (self.proven, self.top);
            WELL_KNOWN
                .into_iter()
                .filter(|&len| len > proven && len <= top)
                .for_each(|len| self.add(len));
        } else if self.proven > 0 {
            self.keep_shortest();
        }
        let floor = self.proven.max(MIN_LEN - 1);
        let mut ceiling = self.top + 1;
        match self.trials.iter().flatten().map(|trial| trial.len).min() {
            Some(shortest) => ceiling = shortest,
            None => self.add(self.top),
        }
        // The length next to what is proven ends the search, so it is tried from the start.
        let gap = ceiling.saturating_sub(floor + 1);
        if gap > 0 {
            self.add(floor + 1);
        }
        let free = self.trials.iter().filter(|trial| trial.is_none()).count();
        let parts = u32::try_from(free + 1).unwrap_or(1);
        for part in 1..parts {
            let step = u32::from(gap) * part / parts;
            let len = floor + 1 + u16::try_from(step).unwrap_or(0);
            if len < ceiling {
                self.add(len);
            }
        }
    }

    /// Makes room by dropping all trials but the two shortest: what is longer matters only once
    /// these are answered, and comes back then.
    fn keep_shortest(&mut self) {
        self.trials
            .sort_unstable_by_key(|trial| trial.map_or(MAX_LEN + 1, |trial| trial.len));
        self.trials
            .iter_mut()
            .skip(2)
            .for_each(|trial| *trial = None);
    }

    fn retain(&mut self, keep: impl Fn(&Trial) -> bool) {
        for slot in &mut self.trials {
            *slot = slot.filter(&keep);
        }
    }

    /// Puts a length under trial if it is not yet and there is room.
    fn add(&mut self, len: u16) {
        if self.trials.iter().flatten().any(|trial| trial.len == len) {
            return;
        }
        if let Some(slot) = self.trials.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Trial {
                len,
                sent: 0,
                missed: 0,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One burst, answered at once by a path of `path`.
    fn round(search: &mut Search, path: u16) -> Option<Probes> {
        let burst = search.next_burst()?;
        for &len in burst.as_slice().iter().filter(|&&len| len <= path) {
            search.answer(len);
        }
        Some(burst)
    }

    #[test]
    fn the_first_burst_has_the_well_known_lengths() {
        let mut search = Search::new(0, 1518);
        assert_eq!(search.next_burst().unwrap().as_slice(), WELL_KNOWN);
    }

    #[test]
    fn no_burst_exceeds_a_low_ceiling() {
        let mut search = Search::new(0, 300);
        while let Some(burst) = round(&mut search, 1500) {
            assert!(burst.as_slice().iter().all(|len| (64..=300).contains(len)));
        }
        assert_eq!(search.proven(), 300);
    }

    #[test]
    fn any_quiet_path_is_found_within_twelve_bursts() {
        for path in MIN_LEN..=MAX_LEN {
            let mut search = Search::new(0, MAX_LEN);
            let bursts = std::iter::from_fn(|| round(&mut search, path)).count();
            assert_eq!(search.proven(), path);
            assert!(bursts <= 12, "{bursts} bursts for {path}");
        }
    }

    #[test]
    fn bursts_without_any_answer_prove_nothing() {
        let mut search = Search::new(0, MAX_LEN);
        round(&mut search, 600);
        for _ in 0..100 {
            assert!(search.next_burst().is_some());
        }
        assert_eq!((search.proven(), search.top()), (539, MAX_LEN));
    }

    #[test]
    fn a_late_answer_brings_a_length_back_that_was_given_up() {
        let mut search = Search::new(0, MAX_LEN);
        while round(&mut search, 1300).is_some() {}
        assert_eq!(search.top(), 1300);
        assert!(search.answer(1400));
        assert_eq!((search.proven(), search.top()), (1400, 1400));
    }
}
