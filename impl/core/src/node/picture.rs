//! Draws the snapshot that the data plane forwards by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use super::peer::Peer;
use super::{Node, Output};
use crate::dataplane::{Border, Broadcast, Forwarding, Owner, Owners, PeerPath};
use crate::graph::{IdMap, NodeId};
use crate::subnet::{Claim, IpTable, Mac, SubnetAddr};

impl Node {
    /// Publishes a new picture if the one in force no longer holds.
    pub(super) fn publish(&mut self) {
        if !self.picture_stale && !self.paths_stale {
            return;
        }
        let (owners, border) = if self.picture_stale {
            (Arc::new(self.owners()), self.border().map(Arc::new))
        } else {
            (
                Arc::clone(&self.picture.owners),
                self.picture.border.clone(),
            )
        };
        self.picture_stale = false;
        self.paths_stale = false;
        self.picture = Arc::new(self.draw(owners, border));
        self.outputs
            .push_back(Output::Publish(Arc::clone(&self.picture)));
    }

    /// Takes note of what the kernel knows of our device.
    pub(super) fn device_is(&mut self, mac: Option<Mac>, addresses: &[IpAddr]) {
        if let Some(mac) = mac {
            self.station.starts_at(mac);
        }
        self.paths_stale |= self.station.has(addresses);
    }

    fn draw(&self, owners: Arc<Owners>, border: Option<Arc<Border>>) -> Forwarding {
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
        let broadcast = match self.settings.policy.broadcast {
            Broadcast::No => Vec::new(),
            _ if !self.settings.trust.introduces() => Vec::new(),
            Broadcast::Tree => self.graph.tree_neighbours(),
            Broadcast::Direct => self.direct_nodes(&peers),
        };
        Forwarding {
            me: self.me(),
            policy: self.settings.policy,
            options: self.settings.options,
            peers,
            owners,
            station: self.station.clone(),
            sources,
            broadcast,
            border,
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

    /// Nodes that broadcasts are sent to without a relay: neighbours, and others that may be sent
    /// UDP packets (tinc 1.0, `Broadcast = direct`).
    fn direct_nodes(&self, peers: &IdMap<Arc<PeerPath>>) -> Vec<NodeId> {
        let is_direct = |id: NodeId, path: &PeerPath| {
            path.via == id || (path.via == self.me() && path.nexthop == id)
        };
        peers
            .iter()
            .filter(|(id, path)| is_direct(*id, path) && path.udp.is_some())
            .map(|(id, _)| id)
            .collect()
    }

    fn owners(&self) -> Owners {
        Owners {
            macs: self.mac_owners(),
            ips: IpTable::new(self.claims()),
        }
    }

    /// The rules of the border, for the nodes that are known: nobody else can send anything.
    fn border(&self) -> Option<Border> {
        let rules = self.border_rules.as_ref()?;
        let owners = rules.owners.iter();
        let owners = owners.map(|(name, prefix)| (*prefix, self.graph.find(name)));
        let pool = rules.pool.iter().map(|prefix| (*prefix, None));
        let sites = rules.sites.iter().filter_map(|name| self.graph.find(name));
        let counts = Arc::clone(&self.border_counts);
        let residents = Arc::clone(&self.residents);
        Some(Border::new(
            owners.chain(pool),
            sites.collect(),
            rules.own.clone(),
            counts,
            residents,
        ))
    }

    /// Every subnet of every node, in the order of the names.
    fn claims(&self) -> impl Iterator<Item = Claim<NodeId>> {
        self.graph.nodes().flat_map(|(_, id)| {
            let reachable = id == self.me() || self.is_reachable(id);
            let subnets = self.peers.get(id).map(|peer| &peer.subnets);
            subnets.into_iter().flatten().map(move |subnet| Claim {
                subnet: *subnet,
                owner: id,
                reachable,
            })
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
