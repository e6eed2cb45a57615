//! What we did to the kernel, a line for each step, written before it is taken.
//!
//! The file stays open: `-U` and `-R` put its path out of reach.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use v6router_core::router::wish::Item;

/// So many lines for each thing that is done are too many; ours.
const LINES_EACH: usize = 4;

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
    Doing {
        item: Item,
        before: Before,
    },
    Undone {
        item: Item,
    },
    /// This is what is done, whatever stands before.
    Done(Vec<(Item, Before)>),
}

/// The journal, and what it comes to.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    len: u64,
    lines: usize,
    done: Vec<(Item, Before)>,
}

impl Journal {
    /// Opens the file at `path` and takes over what is in it. A last line that is not whole was
    /// never acted on; it is cut off, or it would swallow the next.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = end.map_or(0, |end| end + 1);
        if whole < bytes.len() {
            bytes.truncate(whole);
            file.set_len(size(&bytes))?;
        }
        let mut journal = Self {
            path: path.to_owned(),
            file,
            len: size(&bytes),
            lines: 0,
            done: Vec::new(),
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            journal.lines += 1;
            match serde_json::from_slice(line) {
                Ok(Line::Doing { item, before }) => journal.done.push((item, before)),
                Ok(Line::Undone { item }) => journal.done.retain(|(done, _)| *done != item),
                Ok(Line::Done(done)) => journal.done = done,
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
        self.append(&text(&line)?)?;
        if let Line::Doing { item, before } = line {
            self.done.push((item, before));
        }
        Ok(true)
    }

    /// Notes that `item` is undone, or was not done.
    pub(super) fn remove(&mut self, item: &Item) -> io::Result<()> {
        self.done.retain(|(done, _)| done != item);
        if self.done.is_empty() {
            self.file.set_len(0)?;
            (self.len, self.lines) = (0, 0);
            return Ok(());
        }
        self.append(&text(&Line::Undone { item: item.clone() })?)?;
        if self.lines / LINES_EACH > self.done.len() {
            self.rewrite()?;
        }
        Ok(())
    }

    /// Leaves only what is done. No new file can take the place of one whose path is out of reach,
    /// so there is a copy at the end, which stands for all before it, until there is one at the
    /// beginning as well: we may be killed at any moment.
    fn rewrite(&mut self) -> io::Result<()> {
        let copy = text(&Line::Done(self.done.clone()))?;
        // The one must not reach into the other; it never does, being shorter than the lines.
        if size(&copy) > self.len {
            return Ok(());
        }
        self.append(&copy)?;
        self.file.write_all_at(&copy, 0)?;
        self.file.set_len(size(&copy))?;
        (self.len, self.lines) = (size(&copy), 1);
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(line, self.len) {
            // A part of it may be there.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += size(line);
        self.lines += 1;
        Ok(())
    }

    /// Removes the file, if it is in reach; empty it says as little.
    pub(super) fn close(self) {
        if self.is_empty() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn text(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::TempDir;

    fn item(interface: &str) -> Item {
        Item::Up {
            interface: interface.to_owned(),
        }
    }

    fn settings() -> Before {
        Before::Settings(BTreeMap::from([("key".to_owned(), "0".to_owned())]))
    }

    #[test]
    fn what_was_done_is_known_after_a_kill_and_a_torn_line_is_not() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        assert!(journal.add(&item("a"), Before::Absent).unwrap());
        assert!(journal.add(&item("b"), settings()).unwrap());
        assert!(!journal.add(&item("b"), Before::Absent).unwrap());
        assert!(journal.add(&item("c"), Before::Absent).unwrap());
        journal.remove(&item("a")).unwrap();
        drop(journal);
        let mut torn = fs::read(&path).unwrap();
        torn.extend(br#"{"doing":{"item":{"up""#);
        fs::write(&path, torn).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.items(), [item("b"), item("c")]);
        assert_eq!(journal.before(&item("b")), Some(settings()));
        // Nor does it swallow the next.
        journal.add(&item("d"), Before::Absent).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.items(), [item("b"), item("c"), item("d")]);
    }

    #[test]
    fn what_comes_and_goes_does_not_fill_the_disk() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.add(&item("stays"), settings()).unwrap();
        for _ in 0..1000 {
            journal.add(&item("comes"), Before::Absent).unwrap();
            journal.remove(&item("comes")).unwrap();
        }
        journal.add(&item("last"), Before::Absent).unwrap();
        drop(journal);
        assert!(fs::metadata(&path).unwrap().len() < 2000);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.items(), [item("stays"), item("last")]);
        assert_eq!(journal.before(&item("stays")), Some(settings()));
    }

    #[test]
    fn a_kill_while_it_is_rewritten_loses_nothing() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.add(&item("gone"), Before::Absent).unwrap();
        journal.add(&item("a"), settings()).unwrap();
        journal.add(&item("b"), Before::Absent).unwrap();
        journal.remove(&item("gone")).unwrap();
        let copy = text(&Line::Done(journal.done.clone())).unwrap();
        let lines = fs::read(&path).unwrap();
        let expected = journal.done.clone();
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            Journal::open(&path).unwrap().done
        };
        for written in 0..=copy.len() {
            let appended = [&lines[..], &copy[..written]].concat();
            assert_eq!(read(&appended), expected, "{written} bytes at the end");
            let mut both = [&lines[..], &copy[..]].concat();
            both[..written].copy_from_slice(&copy[..written]);
            assert_eq!(read(&both), expected, "{written} bytes at the beginning");
        }
        journal.rewrite().unwrap();
        assert_eq!(fs::read(&path).unwrap(), copy);
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
