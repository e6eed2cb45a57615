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

/// Bytes that wait on one meta connection before the peer is taken for dead: more than the 4 MiB that another neighbour
/// may have passed on at once (`gossip::CONSEQUENCES`) and [`BESIDE_KEYS`], so that nobody is cut off for another.
pub(super) const BACKLOG: usize = 6 << 20;

/// Bytes beside which keys may be added to what waits on a meta connection; whoever wants a key asks again. A mesh of a
/// thousand nodes tells its whole state in less.
pub(super) const BESIDE_KEYS: usize = 1 << 20;

/// Edges that may be looked at for what a neighbour says at once, before all of it is acted on: those of a few searches
/// of the largest graph, and of dozens of that of a thousand nodes.
pub(super) const EFFORT: usize = 4 * EDGES;

/// As many edges a node counts whose path changes: it is logged, its scripts are called, its keys made.
pub(super) const EDGES_A_NODE: usize = 64;

/// So many edges, or subnets, that are looked at count like one line passed on: that takes a millisecond at most.
pub(super) const EDGES_A_UNIT: usize = 1024;
