//! The thread that is a node: its namespaces, and the runtime on which everything in it runs.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{gettid, sethostname};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::files::{Directories, Failure, PATH};
use crate::plan::{NodePlan, Ruleset};

/// What a node's thread is sent: something to call within its runtime.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// A node's thread, entered and furnished.
#[derive(Debug)]
pub(super) struct NodeThread {
    /// Its number among the session's threads.
    pub(super) tid: i32,
    /// Its network namespace, which lasts as long as somebody is in it or has it open.
    pub(super) netns: File,
    /// The way to its runtime; the thread ends when this is gone.
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    pub(super) thread: JoinHandle<()>,
}

/// Starts a node's thread; the answer comes once it stands in its namespaces with its own files and settings.
pub(super) fn start(
    plan: Arc<NodePlan>,
    hosts: Arc<str>,
    directories: Directories,
) -> Result<oneshot::Receiver<Result<NodeThread, Failure>>, Failure> {
    let (ready, answer) = oneshot::channel();
    let (thread_out, thread_in) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name(plan.name.clone())
        .spawn(move || {
            let entered = enter(&plan, &hosts, &directories).and_then(|netns| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                Ok((
                    netns,
                    runtime.map_err(|error| ("start a runtime".to_owned(), error.to_string()))?,
                ))
            });
            let (netns, runtime) = match entered {
                Ok(entered) => entered,
                Err(failure) => return drop(ready.send(Err(failure))),
            };
            let Ok(thread) = thread_in.recv() else { return };
            let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
            let node = NodeThread {
                tid: gettid().as_raw(),
                netns,
                jobs,
                thread,
            };
            if ready.send(Ok(node)).is_err() {
                return;
            }
            LocalSet::new().block_on(&runtime, async move {
                while let Some(job) = queue.recv().await {
                    job();
                }
            });
        })
        .map_err(|error| ("start a thread".to_owned(), error.to_string()))?;
    // The thread is told its own handle, so that one value stands for all of a node.
    let _ = thread_out.send(thread);
    Ok(answer)
}

fn enter(plan: &NodePlan, hosts: &str, directories: &Directories) -> Result<File, Failure> {
    let failed = |what: &'static str| move |error: nix::Error| (what.to_owned(), error.to_string());
    // A mount namespace of one thread's own needs a view of the file system of its own (CLONE_FS).
    unshare(
        CloneFlags::CLONE_FS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS,
    )
    .map_err(failed("create network, mount and UTS namespaces"))?;
    let netns = File::open("/proc/thread-self/ns/net")
        .map_err(|error| ("open the network namespace".to_owned(), error.to_string()))?;
    sethostname(&plan.name).map_err(failed("set the host name"))?;
    directories.furnish(&plan.name, hosts, &plan.guest)?;
    // Before there are interfaces, since they take the defaults they are created under.
    set(plan, false)?;
    Ok(netns)
}

/// Loads the ruleset, if there is one, and the settings that exist only from then on. Called on the node's thread.
pub(super) fn load_ruleset(plan: &NodePlan) -> Result<(), Failure> {
    if let Some(ruleset) = &plan.ruleset {
        nft(ruleset)?;
    }
    set(plan, true)
}

/// Writes the sysctls that belong to connection tracking, or the others.
fn set(plan: &NodePlan, tracking: bool) -> Result<(), Failure> {
    let chosen = plan
        .sysctls
        .iter()
        .filter(|(key, _)| key.starts_with("net/netfilter/") == tracking);
    for (key, value) in chosen {
        std::fs::write(format!("/proc/sys/{key}"), value).map_err(|error| {
            (
                format!("set {} to {value}", key.replace('/', ".")),
                error.to_string(),
            )
        })?;
    }
    Ok(())
}

/// Feeds a ruleset to nft as one transaction. Called on the thread of the node that is meant.
pub(crate) fn nft(ruleset: &Ruleset) -> Result<(), Failure> {
    let failed = |reason: String| (format!("load the ruleset {}", ruleset.kind), reason);
    let run = || {
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        // Dropped at the end of the statement, which is nft's end of input.
        child
            .stdin
            .take()
            .map_or(Ok(()), |mut input| input.write_all(ruleset.text.as_bytes()))?;
        child.wait_with_output()
    };
    let output = run().map_err(|error| failed(format!("cannot run nft: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}
