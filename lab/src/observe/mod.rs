//! What can be seen from a machine of the lab, by means of the lab's own: no `ping`, `traceroute` or `tcpdump` needed.
//!
//! Knows nodes and packets; expects nothing. What an observation has to be is said in [`crate::steps`].

mod capture;
mod coap;
mod echo;
mod frames;
mod pcapng;
mod ping;
mod recording;
mod refusal;
mod socket;
mod state;
mod talk;
mod trace;
mod traffic;
mod transfer;

pub use capture::{Capture, Frames};
pub use coap::{CoapAnswer, coap};
pub use echo::Problem;
pub use frames::FrameSocket;
pub use ping::{Ping, PingReport, knock, ping, reach};
pub use recording::Recording;
pub use refusal::{Refusal, refusal};
pub use state::{KernelState, kernel_state};
pub use talk::{Heard, Talk};
pub use trace::{Hop, trace};
pub use traffic::{Traffic, traffic};
pub use transfer::transfer;

use std::io;
use std::path::PathBuf;

use crate::fabric::FabricError;

/// Why nothing could be observed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The node did not do what was asked of it.
    #[error(transparent)]
    Node(#[from] FabricError),
    /// A socket in the node could not be opened or used.
    #[error("{node}: {what}: {reason}")]
    Socket {
        /// Name of the machine.
        node: String,
        /// What was being done.
        what: &'static str,
        /// What the kernel said.
        reason: io::Error,
    },
    /// A file of what is observed could not be made.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        reason: io::Error,
    },
    /// More passed than is kept of it, so that nothing can be said of the rest.
    #[error("more passed than is kept of it")]
    TooMuch,
    /// Some of what passed was never seen, so that nothing can be said of it.
    #[error("{count} frames passed unheard, since this machine was too busy")]
    Unheard {
        /// How many the kernel had no room for.
        count: u64,
    },
    /// A tool that must be there was not, or failed.
    #[error("{node}: `{command}` failed: {reason}")]
    Tool {
        /// Name of the machine.
        node: String,
        /// The command line.
        command: String,
        /// Its standard error.
        reason: String,
    },
}

/// Result of an observation.
pub type Result<T, E = ObserveError> = std::result::Result<T, E>;
