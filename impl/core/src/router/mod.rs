//! What a node is as an IPv6 router: its addresses, what it routes to whom, what it tells its own
//! networks, and what the kernel has to look like for that.
//!
//! Knows neither netlink nor files.

pub mod advertise;
mod border;
mod config;
mod prefix;
pub mod wish;

pub use border::BorderRules;
pub use config::{Downstream, RouterConfig, Site};
pub use prefix::{InterfaceAddress, Prefix, PrefixError, SLAAC_LEN};
