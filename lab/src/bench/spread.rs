//! What several rounds come to.

use serde::Serialize;

/// The middle and the ends of what was measured in several rounds, in the unit of what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// As many rounds had less as had more.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of all rounds, in any order; `None` of none.
    #[must_use]
    pub fn of(rounds: &[f64]) -> Option<Self> {
        let mut all = rounds.to_vec();
        all.sort_by(f64::total_cmp);
        let (below, above) = (
            *all.get(all.len().saturating_sub(1) / 2)?,
            *all.get(all.len() / 2)?,
        );
        Some(Self {
            median: f64::midpoint(below, above),
            min: *all.first()?,
            max: *all.last()?,
        })
    }

    /// How many times as much this is as `other`, by the medians; `None` where the other is nothing.
    #[must_use]
    pub fn ratio(&self, other: &Self) -> Option<f64> {
        (other.median > 0.0).then(|| self.median / other.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_rounds_has_its_median_in_between() {
        let spread = Spread::of(&[4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_to_nothing_there_is_none() {
        let (ours, theirs) = (
            Spread::of(&[9.0, 12.0, 30.0]).unwrap(),
            Spread::of(&[4.0]).unwrap(),
        );
        assert_eq!(ours.ratio(&theirs), Some(3.0));
        assert_eq!(ours.ratio(&Spread::of(&[0.0]).unwrap()), None);
    }
}
