//! Requests about the mesh: what is believed, what is passed on, what is contradicted.

use std::time::Instant;

use rand_core::CryptoRng;

use super::{Closing, ConnId, Node, limits};
use crate::graph::{Edge, NodeId};
use crate::name::NodeName;
use crate::subnet::{Subnet, SubnetAddr};
use crate::wire::request::{AddEdge, Request};

impl Node {
    /// Acts on one request of an active connection; `line` is the request as it came.
    pub(super) fn request(
        &mut self,
        conn: ConnId,
        request: Request,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if is_about_keys(&request) {
            if !self.may_speak_of_keys(conn, line, now) {
                return;
            }
        } else if !self.within_allowance(conn, now) {
            tracing::warn!(
                "closing the connection with {}: it floods us with requests",
                self.speaker(conn)
            );
            self.close(conn, Closing::Tarpit, now, rng);
            return;
        }
        if needs_paths(&request) {
            self.settle_early(now, rng);
        }
        match request {
            Request::Ping => self.send(conn, &Request::Pong),
            Request::Pong => self.pong(conn, now),
            Request::AddSubnet { owner, subnet, .. } => {
                self.add_subnet(conn, &owner, subnet, line, now, rng);
            }
            Request::DelSubnet { owner, subnet, .. } => {
                self.del_subnet(conn, &owner, subnet, line, now, rng);
            }
            Request::AddEdge(edge) => self.add_edge(conn, edge, line, now, rng),
            Request::DelEdge { from, to, .. } => self.del_edge(conn, &from, &to, line, now, rng),
            Request::KeyChanged { node, .. } => {
                self.key_changed(conn, &node, line, now, rng);
            }
            Request::ReqKey { from, to } => self.key_requested(&from, &to, line, now, rng),
            Request::AnsKey(answer) => self.key_answered(&answer, line, now, rng),
            // The connection lets no others through once it is active.
            Request::Id { .. }
            | Request::MetaKey(_)
            | Request::Challenge(_)
            | Request::ChalReply(_)
            | Request::Ack(_)
            | Request::Packet { .. } => {}
        }
    }

    fn add_subnet(
        &mut self,
        conn: ConnId,
        owner: &NodeName,
        subnet: Subnet,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if !self.past.is_new(line, now) || !self.may_speak_of(conn, &[owner]) {
            return;
        }
        let Some(id) = self.intern(owner) else { return };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.subnets.contains(&subnet) {
            return;
        }
        if id == self.graph.me() {
            self.send(conn, &del_subnet(owner, subnet, rng));
            return;
        }
        if self.settings.trust.is_strict() {
            tracing::warn!("{owner} announces {subnet}, which our files do not give it");
            self.pass_on(line, conn, now);
            return;
        }
        let full = self.subnets_heard >= limits::SUBNETS_IN_ALL;
        if full || peer.subnets.len() >= limits::SUBNETS {
            tracing::warn!(node = %owner, "too many subnets, one is ignored");
            return;
        }
        self.subnets_heard += 1;
        peer.subnets.insert(subnet);
        self.owners_changed();
        self.subnet_script(id, subnet, true);
        self.pass_on(line, conn, now);
        if let SubnetAddr::Mac(mac) = subnet.addr
            && self.leases.contains_key(&mac)
        {
            tracing::info!("{mac} moved to {owner}");
            self.unlearn(mac, rng);
        }
    }

    fn del_subnet(
        &mut self,
        conn: ConnId,
        owner: &NodeName,
        subnet: Subnet,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if !self.past.is_new(line, now) || !self.may_speak_of(conn, &[owner]) {
            return;
        }
        let Some(id) = self.graph.find(owner) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if !peer.subnets.contains(&subnet) {
            // Others may have believed in it.
            if self.settings.trust.is_strict() {
                self.pass_on(line, conn, now);
            }
            return;
        }
        if id == self.graph.me() {
            self.send(conn, &add_subnet(owner, subnet, rng));
            return;
        }
        if self.settings.trust.is_strict() {
            self.pass_on(line, conn, now);
            return;
        }
        peer.subnets.remove(&subnet);
        self.subnets_heard = self.subnets_heard.saturating_sub(1);
        self.owners_changed();
        self.pass_on(line, conn, now);
        self.subnet_script(id, subnet, false);
    }

    fn add_edge(
        &mut self,
        conn: ConnId,
        heard: AddEdge,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if heard.from == heard.to {
            tracing::warn!("an edge from {} to itself was announced", heard.from);
            self.close(conn, Closing::Tarpit, now, rng);
            return;
        }
        if !self.past.is_new(line, now) || !self.may_speak_of(conn, &[&heard.from, &heard.to]) {
            return;
        }
        let (Some(from), Some(to)) = (self.intern(&heard.from), self.intern(&heard.to)) else {
            return;
        };
        let edge = Edge {
            endpoint: heard.endpoint,
            options: heard.options,
            weight: heard.weight,
        };
        let known = self.graph.edge(from, to);
        if known == Some(&edge) {
            return;
        }
        if from == self.me() {
            let answer = if known.is_some() {
                self.edge_request(from, to, rng)
            } else {
                self.contradictions.edge_added();
                Some(del_edge(&heard.from, &heard.to, rng))
            };
            if let Some(answer) = answer {
                self.send(conn, &answer);
            }
            return;
        }
        let full = self.graph.edge_count() >= limits::EDGES;
        if known.is_none() && (full || self.graph.degree(from) >= limits::EDGES_OF_ONE) {
            tracing::warn!(node = %heard.from, "too many edges, one is ignored");
            return;
        }
        self.graph.set_edge(from, to, edge);
        self.pass_on(line, conn, now);
    }

    fn del_edge(
        &mut self,
        conn: ConnId,
        from_name: &NodeName,
        to_name: &NodeName,
        line: &[u8],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if from_name == to_name {
            tracing::warn!("an edge from {from_name} to itself was withdrawn");
            self.close(conn, Closing::Tarpit, now, rng);
            return;
        }
        if !self.past.is_new(line, now) || !self.may_speak_of(conn, &[from_name, to_name]) {
            return;
        }
        let (Some(from), Some(to)) = (self.graph.find(from_name), self.graph.find(to_name)) else {
            return;
        };
        if self.graph.edge(from, to).is_none() {
            return;
        }
        if from == self.me() {
            self.contradictions.edge_deleted();
            if let Some(answer) = self.edge_request(from, to, rng) {
                self.send(conn, &answer);
            }
            return;
        }
        self.pass_on(line, conn, now);
        self.graph.remove_edge(from, to);
        if self.graph.edge(to, self.me()).is_some() {
            self.deserted.push(to);
        }
        self.settle_early(now, rng);
    }

    /// Tells a new neighbour all subnets and edges, in the order of the names; a tunnel server
    /// tells its own subnets.
    pub(super) fn tell_state(&mut self, conn: ConnId, rng: &mut dyn CryptoRng) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let (me, introduces) = (self.graph.me(), self.settings.trust.introduces());
        for (owner, id) in self.graph.nodes() {
            if !introduces && id != me {
                continue;
            }
            if let Some(peer) = self.peers.get(id) {
                for subnet in &peer.subnets {
                    link.meta.send(&add_subnet(owner, *subnet, rng));
                }
            }
            for (target, _, edge) in self.graph.edges_from(id).filter(|_| introduces) {
                link.meta.send(&add_edge(owner, target, edge, rng));
            }
        }
        self.flush(conn);
    }

    /// Announces our edge to a new neighbour to everybody, the neighbour included; a tunnel
    /// server tells only the neighbour.
    pub(super) fn announce_edge(&mut self, to: NodeId, conn: ConnId, rng: &mut dyn CryptoRng) {
        let Some(request) = self.edge_request(self.me(), to, rng) else {
            return;
        };
        if self.settings.trust.introduces() {
            self.flood_request(&request, None);
        } else {
            self.send(conn, &request);
        }
    }

    /// Tells everybody (but one) that an edge is gone.
    pub(super) fn withdraw_edge(
        &mut self,
        from: NodeId,
        to: NodeId,
        except: Option<ConnId>,
        rng: &mut dyn CryptoRng,
    ) {
        if !self.settings.trust.introduces() {
            return;
        }
        if let (Some(from), Some(to)) = (self.graph.name(from), self.graph.name(to)) {
            let request = del_edge(from, to, rng);
            self.flood_request(&request, except);
        }
    }

    /// Tells everybody that a subnet came.
    pub(super) fn announce_subnet(
        &mut self,
        owner: NodeId,
        subnet: Subnet,
        rng: &mut dyn CryptoRng,
    ) {
        if let Some(owner) = self.tellable(owner) {
            let request = add_subnet(owner, subnet, rng);
            self.flood_request(&request, None);
        }
    }

    /// Tells everybody that a subnet went.
    pub(super) fn withdraw_subnet(
        &mut self,
        owner: NodeId,
        subnet: Subnet,
        rng: &mut dyn CryptoRng,
    ) {
        if let Some(owner) = self.tellable(owner) {
            let request = del_subnet(owner, subnet, rng);
            self.flood_request(&request, None);
        }
    }

    /// The name of a node whose subnets others may hear of.
    fn tellable(&self, owner: NodeId) -> Option<&NodeName> {
        let tells = self.settings.trust.introduces() || owner == self.me();
        self.graph.name(owner).filter(|_| tells)
    }

    pub(super) fn flood_request(&mut self, request: &Request, except: Option<ConnId>) {
        self.flood(request.to_string().as_bytes(), except);
    }

    fn edge_request(&self, from: NodeId, to: NodeId, rng: &mut dyn CryptoRng) -> Option<Request> {
        let edge = self.graph.edge(from, to)?;
        Some(add_edge(
            self.graph.name(from)?,
            self.graph.name(to)?,
            edge,
            rng,
        ))
    }
}

/// Whether a request is about the key of one node for one other: whoever wants it asks again.
fn is_about_keys(request: &Request) -> bool {
    matches!(request, Request::ReqKey { .. } | Request::AnsKey(_))
}

/// Whether acting on a request asks who is reachable. Subnets do not: whoever becomes reachable
/// later brings all its subnets up then.
fn needs_paths(request: &Request) -> bool {
    matches!(
        request,
        Request::DelEdge { .. }
            | Request::KeyChanged { .. }
            | Request::ReqKey { .. }
            | Request::AnsKey(_)
    )
}

fn add_subnet(owner: &NodeName, subnet: Subnet, rng: &mut dyn CryptoRng) -> Request {
    Request::AddSubnet {
        nonce: rng.next_u32(),
        owner: owner.clone(),
        subnet,
    }
}

fn del_subnet(owner: &NodeName, subnet: Subnet, rng: &mut dyn CryptoRng) -> Request {
    Request::DelSubnet {
        nonce: rng.next_u32(),
        owner: owner.clone(),
        subnet,
    }
}

fn add_edge(from: &NodeName, to: &NodeName, edge: &Edge, rng: &mut dyn CryptoRng) -> Request {
    Request::AddEdge(AddEdge {
        nonce: rng.next_u32(),
        from: from.clone(),
        to: to.clone(),
        endpoint: edge.endpoint.clone(),
        options: edge.options,
        weight: edge.weight,
    })
}

fn del_edge(from: &NodeName, to: &NodeName, rng: &mut dyn CryptoRng) -> Request {
    Request::DelEdge {
        nonce: rng.next_u32(),
        from: from.clone(),
        to: to.clone(),
    }
}
