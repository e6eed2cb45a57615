//! A plan for people: a small drawing, and every detail.

use std::fmt;
use std::net::IpAddr;

use super::{Advertisement, InterfacePlan, NodePlan, Passage, Plan, Role};
use crate::model::SHARED_SPACE;

/// The domain of every machine's full name; nobody has it (RFC 2606).
pub const DOMAIN: &str = "example";

impl Plan {
    /// A small picture of the network, one machine a line, indented by its distance from the internet's core.
    #[must_use]
    pub fn drawing(&self) -> String {
        let mut lines = Vec::new();
        if let Some(core) = self.nodes.iter().find(|node| node.role == Role::Core) {
            lines.push((core.name.clone(), String::new()));
            self.branch(core, "", &mut lines);
        }
        let width = lines.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
        let mut drawing = String::new();
        for (left, right) in lines {
            drawing.push_str(format!("{left:width$}   {right}").trim_end());
            drawing.push('\n');
        }
        drawing
    }

    fn branch(&self, node: &NodePlan, indent: &str, lines: &mut Vec<(String, String)>) {
        let near = |end: usize| {
            move |link: &&super::LinkPlan| {
                link.ends.get(end).is_some_and(|end| end.node == node.name)
            }
        };
        let children: Vec<&NodePlan> = self
            .links
            .iter()
            .filter(near(0))
            .map(|link| link.ends[1].node.as_str())
            .chain(
                self.radio_links()
                    .filter(|[router, _]| *router == node.name)
                    .map(|[_, kit]| kit),
            )
            .filter_map(|name| self.node(name))
            .collect();
        for (n, child) in children.iter().enumerate() {
            let last = n + 1 == children.len();
            let (arm, next) = if last {
                ("`-- ", "    ")
            } else {
                ("|-- ", "|   ")
            };
            lines.push((format!("{indent}{arm}{}", child.name), self.remark(child)));
            self.branch(child, &format!("{indent}{next}"), lines);
        }
    }

    fn remark(&self, node: &NodePlan) -> String {
        let mut parts: Vec<String> = node
            .interfaces
            .iter()
            .filter(|interface| !interface.addresses.is_empty())
            .map(|interface| {
                let addresses: Vec<String> = interface
                    .addresses
                    .iter()
                    .map(|address| address.net.addr.to_string())
                    .collect();
                format!("{} {}", interface.name, addresses.join(", "))
            })
            .collect();
        parts.extend(
            node.ruleset
                .as_ref()
                .map(|ruleset| format!("NAT {}", ruleset.kind)),
        );
        let place = self.place(&node.name);
        let rules = place.iter().flat_map(|place| place.rules());
        let named = rules.filter_map(|rule| Some(rule.split_once(": ")?.0.to_owned()));
        parts.extend(Some(named.collect::<Vec<_>>().join(", ")).filter(|all| !all.is_empty()));
        if let Some(overlay) = &self.overlay {
            if overlay.server == node.name {
                parts.push(format!("overlay {}, has {}", overlay.address, overlay.pool));
            }
            parts.extend(
                overlay
                    .sites
                    .iter()
                    .filter(|site| site.node == node.name)
                    .map(|site| format!("overlay {}, brings {}", site.address, site.prefix)),
            );
        }
        parts.join("; ")
    }

    /// The addresses of a machine that mean the same everywhere.
    #[must_use]
    pub fn public_addresses(&self, name: &str) -> Vec<IpAddr> {
        let interfaces = self
            .node(name)
            .into_iter()
            .flat_map(|node| &node.interfaces);
        let addresses = interfaces.flat_map(|interface| &interface.addresses);
        let all = addresses.map(|address| address.net.addr);
        all.filter(|addr| everywhere(*addr)).collect()
    }

    /// Lines for `/etc/hosts`: every machine under its name, by the addresses that mean the same everywhere.
    #[must_use]
    pub fn hosts(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            for addr in self.public_addresses(&node.name) {
                text.push_str(&format!("{addr}\t{0}.{DOMAIN} {0}\n", node.name));
            }
        }
        text
    }
}

/// Whether an address is the same machine's wherever one asks.
fn everywhere(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => !v4.is_private() && !v4.is_link_local() && !SHARED_SPACE.contains(addr),
        IpAddr::V6(addr) => !addr.is_unicast_link_local(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.title, self.drawing())?;
        for node in &self.nodes {
            write!(f, "{node}")?;
        }
        writeln!(f, "links")?;
        for link in &self.links {
            let [a, b] = &link.ends;
            writeln!(
                f,
                "  {}: {} {} <-> {} {}",
                link.name, a.node, a.interface, b.node, b.interface
            )?;
            if let Some(line) = &link.line {
                writeln!(f, "    {line}")?;
            }
        }
        for passage in &self.passages {
            let Passage {
                from, to, seen_as, ..
            } = passage;
            writeln!(f, "  {from} reaches {to} as {seen_as}")?;
        }
        for place in &self.places {
            writeln!(f, "rules at {}", place.router)?;
            for rule in place.rules() {
                writeln!(f, "  {rule}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for NodePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.role)?;
        for interface in &self.interfaces {
            writeln!(f, "  {interface}")?;
        }
        for route in &self.routes {
            let to = if route.to.len == 0 {
                "default".to_owned()
            } else {
                route.to.to_string()
            };
            let via = route
                .via
                .map(|via| format!(" via {via}"))
                .unwrap_or_default();
            writeln!(f, "  route {to}{via} dev {}", route.interface)?;
        }
        for (key, value) in &self.sysctls {
            writeln!(f, "  sysctl {} = {value}", key.replace('/', "."))?;
        }
        if let Some(ruleset) = &self.ruleset {
            writeln!(f, "  nft ruleset {}", ruleset.kind)?;
        }
        if let Some(service) = &self.service {
            write!(f, "{service}")?;
        }
        if let Some(Advertisement { ipv6, .. }) = &self.advertisement {
            write!(f, "  advertises {} that leads {}", ipv6.prefix, ipv6.leads)?;
            if let Some(nat64) = ipv6.nat64 {
                let told = if ipv6.pref64 {
                    "told of"
                } else {
                    "not told of"
                };
                write!(f, ", NAT64 by {nat64}, which guests are {told}")?;
            }
            writeln!(f)?;
        }
        if let Some(resolver) = self.guest.resolver {
            writeln!(f, "  resolver {resolver}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for InterfacePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if self.name != "lo" {
            let mac = self.mac.map(|byte| format!("{byte:02x}")).join(":");
            write!(f, " {mac} mtu {}", self.mtu)?;
        }
        if self.bridge {
            write!(f, " bridge")?;
        }
        if let Some(bridge) = &self.port_of {
            write!(f, " port of {bridge}")?;
        }
        if let Some(radio) = &self.radio {
            write!(f, " ({radio})")?;
        }
        for address in &self.addresses {
            write!(f, " {}", address.net)?;
            if let Some(label) = &address.label {
                write!(f, " ({label})")?;
            }
            if address.leased {
                write!(
                    f,
                    " ({})",
                    if address.net.is_ipv4() {
                        "by DHCP"
                    } else {
                        "by its router"
                    }
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core => "core router",
            Self::Server => "server",
            Self::Router => "venue's router",
            Self::Sharer => "computer sharing its WLAN",
            Self::Pi => "Pi",
            Self::Client => "client",
            Self::Kit => "kit",
        })
    }
}
