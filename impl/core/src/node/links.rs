//! Meta connections: from the first byte to the last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::{Backlog, Closing, ConnId, HostConfig, Node, Output, Timer};
use crate::addr::Endpoint;
use crate::budget::Budget;
use crate::gossip::ALLOWANCE;
use crate::graph::{Edge, NodeId};
use crate::meta::{Ack, Connection, Event, PeerTerms};
use crate::name::NodeName;
use crate::options::Options;
use crate::tunnel::round_trip::RoundTrip;
use crate::wire::request::Request;

/// How long a connection has to last to count as one that worked, so that the next dial after
/// it does not wait as after a failure. Our own; short, yet longer than two nodes of one name
/// take to throw each other out.
const PROVEN_AFTER: Duration = Duration::from_secs(2);

/// A meta connection and what belongs to it.
pub(super) struct Link {
    pub(super) meta: Connection,
    pub(super) address: SocketAddr,
    pub(super) backlog: Arc<Backlog>,
    /// The node we dialled, if we did.
    pub(super) outgoing: Option<NodeName>,
    /// What the peer's host file says, once it named itself.
    pub(super) host: Option<Box<HostConfig>>,
    pub(super) active: Option<Active>,
    /// When it was made, later when the last PING was sent.
    pub(super) last_ping: Instant,
    pub(super) ping_unanswered: bool,
    /// When the PING was sent whose PONG is timed.
    pub(super) timed: Option<Instant>,
    pub(super) round_trip: RoundTrip,
    /// It is among those that have something to write.
    has_words: bool,
}

/// A connection whose handshake is over.
pub(super) struct Active {
    pub(super) node: NodeId,
    pub(super) options: Options,
    pub(super) since: Instant,
    /// What it may still ask of us.
    pub(super) allowance: Budget,
    /// More has followed from what it said than may.
    pub(super) has_overdone: bool,
    /// It carried a PONG, or lasted long enough to count as good.
    pub(super) proven: bool,
}

impl Node {
    pub(super) fn accepted(
        &mut self,
        conn: ConnId,
        address: SocketAddr,
        backlog: Arc<Backlog>,
        now: Instant,
    ) {
        if self.closing {
            self.outputs.push_back(Output::Close {
                conn,
                how: Closing::Now,
            });
            return;
        }
        let meta = Connection::new_responder(&self.identity, now);
        self.add_link(conn, meta, address, backlog, None, now);
    }

    pub(super) fn connected(
        &mut self,
        conn: ConnId,
        node: NodeName,
        address: SocketAddr,
        started: Instant,
        backlog: Arc<Backlog>,
        now: Instant,
    ) {
        if self.closing || !self.dialled(&node, conn) {
            self.outputs.push_back(Output::Close {
                conn,
                how: Closing::Now,
            });
            return;
        }
        let meta = Connection::new_initiator(&self.identity, node.clone(), started);
        self.add_link(conn, meta, address, backlog, Some(node), now);
        self.flush(conn);
    }

    fn add_link(
        &mut self,
        conn: ConnId,
        meta: Connection,
        address: SocketAddr,
        backlog: Arc<Backlog>,
        outgoing: Option<NodeName>,
        now: Instant,
    ) {
        let link = Link {
            meta,
            address,
            backlog,
            outgoing,
            host: None,
            active: None,
            last_ping: now,
            ping_unanswered: false,
            timed: None,
            round_trip: RoundTrip::default(),
            has_words: false,
        };
        self.links.insert(conn, link);
    }

    /// Whether the other end of a connection has proven who it is.
    #[must_use]
    pub fn has_proven(&self, conn: ConnId) -> bool {
        self.links
            .get(&conn)
            .is_some_and(|link| link.active.is_some())
    }

    pub(super) fn meta_bytes(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        self.effort = 0;
        match link.meta.receive(bytes) {
            Ok(()) => self.pump(conn, now, rng),
            Err(error) => self.offended(conn, &error, now, rng),
        }
        self.settle(now, rng);
        self.charge_effort(conn, now);
    }

    pub(super) fn host_loaded(
        &mut self,
        conn: ConnId,
        host: Option<Box<HostConfig>>,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let Some(host) = host else {
            self.close(conn, Closing::Tarpit, now, rng);
            return;
        };
        link.meta.accept(PeerTerms {
            public_key: host.public_key.clone(),
            options: host.options(self.settings.options),
            weight: host.weight,
            port: self.settings.port.clone(),
        });
        link.host = Some(host);
        self.pump(conn, now, rng);
    }

    /// Takes events from a connection until it has no more.
    fn pump(&mut self, conn: ConnId, now: Instant, rng: &mut dyn CryptoRng) {
        while let Some(link) = self.links.get_mut(&conn) {
            let polled = link.meta.poll(now, rng);
            self.flush(conn);
            match polled {
                Ok(Some(event)) => self.event(conn, event, now, rng),
                Ok(None) => return,
                Err(error) => self.offended(conn, &error, now, rng),
            }
        }
    }

    fn event(&mut self, conn: ConnId, event: Event, now: Instant, rng: &mut dyn CryptoRng) {
        match event {
            Event::Identified(name) => self.outputs.push_back(Output::LoadHost { conn, name }),
            Event::Active { name, weight, ack } => {
                self.activate(conn, &name, weight, &ack, now, rng);
            }
            Event::Request { request, line } => self.request(conn, request, &line, now, rng),
            Event::Packet(frame) => self.packet_arrived(conn, frame, now, rng),
        }
    }

    /// The handshake is over: tell the peer everything, tell everybody of the peer.
    fn activate(
        &mut self,
        conn: ConnId,
        name: &NodeName,
        weight: i32,
        ack: &Ack,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(node) = self.intern(name) else {
            self.close(conn, Closing::Now, now, rng);
            return;
        };
        self.replace_link(node, now, rng);
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let host = link.host.as_deref();
        let ours = host.map_or(self.settings.options, |host| {
            host.options(self.settings.options)
        });
        let options = Options::negotiate(ours, ack.options, host.and_then(|host| host.clamp_mss));
        let host_mtu = host.and_then(|host| host.pmtu);
        let mut address = link.address;
        if let Some(port) = ack.port.number().filter(|port| *port != 0) {
            address.set_port(port);
        }
        link.active = Some(Active {
            node,
            options,
            since: now,
            allowance: ALLOWANCE,
            has_overdone: false,
            proven: false,
        });
        tracing::info!("connection with {name} ({}) activated", link.address);
        let pmtu = self.undiscovered(host_mtu);
        if let Some(peer) = self.peers.get_mut(node) {
            peer.link = Some(conn);
            peer.pmtu = pmtu;
            self.stale.peers.insert(node);
        }
        // Whoever we are to dial is connected now, whichever end dialled.
        if self.outgoing.contains_key(name) {
            self.dial(name.clone());
        }
        self.tell_state(conn, rng);
        let edge = Edge {
            endpoint: Endpoint::from(address),
            options,
            weight: i32::midpoint(weight, ack.weight),
        };
        self.graph.set_edge(self.me(), node, edge);
        self.announce_edge(node, conn, rng);
        self.settle(now, rng);
        // If it was reachable before, what was proven no longer counts, and the next probe may be a minute away.
        self.timers.stop(&Timer::Probe(node));
        self.start_probing(node, now, rng);
        self.outputs.push_back(Output::Announce);
    }

    /// Ends an older connection of a node that has made a new one, without telling others.
    fn replace_link(&mut self, node: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        let old = self.peers.get_mut(node).and_then(|peer| peer.link.take());
        let Some(old) = old else { return };
        tracing::info!(
            "{} connected a second time, the old connection ends",
            self.name_of(node)
        );
        if let Some(link) = self.links.remove(&old) {
            self.outputs.push_back(Output::Close {
                conn: old,
                how: Closing::Now,
            });
            if let Some(name) = link.outgoing
                && let Some(outgoing) = self.outgoing.get_mut(&name)
            {
                outgoing.lost(old);
            }
        }
        self.graph.remove_edge(self.me(), node);
        self.settle(now, rng);
    }

    /// A peer broke the protocol: it is told nothing.
    fn offended(
        &mut self,
        conn: ConnId,
        error: &crate::meta::MetaError,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if let Some(link) = self.links.get(&conn) {
            let address = link.address;
            // Lines of one place in the code are rationed together: strangers must not crowd out those with a name.
            match link.meta.peer_name() {
                Some(name) => {
                    tracing::warn!("closing the connection with {name} ({address}): {error}");
                }
                None => {
                    tracing::warn!("closing the connection with a stranger ({address}): {error}");
                }
            }
        }
        self.close(conn, Closing::Tarpit, now, rng);
    }

    /// For log lines: who is at the other end of a connection.
    pub(super) fn speaker(&self, conn: ConnId) -> &str {
        let link = self.links.get(&conn);
        let name = link.and_then(|link| link.meta.peer_name());
        name.map_or("a stranger", NodeName::as_str)
    }

    pub(super) fn closed(&mut self, conn: ConnId, now: Instant, rng: &mut dyn CryptoRng) {
        if let Some(link) = self.links.get(&conn) {
            let peer = self.speaker(conn);
            tracing::info!("connection with {peer} ({}) has ended", link.address);
        }
        self.close(conn, Closing::Now, now, rng);
    }

    /// Ends a connection and takes back what followed from it.
    pub(super) fn close(
        &mut self,
        conn: ConnId,
        how: Closing,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(mut link) = self.links.remove(&conn) else {
            return;
        };
        let last_words = link.meta.take_output();
        let send = last_words.map(|bytes| Output::Send { conn, bytes });
        self.outputs.extend(send);
        self.outputs.push_back(Output::Close { conn, how });
        let worked = link.active.as_ref().is_some_and(|active| {
            active.proven || now.saturating_duration_since(active.since) >= PROVEN_AFTER
        });
        if let Some(active) = &link.active {
            self.unlink(active.node, now, rng);
        }
        if let Some(node) = &link.outgoing {
            self.outgoing_ended(node, conn, worked, now, rng);
        }
        if link.active.is_some() && self.links.values().all(|link| link.active.is_none()) {
            // Alone: what was heard from others is no longer kept up to date.
            self.purge(rng);
        }
    }

    fn unlink(&mut self, node: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.link = None;
        }
        if self.graph.remove_edge(self.me(), node).is_some() {
            self.withdraw_edge(self.me(), node, None, rng);
        }
        self.settle(now, rng);
        if !self.is_reachable(node) && self.graph.remove_edge(node, self.me()).is_some() {
            self.withdraw_edge(node, self.me(), None, rng);
        }
    }

    /// Sends one request to one connection.
    pub(super) fn send(&mut self, conn: ConnId, request: &Request) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.meta.send(request);
        }
        self.flush(conn);
    }

    /// Sends a line as it is to one connection.
    pub(super) fn send_line(&mut self, conn: ConnId, line: &[u8]) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.meta.send_line(line);
        }
        self.flush(conn);
    }

    /// Sends a line to every active connection except one; says whether there was any.
    pub(super) fn flood(&mut self, line: &[u8], except: Option<ConnId>) -> bool {
        let to: Vec<_> = self
            .links
            .iter()
            .filter(|(conn, link)| link.active.is_some() && Some(**conn) != except)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in &to {
            self.send_line(*conn, line);
        }
        !to.is_empty()
    }

    /// Has the shell write what a connection has to say, once everything else is done: what more there is by then leaves
    /// with it.
    pub(super) fn flush(&mut self, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&conn)
            && !link.has_words
            && link.meta.output_len() > 0
        {
            link.has_words = true;
            self.speakers.push(conn);
        }
    }

    /// Hands to the shell what connections have to write.
    pub(super) fn speak(&mut self) {
        self.frames_to_send = 0;
        for conn in std::mem::take(&mut self.speakers) {
            if let Some(link) = self.links.get_mut(&conn) {
                link.has_words = false;
                let bytes = link.meta.take_output();
                let send = bytes.map(|bytes| Output::Send { conn, bytes });
                self.outputs.extend(send);
            }
        }
    }
}
