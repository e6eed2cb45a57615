//! The network itself: namespaces, cables, addresses, rulesets, and the processes inside.
//!
//! A node is a thread that has left the common network, mount and UTS namespaces for its own and runs one
//! single-threaded runtime there. Sockets belong to the namespace they were opened in, so whatever needs a node's
//! network is sent to that thread ([`Node::run`]); what it returns may be used anywhere.

mod advertiser;
mod check;
mod files;
mod leaks;
mod lines;
mod moving;
mod needs;
mod netlink;
mod node;
mod process;
mod radios;
mod resolver;
mod services;
mod thread;
mod translator;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tracing::debug;

use crate::plan::{LinkPlan, Plan};
use crate::{places, session};
use files::{Directories, Failure};

pub(crate) use check::socket as udp_socket;
pub(crate) use files::NODE_BIN;
pub use leaks::Traces;
pub use needs::{enter, equipped, take_rulesets};
pub use node::Node;
pub use process::{Capture, CommandSpec, ExecOutput, Process, environment, installed};
pub(crate) use radios::AIR_CAPTURE;
pub(crate) use thread::nft as load_ruleset;

/// How long killed processes, or the threads of nodes, may take to go.
const DOWN_LIMIT: Duration = Duration::from_secs(5);

/// Why a lab could not be built or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FabricError {
    /// No machine of that name is in the plan.
    #[error("no node {name:?} in this lab; there are {known}")]
    UnknownNode {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A step of the construction, or an operation inside a node, failed.
    #[error("{node}: {what}: {reason}")]
    Node {
        /// Name of the machine.
        node: String,
        /// What was being done.
        what: String,
        /// What the kernel, or the program run, said.
        reason: String,
    },
    /// The lab's own surroundings failed.
    #[error("{what}: {reason}")]
    Host {
        /// What was being done.
        what: String,
        /// What the kernel said.
        reason: String,
    },
    /// A line does not do what was asked of it.
    #[error("the line {line}: {reason}")]
    Line {
        /// Name of its cable.
        line: String,
        /// What was asked for and what was seen, or why it could not be tried.
        reason: String,
    },
    /// A lab was taken down and is not gone.
    #[error("the lab {lab:?} is down but there is left: {what}")]
    Left {
        /// What its scenario calls itself.
        lab: String,
        /// Everything that was found.
        what: String,
    },
    /// A process did not end, or a command not finish, in time.
    #[error("{node}: {what} has not ended after {seconds} s")]
    Deadline {
        /// Name of the machine.
        node: String,
        /// Which process.
        what: String,
        /// The time allowed.
        seconds: f64,
    },
}

/// Result of an operation on the fabric.
pub type Result<T, E = FabricError> = std::result::Result<T, E>;

/// A running network.
///
/// Ends with [`Lab::down`]; dropping it does the same without waiting or telling.
#[derive(Debug)]
pub struct Lab {
    plan: Plan,
    nodes: Vec<Node>,
    directories: Directories,
    lines: Vec<lines::Conditioned>,
    radios: Vec<radios::Switched>,
}

impl Lab {
    /// Builds the network and makes sure that it behaves as planned; after an error nothing of it remains.
    ///
    /// # Errors
    /// Names the machine or line and what failed. Outside of a [`session`] nothing can be built.
    pub async fn up(plan: &Plan) -> Result<Self> {
        let mut lab = Self::bare(plan).await?;
        check::passages(&lab).await?;
        lab.furnish().await?;
        Ok(lab)
    }

    /// Builds machines, cables, addresses and NATs: nothing more, and none of it is tried.
    ///
    /// # Errors
    /// As [`Lab::up`].
    pub async fn bare(plan: &Plan) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let started = Instant::now();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = session::dir().ok_or_else(|| {
            host((
                "build a lab".to_owned(),
                "no session was entered".to_owned(),
            ))
        })?;
        let directories = Directories::prepare(root, number).map_err(host)?;
        let mut lab = Self {
            plan: plan.clone(),
            nodes: Vec::new(),
            directories,
            lines: Vec::new(),
            radios: Vec::new(),
        };
        lab.start_nodes().await?;
        debug!(elapsed = ?started.elapsed(), "nodes stand");
        let namespace = |name: &str| Some(lab.node(name).ok()?.thread.netns.as_fd());
        netlink::lay_cables(&lab.plan, namespace)
            .await
            .map_err(host)?;
        debug!(elapsed = ?started.elapsed(), "cables are laid");
        try_join_all(lab.nodes.iter().map(Node::configure)).await?;
        services::start(&lab).await?;
        lab.start_radios().await?;
        debug!(elapsed = ?started.elapsed(), nodes = lab.nodes.len(), "lab stands");
        Ok(lab)
    }

    /// Puts in force what would be in the way of trying the NATs: the rules of venues, and then the conditions of lines.
    async fn furnish(&mut self) -> Result<()> {
        let started = Instant::now();
        places::furnish(self).await?;
        self.condition().await?;
        debug!(elapsed = ?started.elapsed(), "lab is furnished");
        Ok(())
    }

    async fn start_nodes(&mut self) -> Result<()> {
        let hosts: Arc<str> = self.plan.hosts().into();
        let mut starting = Vec::new();
        for plan in &self.plan.nodes {
            let plan = Arc::new(plan.clone());
            let answer = thread::start(plan.clone(), hosts.clone(), self.directories.clone())
                .map_err(host)?;
            starting.push(async { (plan, answer.await) });
        }
        let mut failure = None;
        for (plan, answer) in join_all(starting).await {
            let answer = answer.unwrap_or_else(|_| {
                Err(("start".to_owned(), "its thread has panicked".to_owned()))
            });
            match answer {
                Ok(thread) => self
                    .nodes
                    .push(Node::new(plan, self.directories.clone(), thread)),
                Err((what, reason)) => {
                    failure = Some(FabricError::Node {
                        node: plan.name.clone(),
                        what,
                        reason,
                    })
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// The machine of that name.
    ///
    /// # Errors
    /// [`FabricError::UnknownNode`], listing the names there are.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes
            .iter()
            .find(|node| node.name() == name)
            .ok_or_else(|| FabricError::UnknownNode {
                name: name.to_owned(),
                known: self
                    .nodes
                    .iter()
                    .map(Node::name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// Every machine, in the plan's order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What the network was built from.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The cable of that name; its ends say where a capture can listen.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&LinkPlan> {
        self.plan.link(name)
    }

    /// Numbers of the processes inside, started by whomever.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.traces().processes()
    }

    /// How to find what is left of it when it is down. One value, and its clones, at a time: what another one holds of
    /// the lab for the same purpose is taken for something left.
    #[must_use]
    pub fn traces(&self) -> Traces {
        Traces::of(self)
    }

    /// Ends every process, removes every namespace and file, and makes sure that nothing is left.
    ///
    /// # Errors
    /// Names what would not go away. What the caller still has open is not looked for; [`Traces::gone`] does that.
    pub async fn down(mut self) -> Result<()> {
        let traces = self.traces();
        self.lines.clear();
        let deadline = Instant::now() + DOWN_LIMIT;
        // Whoever is killed may just be starting another, so look until nobody is left.
        while kill_all(&traces) > 0 {
            if Instant::now() > deadline {
                let left = format!("processes {:?} do not end", traces.processes());
                return Err(host(("take the lab down".to_owned(), left)));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // All are told first, so that they end side by side; the kernel takes its time for each.
        let ending: Vec<_> = std::mem::take(&mut self.nodes)
            .into_iter()
            .map(Node::dismiss)
            .collect();
        for (node, thread) in ending {
            let join = tokio::task::spawn_blocking(|| thread.join());
            let ended = tokio::time::timeout_at(deadline.into(), join).await;
            if !matches!(ended, Ok(Ok(Ok(())))) {
                return Err(FabricError::Node {
                    node,
                    what: "end its thread".to_owned(),
                    reason: "something inside blocks it".to_owned(),
                });
            }
        }
        let removed = self.directories.remove();
        removed.map_err(|error| host(("remove the lab's files".to_owned(), error.to_string())))?;
        traces.vacated().await
    }
}

/// Kills what is inside of a lab; how many there were.
fn kill_all(traces: &Traces) -> usize {
    let inside = traces.processes();
    for pid in inside.iter().filter_map(|pid| i32::try_from(*pid).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    inside.len()
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.lines.clear();
        kill_all(&self.traces());
        self.nodes.clear();
        let _ = self.directories.remove();
    }
}

fn host((what, reason): Failure) -> FabricError {
    FabricError::Host { what, reason }
}
