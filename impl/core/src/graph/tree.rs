//! The minimum spanning tree along which broadcasts travel.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::{Graph, NodeId};
use crate::name::NodeName;

/// Position of an edge in the order that all nodes of a mesh share.
type Rank<'a> = (i32, &'a NodeName, &'a NodeName);

impl Graph {
    /// Our neighbours in the minimum spanning tree, in the order of the names.
    ///
    /// Edges are ordered by weight, origin and target; with that total order the tree is the
    /// same wherever its construction starts, so that all nodes agree on it. Only edges known
    /// in both directions count (tinc 1.0 legacy protocol, minimum spanning tree).
    #[must_use]
    pub fn tree_neighbours(&self) -> Vec<NodeId> {
        let mut visited = BTreeSet::from([self.me()]);
        let mut neighbours = BTreeSet::new();
        let mut frontier: BinaryHeap<Reverse<(Rank<'_>, NodeId, NodeId)>> = BinaryHeap::new();
        self.push_edges(self.me(), &mut frontier);
        while let Some(Reverse((_, from, to))) = frontier.pop() {
            if !visited.insert(to) {
                continue;
            }
            if from == self.me() {
                neighbours.insert(to);
            }
            self.push_edges(to, &mut frontier);
        }
        self.nodes()
            .filter(|(_, id)| neighbours.contains(id))
            .map(|(_, id)| id)
            .collect()
    }

    /// Both directions of every paired edge at `from`, each with its own rank.
    fn push_edges<'a>(
        &'a self,
        from: NodeId,
        frontier: &mut BinaryHeap<Reverse<(Rank<'a>, NodeId, NodeId)>>,
    ) {
        let Some(origin) = self.name(from) else {
            return;
        };
        for (target, to, edge) in self.edges_from(from) {
            if let Some(back) = self.edge(to, from) {
                frontier.push(Reverse(((edge.weight, origin, target), from, to)));
                frontier.push(Reverse(((back.weight, target, origin), from, to)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{name, pair};
    use super::*;
    use crate::options::Options;

    /// The tree as seen by each node of a triangle: together two links, agreed on by both ends.
    #[test]
    fn all_nodes_of_a_triangle_leave_out_the_same_link() {
        let neighbours = |me: &str| {
            let mut graph = Graph::new(name(me));
            pair(&mut graph, "a", "b", 5, Options::default());
            pair(&mut graph, "b", "c", 5, Options::default());
            pair(&mut graph, "a", "c", 9, Options::default());
            graph
                .tree_neighbours()
                .into_iter()
                .map(|id| graph.name(id).unwrap().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(neighbours("a"), ["b"]);
        assert_eq!(neighbours("b"), ["a", "c"]);
        assert_eq!(neighbours("c"), ["b"]);
    }

    #[test]
    fn unreachable_nodes_are_no_part_of_the_tree() {
        let mut graph = Graph::new(name("m"));
        pair(&mut graph, "x", "y", 1, Options::default());
        assert!(graph.tree_neighbours().is_empty());
    }
}
