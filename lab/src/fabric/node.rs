//! One machine: a thread in its own namespaces and the runtime on it.

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::files::{Directories, Failure, NODE_BIN, NODE_TOOLS};
use super::process::Running;
use super::thread::{self, Job, NodeThread};
use super::{CommandSpec, ExecOutput, FabricError, Process, Result, netlink};
use crate::plan::{InterfacePlan, Net, NodePlan, Ruleset};

/// Time a command of [`Node::exec`] has.
const EXEC_LIMIT: Duration = Duration::from_secs(30);

/// One machine of a running lab.
#[derive(Debug)]
pub struct Node {
    plan: Arc<NodePlan>,
    directories: Directories,
    pub(super) thread: NodeThread,
}

impl Node {
    pub(super) fn new(plan: Arc<NodePlan>, directories: Directories, thread: NodeThread) -> Self {
        Self {
            plan,
            directories,
            thread,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Its interfaces as planned.
    #[must_use]
    pub fn interfaces(&self) -> &[InterfacePlan] {
        &self.plan.interfaces
    }

    /// The node's `/var/log` as the lab's runner sees it; goes with the lab.
    #[must_use]
    pub fn var_log(&self) -> PathBuf {
        self.directories.var_log(self.name())
    }

    /// A thread in the node's namespaces, by its number within the session.
    #[must_use]
    pub fn tid(&self) -> i32 {
        self.thread.tid
    }

    /// Tells its thread to end, and returns whose it is and what to wait for.
    pub(super) fn dismiss(self) -> (String, JoinHandle<()>) {
        (self.plan.name.clone(), self.thread.thread)
    }

    /// Number of the network namespace, as in `/proc/PID/ns/net`.
    pub(super) fn netns(&self) -> Option<u64> {
        self.thread.netns.metadata().ok().map(|meta| meta.ino())
    }

    /// Addresses, routes and ruleset, once the cables are laid.
    pub(super) async fn configure(&self) -> Result<()> {
        let plan = self.plan.clone();
        let done = self.run(move || {
            Box::pin(async move {
                // First, so that nothing passes a router before it filters.
                thread::load_ruleset(&plan)?;
                netlink::configure(&plan).await
            })
        });
        done.await?.map_err(|failure| self.failed(failure))
    }

    /// Adds a ruleset to those that are in force.
    ///
    /// # Errors
    /// What nft said.
    pub async fn load(&self, ruleset: Ruleset) -> Result<()> {
        let done = self.run(move || Box::pin(async move { thread::nft(&ruleset) }));
        done.await?.map_err(|failure| self.failed(failure))
    }

    /// The addresses an interface has at the moment.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn addresses(&self, interface: &str) -> Result<Vec<Net>> {
        let interface = interface.to_owned();
        let listed =
            self.run(move || Box::pin(async move { netlink::addresses(&interface).await }));
        listed.await?.map_err(|failure| self.failed(failure))
    }

    /// The next hop of the IPv4 default route by an interface, if there is one at the moment.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn default_route(&self, interface: &str) -> Result<Option<Ipv4Addr>> {
        let interface = interface.to_owned();
        let listed =
            self.run(move || Box::pin(async move { netlink::default_route(&interface).await }));
        listed.await?.map_err(|failure| self.failed(failure))
    }

    /// Runs a future on the node's own thread, inside its namespaces; several may run at once there, so none may block.
    /// If the caller stops waiting, the future is dropped.
    ///
    /// # Errors
    /// When the future panics or the node is gone.
    pub async fn run<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Pin<Box<dyn Future<Output = T>>> + Send + 'static,
    {
        let (mut reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            tokio::task::spawn_local(async move {
                let mut task = tokio::task::spawn_local(async move { f().await });
                tokio::select! {
                    () = reply.closed() => task.abort(),
                    ended = &mut task => drop(reply.send(ended)),
                }
            });
        });
        let gone = || {
            self.failed((
                "run something inside".to_owned(),
                "the node is gone".to_owned(),
            ))
        };
        self.thread.jobs.send(job).map_err(|_| gone())?;
        let ended = answer.await.map_err(|_| gone())?;
        ended.map_err(|error| self.failed(("run something inside".to_owned(), error.to_string())))
    }

    /// Starts a process inside the node.
    ///
    /// # Errors
    /// When the program cannot be started or its log not be opened.
    pub async fn spawn(&self, command: CommandSpec) -> Result<Process> {
        let words = command.words();
        let failed = |failure| self.failed(failure);
        let (stdout, stderr) = (
            command.stdout.open().map_err(failed)?,
            command.stderr.open().map_err(failed)?,
        );
        let what = format!("start {words}");
        let child = self
            .call(what, move || {
                command.command().stdout(stdout).stderr(stderr).spawn()
            })
            .await?;
        Process::watch(self.name(), words, child).map_err(failed)
    }

    /// Runs a command to its end, without a shell, for at most 30 s.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time; its exit status is the caller's business.
    pub async fn exec(&self, argv: &[&str]) -> Result<ExecOutput> {
        self.exec_within(argv, EXEC_LIMIT).await
    }

    /// Like [`Node::exec`] with a time limit, after which the command is killed.
    ///
    /// # Errors
    /// As [`Node::exec`].
    pub async fn exec_within(&self, argv: &[&str], limit: Duration) -> Result<ExecOutput> {
        let (program, args) = argv
            .split_first()
            .map_or(("", argv), |(program, args)| (*program, args));
        let command = CommandSpec::new(program).args(args.iter().copied());
        let words = command.words();
        let what = format!("run {words}");
        let child = self
            .call(what.clone(), move || {
                command
                    .command()
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .await?;
        let running = Running::collect(child).map_err(|failure| self.failed(failure))?;
        let output = tokio::time::timeout(limit, running.finish())
            .await
            .map_err(|_| FabricError::Deadline {
                node: self.name().to_owned(),
                what: words,
                seconds: limit.as_secs_f64(),
            })?;
        output.map_err(|error| self.failed((what, error.to_string())))
    }

    /// Writes a file as the node sees it, with exactly these permission bits, making its directories.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn write_file(
        &self,
        path: impl AsRef<Path>,
        contents: impl Into<Vec<u8>>,
        mode: u32,
    ) -> Result<()> {
        let (path, contents) = (path.as_ref().to_owned(), contents.into());
        let what = format!("write {}", path.display());
        self.call(what, move || {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut file = fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(mode)
                .open(&path)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(&contents)
        })
        .await
    }

    /// Reads a file as the node sees it.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn read_file(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = path.as_ref().to_owned();
        self.call(format!("read {}", path.display()), move || fs::read(path))
            .await
    }

    /// Puts an executable of the host into the node's `PATH` (before everything else there) under a name of its own,
    /// and returns the path it has in the node. The node's `/tmp` is not the host's, so a path alone may not do.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn install(&self, executable: &Path, name: &str) -> Result<PathBuf> {
        let what = format!("install {} as {name}", executable.display());
        let failed = |error: io::Error| self.failed((what.clone(), error.to_string()));
        let tool = tool(executable, &self.directories.tools()).map_err(failed)?;
        let link = Path::new(NODE_BIN).join(name);
        let path = link.clone();
        self.call(what.clone(), move || {
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            symlink(Path::new(NODE_TOOLS).join(tool), link)
        })
        .await?;
        Ok(path)
    }

    /// Calls something quick on the node's thread.
    async fn call<T: Send + 'static>(
        &self,
        what: String,
        f: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = self.run(move || Box::pin(async move { f() })).await?;
        done.map_err(|error| self.failed((what, error.to_string())))
    }

    pub(super) fn failed(&self, (what, reason): Failure) -> FabricError {
        FabricError::Node {
            node: self.name().to_owned(),
            what,
            reason,
        }
    }
}

/// Copies an executable into the lab once, and returns the name of the copy: that of the file and which file it was.
fn tool(executable: &Path, tools: &Path) -> io::Result<String> {
    let executable = executable.canonicalize()?;
    let meta = executable.metadata()?;
    let stem = executable
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = format!(
        "{stem}.{:x}-{:x}-{:x}",
        meta.dev(),
        meta.ino(),
        meta.mtime()
    );
    let target = tools.join(&name);
    if !target.exists() {
        let fresh = tools.join(format!("{name}.new-{:?}", std::thread::current().id()));
        copy(&executable, &fresh)?;
        fs::rename(&fresh, &target)?;
    }
    Ok(name)
}

/// By another process: what we write ourselves, a child that another thread is just starting has open for a moment too,
/// and nobody can execute it then (`ETXTBSY`).
fn copy(executable: &Path, to: &Path) -> io::Result<()> {
    let mut install = std::process::Command::new("install");
    let done = install
        .args(["-m", "755", "--"])
        .args([executable, to])
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&done.stderr).trim().to_owned(),
    ))
}
