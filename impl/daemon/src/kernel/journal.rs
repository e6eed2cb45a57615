//! What we did to the kernel, a line for each step, written before it is taken.
//!
//! The file stays open: `-U` and `-R` put its path out of reach.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use v6router_core::router::wish::Item;

/// How it was before us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Before {
    /// It was not there.
    Absent,
    /// Settings by their keys.
    Settings(BTreeMap<String, String>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Doing { item: Item, before: Before },
    Undone { item: Item },
}

/// The journal, and what it comes to.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    done: Vec<(Item, Before)>,
}

impl Journal {
    /// Opens the file at `path` and takes over what is in it. A last line that is not whole was
    /// never acted on.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            done: Vec::new(),
        };
        for line in bytes.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Line::Doing { item, before }) => journal.done.push((item, before)),
                Ok(Line::Undone { item }) => journal.done.retain(|(done, _)| *done != item),
                Err(_) => {}
            }
        }
        Ok(journal)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// What was done and not undone, in its order.
    pub(super) fn items(&self) -> Vec<Item> {
        self.done.iter().map(|(item, _)| item.clone()).collect()
    }

    pub(super) fn before(&self, item: &Item) -> Option<Before> {
        let mut entries = self.done.iter();
        let (_, before) = entries.find(|(done, _)| done == item)?;
        Some(before.clone())
    }

    /// Notes that `item` is about to be done; whether that is news.
    pub(super) fn add(&mut self, item: &Item, before: Before) -> io::Result<bool> {
        if self.before(item).is_some() {
            return Ok(false);
        }
        let line = Line::Doing {
            item: item.clone(),
            before,
        };
        self.write(&line)?;
        if let Line::Doing { item, before } = line {
            self.done.push((item, before));
        }
        Ok(true)
    }

    pub(super) fn remove(&mut self, item: &Item) -> io::Result<()> {
        self.done.retain(|(done, _)| done != item);
        if self.done.is_empty() {
            return self.file.set_len(0);
        }
        self.write(&Line::Undone { item: item.clone() })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
    }

    /// Removes the file, if it is in reach; empty it says as little.
    pub(super) fn close(self) {
        if self.is_empty() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn item(interface: &str) -> Item {
        Item::Up {
            interface: interface.to_owned(),
        }
    }

    #[test]
    fn what_was_done_is_known_after_a_kill_and_a_torn_line_is_not() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        let before = Before::Settings(BTreeMap::from([("key".to_owned(), "0".to_owned())]));
        assert!(journal.add(&item("a"), Before::Absent).unwrap());
        assert!(journal.add(&item("b"), before.clone()).unwrap());
        assert!(!journal.add(&item("b"), Before::Absent).unwrap());
        assert!(journal.add(&item("c"), Before::Absent).unwrap());
        journal.remove(&item("a")).unwrap();
        journal
            .file
            .write_all(br#"{"doing":{"item":{"up""#)
            .unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.items(), [item("b"), item("c")]);
        assert_eq!(journal.before(&item("b")), Some(before));
    }

    #[test]
    fn nothing_is_left_of_a_journal_of_what_is_undone() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.add(&item("a"), Before::Absent).unwrap();
        journal.remove(&item("a")).unwrap();
        journal.close();
        assert!(!path.exists());
    }
}
