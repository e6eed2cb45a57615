//! Proving that UDP works, and how large a packet may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rand_core::CryptoRng;

use super::{Node, Output, SealedDatagram, Timer};
use crate::dataplane::{Handling, OutKey, UdpPath, Up};
use crate::graph::NodeId;
use crate::options::Options;
use crate::tunnel::pmtu::{Effect, MIN_LEN, Pmtu};
use crate::tunnel::probe;
use crate::tunnel::round_trip::RoundTrip;
use crate::tunnel::watch::{LOOK_INTERVAL, Step, Watch};

/// All nodes of the link (RFC 4291 section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Node {
    /// Starts probing a node whose key has just come, unless it is being probed already.
    pub(super) fn start_probing(&mut self, id: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        let wanted = self
            .peers
            .get(id)
            .and_then(|peer| peer.path.as_ref())
            .map(|path| path.options)
            .filter(|theirs| {
                !theirs
                    .with(self.settings.options)
                    .contains(Options::TCP_ONLY)
            })
            .is_some_and(|theirs| theirs.contains(Options::PMTU_DISCOVERY));
        if wanted && !self.timers.is_set(&Timer::Probe(id)) {
            self.probe(id, now, rng);
        }
    }

    /// One round of probes.
    pub(super) fn probe(&mut self, id: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let (Some(key), Some(path), Some(_)) = (&peer.out_key, peer.udp, &peer.path) else {
            // The next ANS_KEY starts again.
            return;
        };
        let before = (peer.pmtu.mtu(), peer.pmtu.min_mtu());
        let round = peer.pmtu.tick();
        let key = Arc::clone(&key.key);
        for len in round.probes.as_slice().iter().copied() {
            self.send_probe(id, len, &key, path, now, rng);
        }
        if round.searching
            && let Some(everybody) = self.everybody_near(id)
        {
            self.send_probe(id, MIN_LEN, &key, everybody, now, rng);
        }
        self.timers.set(Timer::Probe(id), now + round.next);
        self.path_mtu_changed(id, before, now);
        if round.doubtful {
            self.ask_where(id, now);
        }
    }

    /// Where all of our own network hear us (tinc 1.0, `LocalDiscovery`): a node that is among
    /// them answers from where it is, and is sent to there from then on. The port is the one at
    /// which the edges to it see it.
    fn everybody_near(&self, id: NodeId) -> Option<UdpPath> {
        let seen_at = self.peers.get(id)?.path.as_ref()?.address?;
        let everybody: IpAddr = match seen_at {
            SocketAddr::V4(_) => Ipv4Addr::BROADCAST.into(),
            SocketAddr::V6(_) => ALL_NODES.into(),
        };
        let wanted = self.settings.local_discovery;
        wanted.then(|| self.udp_path((everybody, seen_at.port()).into()))?
    }

    fn send_probe(
        &mut self,
        id: NodeId,
        len: u16,
        key: &OutKey,
        path: UdpPath,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let frame = probe::request(len, rng);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.round_trip.on_probe(probe::mark(&frame), now);
        }
        let mut bytes = Vec::new();
        if key.seal_probe(&frame, &mut bytes) {
            self.outputs.push_back(Output::Datagram(SealedDatagram {
                path,
                handling: Handling::default(),
                bytes,
                too_big: Up::TooBig { peer: id, len },
            }));
        }
    }

    /// Packets have begun to flow to a node: its path is watched until they no longer do.
    pub(super) fn flowing(&mut self, id: NodeId, now: Instant) {
        let Some(key) = self.peers.get(id).and_then(|peer| peer.out_key.as_ref()) else {
            return;
        };
        key.key.set_watched(true);
        if !self.timers.is_set(&Timer::Watch(id)) {
            self.timers.set(Timer::Watch(id), now + LOOK_INTERVAL);
        }
    }

    /// One look at a path over which packets flow.
    pub(super) fn watch(&mut self, id: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let (Some(key), Some(path)) = (&peer.out_key, peer.udp) else {
            // The first packet by the next key is reported anew.
            peer.watch = Watch::default();
            return;
        };
        let key = Arc::clone(&key.key);
        let longest = key.take_longest();
        let proven = peer.pmtu.min_mtu();
        if proven == 0 {
            // Packets go by TCP already.
            peer.watch = Watch::default();
            key.set_watched(false);
            return;
        }
        match peer.watch.look(longest, proven) {
            Step::Rest => key.set_watched(false),
            Step::Probe(len, next) => {
                self.timers.set(Timer::Watch(id), now + next);
                self.send_probe(id, len, &key, path, now, rng);
            }
            Step::Broken(len) => {
                key.set_watched(false);
                self.withhold_key(id, len, now);
                self.path_mtu_event(id, now, Pmtu::on_broken);
            }
        }
    }

    pub(super) fn probe_answered(&mut self, id: NodeId, len: u16, mark: u32, now: Instant) {
        let seen = self.peers.get_mut(id).and_then(|peer| {
            peer.round_trip.on_reply(mark, now);
            peer.watch.on_reply(len)
        });
        if let Some(next) = seen {
            self.timers.set(Timer::Watch(id), now + next);
        }
        // What was lost has to pass again: a shorter probe may have been answered before the node
        // heard that it has no key.
        if let Some(peer) = self.peers.get_mut(id)
            && peer.withheld.is_some_and(|withheld| len >= withheld.len)
        {
            peer.withheld = None;
        }
        self.path_mtu_event(id, now, |pmtu| pmtu.on_reply(len));
    }

    /// A neighbour found that UDP does not carry our packets to it.
    pub(super) fn path_denied(&mut self, id: NodeId, now: Instant) {
        if self.peers.get(id).is_some_and(|peer| peer.pmtu.confirmed()) {
            self.path_mtu_event(id, now, Pmtu::on_broken);
        }
    }

    /// A neighbour answered a probe by its meta connection, for want of a key: UDP leads to it.
    pub(super) fn probe_answered_by_tcp(
        &mut self,
        id: NodeId,
        len: u16,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.withheld.is_some_and(|withheld| len >= withheld.len) {
            peer.pmtu.reset();
            self.timers.set(Timer::Probe(id), now);
            self.send_key(id, now, rng);
        }
    }

    pub(super) fn refused_as_too_big(&mut self, id: NodeId, len: u16, now: Instant) {
        self.path_mtu_event(id, now, |pmtu| pmtu.on_too_big(len));
    }

    fn path_mtu_event(
        &mut self,
        id: NodeId,
        now: Instant,
        event: impl FnOnce(&mut Pmtu) -> Effect,
    ) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let before = (peer.pmtu.mtu(), peer.pmtu.min_mtu());
        if event(&mut peer.pmtu) == Effect::TickNow {
            self.timers.set(Timer::Probe(id), now);
        }
        self.path_mtu_changed(id, before, now);
    }

    /// Says what an operator wants to know and has the picture drawn anew.
    fn path_mtu_changed(&mut self, id: NodeId, before: (u16, u16), now: Instant) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let after = (peer.pmtu.mtu(), peer.pmtu.min_mtu());
        if after == before {
            return;
        }
        if (before.1 == 0) != (after.1 == 0) {
            peer.udp_turned = Some(now);
        }
        self.stale.peers.insert(id);
        let place = peer.udp.map(|udp| udp.address.to_string());
        let place = place.as_deref().unwrap_or("address unknown");
        let name = self.name_of(id);
        match (before, after) {
            ((_, 0), (_, proven)) if proven != 0 => {
                tracing::info!("UDP path to {name} ({place}) works, at least {proven} bytes");
            }
            ((_, proven), (_, 0)) if proven != 0 => {
                tracing::info!("UDP path to {name} ({place}) is silent, packets go by TCP");
            }
            ((old, _), (mtu, proven)) if mtu != old => {
                tracing::info!("path MTU to {name} ({place}) is {mtu}, proven {proven}");
            }
            _ => {}
        }
    }

    /// An authentic, fresh packet of a node came from somewhere new.
    pub(super) fn source_proven(
        &mut self,
        id: NodeId,
        path: UdpPath,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.path.is_none() || peer.udp == Some(path) {
            return;
        }
        let moved = peer.udp.is_none_or(|udp| udp.address != path.address);
        peer.udp = Some(path);
        self.stale.peers.insert(id);
        if moved {
            peer.round_trip = RoundTrip::default();
            tracing::info!("{} sends UDP from {}", self.name_of(id), path.address);
            // Unless that is done already: its key may have come while nobody knew where to send.
            self.start_probing(id, now, rng);
        }
    }

    /// A relay told where it sees a node. An address at which the node answers us is better.
    pub(super) fn reflexive_address(&mut self, id: NodeId, address: SocketAddr) {
        let path = self.udp_path(address);
        if let Some(peer) = self.peers.get_mut(id)
            && path.is_some()
            && peer.udp != path
            && !peer.pmtu.confirmed()
        {
            peer.udp = path;
            // Probed anew from now on, as by the node itself, so that both NATs open.
            peer.pmtu.reset();
            self.timers.stop(&Timer::Probe(id));
            self.stale.peers.insert(id);
        }
    }
}
