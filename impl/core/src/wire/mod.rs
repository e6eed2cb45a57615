//! Bytes and types: everything that is parsed or printed.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub(crate) mod extension;
pub(crate) mod icmp;
pub(crate) mod icmpv6;
pub mod ip;
pub mod ndp;
pub mod request;
