//! The pid file: who runs this network, and how to signal it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::config::{describe, leading_integer};

/// The pid file we wrote. Dropping it removes the file if it still names us, or empties it where
/// `-R` and `-U` have put it out of reach.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why we did not get the pid file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PidFileError {
    /// The process it names is alive.
    #[error("A tincd is already running{net} with pid {pid}.")]
    Running {
        /// ` for net ...` or nothing.
        net: String,
        /// The process it names.
        pid: Pid,
    },
    /// It cannot be written.
    #[error("Couldn't write pid file {}: {}", .0.display(), describe(.1))]
    Write(PathBuf, io::Error),
}

impl PidFile {
    /// Takes the pid file, also that of a process which is gone.
    ///
    /// # Errors
    /// If a living process holds it, or it cannot be written.
    pub(crate) fn take(path: &Path, netname: Option<&str>) -> Result<Self, PidFileError> {
        // A pid file that survived a reboot or a container's restart may name ourselves.
        if let Some(pid) = read(path).filter(|pid| *pid != Pid::this())
            && is_alive(pid)
        {
            let net = for_net(netname);
            return Err(PidFileError::Running { net, pid });
        }
        let write = |error| PidFileError::Write(path.to_owned(), error);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(path)
            .map_err(write)?;
        let pidfile = Self {
            path: path.to_owned(),
            file,
        };
        pidfile.rewrite()?;
        Ok(pidfile)
    }

    /// Writes our pid again: it changed by detaching.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn rewrite(&self) -> Result<(), PidFileError> {
        let text = format!("{}\n", Pid::this());
        self.file
            .set_len(0)
            .and_then(|()| self.file.write_all_at(text.as_bytes(), 0))
            .map_err(|error| PidFileError::Write(self.path.clone(), error))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        match read(&self.path) {
            Some(pid) if pid != Pid::this() => {}
            Some(_) if fs::remove_file(&self.path).is_ok() => {}
            _ => {
                let _ = self.file.set_len(0);
            }
        }
    }
}

/// What became of a `-k`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Killed {
    /// The signal is on its way.
    Sent,
    /// The process was gone; its pid file is removed.
    Gone,
    /// The system refused.
    Refused(Pid, Errno),
    /// There is no pid file with a pid in it.
    NotRunning,
}

/// Sends signal `number` to the process of the pid file.
pub(crate) fn signal(path: &Path, number: i32) -> Killed {
    let Some(pid) = read(path) else {
        return Killed::NotRunning;
    };
    match send(pid, number) {
        Ok(()) => Killed::Sent,
        Err(Errno::ESRCH) => {
            let _ = fs::remove_file(path);
            Killed::Gone
        }
        Err(errno) => Killed::Refused(pid, errno),
    }
}

/// Whether a process runs. One that was killed and waits to be reaped holds nothing any more.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command's name, in parentheses, may have anything in it.
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    kill(pid, None) != Err(Errno::ESRCH) && !state.starts_with(['Z', 'X'])
}

/// `kill(2)`; the safe wrapper has no number without a name, such as a real-time signal's.
fn send(pid: Pid, number: i32) -> nix::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: kill takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(pid.as_raw(), number) };
    Errno::result(result).map(drop)
}

/// ` for net `NET'`, as tincd's messages have it.
pub(crate) fn for_net(netname: Option<&str>) -> String {
    netname.map_or_else(String::new, |net| format!(" for net `{net}'"))
}

/// The pid at the start of the file. Zero and negative numbers address groups of processes.
fn read(path: &Path) -> Option<Pid> {
    let text = fs::read_to_string(path).ok()?;
    leading_integer(&text)
        .filter(|pid| *pid > 0)
        .map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    /// Beyond the largest pid of Linux.
    const NOBODY: &str = "99999999\n";

    #[test]
    fn a_stale_pid_file_is_taken_over_and_leaves_no_digit() {
        let dir = TempDir::new();
        let path = dir.write("pid", NOBODY);
        let file = PidFile::take(&path, None).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}\n", Pid::this())
        );
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_running_daemon_keeps_its_pid_file() {
        let dir = TempDir::new();
        let path = dir.write("pid", "1\n");
        let error = PidFile::take(&path, Some("vpn")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "A tincd is already running for net `vpn' with pid 1."
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_killed_daemon_that_nobody_reaped_is_gone() {
        let dir = TempDir::new();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        while is_alive(pid) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let path = dir.write("pid", &format!("{pid}\n"));
        assert!(PidFile::take(&path, None).is_ok());
        child.wait().unwrap();
    }

    #[test]
    fn somebody_elses_pid_file_is_not_removed() {
        let dir = TempDir::new();
        let path = dir.path().join("pid");
        let file = PidFile::take(&path, None).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn no_group_of_processes_is_ever_signalled() {
        let dir = TempDir::new();
        for text in ["-1\n", "0\n", "abc\n", ""] {
            let path = dir.write("pid", text);
            assert_eq!(signal(&path, 0), Killed::NotRunning, "{text:?}");
        }
    }

    #[test]
    fn a_daemon_that_is_gone_loses_its_pid_file() {
        let dir = TempDir::new();
        let path = dir.write("pid", NOBODY);
        assert_eq!(signal(&path, 15), Killed::Gone);
        assert!(!path.exists());
    }
}
