//! Nodes, directed edges and what follows from them: who is reachable, by which neighbour, and
//! along which tree broadcasts travel.
//!
//! The graph does not know how an edge was heard of, nor who announces it to whom; it only
//! answers questions about the edges it was given.

mod id;
mod routes;
mod tree;

use id::Ids;
pub use id::{IdMap, NodeId};
pub use routes::{Followed, Path, Routes};

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::addr::Endpoint;
use crate::name::NodeName;
use crate::options::Options;

/// A directed edge: what its origin says about the meta connection to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where the origin sees the target; the address belongs to the *target*.
    pub endpoint: Endpoint,
    /// What both ends of the connection agreed on.
    pub options: Options,
    /// Cost, in milliseconds as measured during the handshake.
    pub weight: i32,
}

/// All nodes and edges that have been heard of, including unreachable ones.
#[derive(Debug)]
pub struct Graph {
    me: NodeId,
    ids: Ids,
    vertices: IdMap<Vertex>,
    names: BTreeMap<NodeName, NodeId>,
    edges: usize,
    /// Origin and target of edges that were set or removed since somebody asked.
    touched: Vec<(NodeId, NodeId)>,
}

#[derive(Debug)]
struct Vertex {
    name: NodeName,
    /// By the name of the target, which is the order in which the protocol walks them.
    edges: BTreeMap<NodeName, (NodeId, Edge)>,
    /// How many edges end here.
    entering: usize,
    /// Where they see the node, each with the number of edges that do.
    seen_at: BTreeMap<IpAddr, usize>,
}

impl Vertex {
    fn entered_by(&mut self, edge: &Edge) {
        self.entering += 1;
        if let Some(address) = edge.endpoint.socket_addr() {
            *self.seen_at.entry(address.ip()).or_default() += 1;
        }
    }

    fn left_by(&mut self, edge: &Edge) {
        self.entering -= 1;
        if let Some(address) = edge.endpoint.socket_addr()
            && let Some(count) = self.seen_at.get_mut(&address.ip())
        {
            *count -= 1;
            if *count == 0 {
                self.seen_at.remove(&address.ip());
            }
        }
    }
}

impl Graph {
    /// A graph that knows only ourselves.
    #[must_use]
    pub fn new(me: NodeName) -> Self {
        let mut graph = Self {
            me: NodeId::FIRST,
            ids: Ids::default(),
            vertices: IdMap::default(),
            names: BTreeMap::new(),
            edges: 0,
            touched: Vec::new(),
        };
        graph.me = graph.intern(&me);
        graph
    }

    /// Ourselves.
    #[must_use]
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The node of that name, made known if it was not.
    pub fn intern(&mut self, name: &NodeName) -> NodeId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = self.ids.next();
        let vertex = Vertex {
            name: name.clone(),
            edges: BTreeMap::new(),
            entering: 0,
            seen_at: BTreeMap::new(),
        };
        self.vertices.insert(id, vertex);
        self.names.insert(name.clone(), id);
        id
    }

    /// The node of that name, if it was heard of.
    #[must_use]
    pub fn find(&self, name: &NodeName) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The name of a node; `None` for a forgotten one.
    #[must_use]
    pub fn name(&self, id: NodeId) -> Option<&NodeName> {
        self.vertices.get(id).map(|vertex| &vertex.name)
    }

    /// Every node in the order of the names.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, NodeId)> {
        self.names.iter().map(|(name, id)| (name, *id))
    }

    /// How many nodes are known.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.names.len()
    }

    /// How many directed edges are known.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.edges
    }

    /// How many edges leave a node.
    #[must_use]
    pub fn degree(&self, from: NodeId) -> usize {
        let vertex = self.vertices.get(from);
        vertex.map_or(0, |vertex| vertex.edges.len())
    }

    /// The edge between two nodes.
    #[must_use]
    pub fn edge(&self, from: NodeId, to: NodeId) -> Option<&Edge> {
        let target = self.name(to)?;
        let (_, edge) = self.vertices.get(from)?.edges.get(target)?;
        Some(edge)
    }

    /// The edges that leave a node, by the name of their target.
    pub fn edges_from(&self, from: NodeId) -> impl Iterator<Item = (&NodeName, NodeId, &Edge)> {
        self.vertices
            .get(from)
            .into_iter()
            .flat_map(|vertex| &vertex.edges)
            .map(|(name, (id, edge))| (name, *id, edge))
    }

    /// The addresses at which others see a node, in their order.
    pub fn seen_at(&self, id: NodeId) -> impl Iterator<Item = IpAddr> {
        let vertex = self.vertices.get(id).into_iter();
        vertex.flat_map(|vertex| vertex.seen_at.keys().copied())
    }

    /// Adds or replaces an edge; an edge to oneself or between forgotten nodes is not taken.
    pub fn set_edge(&mut self, from: NodeId, to: NodeId, edge: Edge) {
        let Some(name) = self.name(to).cloned() else {
            return;
        };
        if from == to || self.vertices.get(from).is_none() {
            return;
        }
        if let Some(target) = self.vertices.get_mut(to) {
            target.entered_by(&edge);
        }
        let origin = self.vertices.get_mut(from);
        let before = origin.and_then(|origin| origin.edges.insert(name, (to, edge)));
        match before {
            Some((_, before)) => {
                if let Some(target) = self.vertices.get_mut(to) {
                    target.left_by(&before);
                }
            }
            None => self.edges += 1,
        }
        self.touched.push((from, to));
    }

    /// Removes an edge and returns it.
    pub fn remove_edge(&mut self, from: NodeId, to: NodeId) -> Option<Edge> {
        let target = self.name(to)?.clone();
        let (_, edge) = self.vertices.get_mut(from)?.edges.remove(&target)?;
        self.edges -= 1;
        if let Some(target) = self.vertices.get_mut(to) {
            target.left_by(&edge);
        }
        self.touched.push((from, to));
        Some(edge)
    }

    /// The edges that were set or removed since this was asked last.
    fn take_touched(&mut self) -> Vec<(NodeId, NodeId)> {
        std::mem::take(&mut self.touched)
    }

    /// Forgets a node that no edge leaves or enters any more; says whether it did.
    pub fn forget(&mut self, id: NodeId) -> bool {
        let Some(vertex) = self.vertices.get(id) else {
            return false;
        };
        if id == self.me || vertex.entering > 0 || !vertex.edges.is_empty() {
            return false;
        }
        if let Some(vertex) = self.vertices.remove(id) {
            self.names.remove(&vertex.name);
            self.ids.give_back(id);
        }
        true
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    pub(crate) fn edge(weight: i32, options: Options) -> Edge {
        Edge {
            endpoint: Endpoint::from(std::net::SocketAddr::from((
                [192, 0, 2, u8::try_from(weight).unwrap()],
                655,
            ))),
            options,
            weight,
        }
    }

    /// Adds both directions.
    pub(crate) fn pair(graph: &mut Graph, a: &str, b: &str, weight: i32, options: Options) {
        let (a, b) = (graph.intern(&name(a)), graph.intern(&name(b)));
        graph.set_edge(a, b, edge(weight, options));
        graph.set_edge(b, a, edge(weight, options));
    }

    #[test]
    fn a_node_is_forgotten_only_without_edges() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "m", "a", 1, Options::default());
        let a = graph.find(&name("a")).unwrap();
        assert!(!graph.forget(a));
        assert!(graph.remove_edge(a, graph.me()).is_some());
        assert!(!graph.forget(a));
        assert!(graph.remove_edge(graph.me(), a).is_some());
        assert_eq!(graph.edge_count(), 0);
        assert!(graph.forget(a));
        assert!(graph.find(&name("a")).is_none());
        assert!(!graph.forget(graph.me()));
    }

    #[test]
    fn an_edge_to_oneself_is_not_taken() {
        let mut graph = Graph::new(name("m"));
        graph.set_edge(graph.me(), graph.me(), edge(1, Options::default()));
        assert_eq!(graph.edge_count(), 0);
    }
}
