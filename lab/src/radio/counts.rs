//! What was dropped, and why.

use std::collections::BTreeMap;
use std::fmt;

/// Counts of packets that went nowhere, by reason.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// One more.
    pub(super) fn dropped(&mut self, why: &'static str, detail: &dyn fmt::Display) {
        tracing::debug!(why, %detail, "dropped");
        *self.0.entry(why).or_default() += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing was dropped");
        }
        let all: Vec<String> = self.0.iter().map(|(why, n)| format!("{n} {why}")).collect();
        write!(f, "dropped: {}", all.join(", "))
    }
}
