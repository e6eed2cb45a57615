//! Draws the snapshot that the data plane forwards by.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::peer::Peer;
use super::{Node, Output};
use crate::dataplane::{
    Border, Broadcast, Forwarding, Neighbourhoods, Owner, Owners, PeerPath, Sources,
};
use crate::graph::{IdMap, NodeId};
use crate::subnet::{Claim, IpTable, Mac, SubnetAddr};

/// What of the picture in force no longer holds.
#[derive(Debug, Default)]
pub(super) struct Stale {
    /// How these nodes are reached; who is not any more among them.
    pub(super) peers: BTreeSet<NodeId>,
    /// Who owns what.
    pub(super) owners: bool,
    /// What is checked at the border.
    pub(super) border: bool,
    /// Our own device.
    pub(super) station: bool,
}

impl Stale {
    fn is_nothing(&self) -> bool {
        let others = self.owners || self.border || self.station;
        self.peers.is_empty() && !others
    }
}

impl Node {
    /// Publishes the picture if it is another one than the data plane has.
    pub(super) fn publish(&mut self) {
        self.redraw();
        if std::mem::take(&mut self.is_unpublished) {
            let picture = Arc::clone(&self.picture);
            self.outputs.push_back(Output::Publish(picture));
        }
    }

    /// Draws a new picture if the one before no longer holds.
    pub(super) fn redraw(&mut self) {
        if self.stale.is_nothing() {
            return;
        }
        let stale = std::mem::take(&mut self.stale);
        self.picture = Arc::new(self.draw(&stale));
        self.is_unpublished = true;
        debug_assert_eq!(self.misdrawn(), None, "nobody said that it is stale");
    }

    /// Who owns what has changed. All of it is drawn anew once, which counts for whoever has changed it first.
    pub(super) fn owners_changed(&mut self) {
        if !self.stale.owners {
            self.stale.owners = true;
            self.effort += self.subnets_heard;
        }
    }

    /// Takes note of what the kernel knows of our device.
    pub(super) fn device_is(&mut self, mac: Option<Mac>, addresses: &[IpAddr]) {
        if let Some(mac) = mac {
            self.station.starts_at(mac);
        }
        self.stale.station |= self.station.has(addresses);
    }

    /// The picture in force with what is stale drawn anew.
    fn draw(&mut self, stale: &Stale) -> Forwarding {
        let before = Arc::clone(&self.picture);
        let mut peers = before.peers.clone();
        let mut neighbourhoods = before.neighbourhoods.clone();
        let mut moved = Vec::new();
        for id in stale.peers.iter().copied().filter(|id| *id != self.me()) {
            let path = self.peers.get(id).and_then(|peer| self.peer_path(id, peer));
            let new = path.map(Arc::new);
            let old = match &new {
                Some(path) => peers.insert(id, Arc::clone(path)),
                None => peers.remove(id),
            };
            let [old, new] = [old.as_deref(), new.as_deref()];
            let places = [old, new].map(|path| place(path?));
            if let [old, new] = places
                && old != new
            {
                moved.push((id, old, new));
            }
            count_anew(&mut neighbourhoods, known_at(old), known_at(new));
        }
        let mut sources = before.sources.clone();
        move_sources(&mut sources, &moved, &peers);
        let owners = if stale.owners {
            Arc::new(self.owners())
        } else {
            Arc::clone(&before.owners)
        };
        let border = if stale.border {
            self.border().map(Arc::new)
        } else {
            before.border.clone()
        };
        let broadcast = match self.settings.policy.broadcast {
            Broadcast::No => Vec::new(),
            _ if !self.settings.trust.introduces() => Vec::new(),
            Broadcast::Tree => self.routes.tree(&self.graph).to_vec(),
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
            neighbourhoods,
            broadcast,
            border,
            replay_window: self.settings.replay_window,
        }
    }

    fn peer_path(&self, id: NodeId, peer: &Peer) -> Option<PeerPath> {
        let path = peer.path.as_ref()?;
        // It is looked for only where it can have sealed something for us.
        let known_at = match peer.in_keys.is_empty() {
            true => Vec::new(),
            false => self.graph.seen_at(id).collect(),
        };
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

    /// A node that is not as the picture shows it.
    fn misdrawn(&self) -> Option<NodeId> {
        let others = self.peers.iter().filter(|(id, _)| *id != self.me());
        let mut others = others.map(|(id, peer)| (id, self.peer_path(id, peer)));
        let is_other =
            |(id, path): &(NodeId, Option<PeerPath>)| !match (path, self.picture.peer(*id)) {
                (Some(path), Some(drawn)) => path.is_same(drawn),
                (path, drawn) => path.is_none() && drawn.is_none(),
            };
        others.find(is_other).map(|(id, _)| id)
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

/// Where a node is sent UDP packets, and whether that is proven to be right.
type Place = (SocketAddr, bool);

fn known_at(path: Option<&PeerPath>) -> &[IpAddr] {
    path.map_or(&[], |path| &path.known_at)
}

fn place(path: &PeerPath) -> Option<Place> {
    path.udp.map(|udp| (udp.address, path.min_mtu > 0))
}

/// Takes note of who is no longer at an address, and who is. Of several at one address one that is proven to be there
/// counts before those that others said to be, and else the one that was known first.
fn move_sources(
    sources: &mut Sources,
    moved: &[(NodeId, Option<Place>, Option<Place>)],
    peers: &IdMap<Arc<PeerPath>>,
) {
    let rank = |id: NodeId, address: SocketAddr| {
        let (at, proven) = place(peers.get(id)?)?;
        (at == address).then_some((!proven, id))
    };
    for (id, old, new) in moved {
        if let Some((old, _)) = *old
            && sources.get(&old) == Some(id)
            && *new != Some((old, true))
        {
            let there = peers.iter().filter_map(|(id, _)| rank(id, old));
            match there.min() {
                Some((_, first)) => sources.insert_mut(old, first),
                None => drop(sources.remove_mut(&old)),
            }
        }
    }
    for (id, _, new) in moved {
        if let Some((new, _)) = *new {
            let first = sources.get(&new).and_then(|first| rank(*first, new));
            if first.is_none_or(|first| rank(*id, new) < Some(first)) {
                sources.insert_mut(new, *id);
            }
        }
    }
}

/// Takes note of where a node is known no longer, and where it is.
fn count_anew(counts: &mut Neighbourhoods, old: &[IpAddr], new: &[IpAddr]) {
    if old == new {
        return;
    }
    for ip in old {
        match counts.get(ip).copied() {
            Some(count) if count > 1 => counts.insert_mut(*ip, count - 1),
            _ => drop(counts.remove_mut(ip)),
        }
    }
    for ip in new {
        let count = counts.get(ip).copied().unwrap_or_default();
        counts.insert_mut(*ip, count + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::dataplane::UdpPath;
    use crate::graph::Graph;
    use crate::options::Options;

    /// Whatever moves where, the first of those that are proven to be at an address is found there, else the first.
    #[test]
    fn the_first_at_an_address_is_who_sends_from_there() {
        const STATES: usize = 5;
        let mut graph = Graph::new("me".parse().unwrap());
        let ids = ["a", "b", "c"].map(|name| graph.intern(&name.parse().unwrap()));
        let mut peers: IdMap<Arc<PeerPath>> = IdMap::default();
        let mut sources = Sources::new_sync();
        // Each of three nodes is nowhere or at one of two addresses, proven or not; every step to every other state.
        let all = STATES.pow(3);
        for step in 0..all * all {
            for state in [step / all, step % all] {
                let mut moved = Vec::new();
                for (id, digit) in ids.into_iter().zip([1, STATES, STATES * STATES]) {
                    let state = state / digit % STATES;
                    let port = u16::try_from(state.div_ceil(2)).unwrap();
                    let at = SocketAddr::from(([192, 0, 2, 1], port));
                    let udp = (state > 0).then_some(UdpPath {
                        address: at,
                        socket: 0,
                    });
                    let path = PeerPath {
                        via: id,
                        nexthop: id,
                        options: Options::NONE,
                        mtu: 0,
                        min_mtu: u16::from(state.is_multiple_of(2)),
                        udp,
                        out_key: None,
                        in_keys: Vec::new(),
                        known_at: Vec::new(),
                    };
                    let new = place(&path);
                    let old = peers.insert(id, Arc::new(path));
                    let old = old.and_then(|old| place(&old));
                    if old != new {
                        moved.push((id, old, new));
                    }
                }
                move_sources(&mut sources, &moved, &peers);
                let mut whole: BTreeMap<SocketAddr, (bool, NodeId)> = BTreeMap::new();
                for (id, path) in peers.iter() {
                    if let Some((at, proven)) = place(path) {
                        let first = whole.entry(at).or_insert((!proven, id));
                        *first = (*first).min((!proven, id));
                    }
                }
                let sources: BTreeMap<_, _> = sources.iter().map(|(at, id)| (*at, *id)).collect();
                let whole = whole.into_iter().map(|(at, (_, id))| (at, id));
                assert_eq!(sources, whole.collect());
            }
        }
    }

    #[test]
    fn an_address_is_known_as_long_as_a_node_is_seen_there() {
        let [a, b] = [1, 2].map(|host| IpAddr::from([192, 0, 2, host]));
        let mut counts = Neighbourhoods::new_sync();
        count_anew(&mut counts, &[], &[a]);
        count_anew(&mut counts, &[], &[a, b]);
        count_anew(&mut counts, &[a], &[]);
        assert!(counts.contains_key(&a));
        count_anew(&mut counts, &[a, b], &[b]);
        assert!(!counts.contains_key(&a));
        assert_eq!(counts.get(&b), Some(&1));
    }
}
