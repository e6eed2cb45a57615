//! What of a scenario is written down, and where.

use std::sync::Arc;

use crate::report::Journal;
use crate::report::events::Event;

/// What is written down of one scenario beside its steps.
#[derive(Debug, Clone)]
pub struct Record {
    /// The run's journal.
    pub journal: Arc<Journal>,
    /// The scenario's identity in it.
    pub id: String,
    /// The scenario's name.
    pub name: String,
    /// Whether its links are recorded.
    pub captures: Captures,
    /// The command that plays just this scenario.
    pub replay: String,
}

/// Of which scenarios a recording of the links is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Captures {
    /// Of none.
    #[default]
    Never,
    /// Of those that fail.
    Failed,
    /// Of every one.
    Always,
}

impl Captures {
    /// Whether to begin, before it is known how a scenario ends.
    pub(super) fn begin(self) -> bool {
        self != Self::Never
    }
}

impl Record {
    /// Writes down what happens in the scenario now.
    pub(crate) fn write(&self, event: Event) {
        self.journal.write(Some(&self.id), event);
    }
}
