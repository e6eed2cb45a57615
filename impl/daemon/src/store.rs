//! Files that are either as they were or completely new, also after a crash half-way.
//!
//! A [`Draft`] is written beside its target, brought to disk and renamed over it. Who reads a file
//! and writes what follows from it has the directory's [`lock`] meanwhile. Knows nothing of what it
//! stores.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// How the name of a draft ends.
const ENDING: &str = ".tmp";

/// Waits until nobody else has the lock of `dir`, and has it until the file is dropped. Whoever
/// does not ask for it is not kept from anything.
///
/// # Errors
/// If the directory cannot be read, or its file system knows no locks.
pub(crate) fn lock(dir: &Path) -> io::Result<File> {
    let dir = File::open(dir)?;
    dir.lock()?;
    Ok(dir)
}

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
        sweep(&target);
        let (temp, mut file) = create_beside(&target, mode)?;
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

/// How the names of all drafts of `target` begin: `.NAME.PID.N.tmp` is hidden, and no node's name.
fn beginning(target: &Path) -> Option<OsString> {
    let mut name = OsString::from(".");
    name.push(target.file_name()?);
    name.push(".");
    Some(name)
}

/// A file that nobody else writes to, also not from another thread.
fn create_beside(target: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(beginning) = beginning(target) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    loop {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut name = beginning.clone();
        name.push(format!("{}.{nth}{ENDING}", std::process::id()));
        let temp = target.with_file_name(name);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temp);
        match made {
            // Left by a crash of somebody who had our pid.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (temp, file)),
        }
    }
}

/// Removes drafts of `target` that a crash has left: half a secret is one, too.
fn sweep(target: &Path) {
    let (Some(dir), Some(beginning)) = (target.parent(), beginning(target)) else {
        return;
    };
    let is_left = |name: &str| {
        let beginning = beginning.to_str()?;
        let numbers = name.strip_prefix(beginning)?.strip_suffix(ENDING)?;
        let (pid, nth) = numbers.split_once('.')?;
        nth.parse::<u32>().ok()?;
        let pid = pid.parse::<i32>().ok().filter(|pid| *pid > 0)?;
        Some(kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().and_then(is_left) == Some(true) {
            let _ = fs::remove_file(entry.path());
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
    fn leftovers_of_a_crash_are_no_obstacle_and_removed() {
        let dir = TempDir::new();
        let path = dir.write("file", "old");
        // Beyond the largest pid of Linux.
        dir.write(".file.99999999.0.tmp", "half of a ke");
        for other in [
            ".file.1.0.tmp",
            ".file.x.99999999.0.tmp",
            ".other.99999999.0.tmp",
        ] {
            dir.write(other, "somebody's");
        }
        Draft::write(&path, b"new", 0o600)
            .unwrap()
            .commit()
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!dir.path().join(".file.99999999.0.tmp").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
    }

    #[test]
    fn two_drafts_of_one_file_leave_each_other_alone() {
        let dir = TempDir::new();
        let path = dir.write("file", "old");
        let one = Draft::write(&path, b"one", 0o600).unwrap();
        let two = Draft::write(&path, b"two", 0o600).unwrap();
        one.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        two.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
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
