//! The shortest paths and the broadcast tree of a graph, kept up to date at the cost of what changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::{Edge, Graph, IdMap, NodeId};
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

/// How every node of a graph is reached, as of the last [`Routes::follow`].
///
/// A node that joins by one connection, brings others along, or leaves as nobody's way to anybody, costs what it and its
/// edges cost; whatever else happens has the whole graph searched anew. The outcome is the same.
#[derive(Debug, Default)]
pub struct Routes {
    found: IdMap<Found>,
    /// Our neighbours in the minimum spanning tree; `None` until somebody asks.
    tree: Option<Vec<NodeId>>,
}

/// What has become of a graph.
#[derive(Debug)]
pub struct Followed {
    /// Every node that may be reached in another way now, or no longer, in the order of the names.
    pub rerouted: Vec<NodeId>,
    /// Origin and target of every edge that was set or removed.
    pub touched: Vec<(NodeId, NodeId)>,
    /// How many edges were looked at, if the whole graph was searched, or will be, if the tree has to be found anew.
    pub searched: usize,
}

/// How a node was found.
#[derive(Clone, Debug)]
struct Found {
    path: Path,
    /// Who found it first, and whose edge it is reached by; ourselves for ourselves.
    first: NodeId,
    last: NodeId,
    /// It was found by an indirect path before the one it has.
    is_bettered: bool,
    /// Hops from us to who found it first, and one.
    hops: u32,
}

/// Who came and went while edges were taken into account one after the other.
#[derive(Default)]
struct News {
    joined: BTreeSet<NodeId>,
    /// With whom it had its last edge.
    left: BTreeMap<NodeId, NodeId>,
}

impl Found {
    /// Whether the search came here by an edge of that node.
    fn came_by(&self, other: NodeId) -> bool {
        self.first == other || self.last == other
    }

    /// It is reached directly, and was from the moment on in which it was found.
    fn is_plain(&self) -> bool {
        !self.path.indirect && !self.is_bettered
    }
}

impl Routes {
    /// The path to a node; `None` while it cannot be reached.
    #[must_use]
    pub fn path(&self, id: NodeId) -> Option<&Path> {
        self.found.get(id).map(|found| &found.path)
    }

    /// Our neighbours in the minimum spanning tree, in the order of the names
    /// ([`Graph::tree_neighbours`]).
    pub fn tree(&mut self, graph: &Graph) -> &[NodeId] {
        self.tree.get_or_insert_with(|| graph.tree_neighbours())
    }

    /// Follows what happened to the edges of `graph` since the last time.
    pub fn follow(&mut self, graph: &mut Graph) -> Followed {
        let touched = graph.take_touched();
        let mut news = News::default();
        let mut rerouted = Vec::new();
        let mut searched = 0;
        let had_tree = self.tree.is_some();
        let is_searched = self.found.get(graph.me()).is_some();
        if !is_searched || self.adapt(graph, &touched, &mut news).is_none() {
            let before = std::mem::take(&mut self.found);
            self.search(graph);
            searched += graph.edge_count();
            self.tree = None;
            let differs = |id: &NodeId| before.get(*id).map(|found| &found.path) != self.path(*id);
            rerouted.extend(graph.nodes().map(|(_, id)| id).filter(differs));
        }
        if had_tree && self.tree.is_none() {
            searched += graph.edge_count();
        }
        rerouted.extend(news.joined.into_iter().chain(news.left.into_keys()));
        rerouted.sort_by_key(|id| (graph.name(*id), *id));
        rerouted.dedup();
        Followed {
            rerouted,
            touched,
            searched,
        }
    }

    /// Breadth-first search from ourselves over edges known in both directions.
    ///
    /// Weights are not used: a path of fewer hops wins, then the one found first with targets
    /// taken in the order of their names. A node found by an indirect path is looked at again
    /// if a direct one turns up, which changes `via` but never `nexthop` (tinc 1.0 legacy
    /// protocol, shortest path).
    fn search(&mut self, graph: &Graph) {
        let me = graph.me();
        let own = Found {
            path: Path {
                nexthop: me,
                via: me,
                indirect: false,
                options: Options::default(),
                endpoint: None,
                address: None,
            },
            first: me,
            last: me,
            is_bettered: false,
            hops: 0,
        };
        self.found.insert(me, own);
        let mut queue = VecDeque::from([me]);
        while let Some(from) = queue.pop_front() {
            for (_, to, edge) in graph.edges_from(from) {
                if graph.edge(to, from).is_some() && self.visit(graph.me(), from, to, edge) {
                    queue.push_back(to);
                }
            }
        }
    }

    /// Comes from one node to another by a paired edge; says whether that is news.
    fn visit(&mut self, me: NodeId, from: NodeId, to: NodeId, edge: &Edge) -> bool {
        let Some(origin) = self.found.get(from) else {
            return false;
        };
        let known = self.found.get(to);
        let indirect = origin.path.indirect || edge.options.contains(Options::INDIRECT);
        if known.is_some_and(|known| !known.path.indirect || indirect) {
            return false;
        }
        let nexthop = match known {
            Some(known) => known.path.nexthop,
            None if origin.path.nexthop == me => to,
            None => origin.path.nexthop,
        };
        let address = known
            .and_then(|known| known.path.address)
            .or_else(|| edge.endpoint.socket_addr());
        let path = Path {
            nexthop,
            via: if indirect { origin.path.via } else { to },
            indirect,
            options: edge.options,
            endpoint: Some(edge.endpoint.clone()),
            address,
        };
        let found = Found {
            path,
            first: known.map_or(from, |known| known.first),
            last: from,
            is_bettered: known.is_some(),
            hops: known.map_or(origin.hops + 1, |known| known.hops),
        };
        self.found.insert(to, found);
        true
    }

    /// Takes edges that were set or removed into account without a search of the whole graph; `None` if that does not
    /// suffice.
    fn adapt(
        &mut self,
        graph: &Graph,
        touched: &[(NodeId, NodeId)],
        news: &mut News,
    ) -> Option<()> {
        for (a, b) in touched.iter().copied() {
            let is_paired = graph.edge(a, b).is_some() && graph.edge(b, a).is_some();
            match (self.found.get(a), self.found.get(b)) {
                // As they are now they were found a moment ago.
                (Some(_), Some(_)) if news.joined.contains(&a) || news.joined.contains(&b) => {}
                (Some(of_a), Some(of_b)) => {
                    // Both were found before an edge between them would have been looked at.
                    let is_level = of_a.hops == of_b.hops && of_a.is_plain() && of_b.is_plain();
                    match (of_a.came_by(b), of_b.came_by(a)) {
                        (false, true) if !is_paired => self.leave(graph, a, b, news)?,
                        (true, false) if !is_paired => self.leave(graph, b, a, news)?,
                        (false, false) if !is_paired || is_level => self.tree = None,
                        _ => return None,
                    }
                }
                (Some(_), None) if is_paired => self.join(graph, a, b, news)?,
                (None, Some(_)) if is_paired => self.join(graph, b, a, news)?,
                (None, None) => {}
                (Some(_), None) => self.was_between(graph, b, a, news)?,
                (None, Some(_)) => self.was_between(graph, a, b, news)?,
            }
        }
        Some(())
    }

    /// An edge is gone that had an unreachable node at one end. If that node has left only now, the other one may have
    /// been found by it, and the edge may have been a part of the tree.
    fn was_between(
        &mut self,
        graph: &Graph,
        gone: NodeId,
        other: NodeId,
        news: &mut News,
    ) -> Option<()> {
        if news.left.get(&gone).is_none_or(|last| *last == other) {
            return Some(());
        }
        self.tree = None;
        match self.found.get(other) {
            Some(found) if found.came_by(gone) => self.leave(graph, gone, other, news),
            _ => Some(()),
        }
    }

    /// A node that nobody could reach has got an edge from one that is reached: it comes, and with it whoever it leads
    /// to, in the order in which a search of the whole graph would find them.
    fn join(&mut self, graph: &Graph, from: NodeId, to: NodeId, news: &mut News) -> Option<()> {
        let origin = self.found.get(from)?;
        // What follows from a path that was bettered depends on when that was.
        if origin.is_bettered {
            return None;
        }
        let me = graph.me();
        self.visit(me, from, to, graph.edge(from, to)?);
        news.joined.insert(to);
        let mut queue = VecDeque::from([to]);
        while let Some(at) = queue.pop_front() {
            for (_, next, edge) in graph.edges_from(at) {
                if (at, next) == (to, from) || graph.edge(next, at).is_none() {
                    continue;
                }
                // A second way between the old and the new.
                if self.found.get(next).is_some() && !news.joined.contains(&next) {
                    return None;
                }
                if self.visit(me, at, next, edge) {
                    news.joined.insert(next);
                    queue.push_back(next);
                }
            }
        }
        if from == me
            && let Some(tree) = &mut self.tree
        {
            let name = graph.name(to);
            let place = tree.partition_point(|id| graph.name(*id) < name);
            tree.insert(place, to);
        }
        Some(())
    }

    /// A node has lost the edge by which it was found: it goes, unless there are others.
    fn leave(&mut self, graph: &Graph, from: NodeId, id: NodeId, news: &mut News) -> Option<()> {
        let mut others = graph.edges_from(id);
        if others.any(|(_, to, _)| graph.edge(to, id).is_some()) {
            return None;
        }
        self.found.remove(id);
        news.left.insert(id, from);
        if let Some(tree) = &mut self.tree {
            tree.retain(|neighbour| *neighbour != id);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{edge, name, pair};
    use super::*;

    fn id(graph: &Graph, text: &str) -> NodeId {
        graph.find(&name(text)).unwrap()
    }

    fn routes(graph: &mut Graph) -> Routes {
        let mut routes = Routes::default();
        routes.follow(graph);
        routes
    }

    #[test]
    fn fewer_hops_win_whatever_the_weights() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "m", "a", 200, Options::default());
        pair(&mut graph, "m", "b", 1, Options::default());
        pair(&mut graph, "b", "a", 1, Options::default());
        let (routes, a) = (routes(&mut graph), id(&graph, "a"));
        assert_eq!(routes.path(a).unwrap().nexthop, a);
    }

    #[test]
    fn an_edge_known_in_one_direction_only_reaches_nobody() {
        let mut graph = Graph::new(name("m"));
        let a = graph.intern(&name("a"));
        graph.set_edge(graph.me(), a, edge(1, Options::default()));
        assert!(routes(&mut graph).path(a).is_none());
    }

    #[test]
    fn a_far_node_is_spoken_to_directly_unless_its_edge_says_indirect() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "m", "relay", 1, Options::default());
        pair(&mut graph, "relay", "open", 1, Options::default());
        pair(&mut graph, "relay", "shy", 1, Options::INDIRECT);
        let routes = routes(&mut graph);
        let relay = id(&graph, "relay");
        let open = routes.path(id(&graph, "open")).unwrap();
        assert_eq!((open.nexthop, open.via), (relay, id(&graph, "open")));
        let shy = routes.path(id(&graph, "shy")).unwrap();
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
        let path = routes(&mut graph).path(far).cloned().unwrap();
        assert_eq!((path.nexthop, path.via), (id(&graph, "a"), far));
        assert!(!path.indirect);
    }

    #[test]
    fn a_leaf_comes_and_goes_without_a_search_and_a_hub_does_not() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "m", "hub", 1, Options::default());
        pair(&mut graph, "hub", "leaf", 1, Options::default());
        let mut routes = routes(&mut graph);
        let (hub, leaf) = (id(&graph, "hub"), id(&graph, "leaf"));
        graph.remove_edge(hub, leaf);
        assert_eq!(routes.follow(&mut graph).searched, 0);
        pair(&mut graph, "hub", "leaf", 1, Options::default());
        assert_eq!(routes.follow(&mut graph).searched, 0);
        graph.remove_edge(graph.me(), hub);
        assert_eq!(routes.follow(&mut graph).searched, 3);
        assert!(routes.tree(&graph).is_empty());
        pair(&mut graph, "m", "leaf", 1, Options::default());
        pair(&mut graph, "m", "hub", 1, Options::default());
        routes.follow(&mut graph);
        routes.tree(&graph);
        graph.remove_edge(hub, leaf);
        let tree_only = routes.follow(&mut graph).searched;
        assert_eq!(tree_only, graph.edge_count());
    }

    /// What happens to an edge between two of the nodes.
    #[derive(Debug, Clone)]
    struct Touch {
        from: usize,
        to: usize,
        /// Its weight and options; `None` takes it away.
        edge: Option<(i32, bool)>,
        both: bool,
    }

    const NODES: usize = 7;

    fn touch() -> impl Strategy<Value = Touch> {
        let edge = prop::option::weighted(0.6, (1..4, prop::bool::weighted(0.15)));
        let node = || 0..NODES;
        (node(), node(), edge, prop::bool::weighted(0.8)).prop_map(|(from, to, edge, both)| Touch {
            from,
            to,
            edge,
            both,
        })
    }

    proptest! {
        #[test]
        fn what_is_followed_is_what_a_search_finds(
            rounds in prop::collection::vec(prop::collection::vec(touch(), 1..4), 1..24),
        ) {
            let mut graph = Graph::new(name("d"));
            let names = ["a", "b", "c", "d", "e", "f", "g"];
            let ids = names.map(|text| graph.intern(&name(text)));
            let mut routes = Routes::default();
            routes.follow(&mut graph);
            for round in rounds {
                let before = ids.map(|id| routes.path(id).cloned());
                for Touch { from, to, edge: wanted, both } in round {
                    let ways = [(from, to), (to, from)];
                    for (from, to) in ways.into_iter().take(if both { 2 } else { 1 }) {
                        match wanted {
                            Some((weight, indirect)) => {
                                let options = if indirect { Options::INDIRECT } else { Options::NONE };
                                graph.set_edge(ids[from], ids[to], edge(weight, options));
                            }
                            None => drop(graph.remove_edge(ids[from], ids[to])),
                        }
                    }
                }
                let changed = routes.follow(&mut graph).rerouted;
                let mut afresh = Routes::default();
                afresh.search(&graph);
                for (id, before) in ids.iter().zip(before) {
                    prop_assert_eq!(routes.path(*id), afresh.path(*id));
                    let is_other = before.as_ref() != routes.path(*id);
                    prop_assert!(!is_other || changed.contains(id), "{:?} is not told", id);
                    if let (Some(kept), Some(found)) = (routes.found.get(*id), afresh.found.get(*id)) {
                        prop_assert_eq!(
                            (kept.first, kept.last, kept.is_bettered, kept.hops),
                            (found.first, found.last, found.is_bettered, found.hops)
                        );
                    }
                }
                prop_assert!(changed.is_sorted_by_key(|id| graph.name(*id).cloned()));
                prop_assert_eq!(routes.tree(&graph).to_vec(), graph.tree_neighbours());
            }
        }
    }
}
