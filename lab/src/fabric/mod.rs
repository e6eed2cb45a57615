//! The network itself: namespaces, cables, addresses, rulesets, and the processes inside.
//!
//! A node is a thread that has left the common network, mount and UTS namespaces for its own and runs one
//! single-threaded runtime there. Sockets belong to the namespace they were opened in, so whatever needs a node's
//! network is sent to that thread ([`Node::run`]); what it returns may be used anywhere.

mod node;
mod process;

pub use node::Node;
pub use process::{Capture, CommandSpec, ExecOutput, Process};

use crate::plan::{LinkPlan, Plan};

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
}

impl Lab {
    /// Builds the network; after an error nothing of it remains.
    ///
    /// # Errors
    /// Names the machine and the step that failed.
    pub async fn up(_plan: &Plan) -> Result<Self> {
        todo!()
    }

    /// The machine of that name.
    ///
    /// # Errors
    /// [`FabricError::UnknownNode`], listing the names there are.
    pub fn node(&self, _name: &str) -> Result<&Node> {
        todo!()
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

    /// Ends every process and removes every namespace.
    ///
    /// # Errors
    /// Names what would not go away.
    pub async fn down(self) -> Result<()> {
        todo!()
    }
}
