//! One machine: a thread in its own namespaces and the runtime on it.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use super::{CommandSpec, ExecOutput, Process, Result};
use crate::plan::InterfacePlan;

/// One machine of a running lab.
#[derive(Debug)]
pub struct Node {}

impl Node {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        todo!()
    }

    /// Its interfaces as planned, `lo` excepted.
    #[must_use]
    pub fn interfaces(&self) -> &[InterfacePlan] {
        todo!()
    }

    /// Runs a future on the node's own thread, inside its namespaces; several may run at once there, so none may block.
    ///
    /// # Errors
    /// When the future panics or the node is gone.
    pub async fn run<T, F>(&self, _f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Pin<Box<dyn Future<Output = T>>> + Send + 'static,
    {
        todo!()
    }

    /// Starts a process inside the node.
    ///
    /// # Errors
    /// When the program cannot be started or its log not be opened.
    pub async fn spawn(&self, _command: CommandSpec) -> Result<Process> {
        todo!()
    }

    /// Runs a command to its end, without a shell, for at most 30 s.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time; its exit status is the caller's business.
    pub async fn exec(&self, _argv: &[&str]) -> Result<ExecOutput> {
        todo!()
    }

    /// Like [`Node::exec`] with a time limit, after which the command is killed.
    ///
    /// # Errors
    /// As [`Node::exec`].
    pub async fn exec_within(&self, _argv: &[&str], _limit: Duration) -> Result<ExecOutput> {
        todo!()
    }

    /// Writes a file as the node sees it, with exactly these permission bits, making its directories.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn write_file(
        &self,
        _path: impl AsRef<Path>,
        _contents: impl Into<Vec<u8>>,
        _mode: u32,
    ) -> Result<()> {
        todo!()
    }

    /// Reads a file as the node sees it.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn read_file(&self, _path: impl AsRef<Path>) -> Result<Vec<u8>> {
        todo!()
    }

    /// Puts an executable of the host into the node's `PATH` (before everything else there) under a name of its own,
    /// and returns the path it has in the node. The node's `/tmp` is not the host's, so a path alone may not do.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn install(&self, _executable: &Path, _name: &str) -> Result<std::path::PathBuf> {
        todo!()
    }
}
