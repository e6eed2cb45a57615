//! Caps on what peers can make us remember. The protocol has none; all of them are ours.

/// Nodes known at once.
pub(super) const NODES: usize = 16_384;

/// Edges known at once, a search of which takes some milliseconds.
pub(super) const EDGES: usize = 65_536;

/// Edges that leave one node: more neighbours than a server can have connections open.
pub(super) const EDGES_OF_ONE: usize = 4096;

/// Subnets of one node: the MAC addresses of a large bridged network.
pub(super) const SUBNETS: usize = 4096;

/// Subnets of all other nodes together.
pub(super) const SUBNETS_IN_ALL: usize = 65_536;

/// Bytes that wait on one meta connection before the peer is taken for dead. A mesh of a
/// thousand nodes tells its whole state in less than a fifth of it.
pub(super) const BACKLOG: usize = 4 * 1024 * 1024;
