//! The plan of a lab: a scenario with every interface, address, route and ruleset decided.
//!
//! A plan is a pure function of the scenario, so that two people who read the same file speak about the same
//! addresses. It knows nothing of netlink: [`crate::fabric`] makes it real.

mod build;
mod export;
mod ipv6;
mod places;
mod radio;
mod segments;
mod services;
mod show;
mod sysctls;
mod wiring;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::conditioner::Line;
use crate::model::Scenario;
use crate::nat::Promise;
pub use crate::net::Net;
pub use places::{Place, WallPlan};
pub use radio::{Connection, Radio, RadioEnd};
pub use segments::Segment;
pub use services::{Advertisement, DhcpService, Guest, Service};
pub use show::DOMAIN;

/// A whole network, ready to be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What the scenario calls itself.
    pub title: String,
    /// Every machine, in the order in which the scenario implies them.
    pub nodes: Vec<NodePlan>,
    /// Every cable, named `a--b` after the machines at its ends.
    pub links: Vec<LinkPlan>,
    /// The IPv6 network to be laid over this one, if the scenario has one.
    pub overlay: Option<Overlay>,
    /// Ways through NATs whose behaviour is known, to be tried when the network stands.
    pub passages: Vec<Passage>,
    /// Venues with rules of their own, which are put in force when the passages were tried.
    pub places: Vec<Place>,
    /// Decides whatever is left to chance: the same seed, the same losses.
    pub seed: u64,
}

/// A machine's way to a server through one NAT or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// The machine behind the NATs.
    pub from: String,
    /// The server.
    pub to: String,
    /// The server's address.
    pub address: Ipv4Addr,
    /// The address the server sees.
    pub seen_as: Ipv4Addr,
    /// What the NATs together do to UDP.
    pub promise: Promise,
}

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The internet's core router.
    Core,
    /// A machine with public addresses.
    Server,
    /// The router of a venue.
    Router,
    /// A person's computer that shares its own uplink by masquerading.
    Sharer,
    /// A device that is to bring IPv6 to its downstream links.
    Pi,
    /// A machine on a Pi's downstream link.
    Client,
    /// A device that reaches a Pi by radio.
    Kit,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodePlan {
    /// Its name, also its host name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its interfaces; a bridge stands before its ports, `lo` is named only where it has an address of its own.
    pub interfaces: Vec<InterfacePlan>,
    /// Routes beyond those the addresses imply.
    pub routes: Vec<RoutePlan>,
    /// Kernel settings below `/proc/sys`, as `net/ipv4/ip_forward` and value, in order.
    pub sysctls: Vec<(String, String)>,
    /// The ruleset its firewall starts with.
    pub ruleset: Option<Ruleset>,
    /// What it serves to those who come in.
    pub service: Option<Service>,
    /// What it tells them of IPv6.
    pub advertisement: Option<Advertisement>,
    /// How it learns where it is.
    pub guest: Guest,
}

/// One interface of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InterfacePlan {
    /// Its name inside the machine, e.g. `eth0`.
    pub name: String,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Whether it is a bridge (otherwise it is the end of a link).
    pub bridge: bool,
    /// The bridge of the same machine it is a port of.
    pub port_of: Option<String>,
    /// Its addresses, the primary one first.
    pub addresses: Vec<AddressPlan>,
    /// Of a Bluetooth interface, what it is connected to. It is there only while it is.
    pub radio: Option<Radio>,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressPlan {
    /// Address and prefix length.
    pub net: Net,
    /// Label as of `eth0:1`, IPv4 only.
    pub label: Option<String>,
    /// Whether it is given by the venue, or a router, when the machine asks, and not by whoever sets the machine up.
    pub leased: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoutePlan {
    /// Where to; length 0 is the default route.
    pub to: Net,
    /// Next hop; without one the destination is on link.
    pub via: Option<IpAddr>,
    /// Outgoing interface.
    pub interface: String,
    /// Whether it comes with a leased address.
    pub leased: bool,
}

/// A ruleset for `nft`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruleset {
    /// Name of the kind, e.g. `port-restricted`.
    pub kind: String,
    /// The text `nft -f -` is fed.
    pub text: String,
}

/// One cable between two interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkPlan {
    /// Name, `a--b` after the machines at its ends.
    pub name: String,
    /// The two ends; the first is the one nearer to the internet's core.
    pub ends: [End; 2],
    /// What it does to packets, if it is no mere cable.
    pub line: Option<Line>,
}

/// One end of a cable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct End {
    /// Name of the machine.
    pub node: String,
    /// Name of the interface in it.
    pub interface: String,
}

/// The IPv6 network that daemons are to lay over the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlay {
    /// Name of the machine that holds the address space.
    pub server: String,
    /// That machine's address on the overlay.
    pub address: Ipv6Addr,
    /// The link all members share.
    pub network: Net,
    /// The address space routed to the server; what no site has is unreachable.
    pub pool: Net,
    /// The places IPv6 is brought to.
    pub sites: Vec<Site>,
}

/// One place IPv6 is brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// Name of the machine there, also its node name in the overlay.
    pub node: String,
    /// Its address on the overlay.
    pub address: Ipv6Addr,
    /// The prefix that is its own.
    pub prefix: Net,
    /// The links it is given to, each with a /64 of it.
    pub links: Vec<Downstream>,
}

/// A link that IPv6 is brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Downstream {
    /// The Pi's interface there.
    pub interface: String,
    /// The prefix of the link, a /64.
    pub prefix: Net,
    /// The Pi's address there.
    pub gateway: Ipv6Addr,
    /// Names of the other machines on the link.
    pub hosts: Vec<String>,
}

impl Site {
    /// Names of all machines behind this one.
    pub fn hosts(&self) -> impl Iterator<Item = &String> {
        self.links.iter().flat_map(|link| &link.hosts)
    }
}

impl Plan {
    /// Decides everything the scenario leaves open; the same for the same scenario.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        build::build(scenario)
    }

    /// The same with other luck.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Machines on Ethernets of their own, without an overlay.
    #[must_use]
    pub fn segments(title: &str, segments: &[Segment<'_>]) -> Self {
        segments::build(title, segments)
    }

    /// The machine of that name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodePlan> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The cable of that name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&LinkPlan> {
        self.links.iter().find(|link| link.name == name)
    }
}

impl NodePlan {
    /// Its interface of that name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&InterfacePlan> {
        self.interfaces.iter().find(|found| found.name == name)
    }
}

#[cfg(test)]
mod tests;
