//! Processes inside a node.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};

use super::files::{Failure, PATH};
use super::{FabricError, Result};

/// How long the kernel may take to end a process it was told to kill.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// A clock tick of proc_pid_stat(5), in milliseconds: USER_HZ, which is 100 on all that Debian runs on (time(7)).
const TICK_MS: u64 = 10;

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

    /// The same as the standard library takes it, with the node's environment and a process group of its own, so that
    /// Ctrl-C at the terminal ends the lab in its own order.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(environment())
            .stdin(Stdio::null())
            .process_group(0);
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(arg0) = &self.arg0 {
            command.arg0(arg0);
        }
        command.current_dir("/root");
        command
    }

    /// What to call it in an error.
    pub(super) fn words(&self) -> String {
        let args = self.args.iter().map(|arg| arg.to_string_lossy());
        [self.program.to_string_lossy()]
            .into_iter()
            .chain(args)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The environment every process in a node starts with.
#[must_use]
pub fn environment() -> [(&'static str, OsString); 4] {
    let term = std::env::var_os("TERM").unwrap_or_else(|| "dumb".into());
    [
        ("PATH", PATH.into()),
        ("HOME", "/root".into()),
        ("LANG", "C.UTF-8".into()),
        ("TERM", term),
    ]
}

/// Where a program is that processes in nodes find by its name, if it is installed.
#[must_use]
pub fn installed(name: &str) -> Option<PathBuf> {
    std::env::split_paths(PATH)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

impl Capture {
    /// Opened where the lab's runner is, so that the name means what the caller means.
    pub(super) fn open(&self) -> Result<Stdio, Failure> {
        match self {
            Self::Null => Ok(Stdio::null()),
            Self::File(path) => {
                let file: io::Result<File> =
                    OpenOptions::new().create(true).append(true).open(path);
                let failed = |error: io::Error| {
                    (
                        format!("open the log {}", path.display()),
                        error.to_string(),
                    )
                };
                file.map(Into::into).map_err(failed)
            }
        }
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
pub struct Process {
    node: Arc<str>,
    what: Arc<str>,
    pid: Pid,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Watches a child that was just started. Each has a waiting thread of its own: whoever is interested may come
    /// from any runtime, and the node's own may be busy.
    pub(super) fn watch(node: &str, what: String, mut child: Child) -> Result<Self, Failure> {
        let pid = child_pid(&child);
        let (end, ended) = watch::channel(None);
        std::thread::Builder::new()
            .name("wait".to_owned())
            .spawn(move || {
                if let Ok(status) = child.wait() {
                    end.send_replace(Some(status));
                }
            })
            .map_err(|error| ("start a thread".to_owned(), error.to_string()))?;
        Ok(Self {
            node: node.into(),
            what: what.into(),
            pid,
            ended,
        })
    }

    /// Its number, as the lab's runner and everything inside the lab see it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Whether it was stopped and can go on (SIGSTOP), see proc_pid_stat(5).
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.stat()
            .is_some_and(|fields| fields.first().is_some_and(|state| state == "T"))
    }

    /// Processor time that it, with all its threads, has used so far in user and kernel mode; `None` once it has ended.
    /// What the kernel does for its packets in interrupts is nobody's time. Fields 14 and 15 of proc_pid_stat(5).
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        let fields = self.stat()?;
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        // Two fields, number and command, come before the first of these.
        let used = ticks(11)?.checked_add(ticks(12)?)?;
        Some(Duration::from_millis(used.saturating_mul(TICK_MS)))
    }

    /// The fields of its status from the third on, the state.
    fn stat(&self) -> Option<Vec<String>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        // The command stands in brackets, in which there may be anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        Some(fields.split_whitespace().map(str::to_owned).collect())
    }

    /// Sends a signal; to a process that has ended, nothing.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if self.status().is_some() {
            return Ok(());
        }
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => {
                Err(self.error(format!("send {signal} to {}", self.what), error.to_string()))
            }
        }
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// [`FabricError::Deadline`] when that takes longer than `deadline`; it goes on running then.
    pub async fn wait(&self, deadline: Duration) -> Result<ExitStatus> {
        let mut ended = self.ended.clone();
        let waited = tokio::time::timeout(deadline, ended.wait_for(Option::is_some)).await;
        match waited.map(|status| status.ok().and_then(|status| *status)) {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(self.error(
                format!("wait for {}", self.what),
                "its waiting thread has ended".to_owned(),
            )),
            Err(_) => Err(FabricError::Deadline {
                node: self.node.to_string(),
                what: self.what.to_string(),
                seconds: deadline.as_secs_f64(),
            }),
        }
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it will not go.
    pub async fn kill(&self) -> Result<ExitStatus> {
        self.signal(Signal::SIGKILL)?;
        self.wait(KILL_LIMIT).await
    }

    fn error(&self, what: String, reason: String) -> FabricError {
        FabricError::Node {
            node: self.node.to_string(),
            what,
            reason,
        }
    }
}

/// A command under way, killed with all it started if nobody waits for it any more.
pub(super) struct Running {
    pid: Pid,
    pub(super) output: oneshot::Receiver<io::Result<ExecOutput>>,
    finished: bool,
}

impl Running {
    /// Collects the output of a child that was just started with pipes.
    pub(super) fn collect(child: Child) -> Result<Self, Failure> {
        let pid = child_pid(&child);
        let (end, output) = oneshot::channel();
        std::thread::Builder::new()
            .name("collect".to_owned())
            .spawn(move || {
                let output = child.wait_with_output();
                let _ = end.send(output.map(|output| ExecOutput {
                    status: output.status,
                    stdout: output.stdout,
                    stderr: output.stderr,
                }));
            })
            .map_err(|error| ("start a thread".to_owned(), error.to_string()))?;
        Ok(Self {
            pid,
            output,
            finished: false,
        })
    }

    pub(super) async fn finish(mut self) -> io::Result<ExecOutput> {
        let output = (&mut self.output).await;
        self.finished = true;
        output.unwrap_or_else(|_| Err(io::Error::other("its waiting thread has ended")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            // Its group, since it may have started others.
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
    }
}

/// Linux process numbers are at most 2^22 (`PID_MAX_LIMIT` in linux/threads.h).
fn child_pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}
