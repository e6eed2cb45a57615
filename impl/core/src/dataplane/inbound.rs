//! Network to device: one value for the thread that reads the UDP sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::egress::frame_len;
use super::{
    Egress, Forwarder, Forwarding, Handling, InKey, KeyEpoch, Origin, PeerPath, UdpPath, Up,
};
use crate::budget::Budget;
use crate::constants::{MAX_PACKET, MAX_SEQNO, SEQNO_LEN};
use crate::crypto::packet::{LANES, OpenError};
use crate::graph::NodeId;
use crate::tunnel::probe;
use crate::tunnel::replay::ReplayWindow;

/// How often all keys may be tried on a packet from an unknown address, so that a flood of rubbish
/// does not cost us a flood of MACs. Ours; tincd's once a second is spent on what we ourselves
/// send to everybody on a network.
const FULL_SEARCHES: Budget = Budget::new(8, Duration::from_millis(125));

/// How often so many nodes that are known at the same IP address may be tried, for the same reason. Ours: thirty Pis
/// behind one address whose router gives them all other ports are found at once.
const NEIGHBOURHOOD: usize = 64;
const NEAR_SEARCHES: Budget = Budget::new(256, Duration::from_millis(2));

/// Finds out who sent a packet, opens it and passes the frame on.
#[derive(Debug)]
pub struct Inbound {
    forwarder: Forwarder,
    windows: HashMap<KeyEpoch, Window>,
    near_searches: Budget,
    full_searches: Budget,
    /// Where compressed frames expand.
    room: Vec<u8>,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            forwarder: Forwarder::default(),
            windows: HashMap::new(),
            near_searches: NEAR_SEARCHES,
            full_searches: FULL_SEARCHES,
            room: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct Window {
    peer: NodeId,
    replay: ReplayWindow,
}

/// Which key opened a packet, its sequence number and the length of its body.
struct Key<'f> {
    key: &'f InKey,
    seqno: u32,
    len: usize,
}

/// An authentic packet, decrypted in place.
struct Opened<'f, 'a> {
    peer: NodeId,
    key: &'f InKey,
    seqno: u32,
    body: &'a mut [u8],
}

/// Datagrams that came from one address, one behind the other (Linux, `udp(7)`, `UDP_GRO`).
#[derive(Debug)]
pub struct Datagrams<'a> {
    /// All of their bytes.
    pub bytes: &'a mut [u8],
    /// Bytes of each but the last, which may be shorter.
    pub size: usize,
}

impl<'a> Datagrams<'a> {
    /// A datagram that came alone.
    #[must_use]
    pub fn one(bytes: &'a mut [u8]) -> Self {
        let size = bytes.len();
        Self { bytes, size }
    }
}

impl Inbound {
    /// Takes datagrams that came from one address. Frames in them that are for the
    /// device are handed to `deliver`; everything else that follows is appended to `egress`.
    ///
    /// Whatever is not authentic, or was seen before, is dropped without effect: in particular
    /// the sender's address is learned only from a packet that passed both checks.
    pub fn open(
        &mut self,
        datagrams: Datagrams<'_>,
        from: UdpPath,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
        mut deliver: impl FnMut(&[u8]),
    ) {
        let expected = forwarding.sources.get(&from.address).copied();
        let newest = expected.and_then(|peer| {
            let key = forwarding.peer(peer)?.in_keys.first()?;
            Some((peer, &**key))
        });
        // No node sends longer ones, and who wants to keep us busy would.
        if datagrams.size > MAX_PACKET {
            return;
        }
        let size = datagrams.size.max(1);
        for some in datagrams.bytes.chunks_mut(size.saturating_mul(LANES)) {
            // Most are sealed by the newest key of who is known at that address.
            let mut authentic = [false; LANES];
            if let Some((_, key)) = newest {
                let mut lanes = [&[][..]; LANES];
                let mut count = 0;
                for (lane, datagram) in lanes.iter_mut().zip(some.chunks(size)) {
                    (*lane, count) = (datagram, count + 1);
                }
                let lanes = lanes.get(..count).unwrap_or_default();
                key.opener.verify(lanes, &mut authentic);
            }
            for (datagram, authentic) in some.chunks_mut(size).zip(authentic) {
                let opened = match newest.filter(|_| authentic) {
                    Some((peer, key)) => opened(peer, key, datagram),
                    None => self.authenticate(datagram, from.address, expected, forwarding, now),
                };
                if let Some(opened) = opened
                    && let Some(frame) = self.take(opened, from, forwarding, now, egress)
                {
                    deliver(frame);
                }
            }
        }
    }

    /// Takes an authentic packet and returns the frame in it if it is for the device.
    fn take<'a>(
        &'a mut self,
        opened: Opened<'_, 'a>,
        from: UdpPath,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) -> Option<&'a [u8]> {
        let Opened {
            peer,
            key,
            seqno,
            body,
        } = opened;
        if !self.is_fresh(peer, key.epoch, seqno, forwarding) {
            return None;
        }
        let frame = key.opener.expand(body, &mut self.room)?;
        let path = forwarding.peer(peer)?;
        if path.udp != Some(from) {
            egress.report(Up::Source { peer, path: from });
        }
        if seqno > MAX_SEQNO {
            egress.report(Up::KeySpent(peer));
        }
        if path
            .in_keys
            .first()
            .is_some_and(|newest| newest.epoch != key.epoch)
        {
            egress.report(Up::OldKey(peer));
        }
        match probe::kind(frame) {
            Some(probe::Kind::Request) => {
                answer(frame, peer, path, from, egress);
                None
            }
            Some(probe::Kind::Reply) => {
                let len = frame_len(frame);
                let mark = probe::mark(frame);
                egress.report(Up::ProbeReply { peer, len, mark });
                None
            }
            None => {
                let origin = Origin::Udp(peer);
                let for_device = self
                    .forwarder
                    .forward(frame, origin, forwarding, now, egress);
                for_device.then_some(&*frame)
            }
        }
    }

    fn authenticate<'f, 'a>(
        &mut self,
        datagram: &'a mut [u8],
        from: SocketAddr,
        expected: Option<NodeId>,
        forwarding: &'f Forwarding,
        now: Instant,
    ) -> Option<Opened<'f, 'a>> {
        let known = expected.and_then(|peer| {
            let path = forwarding.peer(peer)?;
            Some((peer, open_by_any(path, datagram)?))
        });
        let found = known.or_else(|| self.search(datagram, from, expected, forwarding, now));
        let (peer, Key { key, seqno, len }) = found?;
        let body = datagram.get_mut(SEQNO_LEN..SEQNO_LEN + len)?;
        Some(Opened {
            peer,
            key,
            seqno,
            body,
        })
    }

    /// Looks for the sender of a packet from an unknown address by trying keys, as often as the
    /// budgets allow: first those of nodes known at the same IP address (a NAT that moved the
    /// port), then everybody's. Only packets with a MAC can be recognised this way.
    fn search<'f>(
        &mut self,
        datagram: &mut [u8],
        from: SocketAddr,
        tried: Option<NodeId>,
        forwarding: &'f Forwarding,
        now: Instant,
    ) -> Option<(NodeId, Key<'f>)> {
        let nodes = |near: bool| {
            forwarding
                .peers
                .iter()
                .filter(move |(id, path)| {
                    Some(*id) != tried && path.known_at.contains(&from.ip()) == near
                })
                .filter(|(_, path)| path.in_keys.first().is_some_and(|key| key.authenticates))
        };
        let mut open =
            |(id, path): (NodeId, &'f Arc<PeerPath>)| Some((id, open_by_any(path, datagram)?));
        // Asked first: even to look who is known there is much to do for a packet of rubbish.
        let is_near = forwarding.neighbourhoods.contains_key(&from.ip());
        if is_near && self.near_searches.take(now) {
            let mut more =
                |n: usize| !n.is_multiple_of(NEIGHBOURHOOD) || self.near_searches.take(now);
            let mut affordable = (1..)
                .zip(nodes(true))
                .map_while(|(n, node)| more(n).then_some(node));
            let found = affordable.find_map(&mut open);
            if found.is_some() {
                return found;
            }
        }
        if !self.full_searches.take(now) {
            return None;
        }
        nodes(false).find_map(open)
    }

    fn is_fresh(
        &mut self,
        peer: NodeId,
        epoch: KeyEpoch,
        seqno: u32,
        forwarding: &Forwarding,
    ) -> bool {
        if !self.windows.contains_key(&epoch) {
            // Windows of keys that are no longer accepted go, whoever's they are: a peer can
            // make up nodes and take them back again.
            self.windows.retain(|known, window| {
                forwarding
                    .peer(window.peer)
                    .is_some_and(|path| path.in_keys.iter().any(|key| key.epoch == *known))
            });
        }
        self.windows
            .entry(epoch)
            .or_insert_with(|| Window {
                peer,
                replay: ReplayWindow::new(forwarding.replay_window),
            })
            .replay
            .accept(seqno)
            .is_ok()
    }
}

/// Opens a packet in place that is authentic by a key of a node's.
fn opened<'f, 'a>(peer: NodeId, key: &'f InKey, datagram: &'a mut [u8]) -> Option<Opened<'f, 'a>> {
    let (seqno, body) = key.opener.open_authentic(datagram).ok()?;
    Some(Opened {
        peer,
        key,
        seqno,
        body,
    })
}

/// Opens a packet in place by one of a node's keys.
fn open_by_any<'f>(path: &'f PeerPath, datagram: &mut [u8]) -> Option<Key<'f>> {
    for key in &path.in_keys {
        match key.opener.open(datagram) {
            Ok((seqno, body)) => {
                return Some(Key {
                    key,
                    seqno,
                    len: body.len(),
                });
            }
            // The packet is as it was: the key before may fit.
            Err(OpenError::Mac) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Sends a probe back where it came from; without a key the peer has to try again, since
/// probes never travel by TCP.
fn answer(frame: &mut [u8], peer: NodeId, path: &PeerPath, from: UdpPath, egress: &mut Egress) {
    probe::make_reply(frame);
    let Some(key) = &path.out_key else {
        egress.report(Up::KeyWanted(peer));
        return;
    };
    let (handling, len) = (Handling::default(), frame_len(frame));
    egress.push_datagram((peer, from), handling, len, key, |key, out| {
        key.lay_out_probe(frame, out)
    });
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::super::Policy;
    use super::*;
    use crate::crypto::algorithm::PacketSpec;
    use crate::crypto::packet::{PacketKey, Sealer};
    use crate::graph::Graph;
    use crate::options::Options;

    /// The way to a neighbour, and keys that it was told, the newest first.
    fn path(peer: NodeId, udp: UdpPath, keys: &[(&PacketKey, u64)]) -> PeerPath {
        let in_keys = keys.iter();
        PeerPath {
            via: peer,
            nexthop: peer,
            options: Options::NONE,
            mtu: 1518,
            min_mtu: 0,
            udp: Some(udp),
            out_key: None,
            in_keys: in_keys
                .map(|(key, epoch)| Arc::new(InKey::new(key, KeyEpoch(*epoch))))
                .collect(),
            known_at: vec![udp.address.ip()],
        }
    }

    fn learn(forwarding: &mut Forwarding, peer: NodeId, path: PeerPath) {
        for ip in &path.known_at {
            forwarding.neighbourhoods.insert_mut(*ip, 1);
        }
        forwarding.peers.insert(peer, Arc::new(path));
    }

    #[test]
    fn no_replay_window_outlives_its_key() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut graph = Graph::new("me".parse().unwrap());
        let (now, from) = (Instant::now(), ([192, 0, 2, 1], 655).into());
        let from = UdpPath {
            address: from,
            socket: 0,
        };
        let mut inbound = Inbound::default();
        for epoch in 0..20 {
            // Another node each time: the one before is forgotten.
            let peer = graph.intern(&format!("node{epoch}").parse().unwrap());
            let key = PacketKey::generate(PacketSpec::default(), &mut rng);
            let mut forwarding = Forwarding::alone(graph.me(), Policy::default());
            let path = path(peer, from, &[(&key, epoch)]);
            learn(&mut forwarding, peer, path);
            let mut datagram = Vec::new();
            Sealer::new(&key).seal(1, &[1; 64], &mut datagram);
            let mut egress = Egress::default();
            let datagram = Datagrams::one(&mut datagram);
            inbound.open(datagram, from, &forwarding, now, &mut egress, |_| {});
            assert_eq!(inbound.windows.len(), 1);
        }
    }

    #[test]
    fn nobody_is_looked_for_more_often_than_the_budget_allows() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut graph = Graph::new("me".parse().unwrap());
        let (now, at) = (Instant::now(), |port| UdpPath {
            address: ([192, 0, 2, 1], port).into(),
            socket: 0,
        });
        let peer = graph.intern(&"peer".parse().unwrap());
        let key = PacketKey::generate(PacketSpec::default(), &mut rng);
        let mut forwarding = Forwarding::alone(graph.me(), Policy::default());
        learn(&mut forwarding, peer, path(peer, at(655), &[(&key, 1)]));
        let (mut inbound, mut egress) = (Inbound::default(), Egress::default());
        let mut is_found = |inbound: &mut Inbound, datagram: &mut [u8], now| {
            egress.clear();
            let datagram = Datagrams::one(datagram);
            inbound.open(datagram, at(1024), &forwarding, now, &mut egress, |_| {});
            egress.reports().any(|up| matches!(up, Up::Source { .. }))
        };
        let mut sealed = Vec::new();
        Sealer::new(&key).seal(1, &[1; 64], &mut sealed);
        for _ in 0..1000 {
            assert!(!is_found(&mut inbound, &mut [7; 100], now));
        }
        assert!(!is_found(&mut inbound, &mut sealed.clone(), now));
        let later = now + Duration::from_secs(1);
        assert!(is_found(&mut inbound, &mut sealed, later));
    }

    #[test]
    fn what_is_longer_than_any_packet_is_dropped_unread() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut graph = Graph::new("me".parse().unwrap());
        let peer = graph.intern(&"peer".parse().unwrap());
        let key = PacketKey::generate(PacketSpec::default(), &mut rng);
        let (address, socket) = (([192, 0, 2, 1], 655).into(), 0);
        let from = UdpPath { address, socket };
        let mut forwarding = Forwarding::alone(graph.me(), Policy::default());
        learn(&mut forwarding, peer, path(peer, from, &[(&key, 1)]));
        for (len, windows) in [(1600, 1), (1700, 0)] {
            let (mut inbound, mut egress) = (Inbound::default(), Egress::default());
            let mut datagram = Vec::new();
            Sealer::new(&key).seal(1, &vec![1; len], &mut datagram);
            let (datagram, now) = (Datagrams::one(&mut datagram), Instant::now());
            inbound.open(datagram, from, &forwarding, now, &mut egress, |_| {});
            assert_eq!(inbound.windows.len(), windows, "{len}");
        }
    }

    #[test]
    fn the_use_of_a_replaced_key_is_reported() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut graph = Graph::new("me".parse().unwrap());
        let peer = graph.intern(&"peer".parse().unwrap());
        let keys = [0; 2].map(|_| PacketKey::generate(PacketSpec::default(), &mut rng));
        let (address, socket) = (([192, 0, 2, 1], 655).into(), 0);
        let from = UdpPath { address, socket };
        let mut forwarding = Forwarding::alone(graph.me(), Policy::default());
        let path = path(peer, from, &[(&keys[0], 2), (&keys[1], 1)]);
        learn(&mut forwarding, peer, path);
        for (key, reported) in keys.iter().zip([vec![], vec![Up::OldKey(peer)]]) {
            let mut datagram = Vec::new();
            Sealer::new(key).seal(1, &[1; 64], &mut datagram);
            let (mut inbound, mut egress) = (Inbound::default(), Egress::default());
            let (datagram, now) = (Datagrams::one(&mut datagram), Instant::now());
            inbound.open(datagram, from, &forwarding, now, &mut egress, |_| {});
            let reports: Vec<_> = egress.reports().collect();
            assert_eq!(reports, reported);
        }
    }
}
