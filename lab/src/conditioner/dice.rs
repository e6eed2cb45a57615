//! Chance that can be had again: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), which is the same on every machine and in every
//! version of this program.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A seed that nobody has chosen, short enough to be typed again.
#[must_use]
pub fn any_seed() -> u64 {
    // Its keys are the standard library's only source of randomness.
    RandomState::new().build_hasher().finish() >> 40
}

/// A stream of random numbers, decided by its seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The stream for one purpose of many that share a seed.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let mut dice = Self(seed);
        for byte in purpose.bytes() {
            dice.0 = dice.next() ^ u64::from(byte);
        }
        dice
    }

    /// The next number.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1, evenly distributed.
    pub(super) fn unit(&mut self) -> f64 {
        // As many bits as the result has room for.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something happens that has this chance.
    pub(super) fn happens(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        // First outputs for the seed 1234567, as published with the algorithm.
        let mut dice = Dice(1_234_567);
        let first = [dice.next(), dice.next()];
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn each_purpose_has_a_stream_of_its_own() {
        let first = |seed, purpose| Dice::new(seed, purpose).next();
        assert_eq!(first(1, "cafe down"), first(1, "cafe down"));
        assert_ne!(first(1, "cafe down"), first(1, "cafe up"));
        assert_ne!(first(1, "cafe down"), first(2, "cafe down"));
    }
}
