//! The forwarding snapshot: an immutable picture of who is reached how.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rpds::HashTrieMapSync;

use super::{Border, InKey, OutKey, Policy, Station};
use crate::graph::{IdMap, NodeId};
use crate::options::Options;
use crate::subnet::{IpTable, Mac};

/// A UDP address and the socket that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpPath {
    /// The peer's address.
    pub address: SocketAddr,
    /// Which of our UDP sockets, counted from 0 in the order in which they were opened.
    pub socket: usize,
}

/// When a MAC address of ours was last seen as the source of a frame.
///
/// The thread that reads the device renews it, the control side looks whether it expired.
#[derive(Debug)]
pub struct Lease {
    base: Instant,
    seen: AtomicU64,
}

impl Lease {
    /// A lease that was used at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            base: now,
            seen: AtomicU64::new(0),
        }
    }

    /// The address was seen at `now`.
    pub fn renew(&self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.base).as_millis();
        self.seen
            .store(elapsed.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long the address has not been seen.
    #[must_use]
    pub fn idle(&self, now: Instant) -> Duration {
        let seen = Duration::from_millis(self.seen.load(Ordering::Relaxed));
        now.saturating_duration_since(self.base)
            .saturating_sub(seen)
    }
}

/// Who has a MAC address.
#[derive(Clone, Debug)]
pub enum Owner {
    /// Something behind our own device.
    Device(Arc<Lease>),
    /// Something behind another node.
    Node(NodeId),
}

/// Who owns which addresses. Changes with subnets and reachability only, which is seldom compared
/// to keys and path MTUs, so that pictures share it.
#[derive(Debug, Default)]
pub struct Owners {
    /// Unicast MAC addresses of reachable nodes.
    pub macs: HashMap<Mac, Owner>,
    /// IP addresses, also of nodes that cannot be reached.
    pub ips: IpTable<NodeId>,
}

/// Whose packets come from which address. Pictures share what did not change.
pub type Sources = HashTrieMapSync<SocketAddr, NodeId>;

/// How many nodes others see at an address. Pictures share what did not change.
pub type Neighbourhoods = HashTrieMapSync<IpAddr, usize>;

/// One reachable node as the data plane sees it.
#[derive(Clone, Debug)]
pub struct PeerPath {
    /// The last node on the way that may be sent UDP packets.
    pub via: NodeId,
    /// The neighbour whose meta connection leads there.
    pub nexthop: NodeId,
    /// Options of the last edge of the path.
    pub options: Options,
    /// Largest frame that the path carries, in bytes; what routing reports as too big.
    pub mtu: u16,
    /// Largest frame that was seen to arrive by UDP, in bytes; 0 until UDP is proven.
    pub min_mtu: u16,
    /// Where UDP packets go.
    pub udp: Option<UdpPath>,
    /// Seals what goes to the node.
    pub out_key: Option<Arc<OutKey>>,
    /// Opens what comes from the node: the key in force, then the one before while packets
    /// sealed by it may still be under way.
    pub in_keys: Vec<Arc<InKey>>,
    /// Addresses at which other nodes see the node.
    pub known_at: Vec<IpAddr>,
}

impl PeerPath {
    /// Whether both say the same, by the same keys.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let plain = |path: &Self| {
            (
                path.via,
                path.nexthop,
                path.options,
                path.mtu,
                path.min_mtu,
                path.udp,
            )
        };
        let out_key = |path: &Self| path.out_key.as_ref().map(Arc::as_ptr);
        let in_keys = self.in_keys.iter().map(Arc::as_ptr);
        plain(self) == plain(other)
            && out_key(self) == out_key(other)
            && in_keys.eq(other.in_keys.iter().map(Arc::as_ptr))
            && self.known_at == other.known_at
    }
}

/// The whole picture. Threads read it, nobody changes it; the control side publishes another.
#[derive(Debug)]
pub struct Forwarding {
    /// Ourselves.
    pub me: NodeId,
    /// What our configuration says about frames.
    pub policy: Policy,
    /// Options of our own configuration.
    pub options: Options,
    /// Reachable nodes other than ourselves.
    pub peers: IdMap<Arc<PeerPath>>,
    /// Who owns which addresses.
    pub owners: Arc<Owners>,
    /// Our device as router mode sees it.
    pub station: Station,
    /// Whose packets come from which address.
    pub sources: Sources,
    /// At which addresses [`PeerPath::known_at`] has nodes.
    pub neighbourhoods: Neighbourhoods,
    /// Nodes that are sent broadcasts.
    pub broadcast: Vec<NodeId>,
    /// What is checked of every frame, if we are a router.
    pub border: Option<Arc<Border>>,
    /// Width of the replay window in bytes of eight packets each; 0 means no check.
    pub replay_window: usize,
}

impl Forwarding {
    /// A picture of a node without peers, in force until the first one is published.
    #[must_use]
    pub fn alone(me: NodeId, policy: Policy) -> Self {
        Self {
            me,
            policy,
            options: Options::NONE,
            peers: IdMap::default(),
            owners: Arc::default(),
            station: Station::default(),
            sources: Sources::new_sync(),
            neighbourhoods: Neighbourhoods::new_sync(),
            broadcast: Vec::new(),
            border: None,
            replay_window: 0,
        }
    }

    /// A reachable node other than ourselves.
    #[must_use]
    pub fn peer(&self, id: NodeId) -> Option<&PeerPath> {
        self.peers.get(id).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_idle_since_it_was_last_renewed() {
        let start = Instant::now();
        let lease = Lease::new(start);
        lease.renew(start + Duration::from_secs(30));
        let now = start + Duration::from_secs(100);
        assert_eq!(lease.idle(now), Duration::from_secs(70));
    }
}
