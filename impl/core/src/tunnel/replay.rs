//! The replay window: every sequence number is accepted once (legacy protocol, SEQNO rule).

/// Ours: largest window in bytes, of which each key of each peer has one.
pub const MAX_WINDOW: usize = 65_536;

/// Which sequence numbers of one packet key were seen.
///
/// The window slides with the highest number; of the numbers it covers those that were skipped may
/// still come. A number far ahead is refused until several came in a row, so that one damaged or
/// forged packet cannot shut out all that follow. Belongs to one key: a new key needs a new
/// window.
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    /// One bit for each number of the window, at the number modulo the window: set if it was
    /// skipped and may still come.
    late: Box<[u8]>,
    highest: u32,
    far_ahead: usize,
}

/// Why a sequence number was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was seen before.
    #[error("the sequence number was used before")]
    Seen,
    /// It is older than the window reaches.
    #[error("the sequence number is older than the replay window")]
    TooOld,
    /// It is further ahead than the window reaches.
    #[error("the sequence number is further ahead than the replay window")]
    FarAhead,
}

impl ReplayWindow {
    /// A window for a fresh key. `bytes` is the `ReplayWindow` variable, eight numbers a byte, at
    /// most [`MAX_WINDOW`]; with 0 every number is accepted any number of times.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            late: vec![0; bytes.min(MAX_WINDOW)].into(),
            highest: 0,
            far_ahead: 0,
        }
    }

    /// Takes note of `seqno`, which must come from an authenticated packet.
    ///
    /// # Errors
    /// If the packet is to be dropped.
    pub fn accept(&mut self, seqno: u32) -> Result<(), Refusal> {
        if self.late.is_empty() {
            return Ok(());
        }
        match seqno.checked_sub(self.highest) {
            None | Some(0) => self.accept_late(seqno)?,
            Some(1) => {}
            Some(ahead) if ahead < self.numbers() => {
                // `seqno` is above, so the range ends below the largest number.
                (self.highest + 1..seqno).for_each(|skipped| self.set_late(skipped, true));
            }
            Some(_) if self.far_ahead < self.late.len() / 4 => {
                self.far_ahead += 1;
                return Err(Refusal::FarAhead);
            }
            Some(_) => self.late.fill(0),
        }
        self.far_ahead = 0;
        self.set_late(seqno, false);
        self.highest = self.highest.max(seqno);
        Ok(())
    }

    fn accept_late(&self, seqno: u32) -> Result<(), Refusal> {
        if self.highest - seqno >= self.numbers() {
            return Err(Refusal::TooOld);
        }
        let (at, bit) = self.position(seqno);
        match self.late.get(at) {
            Some(byte) if byte & bit != 0 => Ok(()),
            _ => Err(Refusal::Seen),
        }
    }

    fn set_late(&mut self, seqno: u32, late: bool) {
        let (at, bit) = self.position(seqno);
        if let Some(byte) = self.late.get_mut(at) {
            *byte = if late { *byte | bit } else { *byte & !bit };
        }
    }

    /// Byte and bit of a number.
    fn position(&self, seqno: u32) -> (usize, u8) {
        let index = (seqno % self.numbers()) as usize;
        (index / 8, 1 << (index % 8))
    }

    /// How many numbers the window covers; not zero where it is used.
    fn numbers(&self) -> u32 {
        u32::try_from(self.late.len() * 8).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_numbers_of_an_orderly_path_are_accepted_once() {
        let mut window = ReplayWindow::new(16);
        for seqno in 1..1000 {
            assert_eq!(window.accept(seqno), Ok(()));
            assert_eq!(window.accept(seqno), Err(Refusal::Seen));
        }
    }

    #[test]
    fn a_skipped_number_may_come_late_but_not_from_before_the_window() {
        let mut window = ReplayWindow::new(1);
        assert_eq!(window.accept(2), Ok(()));
        assert_eq!(window.accept(8), Ok(()));
        assert_eq!(window.accept(1), Ok(()));
        assert_eq!(window.accept(11), Ok(()));
        assert_eq!(window.accept(3), Err(Refusal::TooOld));
        assert_eq!(window.accept(4), Ok(()));
    }

    #[test]
    fn zero_is_never_accepted() {
        assert_eq!(ReplayWindow::new(16).accept(0), Err(Refusal::Seen));
    }

    #[test]
    fn one_packet_far_ahead_shuts_out_nobody() {
        let mut window = ReplayWindow::new(16);
        assert_eq!(window.accept(u32::MAX), Err(Refusal::FarAhead));
        assert_eq!(window.accept(1), Ok(()));
    }

    #[test]
    fn several_packets_far_ahead_move_the_window() {
        let mut window = ReplayWindow::new(16);
        for seqno in 500..504 {
            assert_eq!(window.accept(seqno), Err(Refusal::FarAhead));
        }
        assert_eq!(window.accept(504), Ok(()));
        assert_eq!(window.accept(503), Err(Refusal::Seen));
    }

    #[test]
    fn the_largest_number_is_the_last() {
        let mut window = ReplayWindow::new(1);
        assert_eq!(window.accept(u32::MAX), Ok(()));
        assert_eq!(window.accept(u32::MAX), Err(Refusal::Seen));
        assert_eq!(window.accept(0), Err(Refusal::TooOld));
    }

    #[test]
    fn without_a_window_everything_is_accepted() {
        let mut window = ReplayWindow::new(0);
        for seqno in [7, 7, 0, u32::MAX, 7] {
            assert_eq!(window.accept(seqno), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn no_number_is_accepted_twice(
            bytes in 1..40usize,
            seqnos in prop::collection::vec(
                prop_oneof![8 => 0..400u32, 1 => any::<u32>(), 1 => u32::MAX - 300..],
                0..600,
            ),
        ) {
            let mut window = ReplayWindow::new(bytes);
            let mut accepted = HashSet::new();
            for seqno in seqnos {
                if window.accept(seqno).is_ok() {
                    prop_assert!(accepted.insert(seqno), "{seqno} twice");
                }
            }
        }

        #[test]
        fn reordering_within_the_window_loses_nothing(
            order in Just((1..=64u32).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut window = ReplayWindow::new(16);
            for seqno in order {
                prop_assert_eq!(window.accept(seqno), Ok(()));
            }
        }
    }
}
