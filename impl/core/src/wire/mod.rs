//! Bytes and types: everything that is parsed or printed.

pub mod ethernet;
pub(crate) mod icmp;
pub(crate) mod icmpv6;
pub mod ndp;
pub mod request;
