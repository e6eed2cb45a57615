//! The path of a packet: frames from the device become datagrams, datagrams become frames.
//!
//! Nothing here decides anything about the mesh. A thread owns one [`Outbound`] or one
//! [`Inbound`], reads the immutable [`Forwarding`] that the control side published last, and
//! reports what only the control side may judge as [`Up`]. No lock is waited for and nothing is
//! allocated for a packet that goes by UDP.

mod border;
mod egress;
mod forwarder;
mod inbound;
mod keys;
mod outbound;
mod policy;
mod residents;
mod router;
mod send;
mod snapshot;
mod station;
mod switch;
mod way;

pub use border::{Border, BorderCounts};
pub(crate) use egress::frame_len;
pub use egress::{Datagram, Egress, Handling, Train, Up};
pub use forwarder::{Forwarder, Origin};
pub use inbound::{Datagrams, Inbound};
pub use keys::{InKey, KeyEpoch, OutKey};
pub use outbound::Outbound;
pub use policy::{Broadcast, Mode, Policy, Transit};
pub(crate) use residents::Residents;
pub use snapshot::{Forwarding, Lease, Neighbourhoods, Owner, Owners, PeerPath, Sources, UdpPath};
pub use station::Station;
pub use way::{Obstacle, Way};
