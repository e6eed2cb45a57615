//! The walls around a run: the namespaces in which everything a lab creates lives, and with which it vanishes.
//!
//! ```text
//!  outside ── fork ──> walls ── fork ──> init ── fork ──> inside
//!  the shell's child   user, mount,     process 1 of     the program proper:
//!  waits, hands        network, UTS,    the PID          labs, runtime, all
//!  signals on          IPC namespaces   namespace        processes of the nodes
//! ```
//!
//! Each of the first three dies with its parent, and with `init` the kernel ends every process inside. The last process
//! gone, the namespaces go, and with them each interface, mount, temporary file and ruleset. So nothing is left after
//! SIGKILL of any of them, and nothing has to be cleaned up by somebody who may not get to it.
//!
//! The walls are the same for root and for an ordinary user, except that the latter also needs a user namespace.

mod join;
mod supervise;
mod walls;

use std::path::Path;
use std::sync::OnceLock;

use nix::unistd::Pid;

pub use join::{join, join_node, run};
use supervise::{Forked, Signals};

/// Exit code of "this machine cannot run a lab", as opposed to 1, "the lab ran and something failed".
pub const CANNOT_RUN: i32 = 2;

/// Private directory of a session, on a tmpfs of its own.
const DIR: &str = "/run/v6lab";

static INSIDE: OnceLock<()> = OnceLock::new();

/// Why the walls could not be put up.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {reason}{}", hint.map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct SessionError {
    what: String,
    reason: String,
    hint: Option<&'static str>,
}

impl SessionError {
    pub(crate) fn new(what: impl Into<String>, reason: impl ToString) -> Self {
        Self {
            what: what.into(),
            reason: reason.to_string(),
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }
}

/// On which side of the walls the caller finds itself.
#[derive(Debug)]
pub enum Side {
    /// Within: labs can be built here.
    Inside,
    /// Without: the session runs as this child.
    Outside(Session),
}

/// A session as seen from outside; it dies when this process does.
#[derive(Debug)]
pub struct Session {
    child: supervise::Child,
    signals: Signals,
}

impl Session {
    /// A process in all of the session's namespaces but that of process numbers, which it keeps for its children.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.child.pid
    }

    /// Hands signals on until the session ends; its exit code, 128 and the signal's number if a signal ended it.
    #[must_use]
    pub fn supervise(self) -> i32 {
        supervise::supervise(&self.child, &self.signals)
    }
}

/// Goes inside: returns there, while the calling process waits outside and ends with the same exit code.
///
/// # Errors
/// When this machine does not allow it. Must be called before the first thread is started.
pub fn enter() -> Result<(), SessionError> {
    match split()? {
        Side::Inside => Ok(()),
        Side::Outside(session) => std::process::exit(session.supervise()),
    }
}

/// Puts up the walls and returns on both sides.
///
/// # Errors
/// As [`enter`]. Errors beyond the first fork are returned in the child, whose exit code the outside sees.
pub fn split() -> Result<Side, SessionError> {
    if INSIDE.get().is_some() {
        return Ok(Side::Inside);
    }
    single_threaded()?;
    let signals = Signals::take()?;
    match supervise::fork()? {
        Forked::Parent(child) => return Ok(Side::Outside(Session { child, signals })),
        Forked::Child => walls::leave_common_namespaces()?,
    }
    if let Forked::Parent(child) = supervise::fork()? {
        std::process::exit(supervise::supervise(&child, &signals));
    }
    walls::furnish()?;
    if let Forked::Parent(child) = supervise::fork()? {
        std::process::exit(supervise::supervise(&child, &signals));
    }
    signals.give_back()?;
    let _ = INSIDE.set(());
    Ok(Side::Inside)
}

/// The session's private directory, if the caller is inside one; for what must not outlive the run.
#[must_use]
pub fn dir() -> Option<&'static Path> {
    INSIDE.get().map(|()| path())
}

/// Where that directory is for those who are, or have joined, inside.
#[must_use]
pub fn path() -> &'static Path {
    Path::new(DIR)
}

/// Only the calling thread survives a fork, and a user namespace cannot be entered by several.
fn single_threaded() -> Result<(), SessionError> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|error| {
            SessionError::new("count this process's threads in /proc/self/task", error)
        })?
        .count();
    if threads == 1 {
        return Ok(());
    }
    Err(SessionError::new(
        "start a session",
        format!("this process has {threads} threads already"),
    ))
}
