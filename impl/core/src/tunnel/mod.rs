//! The UDP path to one peer: which packets were seen, and how long a frame it carries. Knows no
//! keys, no addresses and no clock.

pub mod pmtu;
pub mod probe;
pub mod replay;
pub mod round_trip;
mod search;
pub mod watch;
