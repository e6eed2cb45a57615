//! What is to be told beside the outcomes of steps: left here while scenarios run, several at a time, and told by the
//! report when it comes to the place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Drawings of networks, remarks on failed scenarios, how many passed, and which failed.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    /// By title; taken out when told, and kept as told under their title.
    drawings: Vec<(String, Option<String>)>,
    /// By file and line of the scenario.
    remarks: HashMap<(PathBuf, usize), String>,
    passed: usize,
    failures: Vec<String>,
}

impl Notes {
    /// Leaves the drawing of a network; the first one of each title counts.
    pub fn network(&self, title: &str, drawing: String) {
        let mut left = self.left();
        if !left.drawings.iter().any(|(known, _)| known == title) {
            left.drawings.push((title.to_owned(), Some(drawing)));
        }
    }

    /// Leaves a remark on the scenario that begins in this line of this file.
    pub fn remark(&self, file: &Path, line: usize, text: String) {
        self.left().remarks.insert((file.to_owned(), line), text);
    }

    /// How many scenarios passed, and how many failed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let left = self.left();
        (left.passed, left.failures.len())
    }

    /// The scenarios that failed, each with its place, the step and the reason, as they are to be read again at the
    /// end of a long run.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.left().failures.clone()
    }

    /// Counts a scenario that passed.
    pub(super) fn passed(&self) {
        self.left().passed += 1;
    }

    /// Counts a scenario that failed.
    pub(super) fn failed(&self, failure: String) {
        self.left().failures.push(failure);
    }

    /// The drawing of that title, the first time it is asked for.
    pub(super) fn take_drawing(&self, title: &str) -> Option<String> {
        let mut left = self.left();
        let found = left.drawings.iter_mut().find(|(known, _)| known == title);
        found.and_then(|(_, drawing)| drawing.take())
    }

    /// The remark on that scenario, once.
    pub(super) fn take_remark(&self, file: &Path, line: usize) -> Option<String> {
        self.left().remarks.remove(&(file.to_owned(), line))
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_drawn_once() {
        let notes = Notes::default();
        notes.network("how-to", "drawing".to_owned());
        assert_eq!(notes.take_drawing("how-to").as_deref(), Some("drawing"));
        notes.network("how-to", "drawing".to_owned());
        assert_eq!(notes.take_drawing("how-to"), None);
    }

    #[test]
    fn a_remark_belongs_to_one_scenario() {
        let notes = Notes::default();
        notes.remark(Path::new("a.feature"), 3, "logs".to_owned());
        assert_eq!(notes.take_remark(Path::new("a.feature"), 4), None);
        assert_eq!(
            notes.take_remark(Path::new("a.feature"), 3).as_deref(),
            Some("logs")
        );
    }
}
