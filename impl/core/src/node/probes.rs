//! Proving that UDP works, and how large a packet may be.

use std::net::SocketAddr;
use std::time::Instant;

use rand_core::CryptoRng;

use super::{Node, Output, SealedDatagram, Timer};
use crate::dataplane::{Handling, UdpPath, Up};
use crate::graph::NodeId;
use crate::options::Options;
use crate::tunnel::pmtu::{Effect, Pmtu};
use crate::tunnel::probe;

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
        for len in round.probes.as_slice().iter().copied() {
            let frame = probe::request(len, rng);
            let mut bytes = Vec::new();
            if !key.key.seal_probe(&frame, &mut bytes) {
                continue;
            }
            self.outputs.push_back(Output::Datagram(SealedDatagram {
                path,
                handling: Handling::default(),
                bytes,
                too_big: Up::TooBig { peer: id, len },
            }));
        }
        self.timers.set(Timer::Probe(id), now + round.next);
        self.path_mtu_changed(id, before);
        if round.doubtful {
            self.ask_where(id, now);
        }
    }

    pub(super) fn probe_answered(&mut self, id: NodeId, len: u16, now: Instant) {
        self.path_mtu_event(id, now, |pmtu| pmtu.on_reply(len));
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
        self.path_mtu_changed(id, before);
    }

    /// Says what an operator wants to know and has the picture drawn anew.
    fn path_mtu_changed(&mut self, id: NodeId, before: (u16, u16)) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let now = (peer.pmtu.mtu(), peer.pmtu.min_mtu());
        if now == before {
            return;
        }
        self.paths_stale = true;
        let place = peer.udp.map(|udp| udp.address.to_string());
        let place = place.as_deref().unwrap_or("address unknown");
        let name = self.name_of(id);
        match (before, now) {
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
    pub(super) fn source_proven(&mut self, id: NodeId, path: UdpPath) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.path.is_none() || peer.udp == Some(path) {
            return;
        }
        let moved = peer.udp.is_none_or(|udp| udp.address != path.address);
        peer.udp = Some(path);
        self.paths_stale = true;
        if moved {
            tracing::info!("{} sends UDP from {}", self.name_of(id), path.address);
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
            self.paths_stale = true;
        }
    }
}
