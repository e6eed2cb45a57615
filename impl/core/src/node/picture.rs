//! Draws the snapshot that the data plane forwards by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::peer::Peer;
use super::{Node, Output};
use crate::dataplane::{Forwarding, Owner, PeerPath};
use crate::graph::{IdMap, NodeId};
use crate::subnet::{Mac, SubnetAddr};

impl Node {
    /// Publishes a new picture if the one in force no longer holds.
    pub(super) fn publish(&mut self) {
        if !self.picture_stale {
            return;
        }
        self.picture_stale = false;
        self.picture = Arc::new(self.draw());
        self.outputs
            .push_back(Output::Publish(Arc::clone(&self.picture)));
    }

    fn draw(&self) -> Forwarding {
        let mut peers = IdMap::default();
        let mut sources = HashMap::new();
        for (id, peer) in self.peers.iter().filter(|(id, _)| *id != self.me()) {
            let Some(path) = self.peer_path(id, peer) else {
                continue;
            };
            if let Some(udp) = path.udp {
                sources.entry(udp.address).or_insert(id);
            }
            peers.insert(id, Arc::new(path));
        }
        let broadcast = if self.settings.broadcast {
            self.graph.tree_neighbours()
        } else {
            Vec::new()
        };
        Forwarding {
            me: self.me(),
            mode: self.settings.mode,
            options: self.settings.options,
            relays: self.settings.relays,
            peers,
            macs: self.mac_owners(),
            sources,
            broadcast,
            replay_window: self.settings.replay_window,
        }
    }

    fn peer_path(&self, id: NodeId, peer: &Peer) -> Option<PeerPath> {
        let path = peer.path.as_ref()?;
        let mut known_at: Vec<_> = self
            .graph
            .edges_from(id)
            .filter_map(|(_, to, _)| self.graph.edge(to, id)?.endpoint.socket_addr())
            .map(|address| address.ip())
            .collect();
        known_at.sort_unstable();
        known_at.dedup();
        Some(PeerPath {
            via: path.via,
            nexthop: path.nexthop,
            options: path.options,
            mtu: peer.pmtu.mtu(),
            min_mtu: peer.pmtu.min_mtu(),
            udp: peer.udp,
            out_key: peer.out_key.as_ref().map(|out| Arc::clone(&out.key)),
            in_keys: peer
                .in_keys
                .iter()
                .map(|key| Arc::clone(&key.key))
                .collect(),
            known_at,
        })
    }

    /// Who has which MAC address: of several owners the reachable one with the lowest weight,
    /// then the first by name; whatever is behind our own device is ours.
    fn mac_owners(&self) -> HashMap<Mac, Owner> {
        let mut claims: HashMap<Mac, (i32, NodeId)> = HashMap::new();
        let others = self.graph.nodes().filter(|(_, id)| *id != self.me());
        for (_, id) in others.filter(|(_, id)| self.is_reachable(*id)) {
            let Some(peer) = self.peers.get(id) else {
                continue;
            };
            for subnet in &peer.subnets {
                let SubnetAddr::Mac(mac) = subnet.addr else {
                    continue;
                };
                match claims.entry(mac) {
                    Entry::Occupied(held) if held.get().0 <= subnet.weight => {}
                    Entry::Occupied(mut held) => {
                        held.insert((subnet.weight, id));
                    }
                    Entry::Vacant(free) => {
                        free.insert((subnet.weight, id));
                    }
                }
            }
        }
        let remote = claims
            .into_iter()
            .map(|(mac, (_, id))| (mac, Owner::Node(id)));
        let local = self
            .leases
            .iter()
            .map(|(mac, lease)| (*mac, Owner::Device(Arc::clone(lease))));
        remote.chain(local).collect()
    }
}
