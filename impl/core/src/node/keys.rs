//! Packet keys: the receiver of packets chooses how they are sealed and tells the sender.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::peer::{ReceiveKey, SendKey, Withheld};
use super::{ConnId, Node, Timer};
use crate::addr::Endpoint;
use crate::constants::MAX_LINE;
use crate::crypto::packet::PacketKey;
use crate::dataplane::{InKey, KeyEpoch, OutKey};
use crate::graph::NodeId;
use crate::name::NodeName;
use crate::wire::request::{AnsKey, AnsKeyMaterial, Request};

/// Shortest time between two REQ_KEYs to one node (tinc 1.0).
const ASK_INTERVAL: Duration = Duration::from_secs(10);

/// Tells a node to send nothing by UDP: no key of any cipher has two bytes. A tincd, 1.1 too, is
/// left without a key and sends by its meta connection; a node of our own kind knows what is meant,
/// and keeps the key it has for probes. Ours.
const NO_KEY: [u8; 2] = [0; 2];

/// How long a key is withheld at most from a node that asks for one. A tincd that has one again
/// sends by UDP at once, as long packets as before.
const WITHHOLD: Duration = Duration::from_secs(300);

/// The same for tinc 1.1: the default of its `UDPDiscoveryTimeout`. By then it has given the path
/// up by itself and tries it before it sends packets that way, which it cannot do without a key.
const WITHHOLD_FROM_1_1: Duration = Duration::from_secs(30);

/// From a new key on, how long packets sealed by the one before may be under way. Ours.
const UNDER_WAY: Duration = Duration::from_secs(3);

/// How long packets sealed by the key before are still opened: what is under way when keys
/// change is not lost. Our own; the reference forgets at once.
const GRACE: Duration = Duration::from_secs(10);

impl Node {
    /// A frame could not be sealed for a node: asks it for a key.
    pub(super) fn want_key(&mut self, id: NodeId, now: Instant) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let asked_lately = peer
            .key_asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < ASK_INTERVAL);
        if !asked_lately && peer.out_key.is_none() {
            self.ask_key(id, now);
        }
    }

    /// A node that is no neighbour does not answer. Relays tell where they see it once they have
    /// heard from both of us, and may not have at the time of the key in force: with another key
    /// comes what they know by now.
    pub(super) fn ask_where(&mut self, id: NodeId, now: Instant) {
        if self.peers.get(id).is_some_and(|peer| peer.link.is_none()) {
            self.ask_key(id, now);
        }
    }

    fn ask_key(&mut self, id: NodeId, now: Instant) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.key_asked = Some(now);
        }
        if let (Some(conn), Some(to)) = (self.conn_towards(id), self.graph.name(id)) {
            let from = self.settings.name.clone();
            let to = to.clone();
            self.send(conn, &Request::ReqKey { from, to });
        }
    }

    /// The meta connection that leads to a node.
    fn conn_towards(&self, id: NodeId) -> Option<ConnId> {
        let path = self.peers.get(id)?.path.as_ref()?;
        self.peers.get(path.nexthop)?.link
    }

    /// The same for what others say to one another, if there is room for it.
    fn relay_towards(&self, id: NodeId) -> Option<ConnId> {
        let introduces = self.settings.trust.introduces();
        self.conn_towards(id)
            .filter(|conn| introduces && self.has_room_for_keys(*conn))
    }

    pub(super) fn key_requested(
        &mut self,
        from: &NodeName,
        to: &NodeName,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let (Some(asker), Some(asked)) = (self.graph.find(from), self.graph.find(to)) else {
            return;
        };
        if asked != self.me() {
            if let Some(conn) = self.relay_towards(asked) {
                self.send_line(conn, line);
            }
        } else if asker != self.me() && !self.withholds_key(asker, now) {
            let conn = self.conn_towards(asker);
            if conn.is_some_and(|conn| self.has_room_for_keys(conn)) {
                self.send_key(asker, now, rng);
            }
        }
    }

    /// Packets to a node are lost, and so will be those from it, but a tincd takes a minute to
    /// notice: tells it at once. Only for neighbours, who have another way to send.
    pub(super) fn withhold_key(&mut self, id: NodeId, len: u16, now: Instant) {
        let (Some(to), Some(peer)) = (self.graph.name(id).cloned(), self.peers.get_mut(id)) else {
            return;
        };
        let Some(conn) = peer.link else {
            return;
        };
        let minor = self
            .links
            .get(&conn)
            .and_then(|link| link.meta.peer_minor());
        let until = now + minor.map_or(WITHHOLD, |_| WITHHOLD_FROM_1_1);
        peer.withheld = Some(Withheld { until, len });
        let (cipher, digest, mac_length, compression) = self.settings.packet.numbers();
        let answer = AnsKey {
            from: self.settings.name.clone(),
            to,
            key: AnsKeyMaterial::from_bytes(&NO_KEY),
            cipher,
            digest,
            mac_length,
            compression,
            endpoint: None,
        };
        self.send(conn, &Request::AnsKey(answer));
    }

    fn withholds_key(&self, id: NodeId, now: Instant) -> bool {
        let withheld = self.peers.get(id).and_then(|peer| peer.withheld);
        withheld.is_some_and(|withheld| now < withheld.until)
    }

    /// Makes a key for a node and tells it.
    pub(super) fn send_key(&mut self, id: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        let Some(conn) = self.conn_towards(id) else {
            return;
        };
        let (Some(to), Some(peer)) = (self.graph.name(id), self.peers.get_mut(id)) else {
            return;
        };
        peer.withheld = None;
        let spec = self.settings.packet;
        let key = PacketKey::generate(spec, rng);
        self.keys_made += 1;
        for old in &mut peer.in_keys {
            old.retired.get_or_insert(now);
        }
        // One key before the one in force is enough for what is under way.
        peer.in_keys.truncate(1);
        peer.in_keys.insert(
            0,
            ReceiveKey {
                key: Arc::new(InKey::new(&key, KeyEpoch(self.keys_made))),
                retired: None,
            },
        );
        self.stale.peers.insert(id);
        let answer = key.announce(self.settings.name.clone(), to.clone());
        self.send(conn, &Request::AnsKey(answer));
    }

    pub(super) fn key_answered(
        &mut self,
        answer: &AnsKey,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let (Some(from), Some(to)) = (self.graph.find(&answer.from), self.graph.find(&answer.to))
        else {
            return;
        };
        if to != self.me() {
            self.relay_key(from, to, answer, line);
            return;
        }
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        if from == self.graph.me() || peer.path.is_none() {
            return;
        }
        if answer.key.bytes().is_some_and(|key| *key == NO_KEY) {
            self.path_denied(from, now);
            return;
        }
        // The old key is void even if the new one is unusable.
        peer.out_key = None;
        self.stale.peers.insert(from);
        match PacketKey::from_ans_key(answer, self.settings.packet) {
            Ok(key) => {
                peer.out_key = Some(SendKey {
                    key: Arc::new(OutKey::new(&key)),
                    spec: key.spec(),
                });
                peer.key_asked = None;
                peer.key_refused = None;
            }
            Err(error) => {
                // It is asked again and again while there are packets for it.
                if peer.key_refused.as_ref() != Some(&error) {
                    tracing::warn!(
                        "{} sent a packet key that cannot be used, its packets go by TCP: {error}",
                        answer.from
                    );
                }
                peer.key_refused = Some(error);
                return;
            }
        }
        if let Some(address) = answer.endpoint.as_ref().and_then(Endpoint::socket_addr) {
            self.reflexive_address(from, address);
        }
        self.start_probing(from, now, rng);
    }

    /// Passes an ANS_KEY on, with the address at which we see its sender if that may help the
    /// receiver to reach it through a NAT.
    fn relay_key(&mut self, from: NodeId, to: NodeId, answer: &AnsKey, line: &[u8]) {
        let Some(conn) = self.relay_towards(to) else {
            return;
        };
        let proven = |id| {
            let peer = self.peers.get(id)?;
            (peer.pmtu.min_mtu() != 0).then_some(peer.udp?)
        };
        let seen_at = self.peers.get(from).and_then(|peer| peer.udp);
        match (answer.endpoint.is_none(), seen_at, proven(to)) {
            (true, Some(udp), Some(_)) => {
                self.send_line(conn, &with_address(line, &udp.address.into()));
            }
            _ => self.send_line(conn, line),
        }
    }

    pub(super) fn key_changed(
        &mut self,
        conn: ConnId,
        name: &NodeName,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if !self.past.is_new(line, now) {
            return;
        }
        let Some(id) = self.graph.find(name).filter(|id| *id != self.me()) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let void = peer.out_key.take();
        peer.key_asked = None;
        let nexthop = peer.path.as_ref().map(|path| path.nexthop);
        // Nothing is drawn anew for keys that there are none of.
        if void.is_some() {
            self.stale.peers.insert(id);
        }
        self.pass_on(line, conn, now);
        let lost = void.and_then(|out| out.key.take_kept(now));
        if let (Some(frame), Some(nexthop)) = (lost, nexthop) {
            self.send_packet(nexthop, &frame, rng);
        }
    }

    /// The sequence numbers of a key of ours run out. Packets sealed by it are still opened for
    /// a while after the renewal and report it again.
    pub(super) fn key_spent(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        let renewed_lately = self
            .keys_renewed
            .is_some_and(|renewed| now.saturating_duration_since(renewed) < GRACE);
        if !renewed_lately {
            self.renew_keys(now, rng);
        }
    }

    /// A node still seals by the key before. If nothing can be under way for so long, the new one
    /// went by another way and was overtaken by it: a tincd uses what came last, and its packets
    /// would be lost from the end of [`GRACE`] until it checks the path, for a minute by default.
    pub(super) fn old_key_used(&mut self, id: NodeId, now: Instant, rng: &mut dyn CryptoRng) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let used = peer.in_keys.get_mut(1);
        let overtook = used.filter(|key| {
            key.retired
                .is_some_and(|since| now.saturating_duration_since(since) >= UNDER_WAY)
        });
        if let Some(key) = overtook.filter(|_| peer.withheld.is_none()) {
            // It becomes the key before the next one; nobody has the one between.
            key.retired = None;
            peer.in_keys.remove(0);
            self.send_key(id, now, rng);
        }
    }

    /// Gives everybody new keys; those in force are opened a little longer.
    pub(super) fn renew_keys(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        self.timers
            .set(Timer::KeyExpire, now + self.settings.key_expire);
        self.keys_renewed = Some(now);
        for (_, peer) in self.peers.iter_mut() {
            for key in &mut peer.in_keys {
                key.retired.get_or_insert(now);
            }
        }
        let request = Request::KeyChanged {
            nonce: rng.next_u32(),
            node: self.settings.name.clone(),
        };
        self.flood_request(&request, None);
        let neighbours: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.link.is_some() && peer.path.is_some())
            .map(|(id, _)| id)
            .collect();
        for id in neighbours {
            self.send_key(id, now, rng);
        }
    }

    pub(super) fn expire_retired_keys(&mut self, now: Instant) {
        for (id, peer) in self.peers.iter_mut() {
            let before = peer.in_keys.len();
            peer.in_keys.retain(|key| {
                key.retired
                    .is_none_or(|retired| now.saturating_duration_since(retired) < GRACE)
            });
            if peer.in_keys.len() != before {
                self.stale.peers.insert(id);
            }
        }
    }
}

/// An ANS_KEY with an address behind it, or as it is if the receiver would close the connection
/// for a line so long.
fn with_address(line: &[u8], Endpoint { host, port }: &Endpoint) -> Zeroizing<Vec<u8>> {
    let address = format!(" {host} {port}");
    let fits = line.len() + address.len() < MAX_LINE;
    let address = if fits { address.as_bytes() } else { b"" };
    Zeroizing::new([line, address].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_never_makes_a_line_longer_than_the_next_node_takes() {
        let endpoint = Endpoint::parse("192.0.2.1", "655").unwrap();
        let told = with_address(b"16 a b 00 0 0 0 0", &endpoint);
        assert_eq!(told.as_slice(), b"16 a b 00 0 0 0 0 192.0.2.1 655");
        for len in MAX_LINE - 20..MAX_LINE {
            assert!(with_address(&vec![b'x'; len], &endpoint).len() < MAX_LINE);
        }
    }
}
