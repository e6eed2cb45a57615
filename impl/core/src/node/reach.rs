//! What follows when the graph changes: who can be reached now, and who no longer.

use std::time::Instant;

use rand_core::CryptoRng;

use super::{Node, Output, Script, SocketFamily, Timer, limits};
use crate::addr::Endpoint;
use crate::dataplane::UdpPath;
use crate::graph::{Followed, NodeId, Path};
use crate::subnet::{Subnet, SubnetAddr};

impl Node {
    /// Follows what happened to the graph and acts on every node whose reachability changed, in the order
    /// of the names: scripts, keys, path MTU. A new neighbour tells all its edges at once; one time
    /// for all of them is enough, as long as nobody asks who is reachable in between.
    pub(super) fn settle(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        let Followed {
            rerouted,
            touched,
            searched,
        } = self.routes.follow(&mut self.graph);
        self.effort += searched + rerouted.len() * limits::EDGES_A_NODE;
        // Where others see a node is a part of its picture, and weights make the tree.
        let targets = touched.into_iter().map(|(_, to)| to);
        self.stale.peers.extend(targets);
        self.stale.peers.extend(rerouted.iter().copied());
        for id in rerouted {
            let path = self.routes.path(id).cloned();
            if id == self.me() {
                if let Some(own) = self.peers.get_mut(id) {
                    own.path = path;
                }
                continue;
            }
            let Some(peer) = self.peers.get(id) else {
                continue;
            };
            let (was_up, owns_nothing) = (peer.path.is_some(), peer.subnets.is_empty());
            if !owns_nothing {
                // What it owns is nobody's, or everybody's, from now on.
                self.owners_changed();
            }
            match (was_up, path) {
                (false, Some(path)) => self.came_up(id, path, now, rng),
                (true, None) => self.went_down(id),
                (true, Some(path)) => self.moved(id, path, now, rng),
                (false, None) => {}
            }
        }
        for id in std::mem::take(&mut self.deserted) {
            let me = self.me();
            if !self.is_reachable(id) && self.graph.remove_edge(id, me).is_some() {
                self.withdraw_edge(id, me, None, rng);
            }
        }
    }

    fn came_up(&mut self, id: NodeId, path: Path, now: Instant, rng: &mut dyn CryptoRng) {
        let udp = path.address.and_then(|address| self.udp_path(address));
        self.timers.stop(&Timer::Probe(id));
        self.timers.stop(&Timer::Watch(id));
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.forget_agreements();
        peer.udp = udp;
        peer.path = Some(path);
        let neighbour = peer.link.is_some();
        let endpoint = self.endpoint_of(id);
        let place = endpoint.as_ref().map(ToString::to_string);
        tracing::info!(
            "{} is reachable ({})",
            self.name_of(id),
            place.as_deref().unwrap_or("address unknown")
        );
        self.reachability_scripts(id, true, endpoint);
        if neighbour {
            self.send_key(id, now, rng);
        }
    }

    fn went_down(&mut self, id: NodeId) {
        let endpoint = self.endpoint_of(id);
        tracing::info!("{} is no longer reachable", self.name_of(id));
        self.timers.stop(&Timer::Probe(id));
        self.timers.stop(&Timer::Watch(id));
        if let Some(peer) = self.peers.get_mut(id) {
            peer.forget_agreements();
            peer.in_keys.clear();
            peer.udp = None;
            peer.path = None;
            let macs = peer.subnets.iter().filter_map(|subnet| match subnet.addr {
                SubnetAddr::Mac(mac) => Some(mac),
                SubnetAddr::V4 { .. } | SubnetAddr::V6 { .. } => None,
            });
            self.outputs.push_back(Output::StationsGone(macs.collect()));
        }
        self.reachability_scripts(id, false, endpoint);
    }

    fn moved(&mut self, id: NodeId, path: Path, now: Instant, rng: &mut dyn CryptoRng) {
        let udp = path.address.and_then(|address| self.udp_path(address));
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.path = Some(path);
        // An address learned from the node's own packets is better than hearsay.
        peer.udp = peer.udp.or(udp);
        // Unless that is done already: there may have been no address before, or a relay that wants no probes.
        self.start_probing(id, now, rng);
    }

    /// An address with the first socket that can reach it.
    pub(super) fn udp_path(&self, address: std::net::SocketAddr) -> Option<UdpPath> {
        let family = SocketFamily::of(&address);
        let socket = self
            .settings
            .sockets
            .iter()
            .position(|socket| *socket == family)?;
        Some(UdpPath { address, socket })
    }

    /// Where a node is, for scripts and log lines: its UDP address, else what the last edge of
    /// its path says, numeric or not.
    fn endpoint_of(&self, id: NodeId) -> Option<Endpoint> {
        let peer = self.peers.get(id)?;
        match peer.udp {
            Some(udp) => Some(udp.address.into()),
            None => peer.path.as_ref()?.endpoint.clone(),
        }
    }

    fn reachability_scripts(&mut self, id: NodeId, up: bool, endpoint: Option<Endpoint>) {
        let Some(node) = self.graph.name(id).cloned() else {
            return;
        };
        self.script(Script::Host {
            up,
            node: node.clone(),
            endpoint: endpoint.clone(),
        });
        let subnets: Vec<_> = match self.peers.get(id) {
            Some(peer) => peer.subnets.iter().copied().collect(),
            None => return,
        };
        for subnet in subnets {
            self.script(Script::Subnet {
                up,
                node: node.clone(),
                subnet,
                endpoint: endpoint.clone(),
            });
        }
    }

    /// Runs the script for a subnet that came or went while its owner is reachable.
    pub(super) fn subnet_script(&mut self, owner: NodeId, subnet: Subnet, up: bool) {
        let own = owner == self.me();
        let reachable = own || self.is_reachable(owner);
        let endpoint = if own { None } else { self.endpoint_of(owner) };
        if let Some(node) = self.graph.name(owner).cloned()
            && reachable
        {
            self.script(Script::Subnet {
                up,
                node,
                subnet,
                endpoint,
            });
        }
    }

    pub(super) fn is_reachable(&self, id: NodeId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.path.is_some())
    }
}
