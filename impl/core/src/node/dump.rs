//! What operators see on `SIGUSR1` and `SIGUSR2`, in the shape that scripts around tincd read.

use std::fmt::Write as _;

use super::Node;
use super::peer::Peer;
use crate::graph::NodeId;

/// Bits of the status word (tinc 1.0).
const HAS_KEY: u16 = 0x02;
const WAITS_FOR_KEY: u16 = 0x04;
const VISITED: u16 = 0x08;
const REACHABLE: u16 = 0x10;
const INDIRECT: u16 = 0x20;

impl Node {
    /// The meta connections, a line each (`SIGUSR1`).
    #[must_use]
    pub fn dump_connections(&self) -> Vec<String> {
        let mut lines = vec!["Connections:".to_owned()];
        for (conn, link) in &self.links {
            let name = link.meta.peer_name().map_or("<unknown>", AsRef::as_ref);
            let options = link.active.as_ref().map(|active| active.options);
            lines.push(format!(
                " {name} at {} port {} options {:x} socket {conn} status {:04x} outbuf {}/{}/0",
                link.address.ip(),
                link.address.port(),
                options.unwrap_or_default(),
                u16::from(link.active.is_some()) << 1,
                link.backlog.bytes(),
                self.settings.max_output_buffer,
            ));
        }
        lines.push("End of connections.".to_owned());
        lines
    }

    /// Nodes, edges and subnets, a line each (`SIGUSR2`).
    #[must_use]
    pub fn dump_mesh(&self) -> Vec<String> {
        let mut lines = vec!["Nodes:".to_owned()];
        lines.extend(
            self.graph
                .nodes()
                .filter_map(|(_, id)| Some(self.node_line(id, self.peers.get(id)?))),
        );
        lines.push("End of nodes.".to_owned());
        lines.push("Edges:".to_owned());
        for (from_name, from) in self.graph.nodes() {
            for (to_name, _, edge) in self.graph.edges_from(from) {
                lines.push(format!(
                    " {from_name} to {to_name} at {} options {:x} weight {}",
                    edge.endpoint, edge.options, edge.weight
                ));
            }
        }
        lines.push("End of edges.".to_owned());
        lines.push("Subnet list:".to_owned());
        let mut subnets: Vec<_> = self
            .graph
            .nodes()
            .filter_map(|(name, id)| Some((name, self.peers.get(id)?)))
            .flat_map(|(name, peer)| peer.subnets.iter().map(move |subnet| (subnet, name)))
            .collect();
        subnets.sort_unstable();
        lines.extend(
            subnets
                .into_iter()
                .map(|(subnet, name)| format!(" {subnet} owner {name}")),
        );
        lines.push("End of subnet list.".to_owned());
        lines
    }

    /// All nodes and edges as a graph for graphviz (`GraphDumpFile`).
    #[must_use]
    pub fn dump_graph(&self) -> String {
        let mut text = "digraph {\n".to_owned();
        let mut edges = Vec::new();
        for (name, id) in self.graph.nodes() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\t\"{name}\" [label = \"{name}\"];");
            let targets = self.graph.edges_from(id);
            edges.extend(targets.map(|(to, _, edge)| (edge.weight, name, to)));
        }
        edges.sort_unstable();
        for (_, from, to) in edges {
            let _ = writeln!(text, "\t\"{from}\" -> \"{to}\";");
        }
        text.push_str("}\n");
        text
    }

    fn node_line(&self, id: NodeId, peer: &Peer) -> String {
        let mut line = format!(" {} at ", self.name_of(id));
        match peer.udp {
            _ if id == self.me() => line.push_str("MYSELF"),
            Some(udp) => {
                let (ip, port) = (udp.address.ip(), udp.address.port());
                // Writing to a string cannot fail.
                let _ = write!(line, "{ip} port {port}");
            }
            None => line.push_str("unknown port unknown"),
        }
        let (cipher, digest, mac_length, compression) = peer
            .out_key
            .as_ref()
            .map_or((0, 0, 0, 0), |out| out.spec.numbers());
        let name_or_dash = |hop: Option<NodeId>| hop.map_or("-", |hop| self.name_of(hop));
        let path = peer.path.as_ref();
        let options = if id == self.me() {
            self.settings.options
        } else {
            path.map(|path| path.options).unwrap_or_default()
        };
        let _ = write!(
            line,
            " cipher {cipher} digest {digest} maclength {mac_length} compression {compression} \
             options {options:x} status {:04x} nexthop {} via {} pmtu {} (min {} max {})",
            status(peer),
            name_or_dash(path.map(|path| path.nexthop)),
            name_or_dash(path.map(|path| path.via)),
            peer.pmtu.mtu(),
            peer.pmtu.min_mtu(),
            peer.pmtu.max_mtu(),
        );
        line
    }
}

fn status(peer: &Peer) -> u16 {
    let mut status = 0;
    if peer.out_key.is_some() {
        status |= HAS_KEY;
    } else if peer.key_asked.is_some() {
        status |= WAITS_FOR_KEY;
    }
    if let Some(path) = &peer.path {
        status |= VISITED | REACHABLE;
        if path.indirect {
            status |= INDIRECT;
        }
    }
    status
}
