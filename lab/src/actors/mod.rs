//! The daemons under test: where their programs are, what they are configured with, and their life in a node; and
//! those who want to see them fail.
//!
//! Knows how tinc is set up and nothing of what a feature expects.

mod daemon;
mod flood;
mod forger;
mod intruder;
mod keys;
mod program;
mod radvd;
mod routed;
mod routertoml;
mod tinc11;
mod tincdir;
mod unpacked;
mod wireguard;

pub use daemon::{Daemon, Memory};
pub use flood::{Flood, Manner};
pub use forger::{flipped, inject, unchecked};
pub use intruder::{Pose, Reception, intrude};
pub use keys::{KeyPair, KeyRing};
pub use program::{Daemons, Product, Programs};
pub use radvd::radvd;
pub use routed::route;
pub use routertoml::{by_router_toml, leave_addresses};
pub use tincdir::{Directory, File, NETNAME, NOTES, directory, note_every_script, path};
pub use wireguard::{WireGuard, WireGuardEnd};

pub(crate) use daemon::tail;
pub(crate) use unpacked::LIBRARY_PATH;

use std::path::PathBuf;

use crate::fabric::FabricError;

/// Why a daemon could not be had, set up or talked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActorError {
    /// The node did not do what was asked of it.
    #[error(transparent)]
    Node(#[from] FabricError),
    /// A program is not installed or not built.
    #[error("{product} is not there: {searched}; {remedy}")]
    Missing {
        /// Which.
        product: String,
        /// Where it was looked for.
        searched: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// No key pair came out of a daemon's key generation.
    #[error("{product} made no key pair for {node}: {reason}")]
    Keys {
        /// The daemon's product.
        product: Product,
        /// Whose keys.
        node: String,
        /// What it said.
        reason: String,
    },
    /// The scenario has no overlay to set up.
    #[error("the network has no overlay in which {node} has a place")]
    NoPlace {
        /// The machine asked for.
        node: String,
    },
    /// A log did not show in time what it should.
    #[error("{node}'s daemon did not say {wanted:?} within {seconds} s; {instead}")]
    Silent {
        /// Name of the machine.
        node: String,
        /// What was waited for.
        wanted: String,
        /// For how long.
        seconds: f64,
        /// What it said at last, or that it ended.
        instead: String,
    },
    /// An intruder found nobody to deceive.
    #[error("the intruder on {node} got nowhere: {reason}")]
    Intruder {
        /// Where he is.
        node: String,
        /// What went wrong.
        reason: std::io::Error,
    },
    /// A file of the run could not be read or written.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        reason: std::io::Error,
    },
}

/// Result of dealing with a daemon.
pub type Result<T, E = ActorError> = std::result::Result<T, E>;
