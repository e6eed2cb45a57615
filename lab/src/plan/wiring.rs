//! Machines, cables and addresses while a plan is being put together.

use std::net::IpAddr;

use super::{AddressPlan, End, Guest, InterfacePlan, LinkPlan, Net, NodePlan, Role, RoutePlan};
use crate::conditioner::Line;
use crate::model::Link;

/// What Ethernet carries.
const MTU: u32 = 1500;

/// The machines and cables laid so far.
#[derive(Default)]
pub(super) struct Wiring {
    pub(super) nodes: Vec<NodePlan>,
    pub(super) links: Vec<LinkPlan>,
}

impl Wiring {
    pub(super) fn add(&mut self, name: &str, role: Role, sysctls: Vec<(String, String)>) {
        self.nodes.push(NodePlan {
            name: name.to_owned(),
            role,
            interfaces: Vec::new(),
            routes: Vec::new(),
            sysctls,
            ruleset: None,
            service: None,
            advertisement: None,
            guest: Guest::default(),
        });
    }

    pub(super) fn find(&mut self, name: &str) -> Option<&mut NodePlan> {
        self.nodes.iter_mut().find(|node| node.name == name)
    }

    /// Joins machines to one of `hub`'s interfaces: a cable for one, a bridge called `bridge` for several.
    /// Returns the interface's name in the hub.
    pub(super) fn segment(&mut self, hub: &str, bridge: &str, members: &[(&str, &str)]) -> String {
        if let [(member, theirs)] = members {
            let ours = self.next_ethernet(hub);
            self.cable(hub, &ours, member, theirs);
            return ours;
        }
        self.bridge(hub, bridge, "eth", members);
        bridge.to_owned()
    }

    /// A bridge in `hub` with a port, named after `stem`, for each member.
    pub(super) fn bridge(&mut self, hub: &str, bridge: &str, stem: &str, members: &[(&str, &str)]) {
        self.interface(hub, bridge).bridge = true;
        for (n, (member, theirs)) in (1..).zip(members) {
            let port = if stem == "eth" {
                self.next_ethernet(hub)
            } else {
                format!("{stem}{n}")
            };
            self.cable(hub, &port, member, theirs);
            self.interface(hub, &port).port_of = Some(bridge.to_owned());
        }
    }

    pub(super) fn next_ethernet(&mut self, hub: &str) -> String {
        let used = self.find(hub).map_or(0, |node| {
            node.interfaces
                .iter()
                .filter(|found| found.name.starts_with("eth"))
                .count()
        });
        format!("eth{used}")
    }

    /// A cable between two interfaces, both of which it makes.
    pub(super) fn cable(&mut self, a: &str, a_interface: &str, b: &str, b_interface: &str) {
        self.interface(a, a_interface);
        self.interface(b, b_interface);
        let end = |node: &str, interface: &str| End {
            node: node.to_owned(),
            interface: interface.to_owned(),
        };
        self.links.push(LinkPlan {
            name: format!("{a}--{b}"),
            ends: [end(a, a_interface), end(b, b_interface)],
            line: None,
        });
    }

    /// Makes the cable at an interface a line. Both ends know how much it carries.
    pub(super) fn condition(&mut self, node: &str, interface: &str, link: &Link) {
        let at = |end: &End| end.node == node && end.interface == interface;
        let Some(cable) = self.links.iter_mut().find(|link| link.ends.iter().any(at)) else {
            return;
        };
        // One that only carries less needs no wire.
        cable.line = (link.line != Line::default()).then_some(link.line);
        let ends = cable.ends.clone();
        for end in ends {
            if let Some(mtu) = link.mtu {
                self.interface(&end.node, &end.interface).mtu = mtu;
            }
        }
    }

    /// The interface of that name, made if it is not there.
    pub(super) fn interface(&mut self, node: &str, name: &str) -> &mut InterfacePlan {
        let found = self.nodes.iter_mut().find(|found| found.name == node);
        let interfaces = &mut found
            .expect("a machine is added before it is cabled")
            .interfaces;
        let at = interfaces
            .iter()
            .position(|found| found.name == name)
            .unwrap_or_else(|| {
                interfaces.push(InterfacePlan {
                    name: name.to_owned(),
                    mac: [0; 6],
                    mtu: MTU,
                    bridge: false,
                    port_of: None,
                    addresses: Vec::new(),
                    radio: None,
                });
                interfaces.len() - 1
            });
        &mut interfaces[at]
    }

    pub(super) fn address(
        &mut self,
        node: &str,
        interface: &str,
        net: Option<Net>,
        label: Option<&str>,
    ) {
        if let Some(net) = net {
            let label = label.map(str::to_owned);
            self.interface(node, interface).addresses.push(AddressPlan {
                net,
                label,
                leased: false,
            });
        }
    }

    /// A route; the same twice is one, as where a machine has two addresses in a network.
    pub(super) fn route(&mut self, node: &str, to: Net, via: Option<IpAddr>, interface: &str) {
        let route = RoutePlan {
            to,
            via,
            interface: interface.to_owned(),
            leased: false,
        };
        if let Some(node) = self.find(node)
            && !node.routes.contains(&route)
        {
            node.routes.push(route);
        }
    }

    /// What DHCP would give: an address and the default route.
    pub(super) fn lease(&mut self, node: &str, interface: &str, lan: Net, n: u32) {
        self.address(node, interface, lan.nth(n), None);
        if let Some(gateway) = lan.nth(1) {
            self.route(node, Net::DEFAULT_V4, Some(gateway.addr), interface);
        }
    }
}
