//! Drawings of networks: each once, as a symbol, and then in the colours of what became of its daemons.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use maud::{Markup, html};

use super::super::events::{DaemonState, Drawing, DrawnNode};
use super::super::story::Scenario;
use crate::plan::Role;

/// Size of a machine, and of the place it has, in pixels.
const BOX: (usize, usize) = (96, 22);
const PLACE: (usize, usize) = (122, 40);

/// The networks of a page that differ, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Drawings(Vec<Drawing>);

/// Where a machine stands: how far from the core, and in which row.
type Places<'a> = BTreeMap<&'a str, (usize, usize)>;

impl Drawings {
    /// The drawing of a scenario's network, its machines in the colours of what became of their daemons.
    pub(super) fn show(&mut self, scenario: &Scenario) -> Markup {
        let Some(network) = &scenario.network else {
            return html! { p.none { "no network stood" } };
        };
        let n = self.number(network);
        let mut style = String::new();
        for (node, of) in network.nodes.iter().enumerate() {
            if let Some(state) = scenario.last_state(&of.name) {
                // Writing to a string does not fail.
                let _ = write!(style, "--n{node}:var(--{});", colour(state));
                // For who does not tell colours apart.
                let _ = match state {
                    DaemonState::Up => write!(style, "--f{node}:var(--up);"),
                    DaemonState::Frozen => write!(style, "--d{node}:8 3;"),
                    DaemonState::Down => write!(style, "--d{node}:2 3;"),
                };
            }
        }
        let (width, height) = size(&places(network));
        let label = format!("The network {}", network.title);
        html! {
            svg.net viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height)
                role="img" aria-label=(label) style=(style) {
                use href=(format!("#net{n}")) {}
            }
        }
    }

    /// Every drawing, to be referred to.
    pub(super) fn symbols(&self) -> Markup {
        html! {
            svg width="0" height="0" aria-hidden="true" style="position:absolute" {
                @for (n, network) in self.0.iter().enumerate() {
                    symbol id=(format!("net{n}")) overflow="visible" { (draw(network)) }
                }
            }
        }
    }

    fn number(&mut self, network: &Drawing) -> usize {
        let same = |known: &Drawing| known.nodes == network.nodes && known.links == network.links;
        self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push(network.clone());
            self.0.len() - 1
        })
    }
}

/// Name of the colour for a state.
pub(super) fn colour(state: DaemonState) -> &'static str {
    match state {
        DaemonState::Up => "up",
        DaemonState::Frozen => "frozen",
        DaemonState::Down => "down",
    }
}

fn draw(network: &Drawing) -> Markup {
    let places = places(network);
    let at = |name: &str| {
        let (column, row) = places.get(name).copied().unwrap_or_default();
        (column * PLACE.0 + 1, row * PLACE.1 + 1)
    };
    html! {
        @for link in &network.links {
            @let ((x0, y0), (x1, y1)) = (at(&link.ends[0]), at(&link.ends[1]));
            @let (from, to, half) = (x0 + BOX.0, x1, BOX.1 / 2);
            path.cable d=(format!("M{from} {}h13V{}H{to}", y0 + half, y1 + half)) {
                title { (link.name) }
            }
        }
        @for (n, node) in network.nodes.iter().enumerate() {
            @let (x, y) = at(&node.name);
            @let line = format!("stroke:var(--n{n},var(--calm));stroke-dasharray:var(--d{n},none)");
            @let dot = format!("fill:var(--f{n},transparent);stroke:var(--n{n},var(--calm))");
            g transform=(format!("translate({x} {y})")) {
                title { (about(node)) }
                rect.node width=(BOX.0) height=(BOX.1) rx="4" style=(line) {}
                @if node.member {
                    circle cx="11" cy="11" r="5" style=(dot) {}
                }
                text x=(if node.member { 21 } else { 7 }) y="15" { (node.name) }
                @if let Some(nat) = &node.nat {
                    text.nat x="2" y="33" { (nat) }
                }
            }
        }
    }
}

fn about(node: &DrawnNode) -> String {
    let nat = node.nat.as_ref().map(|nat| format!(", NAT {nat}"));
    let daemon = if node.member { ", runs a daemon" } else { "" };
    format!(
        "{}: {}{}{daemon}",
        node.name,
        node.role,
        nat.unwrap_or_default()
    )
}

/// From the core to the right, one row for each machine at which a way ends.
fn places(network: &Drawing) -> Places<'_> {
    let (mut places, mut row) = (Places::new(), 0);
    let core = network.nodes.iter().filter(|node| node.role == Role::Core);
    // Machines without a core stand below one another.
    for node in core.chain(&network.nodes) {
        if !places.contains_key(node.name.as_str()) {
            place(network, &node.name, 0, &mut row, &mut places);
            row += 1;
        }
    }
    places
}

/// Puts a machine, and all that is behind it, into rows from `row` on; the last that was used is left in it.
fn place<'a>(
    network: &'a Drawing,
    name: &'a str,
    column: usize,
    row: &mut usize,
    places: &mut Places<'a>,
) {
    places.insert(name, (column, *row));
    let mut first = true;
    for link in network.links.iter().filter(|link| link.ends[0] == name) {
        let far = link.ends[1].as_str();
        if places.contains_key(far) {
            continue;
        }
        if !std::mem::take(&mut first) {
            *row += 1;
        }
        place(network, far, column + 1, row, places);
    }
}

fn size(places: &Places<'_>) -> (usize, usize) {
    let columns = places.values().map(|(column, _)| column + 1).max();
    let rows = places.values().map(|(_, row)| row + 1).max();
    (
        columns.unwrap_or(0) * PLACE.0 - (PLACE.0 - BOX.0) + 2,
        rows.unwrap_or(0) * PLACE.1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::events::DrawnLink;

    fn network(links: &[(&str, &str)]) -> Drawing {
        let mut names: Vec<&str> = links.iter().flat_map(|(a, b)| [*a, *b]).collect();
        names.sort_unstable();
        names.dedup();
        Drawing {
            title: "a test".to_owned(),
            nodes: names
                .iter()
                .map(|name| DrawnNode {
                    name: (*name).to_owned(),
                    role: if *name == "internet" {
                        Role::Core
                    } else {
                        Role::Server
                    },
                    nat: None,
                    member: false,
                })
                .collect(),
            links: links
                .iter()
                .map(|(a, b)| DrawnLink {
                    name: format!("{a}--{b}"),
                    ends: [(*a).to_owned(), (*b).to_owned()],
                })
                .collect(),
            venues: Vec::new(),
        }
    }

    #[test]
    fn no_two_machines_stand_in_one_place() {
        let network = network(&[
            ("internet", "www"),
            ("internet", "cafe"),
            ("cafe", "node_one"),
            ("cafe", "node_two"),
            ("node_one", "laptop"),
        ]);
        let places = places(&network);
        assert_eq!(places["internet"], (0, 0));
        assert_eq!(places["laptop"], (3, 1));
        assert_eq!(places["node_two"], (2, 2));
        let different: std::collections::BTreeSet<_> = places.values().collect();
        assert_eq!(different.len(), 6);
    }

    #[test]
    fn a_network_is_drawn_once_for_all_its_scenarios() {
        let mut drawings = Drawings::default();
        let scenario = Scenario {
            network: Some(network(&[("internet", "www")])),
            ..Scenario::default()
        };
        drawings.show(&scenario);
        drawings.show(&scenario);
        assert_eq!(
            drawings.symbols().into_string().matches("<symbol").count(),
            1
        );
    }
}
