//! Frames between two tunnels: TCP is told early what fits, hops are counted, senders are told
//! when something goes no further. Pure functions on bytes that know neither tunnels nor who owns
//! what.

mod checksum;
pub mod fragment;
pub mod guard;
pub mod mss;
pub mod refusal;
pub mod too_big;
pub mod ttl;
