//! The tinc 1.0 (legacy, protocol 17) mesh as a state machine that does no I/O.
//!
//! The crate opens no socket, reads no file and asks no clock: bytes, kernel events and the
//! current time go in as arguments, bytes, script calls and wishes come out. The same code
//! therefore runs in the daemon, in a mesh of nodes held in memory and in fuzzers.
//!
//! Uses point one way: [`node`] drives [`gossip`], [`graph`] and [`meta`], publishes a
//! [`dataplane::Forwarding`] snapshot, and knows nothing of sockets; [`dataplane`] seals and
//! opens packets by that snapshot and knows nothing of the graph; [`wire`] and [`crypto`] turn
//! bytes into types and know neither state nor time.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]
// Tests take the time from where they like.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod addr;
mod budget;
pub mod constants;
pub mod crypto;
pub mod dataplane;
pub mod forward;
pub mod gossip;
pub mod graph;
pub mod legacy;
pub mod meta;
pub mod name;
pub mod nat64;
pub mod node;

pub mod offload;
pub mod options;
pub mod router;
mod scanf;
pub mod subnet;
pub mod tunnel;
pub mod wire;
