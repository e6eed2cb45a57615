//! A plan as others draw it: text for Mermaid, which many forges show, and for Graphviz.

use super::{NodePlan, Plan, Role};

impl Plan {
    /// A flowchart for Mermaid.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = String::from("graph LR\n");
        for (n, node) in self.nodes.iter().enumerate() {
            // Names may be words of Mermaid's own, so they stand in quotes only.
            let label = self.label(node).join("<br/>");
            let (open, close) = match node.role {
                Role::Core => ("((", "))"),
                Role::Router | Role::Sharer => ("{{", "}}"),
                Role::Server => ("[", "]"),
                Role::Pi => ("[[", "]]"),
                Role::Client => ("(", ")"),
                Role::Kit => ("([", "])"),
            };
            text.push_str(&format!("    n{n}{open}\"{label}\"{close}\n"));
        }
        for [a, b] in self.cables() {
            text.push_str(&format!("    n{a} --- n{b}\n"));
        }
        for [a, b] in self
            .radio_links()
            .map(|ends| ends.map(|end| self.number(end)))
        {
            text.push_str(&format!("    n{a} -. radio .- n{b}\n"));
        }
        for [a, b] in self.tunnels() {
            text.push_str(&format!("    n{a} -.- n{b}\n"));
        }
        text
    }

    /// A graph for Graphviz' `dot`.
    #[must_use]
    pub fn graphviz(&self) -> String {
        let mut text = format!("graph {} {{\n", quoted(&self.title));
        text.push_str("    rankdir=LR\n    node [shape=box fontname=\"sans-serif\"]\n");
        for (n, node) in self.nodes.iter().enumerate() {
            let label = quoted(&self.label(node).join("\n"));
            let shape = match node.role {
                Role::Core => "ellipse",
                Role::Router | Role::Sharer => "hexagon",
                Role::Server => "box",
                Role::Pi => "box3d",
                Role::Client => "note",
                Role::Kit => "circle",
            };
            text.push_str(&format!("    n{n} [shape={shape} label={label}]\n"));
        }
        for ([a, b], link) in self.cables().into_iter().zip(&self.links) {
            let [near, far] = link.ends.each_ref().map(|end| quoted(&end.interface));
            let ends = format!("taillabel={near} headlabel={far} fontsize=9");
            text.push_str(&format!("    n{a} -- n{b} [{ends}]\n"));
        }
        for [a, b] in self
            .radio_links()
            .map(|ends| ends.map(|end| self.number(end)))
        {
            text.push_str(&format!(
                "    n{a} -- n{b} [style=dotted label=radio fontsize=9]\n"
            ));
        }
        for [a, b] in self.tunnels() {
            text.push_str(&format!(
                "    n{a} -- n{b} [style=dashed constraint=false]\n"
            ));
        }
        text.push_str("}\n");
        text
    }

    /// A machine's name, and below it its NAT and what it brings.
    fn label(&self, node: &NodePlan) -> Vec<String> {
        let nat = node.ruleset.as_ref();
        let nat = nat.map(|ruleset| format!("NAT {}", ruleset.kind));
        let sites = self.overlay.iter().flat_map(|overlay| &overlay.sites);
        let site = sites.filter(|site| site.node == node.name);
        let brings = site.map(|site| format!("brings {}", site.prefix));
        [node.name.clone()]
            .into_iter()
            .chain(nat)
            .chain(brings)
            .collect()
    }

    /// The ends of every cable, as numbers of machines.
    fn cables(&self) -> Vec<[usize; 2]> {
        let ends = self.links.iter().map(|link| link.ends.each_ref());
        ends.map(|ends| ends.map(|end| self.number(&end.node)))
            .collect()
    }

    /// The ends of what the overlay begins with: from the server to every site.
    fn tunnels(&self) -> Vec<[usize; 2]> {
        let overlays = self.overlay.iter().flat_map(|overlay| {
            let server = self.number(&overlay.server);
            let sites = overlay.sites.iter();
            sites.map(move |site| [server, self.number(&site.node)])
        });
        overlays.collect()
    }

    fn number(&self, name: &str) -> usize {
        let found = self.nodes.iter().position(|node| node.name == name);
        found.unwrap_or(self.nodes.len())
    }
}

/// A string as Graphviz has it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;

    #[test]
    fn mermaid_has_every_machine_and_cable_and_the_tunnel() {
        let plan = plan("how-to");
        let text = plan.mermaid();
        assert_eq!(text.matches(" --- ").count(), plan.links.len(), "{text}");
        assert_eq!(text.matches(" -.- ").count(), 1, "{text}");
        let cafe = "{{\"cafe<br/>NAT port-restricted\"}}";
        assert!(text.contains(cafe), "{text}");
    }

    #[test]
    fn graphviz_has_the_interfaces_at_the_ends_of_cables() {
        let plan = plan("how-to");
        let text = plan.graphviz();
        assert_eq!(text.matches(" -- ").count(), plan.links.len() + 1, "{text}");
        assert!(text.contains("headlabel=\"wan0\""), "{text}");
        assert!(text.contains("brings 2001:db8:85a3:ef11::/64"), "{text}");
    }
}
