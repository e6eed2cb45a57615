//! Files that are either as they were or completely new, also after a crash half-way.
//!
//! A [`Draft`] is written beside its target, brought to disk and renamed over it. Knows nothing
//! of what it stores.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// New content on disk that is not in force yet. Dropping it discards it.
#[derive(Debug)]
pub(crate) struct Draft {
    target: PathBuf,
    temp: PathBuf,
    committed: bool,
}

impl Draft {
    /// Writes `content` beside `target` and waits until it is on disk.
    ///
    /// A file that exists keeps its owner, and its mode unless `mode` is stricter; a link keeps
    /// being a link.
    ///
    /// # Errors
    /// Whatever the file system says; `target` is untouched.
    pub(crate) fn write(target: &Path, content: &[u8], mode: u32) -> io::Result<Self> {
        let target = match fs::canonicalize(target) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => target.to_owned(),
            Err(error) => return Err(error),
        };
        let mut temp = target.clone().into_os_string();
        temp.push(".tmp");
        let temp = PathBuf::from(temp);
        match fs::remove_file(&temp) {
            // Left by a crash.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temp)?;
        let draft = Self {
            target,
            temp,
            committed: false,
        };
        if let Ok(old) = fs::metadata(&draft.target) {
            let keep = if mode & 0o077 == 0 {
                old.mode() & 0o700
            } else {
                old.mode() & 0o777
            };
            file.set_permissions(fs::Permissions::from_mode(keep))?;
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Puts the new content in the target's place, atomically.
    ///
    /// # Errors
    /// Whatever the file system says; the target then has its old content.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        fs::rename(&self.temp, &self.target)?;
        self.committed = true;
        match self.target.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.temp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_draft_changes_nothing_until_it_is_committed() {
        let dir = TempDir::new();
        let path = dir.write("file", "old");
        drop(Draft::write(&path, b"new", 0o600).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        Draft::write(&path, b"new", 0o600)
            .unwrap()
            .commit()
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle_and_never_read() {
        let dir = TempDir::new();
        let path = dir.write("file", "old");
        dir.write("file.tmp", "half of a ke");
        Draft::write(&path, b"new", 0o600)
            .unwrap()
            .commit()
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn secrets_become_private_and_other_files_keep_their_mode() {
        let dir = TempDir::new();
        let path = dir.write("file", "old");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        Draft::write(&path, b"1", 0o644).unwrap().commit().unwrap();
        assert_eq!(mode(&path), 0o644);
        Draft::write(&path, b"2", 0o600).unwrap().commit().unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = TempDir::new();
        let real = dir.write("real", "old");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Draft::write(&link, b"new", 0o600)
            .unwrap()
            .commit()
            .unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
