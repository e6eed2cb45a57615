//! What a venue really does to UDP, seen from both sides of it: the questions of RFC 5780, and those that decide
//! whether holes can be punched.
//!
//! ```text
//!  ten    198.51.100.10 --+                          +-- a
//!                         +-- internet -- gw (NAT) --+
//!  twenty 198.51.100.20 --+                          +-- b
//!    ports 3478 and 3479 on both
//! ```
//!
//! `bench` has the sockets, `questions` sends and listens, [`Sighting`] tells from what was seen what the venue is.
//! `timeouts` asks how long a mapping lives, which takes that long, and `punch` whether two hosts behind two venues can
//! reach each other.

mod bench;
mod proof;
mod punch;
mod questions;
mod sighting;
mod timeouts;

use std::io;

use crate::fabric::{FabricError, Lab};
use crate::model::{ModelError, Scenario, UdpTimeout, VenueKind};
use crate::plan::Plan;
pub use proof::Proofs;
pub use punch::{homes, punch_all};
pub use sighting::{Odd, Sighting};
pub use timeouts::{Lifetime, Lifetimes};

/// Name of the venue's router in the network that is probed.
pub const ROUTER: &str = "gw";

/// Why a venue could not be probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The network did not do what was asked of it.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// The network in which a kind is to be probed cannot be planned.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What was seen is nothing there is a word for.
    #[error(transparent)]
    Odd(#[from] Odd),
    /// A NAT kind is not what its file states.
    #[error("the NAT kind {kind} is not what its file says: {differences}")]
    Differs {
        /// Its name.
        kind: String,
        /// In what, with both values.
        differences: String,
    },
    /// A socket failed.
    #[error("cannot {what}: {reason}")]
    Socket {
        /// What was being done.
        what: &'static str,
        /// What the kernel said.
        reason: io::Error,
    },
    /// A packet did not arrive on a way that must be open, whatever the venue is.
    #[error("{way}: nothing arrived within {seconds} s")]
    Lost {
        /// From whom to whom.
        way: String,
        /// The time allowed.
        seconds: u64,
    },
}

/// Result of probing.
pub type Result<T, E = ProbeError> = std::result::Result<T, E>;

/// The network in which a venue is probed.
///
/// # Errors
/// When the venue does not fit into it.
pub fn plan(kind: VenueKind) -> Result<Plan, ModelError> {
    let mut plan = ruled(kind)?;
    plan.places.clear();
    Ok(plan)
}

/// The same with the rules of the venue, which its lab holds it to.
///
/// # Errors
/// As [`plan`].
pub fn ruled(mut kind: VenueKind) -> Result<Plan, ModelError> {
    // What is stated is what its own router does.
    kind.behind = None;
    // Who asks has addresses already, also where a venue would give its guests none.
    (kind.dhcp, kind.dns, kind.ipv6) = (None, None, None);
    let mut plan = Plan::new(&Scenario::bench(kind)?);
    // What it does is to be found out, not to be held against it.
    plan.passages.clear();
    Ok(plan)
}

/// The router in front of a venue's own, to be probed as the only one of a venue by itself.
#[must_use]
pub fn in_front(kind: &VenueKind) -> Option<VenueKind> {
    let behind = kind.behind.as_ref()?;
    Some(VenueKind {
        nat: behind.nat.clone(),
        udp_timeout: behind.udp_timeout,
        ..VenueKind::default()
    })
}

/// Asks every question in a lab that was built from [`plan`]. Takes well below a second on an idle machine.
///
/// # Errors
/// When the questions cannot be asked.
pub async fn probe(lab: &Lab) -> Result<Sighting> {
    questions::ask(&bench::Bench::open(lab).await?).await
}

/// Asks how long mappings live, and what keeps them alive, in a lab that was built from [`plan`]; takes a few seconds
/// longer than the longest time stated.
///
/// # Errors
/// When the questions cannot be asked.
pub async fn lifetimes(lab: &Lab, stated: UdpTimeout) -> Result<Lifetimes> {
    timeouts::ask(&bench::Bench::open(lab).await?, stated).await
}
