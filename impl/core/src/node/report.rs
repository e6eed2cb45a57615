//! What a node knows of the others, for whoever shows it to operators.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::peer::Peer;
use super::{ConnId, Node};
use crate::dataplane::Obstacle;
use crate::graph::NodeId;
use crate::name::NodeName;
use crate::subnet::Subnet;

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerReport {
    /// Its name.
    pub name: NodeName,
    /// How frames go to it; `None` while it is not reachable.
    pub way: Option<WayReport>,
    /// Longest frame in bytes that is known to pass by UDP; 0 for none.
    pub proven: u16,
    /// How long ago UDP to it began or ceased to work; `None` if it never has.
    pub udp_turned: Option<Duration>,
    /// How long a probe by UDP and its answer take.
    pub round_trip: Option<Duration>,
    /// What it owns.
    pub subnets: Vec<Subnet>,
    /// Its meta connection with us.
    pub link: Option<LinkReport>,
    /// We are to connect to it (`ConnectTo`).
    pub wanted: bool,
}

/// How frames go to a node: a [`crate::dataplane::Way`] with the name of its stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayReport {
    /// Whom they are sent to: the node itself, or another that passes them on.
    pub stop: NodeName,
    /// Where, if they go by UDP.
    pub udp: Option<SocketAddr>,
    /// Why they do not go to the node itself by UDP, unless they do.
    pub obstacle: Option<Obstacle>,
}

/// An active meta connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// Which.
    pub conn: ConnId,
    /// The address at its other end.
    pub address: SocketAddr,
    /// How long it has been active.
    pub age: Duration,
    /// How long a PING and its PONG take; the first is sent a `PingInterval` after the beginning.
    pub round_trip: Option<Duration>,
}

impl Node {
    /// Every node we have heard of or are to connect to, by name; not ourselves.
    #[must_use]
    pub fn report(&self, now: Instant) -> Vec<PeerReport> {
        let known = self.graph.nodes().map(|(name, _)| name);
        let names: BTreeSet<_> = known.chain(self.outgoing.keys()).collect();
        let others = names
            .into_iter()
            .filter(|name| **name != self.settings.name);
        others.map(|name| self.report_of(name, now)).collect()
    }

    fn report_of(&self, name: &NodeName, now: Instant) -> PeerReport {
        let ago = |then: Instant| now.saturating_duration_since(then);
        let id = self.graph.find(name);
        let peer = id.and_then(|id| self.peers.get(id));
        let subnets = peer.into_iter().flat_map(|peer| &peer.subnets);
        PeerReport {
            name: name.clone(),
            way: id.and_then(|id| self.way_report(id)),
            proven: peer.map_or(0, |peer| peer.pmtu.min_mtu()),
            udp_turned: peer.and_then(|peer| peer.udp_turned).map(ago),
            round_trip: peer.and_then(|peer| peer.round_trip.time()),
            subnets: subnets.copied().collect(),
            link: peer.and_then(|peer| self.link_report(peer, now)),
            wanted: self.outgoing.contains_key(name),
        }
    }

    fn way_report(&self, id: NodeId) -> Option<WayReport> {
        let way = self.picture.way_to(id)?;
        Some(WayReport {
            stop: self.graph.name(way.stop)?.clone(),
            udp: way.udp,
            obstacle: way.obstacle,
        })
    }

    fn link_report(&self, peer: &Peer, now: Instant) -> Option<LinkReport> {
        let conn = peer.link?;
        let link = self.links.get(&conn)?;
        let active = link.active.as_ref()?;
        Some(LinkReport {
            conn,
            address: link.address,
            age: now.saturating_duration_since(active.since),
            round_trip: link.round_trip.time(),
        })
    }
}
