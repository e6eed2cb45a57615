//! One node of the mesh: [`Input`] in, [`Output`] out, no I/O.
//!
//! The contract with the shell: call [`Node::handle`], then take [`Node::poll_output`] until it
//! is empty, then wait for the next input or [`Node::deadline`]. Nothing happens in between. Inputs that are there already
//! may be handled first: what follows from all of them for one connection leaves as one.

mod costs;
mod dump;
mod frames;
mod housekeeping;
mod io;
mod keys;
mod limits;
mod links;
mod outgoing;
mod peer;
mod picture;
mod probes;
mod reach;
mod report;
mod requests;
mod timers;
mod trust;

pub use io::{
    Backlog, Closing, ConnId, HostConfig, Input, Order, Output, Script, SealedDatagram, Settings,
    SocketFamily,
};
pub use report::{LinkReport, PeerReport, WayReport};
pub use trust::Trust;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rand_core::CryptoRng;

use crate::dataplane::{BorderCounts, Egress, Forwarding, Lease, Outbound, Residents, Station, Up};
use crate::gossip::{Contradictions, PastLines};
use crate::graph::{Graph, IdMap, NodeId, Routes};
use crate::meta::Identity;
use crate::name::NodeName;
use crate::router::BorderRules;
use crate::subnet::Mac;
use crate::tunnel::pmtu::{self, Pmtu};
use links::Link;
use outgoing::Outgoing;
use peer::Peer;
use picture::Stale;
use timers::{Timer, Timers};
use trust::Owners;

/// The control side of a node.
pub struct Node {
    settings: Config,
    identity: Arc<Identity>,
    graph: Graph,
    routes: Routes,
    /// By node, ourselves included.
    peers: IdMap<Peer>,
    /// How many subnets others announced.
    subnets_heard: usize,
    owners: Owners,
    links: BTreeMap<ConnId, Link>,
    outgoing: BTreeMap<NodeName, Outgoing>,
    past: PastLines,
    contradictions: Contradictions,
    /// No dialling before this moment, because our name seems to be in use twice.
    suspended: Option<Instant>,
    leases: BTreeMap<Mac, Arc<Lease>>,
    /// What is checked of frames, if we are a router.
    border_rules: Option<BorderRules>,
    border_counts: Arc<BorderCounts>,
    residents: Arc<Residents>,
    timers: Timers,
    outputs: VecDeque<Output>,
    /// Connections that have something to write.
    speakers: Vec<ConnId>,
    /// Bytes of frames in that.
    frames_to_send: usize,
    /// Frames that pass through the control side: PACKETs and announcements.
    outbound: Outbound,
    egress: Egress,
    picture: Arc<Forwarding>,
    /// It waits until the outputs before it are taken; there may be a newer one by then.
    is_unpublished: bool,
    /// Our device as router mode sees it.
    station: Station,
    /// What the picture shows, and is so no longer.
    stale: Stale,
    /// Nodes that lost an edge while one of theirs led to us: if nobody reaches them any more, that one is gone too.
    deserted: Vec<NodeId>,
    /// What has to be looked at because of the bytes that came last, in edges and subnets.
    effort: usize,
    keys_made: u64,
    keys_renewed: Option<Instant>,
    closing: bool,
}

/// [`Settings`] without what has an owner of its own.
type Config = Settings<()>;

impl Node {
    /// Starts a node: its subnets come up and it dials whom it is told to.
    pub fn new(settings: Settings, now: Instant, rng: &mut dyn CryptoRng) -> Self {
        let (private_key, settings) = settings.split();
        let identity = Identity {
            name: settings.name.clone(),
            private_key,
            packet: settings.packet,
            bypass_security: settings.bypass_security,
        };
        let graph = Graph::new(settings.name.clone());
        let me = graph.me();
        let mut node = Self {
            picture: Arc::new(Forwarding::alone(me, settings.policy)),
            is_unpublished: false,
            identity: Arc::new(identity),
            peers: IdMap::default(),
            graph,
            routes: Routes::default(),
            subnets_heard: 0,
            owners: Owners::new(),
            links: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            past: PastLines::default(),
            contradictions: Contradictions::default(),
            suspended: None,
            leases: BTreeMap::new(),
            border_rules: None,
            border_counts: Arc::default(),
            residents: Arc::new(Residents::new([rng.next_u64(), rng.next_u64()], now)),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            speakers: Vec::new(),
            frames_to_send: 0,
            outbound: Outbound::default(),
            egress: Egress::default(),
            station: Station::default(),
            stale: Stale::default(),
            deserted: Vec::new(),
            effort: 0,
            keys_made: 0,
            keys_renewed: None,
            closing: false,
            settings,
        };
        node.start(me, now, rng);
        node
    }

    fn start(&mut self, me: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        self.peers.insert(me, Peer::new(self.undiscovered(None)));
        self.first_owners();
        self.timers
            .set(Timer::Housekeeping, now + self.settings.ping_timeout);
        self.timers
            .set(Timer::KeyExpire, now + self.settings.key_expire);
        self.settle(now, rng);
        for node in self.settings.connect_to.clone() {
            self.dial(node);
        }
        self.redraw();
    }

    /// Takes one input; what follows from it waits in [`Node::poll_output`].
    pub fn handle(&mut self, input: Input<'_>, now: Instant, rng: &mut dyn CryptoRng) {
        match input {
            Input::Accepted {
                conn,
                peer,
                backlog,
            } => self.accepted(conn, peer, backlog, now),
            Input::Connected {
                conn,
                node,
                peer,
                started,
                backlog,
            } => self.connected(conn, node, peer, started, backlog, now),
            Input::DialFailed { node } => self.dial_failed(&node, now, rng),
            Input::NoAddress { node } => self.nowhere_to_dial(&node, now),
            Input::Meta { conn, bytes } => self.meta_bytes(conn, bytes, now, rng),
            Input::Closed { conn } => self.closed(conn, now, rng),
            Input::HostLoaded { conn, host } => self.host_loaded(conn, host, now, rng),
            Input::Up(up) => self.reported(up, now, rng),
            Input::Device { mac, addresses } => self.device_is(mac, addresses),
            Input::Order(order) => self.ordered(order, now, rng),
            Input::Timer => self.timers_due(now, rng),
        }
        self.settle(now, rng);
    }

    /// Takes the next thing to do. The picture is drawn, and what neighbours are told is sent, once for all inputs that
    /// came since the last time there was nothing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.publish();
            self.speak();
        }
        self.outputs.pop_front()
    }

    /// Whether so much is to be done that the outputs should be carried out before there is more. Of frames that leave
    /// by meta connections it is known only then how many of them there is room for.
    #[must_use]
    pub fn has_much_to_do(&self) -> bool {
        self.frames_to_send >= frames::AT_ONCE || self.outputs.len() >= frames::MOST_WAITING
    }

    /// When to come back with [`Input::Timer`] at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// The picture published last.
    #[must_use]
    pub fn forwarding(&self) -> Arc<Forwarding> {
        Arc::clone(&self.picture)
    }

    /// Whether any other node is reachable.
    #[must_use]
    pub fn reaches_anyone(&self) -> bool {
        let me = self.me();
        let mut peers = self.peers.iter();
        peers.any(|(id, peer)| id != me && peer.path.is_some())
    }

    fn me(&self) -> NodeId {
        self.graph.me()
    }

    fn reported(&mut self, up: Up, now: Instant, rng: &mut dyn CryptoRng) {
        match up {
            Up::Learned(mac) => self.learn(mac, now, rng),
            Up::Frame { neighbour, frame } => self.send_packet(neighbour, &frame, rng),
            Up::KeyWanted(peer) => self.want_key(peer, now),
            Up::Flowing(peer) => self.flowing(peer, now),
            Up::ProbeReply { peer, len, mark } => self.probe_answered(peer, len, mark, now),
            Up::Source { peer, path } => self.source_proven(peer, path, now, rng),
            Up::TooBig { peer, len } => self.refused_as_too_big(peer, len, now),
            Up::KeySpent(_) => self.key_spent(now, rng),
            Up::OldKey(peer) => self.old_key_used(peer, now, rng),
        }
    }

    fn ordered(&mut self, order: Order, now: Instant, rng: &mut dyn CryptoRng) {
        match order {
            Order::RetryNow => self.retry_now(now, rng),
            Order::Purge => self.purge(rng),
            Order::SetOwners(owners) => self.new_owners(owners.into_iter().collect(), rng),
            Order::Reload { connect_to, drop } => self.reload(connect_to, &drop, now, rng),
            Order::SetBorder(rules) => {
                self.stale.border |= self.border_rules != rules;
                self.border_rules = rules;
            }
            Order::BoundPmtu(bound) => self.settings.pmtu = bound,
            Order::Shutdown => self.shut_down(now, rng),
        }
    }

    fn timers_due(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Housekeeping => self.housekeeping(now, rng),
                Timer::KeyExpire => self.renew_keys(now, rng),
                Timer::Probe(peer) => self.probe(peer, now, rng),
                Timer::Watch(peer) => self.watch(peer, now, rng),
                Timer::Redial(node) => self.dial(node),
            }
        }
    }

    /// A node by name, made known if there is room for it.
    fn intern(&mut self, name: &NodeName) -> Option<NodeId> {
        if let Some(id) = self.graph.find(name) {
            return Some(id);
        }
        if self.graph.node_count() >= limits::NODES {
            tracing::warn!(node = %name, limit = limits::NODES, "too many nodes, one is ignored");
            return None;
        }
        let id = self.graph.intern(name);
        self.peers.insert(id, Peer::new(self.undiscovered(None)));
        // The rules speak of nodes by name.
        self.stale.border = true;
        Some(id)
    }

    /// Path MTU discovery that has not begun, bounded by our own configuration and a host file.
    fn undiscovered(&self, host: Option<u16>) -> Pmtu {
        let bounds = [self.settings.pmtu, host];
        let ceiling = bounds.into_iter().flatten().min();
        Pmtu::new(
            ceiling.unwrap_or(pmtu::MAX_LEN),
            self.settings.ping_interval,
            self.settings.ping_timeout,
        )
    }

    /// For log lines: the name of a node that may be forgotten meanwhile.
    fn name_of(&self, id: NodeId) -> &str {
        self.graph.name(id).map_or("?", NodeName::as_str)
    }

    fn script(&mut self, script: Script) {
        self.outputs.push_back(Output::Script(script));
    }
}
