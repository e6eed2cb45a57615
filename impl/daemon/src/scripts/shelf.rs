//! Which scripts there are. Each node that comes or goes calls two, and most have none: in a large mesh a directory that
//! is known not to have changed saves looking for each.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

/// A directory that has not changed for so long gets another time when it does.
const SETTLED: Duration = Duration::from_secs(1);

/// What names scripts and nothing else in these directories: no node has it in its name.
const OF_SCRIPTS: u8 = b'-';

/// A directory with scripts.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    known: Option<Known>,
    /// Nothing has happened since it was looked whether the directory has changed.
    is_sure: bool,
}

#[derive(Debug)]
struct Known {
    /// When the directory had changed last.
    changed: SystemTime,
    names: HashSet<OsString>,
}

impl Shelf {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            known: None,
            is_sure: false,
        }
    }

    /// Whether there may be a script of that name; `false` only if there was none when [`Shelf::doubt`] was last called.
    pub(super) fn may_have(&mut self, name: &OsStr) -> bool {
        if !self.is_sure {
            self.is_sure = true;
            self.look();
        }
        self.known
            .as_ref()
            .is_none_or(|known| known.names.contains(name))
    }

    /// Time has gone by: what was known may be so no longer.
    pub(super) fn doubt(&mut self) {
        self.is_sure = false;
    }

    fn look(&mut self) {
        let changed = fs::metadata(&self.dir).and_then(|dir| dir.modified());
        let Ok(changed) = changed else {
            self.known = None;
            return;
        };
        if self
            .known
            .as_ref()
            .is_none_or(|known| known.changed != changed)
        {
            self.known = self.read(changed);
        }
    }

    /// Reads the directory, if whatever changes from now on is sure to show.
    fn read(&self, changed: SystemTime) -> Option<Known> {
        let since = SystemTime::now().duration_since(changed).ok()?;
        if since < SETTLED {
            return None;
        }
        let names = names(&self.dir).ok()?;
        Some(Known { changed, names })
    }
}

fn names(dir: &Path) -> io::Result<HashSet<OsString>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().contains(&OF_SCRIPTS) {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::testing::TempDir;

    fn age(dir: &TempDir, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        File::open(dir.path()).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_was_not_there_is_found_once_it_is() {
        let dir = TempDir::new();
        dir.write("host-up", "");
        let mut shelf = Shelf::new(dir.path());
        let mut has = |name: &str| {
            shelf.doubt();
            shelf.may_have(OsStr::new(name))
        };
        assert!(has("host-down"), "the directory is too new to be sure");
        age(&dir, 10);
        assert!(has("host-up"));
        assert!(!has("host-down"));
        dir.write("host-down", "");
        assert!(has("host-down"));
        age(&dir, 5);
        assert!(has("host-down") && !has("alice-up"));
    }

    #[test]
    fn a_directory_that_is_not_there_or_changed_tomorrow_tells_nothing() {
        let dir = TempDir::new();
        let mut nowhere = Shelf::new(&dir.path().join("nowhere"));
        assert!(nowhere.may_have(OsStr::new("host-up")));
        let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
        File::open(dir.path())
            .unwrap()
            .set_modified(tomorrow)
            .unwrap();
        assert!(Shelf::new(dir.path()).may_have(OsStr::new("host-up")));
    }
}
