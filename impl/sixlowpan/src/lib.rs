//! IPv6 over Bluetooth Low Energy (RFC 7668), from the L2CAP frame up to the IPv6 packet.
//!
//! The crate opens no socket, reads no file and asks no clock: a frame, a packet and the current
//! time go in as arguments, frames, packets and events come out. The same code therefore runs
//! behind a real L2CAP socket, in an emulated radio and in fuzzers. What a stranger sends is
//! answered with an error that names what is wrong with it, never with a panic.
//!
//! Bottom up:
//!
//! - [`iid`] makes interface identifiers of device addresses;
//! - [`context`] remembers the prefixes that both ends know;
//! - [`link`] says whose addresses may be left out of a packet;
//! - [`iphc`] compresses and decompresses packets (RFC 6282);
//! - [`nd`] reads and writes neighbour discovery and remembers who registered what (RFC 6775);
//! - [`coc`] cuts payloads into frames of a channel with credits;
//! - [`capture`] writes down what is on the air.
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

pub mod capture;
mod checksum;
pub mod coc;
pub mod context;
pub mod iid;
pub mod iphc;
pub mod link;
pub mod nd;
mod nhc;

/// Octets of the longest IPv6 packet on a link, no more and no less (RFC 7668 section 3.2.2).
pub const MTU: usize = 1280;

/// What the README shows has to be true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
