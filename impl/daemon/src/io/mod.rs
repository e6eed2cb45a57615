//! Sockets, the device and threads. Nothing here decides anything about the mesh.

pub(crate) mod activation;
pub(crate) mod addresses;
pub(crate) mod admission;
pub(crate) mod advertiser;
pub(crate) mod datapath;
pub(crate) mod device;
pub(crate) mod dial;
pub(crate) mod icmp6;
pub(crate) mod listen;
pub(crate) mod meta;
pub(crate) mod nat64;
pub(crate) mod neighbours;
pub(crate) mod notify;
mod pace;
pub(crate) mod proxy;
mod race;
pub(crate) mod resolve;
pub(crate) mod socket;
mod traffic;
pub(crate) mod transport;
pub(crate) mod watch;
