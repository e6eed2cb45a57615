//! Processes inside a node.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Result;

/// What to start, and where its words go.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// Program: a path, or a name to be found along the node's `PATH`.
    pub program: PathBuf,
    /// What the program sees as its own name (`argv[0]`), if not `program`.
    pub arg0: Option<OsString>,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Environment beyond the node's own, which is `PATH`, `HOME`, `TERM` and `LANG`.
    pub env: Vec<(OsString, OsString)>,
    /// Where standard output goes.
    pub stdout: Capture,
    /// Where standard error goes.
    pub stderr: Capture,
}

/// Where an output of a process goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capture {
    /// Nowhere.
    Null,
    /// Appended to a file, named as the lab's runner sees it (not the node).
    File(PathBuf),
}

impl CommandSpec {
    /// A program without arguments whose words go nowhere.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arg0: None,
            args: Vec::new(),
            env: Vec::new(),
            stdout: Capture::Null,
            stderr: Capture::Null,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds one variable to the environment.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Appends both outputs to one file, named as the lab's runner sees it.
    #[must_use]
    pub fn log_to(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.stdout = Capture::File(path.clone());
        self.stderr = Capture::File(path);
        self
    }
}

/// What a finished command left.
#[derive(Debug, Clone)]
pub struct ExecOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// A process started in a node; it dies with the lab, not with this handle.
#[derive(Debug, Clone)]
pub struct Process {}

impl Process {
    /// Its number, as the lab's runner and everything inside the lab see it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        todo!()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        todo!()
    }

    /// Sends a signal; to a process that has ended, nothing.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, _signal: Signal) -> Result<()> {
        todo!()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// [`super::FabricError::Deadline`] when that takes longer than `deadline`; it goes on running then.
    pub async fn wait(&self, _deadline: Duration) -> Result<ExitStatus> {
        todo!()
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it will not go.
    pub async fn kill(&self) -> Result<ExitStatus> {
        todo!()
    }
}
