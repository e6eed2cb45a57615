//! Whose word about subnets and edges is taken: everybody's, the operator's, or next to nobody's.

use std::collections::BTreeSet;
use std::time::Instant;

use rand_core::CryptoRng;

use super::{ConnId, Node};
use crate::gossip::units;
use crate::graph::NodeId;
use crate::name::NodeName;
use crate::subnet::Subnet;

/// What is believed of what others announce (tinc 1.0, `StrictSubnets` and `TunnelServer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Trust {
    /// Everything: the mesh says who owns what.
    #[default]
    Mesh,
    /// Host files say who owns what; the mesh is told what others announce all the same.
    StrictSubnets,
    /// As [`Trust::StrictSubnets`], and neighbours are told nothing of one another.
    TunnelServer,
}

/// Who owns what by our own files.
pub(super) type Owners = BTreeSet<(NodeName, Subnet)>;

impl Trust {
    /// Host files say who owns what.
    #[must_use]
    pub fn is_strict(self) -> bool {
        self >= Self::StrictSubnets
    }

    /// Neighbours hear of one another.
    pub(super) fn introduces(self) -> bool {
        self < Self::TunnelServer
    }
}

impl Node {
    /// Whether what a neighbour says of these nodes is listened to: a tunnel server takes its
    /// word only for itself and for us.
    pub(super) fn may_speak_of(&self, conn: ConnId, nodes: &[&NodeName]) -> bool {
        let neighbour = || {
            let active = self.links.get(&conn)?.active.as_ref()?;
            self.graph.name(active.node)
        };
        self.settings.trust.introduces()
            || nodes
                .iter()
                .any(|node| **node == self.settings.name || Some(*node) == neighbour())
    }

    /// Tells a line to everybody but the neighbour it came from, who answers for it.
    pub(super) fn pass_on(&mut self, line: &[u8], conn: ConnId, now: Instant) {
        if self.settings.trust.introduces() && self.flood(line, Some(conn)) {
            self.charge(conn, units(line), now);
        }
    }

    /// Whether the operator gave subnets to a node, who is not forgotten then.
    pub(super) fn owns_by_file(&self, id: NodeId) -> bool {
        self.graph
            .name(id)
            .is_some_and(|name| self.owners.iter().any(|(owner, _)| owner == name))
    }

    /// What the files said of owners at the start.
    pub(super) fn first_owners(&mut self) {
        let own = self.settings.subnets.iter();
        let own = own.map(|subnet| (self.settings.name.clone(), *subnet));
        self.owners = own
            .chain(std::mem::take(&mut self.settings.owners))
            .collect();
        for (name, subnet) in self.owners.clone() {
            self.give(&name, subnet);
        }
    }

    /// What the files say of owners now: the differences take effect and are announced. Without
    /// `StrictSubnets` what was read at the start stays (tinc 1.0).
    pub(super) fn new_owners(&mut self, owners: Owners, rng: &mut dyn CryptoRng) {
        if !self.settings.trust.is_strict() {
            return;
        }
        let before = std::mem::replace(&mut self.owners, owners);
        for (name, subnet) in before.difference(&self.owners.clone()) {
            let Some(id) = self.graph.find(name) else {
                continue;
            };
            if self
                .peers
                .get_mut(id)
                .is_some_and(|peer| peer.subnets.remove(subnet))
            {
                tracing::info!("{subnet} no longer belongs to {name}");
                self.withdraw_subnet(id, *subnet, rng);
                self.subnet_script(id, *subnet, false);
                self.stale.owners = true;
            }
        }
        for (name, subnet) in self.owners.clone().difference(&before) {
            if let Some(id) = self.give(name, *subnet) {
                tracing::info!("{subnet} belongs to {name} from now on");
                self.announce_subnet(id, *subnet, rng);
            }
        }
    }

    /// Gives a subnet to a node; `None` if the node has it already.
    fn give(&mut self, name: &NodeName, subnet: Subnet) -> Option<NodeId> {
        let id = self.intern(name)?;
        let given = self.peers.get_mut(id)?.subnets.insert(subnet);
        if !given {
            return None;
        }
        self.stale.owners = true;
        self.subnet_script(id, subnet, true);
        Some(id)
    }
}
