//! A daemon's life in a node: started in the foreground with its words in a file, stopped, killed.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::fs;
use tokio::time::{Instant, sleep};

use super::unpacked::LIBRARY_PATH;
use super::{ActorError, NETNAME, Product, Result};
use crate::fabric::{CommandSpec, Node, Process};

/// How often a log is looked at while something is waited for.
const GLANCE: Duration = Duration::from_millis(20);

/// How much of a log is shown of a daemon that failed somebody, in lines.
const TAIL: usize = 15;

/// A daemon that was started in a node.
#[derive(Debug)]
pub struct Daemon {
    node: String,
    product: Product,
    process: Process,
    log: PathBuf,
    /// Where this start's words begin in the log, in bytes.
    begin: usize,
}

/// Resident memory of a process, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What it has now.
    pub now: u64,
    /// The most it had at once.
    pub peak: u64,
}

impl Memory {
    /// What a process has now, and the most it had so far.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn of(process: &Process) -> Result<Self> {
        let path = PathBuf::from(format!("/proc/{}/status", process.pid()));
        let status = fs::read_to_string(&path).await;
        let status = status.map_err(|reason| ActorError::File { path, reason })?;
        let kilobytes = |what: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(what));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.unwrap_or(0) * 1024
        };
        Ok(Self {
            now: kilobytes("VmRSS:"),
            peak: kilobytes("VmHWM:"),
        })
    }
}

impl Daemon {
    /// Starts `tincd -n v6router -D -d2`; what that is in the node was decided with [`install`](super::Programs::install). Its words, and
    /// those of its scripts, are appended to `log`.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub async fn start(node: &Node, product: Product, log: &Path) -> Result<Self> {
        let begin = fs::read(log).await.map_or(0, |text| text.len());
        let mut command = CommandSpec::new("tincd")
            .args(["-n", NETNAME, "-D", "-d2"])
            .log_to(log);
        if product == Product::Tinc11 {
            let (variable, folder) = LIBRARY_PATH;
            command = command.env(variable, folder);
        }
        Ok(Self {
            node: node.name().to_owned(),
            product,
            process: node.spawn(command).await?,
            log: log.to_owned(),
            begin,
        })
    }

    /// Which daemon it is.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What it, and the scripts it ran, said since it was started.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn words(&self) -> Result<String> {
        let text = fs::read(&self.log)
            .await
            .map_err(|reason| ActorError::File {
                path: self.log.clone(),
                reason,
            })?;
        Ok(String::from_utf8_lossy(text.get(self.begin..).unwrap_or_default()).into_owned())
    }

    /// Waits until it, or one of its scripts, has said `wanted`.
    ///
    /// # Errors
    /// [`ActorError::Silent`] when it ended without, or `within` passed.
    pub async fn says(&self, wanted: &str, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            // Asked first, so that the last words of one that has just ended are read too.
            let ended = self.process.status();
            let words = self.words().await?;
            if words.contains(wanted) {
                return Ok(());
            }
            if ended.is_some() || Instant::now() >= deadline {
                return Err(ActorError::Silent {
                    node: self.node.clone(),
                    wanted: wanted.to_owned(),
                    seconds: within.as_secs_f64(),
                    instead: match ended {
                        Some(status) => format!("it ended ({status}) with:\n{}", tail(&words)),
                        None => format!("it said:\n{}", tail(&words)),
                    },
                });
            }
            sleep(GLANCE).await;
        }
    }

    /// Memory it has, and the most it had so far, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn memory(&self) -> Result<Memory> {
        Memory::of(&self.process).await
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.process.status()
    }

    /// How it ended, waiting for that at most `within`.
    ///
    /// # Errors
    /// When it goes on running.
    pub async fn ends(&self, within: Duration) -> Result<ExitStatus> {
        Ok(self.process.wait(within).await?)
    }

    /// Sends it a signal; nothing, if it has ended.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(self.process.signal(signal)?)
    }

    /// Asks it to end (SIGTERM) and waits until it has, at most `within`.
    ///
    /// # Errors
    /// When it goes on running.
    pub async fn stop(&self, within: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::SIGTERM)?;
        self.ends(within).await
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it will not go.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await?;
        Ok(())
    }
}

/// The last lines of a log.
pub(crate) fn tail(words: &str) -> String {
    let lines: Vec<&str> = words.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    let last = lines.get(from..).unwrap_or_default();
    last.iter().map(|line| format!("    {line}\n")).collect()
}
