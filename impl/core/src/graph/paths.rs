//! Shortest paths by hop count: which neighbour carries requests to a node, and who is the last
//! node on the way that may be spoken to directly by UDP.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{Graph, IdMap, NodeId};
use crate::addr::Endpoint;
use crate::options::Options;

/// How a reachable node is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The neighbour whose meta connection carries requests and TCP packets for the node.
    pub nexthop: NodeId,
    /// The last node on the path that may be sent UDP packets directly.
    pub via: NodeId,
    /// The node itself must not be sent UDP packets directly.
    pub indirect: bool,
    /// Options of the last edge of the path.
    pub options: Options,
    /// Where the last edge of the path sees the node; `None` for ourselves.
    pub endpoint: Option<Endpoint>,
    /// Address of the node by the first edge found that tells a numeric one.
    pub address: Option<SocketAddr>,
}

/// The paths to all reachable nodes; who is not in it is unreachable.
pub type Paths = IdMap<Path>;

impl Graph {
    /// Breadth-first search from ourselves over edges known in both directions.
    ///
    /// Weights are not used: a path of fewer hops wins, then the one found first with targets
    /// taken in the order of their names. A node found by an indirect path is looked at again
    /// if a direct one turns up, which changes `via` but never `nexthop` (tinc 1.0 legacy
    /// protocol, shortest path).
    #[must_use]
    pub fn shortest_paths(&self) -> Paths {
        let mut paths = Paths::default();
        paths.insert(
            self.me(),
            Path {
                nexthop: self.me(),
                via: self.me(),
                indirect: false,
                options: Options::default(),
                endpoint: None,
                address: None,
            },
        );
        let mut queue = VecDeque::from([self.me()]);
        while let Some(from) = queue.pop_front() {
            let Some(origin) = paths.get(from).cloned() else {
                continue;
            };
            for (_, to, edge) in self.edges_from(from) {
                if self.edge(to, from).is_none() {
                    continue;
                }
                let indirect = origin.indirect || edge.options.contains(Options::INDIRECT);
                let known = paths.get(to);
                if known.is_some_and(|path| !path.indirect || indirect) {
                    continue;
                }
                let nexthop = match known {
                    Some(path) => path.nexthop,
                    None if origin.nexthop == self.me() => to,
                    None => origin.nexthop,
                };
                let address = known
                    .and_then(|path| path.address)
                    .or_else(|| edge.endpoint.socket_addr());
                paths.insert(
                    to,
                    Path {
                        nexthop,
                        via: if indirect { origin.via } else { to },
                        indirect,
                        options: edge.options,
                        endpoint: Some(edge.endpoint.clone()),
                        address,
                    },
                );
                queue.push_back(to);
            }
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{name, pair};
    use super::*;

    fn id(graph: &Graph, text: &str) -> NodeId {
        graph.find(&name(text)).unwrap()
    }

    #[test]
    fn fewer_hops_win_whatever_the_weights() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "m", "a", 200, Options::default());
        pair(&mut graph, "m", "b", 1, Options::default());
        pair(&mut graph, "b", "a", 1, Options::default());
        let paths = graph.shortest_paths();
        assert_eq!(paths.get(id(&graph, "a")).unwrap().nexthop, id(&graph, "a"));
    }

    #[test]
    fn an_edge_known_in_one_direction_only_reaches_nobody() {
        let mut graph = Graph::new(name("m"));
        let a = graph.intern(&name("a"));
        graph.set_edge(
            graph.me(),
            a,
            super::super::tests::edge(1, Options::default()),
        );
        assert!(graph.shortest_paths().get(a).is_none());
    }

    #[test]
    fn a_far_node_is_spoken_to_directly_unless_its_edge_says_indirect() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "m", "relay", 1, Options::default());
        pair(&mut graph, "relay", "open", 1, Options::default());
        pair(&mut graph, "relay", "shy", 1, Options::INDIRECT);
        let paths = graph.shortest_paths();
        let relay = id(&graph, "relay");
        let open = paths.get(id(&graph, "open")).unwrap();
        assert_eq!((open.nexthop, open.via), (relay, id(&graph, "open")));
        let shy = paths.get(id(&graph, "shy")).unwrap();
        assert_eq!((shy.nexthop, shy.via), (relay, relay));
        assert!(shy.indirect);
    }

    #[test]
    fn a_direct_path_found_later_changes_via_but_not_the_next_hop() {
        let mut graph = Graph::new(name("m"));
        // "a" is searched before "b"; the edge by "a" is indirect, the one by "b" is not.
        pair(&mut graph, "m", "a", 1, Options::default());
        pair(&mut graph, "m", "b", 1, Options::default());
        pair(&mut graph, "a", "far", 1, Options::INDIRECT);
        pair(&mut graph, "b", "far", 1, Options::default());
        let far = id(&graph, "far");
        let path = graph.shortest_paths().get(far).cloned().unwrap();
        assert_eq!((path.nexthop, path.via), (id(&graph, "a"), far));
        assert!(!path.indirect);
    }
}
