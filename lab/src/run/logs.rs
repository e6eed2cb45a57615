//! Where the daemons' logs of a run are kept: on the host, since they are wanted after the lab has gone.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::unistd::getuid;

/// The name begins with this, goes on with the number of the process that made it, and ends with the time.
const PREFIX: &str = "v6lab-logs-";

/// What a session has of its own, so that nothing there is seen outside.
const OWN: &str = "/run";

/// Where directories are when nobody says, or says a place that a session has of its own.
const HOME: &str = "/tmp";

/// Whether what is written to `path` goes with the session.
pub(super) fn is_of_session(path: &Path) -> bool {
    let mut there = path
        .ancestors()
        .filter_map(|there| there.canonicalize().ok());
    there.next().is_some_and(|there| there.starts_with(OWN))
}

fn home() -> PathBuf {
    let home = std::env::temp_dir();
    if is_of_session(&home) {
        return HOME.into();
    }
    home
}

/// A directory for the logs of one run.
#[derive(Debug)]
pub struct Logs {
    path: PathBuf,
}

impl Logs {
    /// Makes a fresh directory, and removes those of runs that have ended: what they left was kept for whoever wanted to
    /// know why a scenario failed, until the next run. Must be called outside of a session, where process numbers are
    /// those that are in the names.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn create() -> io::Result<Self> {
        Self::sweep();
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        let path = home().join(format!("{PREFIX}{}-{now:x}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    /// Removes the directories of runs that have ended, and returns their names.
    pub fn sweep() -> Vec<PathBuf> {
        let entries = fs::read_dir(home());
        let entries = entries.into_iter().flatten().flatten();
        let stale = entries.filter(is_stale).map(|entry| entry.path());
        // Somebody else may have been faster.
        stale
            .filter(|path| fs::remove_dir_all(path).is_ok())
            .collect()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nobody needs them.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.path)
    }
}

/// Whether it is ours, and the run that made it has ended.
fn is_stale(entry: &fs::DirEntry) -> bool {
    let ours = entry
        .metadata()
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == getuid().as_raw());
    let name = entry.file_name();
    let maker = name.to_str().and_then(maker);
    ours && maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}

/// The process that made a directory of this name.
fn maker(name: &str) -> Option<&str> {
    let (pid, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    (!pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_form_are_swept() {
        assert_eq!(maker("v6lab-logs-12-ab"), Some("12"));
        for other in [
            "v6lab-logs-",
            "v6lab-logs-12",
            "v6lab-logs--x",
            "v6lab-logs-self-1",
            "systemd-private-1",
        ] {
            assert_eq!(maker(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_below_run_goes_with_the_session_also_by_another_name() {
        let dir = Logs::create().unwrap();
        std::os::unix::fs::symlink("/run", dir.path().join("link")).unwrap();
        for (path, goes) in [
            (PathBuf::from("/run/user/junit.xml"), true),
            (dir.path().join("link/no/such/junit.xml"), true),
            (dir.path().join("junit.xml"), false),
        ] {
            assert_eq!(is_of_session(&path), goes, "{}", path.display());
        }
        dir.remove().unwrap();
    }

    #[test]
    fn each_run_has_a_directory_nobody_else_reads() {
        let (one, other) = (Logs::create().unwrap(), Logs::create().unwrap());
        assert_ne!(one.path(), other.path());
        assert_eq!(fs::metadata(one.path()).unwrap().mode() & 0o777, 0o700);
        one.remove().unwrap();
        other.remove().unwrap();
    }
}
