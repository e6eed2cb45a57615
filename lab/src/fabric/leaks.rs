//! What of a lab may still be there, and how to find it.
//!
//! Addresses, routes, rulesets and interfaces have no life outside of a network namespace, and that lasts as long as a
//! thread is in it or somebody has it, or a socket of it, open. So these are looked for, and what is on the file system.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use super::{FabricError, Lab, Node, Result};

/// How long what is being closed may take to be closed.
const LIMIT: Duration = Duration::from_secs(2);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// How to recognise what belongs to one lab, also when that is gone.
#[derive(Debug, Clone)]
pub struct Traces {
    title: String,
    directory: PathBuf,
    /// Part of a line in the mountinfo of everybody who has a node's files, or once had and moved elsewhere.
    mark: String,
    /// Numbers of its network namespaces.
    namespaces: HashSet<u64>,
    /// The namespaces themselves: the kernel would at once give the number of one that is gone to another lab's.
    held: Arc<[File]>,
}

impl Traces {
    pub(super) fn of(lab: &Lab) -> Self {
        let directory = lab.directories.lab.clone();
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let namespaces = lab.nodes.iter().map(|node| node.thread.netns.try_clone());
        let held: io::Result<Vec<File>> = namespaces.collect();
        Self {
            title: lab.plan.title.clone(),
            mark: format!("/{name}/nodes/"),
            namespaces: lab.nodes.iter().filter_map(Node::netns).collect(),
            // Of a lab so large that there are no descriptors left, the numbers alone must do.
            held: held.unwrap_or_default().into(),
            directory,
        }
    }

    /// Numbers of the processes inside, by whomever they were started and whatever namespaces they made for themselves.
    pub(super) fn processes(&self) -> Vec<u32> {
        let all = fs::read_dir("/proc").into_iter().flatten();
        all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| self.has(&format!("/proc/{pid}")) || self.sees_files(*pid))
            .collect()
    }

    /// Waits until nothing is left that is or keeps a part of the lab, including sockets that this program has open.
    ///
    /// # Errors
    /// [`FabricError::Left`] with everything that is.
    pub async fn gone(&self) -> Result<()> {
        self.wait(|| {
            let mut left = self.left();
            left.extend(self.descriptors());
            left
        })
        .await
    }

    /// The same, but what this program has open is its own business.
    pub(super) async fn vacated(&self) -> Result<()> {
        self.wait(|| self.left()).await
    }

    async fn wait(&self, left: impl Fn() -> Vec<String>) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = left();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(FabricError::Left {
                    lab: self.title.clone(),
                    what: left.join(", "),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left: Vec<String> = self
            .processes()
            .into_iter()
            .map(|pid| format!("process {pid} ({})", command(pid)))
            .collect();
        left.extend(self.threads());
        left.extend(interfaces());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let ours = mounts.lines().filter(|line| line.contains(&self.mark));
        left.extend(ours.map(|line| {
            let at = line.split(' ').nth(4).unwrap_or_default();
            format!("a mount at {at}")
        }));
        if self.directory.exists() {
            left.push(format!("files in {}", self.directory.display()));
        }
        left
    }

    /// Threads of this program in the lab's namespaces.
    fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        let inside = tasks.filter_map(|task| {
            let task = task.ok()?.path();
            let name = fs::read_to_string(task.join("comm")).ok()?;
            self.has(task.to_str()?)
                .then(|| format!("thread {}", name.trim()))
        });
        inside.collect()
    }

    /// Whether a task is in one of the network namespaces.
    fn has(&self, task: &str) -> bool {
        let namespace = fs::read_link(format!("{task}/ns/net"));
        namespace.is_ok_and(|name| {
            numbered(&name.to_string_lossy())
                .is_some_and(|number| self.namespaces.contains(&number))
        })
    }

    fn sees_files(&self, pid: u32) -> bool {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"));
        mounts.is_ok_and(|mounts| mounts.contains(&self.mark))
    }

    /// What this program has open of the lab's namespaces.
    fn descriptors(&self) -> Vec<String> {
        let all = fs::read_dir("/proc/self/fd").into_iter().flatten();
        let ours = all.filter_map(|entry| {
            let entry = entry.ok()?;
            let number: RawFd = entry.file_name().to_str()?.parse().ok()?;
            if self.held.iter().any(|file| file.as_raw_fd() == number) {
                return None;
            }
            let name = fs::read_link(entry.path()).ok()?;
            let name = name.to_str()?;
            let namespace = if name.starts_with("socket:") {
                namespace_of(number).ok()?
            } else {
                numbered(name)?
            };
            let kept = self.namespaces.contains(&namespace);
            kept.then(|| format!("descriptor {number} of this program ({name})"))
        });
        ours.collect()
    }
}

/// Interfaces outside of all nodes, where none is ever made on purpose.
fn interfaces() -> Vec<String> {
    /// What was last found in a fresh namespace.
    static BORN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut found = named(&fs::read_to_string("/proc/self/net/dev").unwrap_or_default());
    let mut born = BORN.lock().unwrap_or_else(PoisonError::into_inner);
    // A module may have been loaded meanwhile.
    if found.iter().any(|name| !born.contains(name)) {
        *born = born_with();
    }
    found.retain(|name| !born.contains(name));
    found
        .iter()
        .map(|name| format!("interface {name}"))
        .collect()
}

/// What every network namespace is born with on this machine: an interface of each module for tunnels that is loaded,
/// such as `sit0`, unless net.core.fb_tunnels_only_for_init_net forbids it.
fn born_with() -> Vec<String> {
    let look = || {
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        fs::read_to_string("/proc/thread-self/net/dev").ok()
    };
    let looked = thread::Builder::new().spawn(look).ok();
    let table = looked.and_then(|thread| thread.join().ok()?);
    named(&table.unwrap_or_default())
}

/// The names in a table like `/proc/net/dev`, but for that of the loopback.
fn named(table: &str) -> Vec<String> {
    // Two lines of headings.
    let lines = table.lines().skip(2);
    lines
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .filter(|name| *name != "lo")
        .map(str::to_owned)
        .collect()
}

/// The number in a name like `net:[4026531840]`.
fn numbered(name: &str) -> Option<u64> {
    name.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

fn command(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    words.replace('\0', " ").trim().to_owned()
}

mod ioctl {
    /// `SIOCGSKNS` of linux/sockios.h: a socket's network namespace, as a descriptor.
    const SIOCGSKNS: i32 = 0x894C;

    nix::ioctl_none_bad!(socket_namespace, SIOCGSKNS);
}

/// Number of the network namespace of a socket.
fn namespace_of(socket: RawFd) -> io::Result<u64> {
    // SAFETY: takes no pointer, and refuses what is no socket, or is closed meanwhile, with an error.
    #[allow(unsafe_code)]
    let namespace = unsafe { ioctl::socket_namespace(socket) }?;
    // SAFETY: the kernel has just opened it for this caller.
    #[allow(unsafe_code)]
    let namespace = unsafe { OwnedFd::from_raw_fd(namespace) };
    Ok(File::from(namespace).metadata()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_known_by_their_names() {
        let table = "Inter-|   Receive                            |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets
    lo:       0       0    0    0    0     0          0         0        0       0
  sit0:       0       0    0    0    0     0          0         0        0       0
eth0.7:1234567     890    0    0    0     0          0         0     4321      21
";
        assert_eq!(named(table), ["sit0", "eth0.7"]);
    }

    #[test]
    fn namespaces_are_known_by_their_numbers() {
        assert_eq!(numbered("net:[4026531840]"), Some(4_026_531_840));
        assert_eq!(numbered("uts:[4026531840]"), None);
    }
}
