//! Cuts of a stream, as TCP makes them.

use std::ops::Range;

/// No cut at all.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) const UNCUT: &[usize] = &[usize::MAX];

/// Cuts a length at distances taken from `cuts` over and over.
pub(crate) fn pieces(len: usize, cuts: &[usize]) -> Vec<Range<usize>> {
    let mut at = 0_usize;
    let piece = |cut: &usize| {
        let start = at;
        at = at.saturating_add(*cut).min(len);
        (start < len).then_some(start..at)
    };
    cuts.iter().cycle().map_while(piece).collect()
}
