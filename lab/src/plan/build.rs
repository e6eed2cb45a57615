//! From a scenario to a plan.
//!
//! Decisions taken here, so that nobody has to write them into a scenario: a machine's first interface is `eth0`
//! (`wlan0` in a WLAN), a venue's router has `wan0` and a bridge `lan0`, the first address of a network is its
//! router's, a venue gives addresses from .100 on, a Pi gives them from ::100 on. The core router answers to `fe80::1`
//! on every link and has one global address, so that its errors come from somewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::places::places;
use super::wiring::Wiring;
use super::{
    AddressPlan, Downstream, Net, NodePlan, Overlay, Passage, Plan, Role, Ruleset, Site, sysctls,
};
use crate::model::{Behind, CORE, FIRST_LEASE_V4, Pi, Scenario, Server, Sharer, UdpTimeout, Venue};
use crate::nat::{self, Mapping, Sides};

/// The core router's link-local address on each of its links.
pub(super) const CORE_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The core router's own global address.
const CORE_GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Length of the prefix of a link.
const SUBNET: u8 = 64;

/// First host number a Pi gives on its downstream link.
const FIRST_LEASE_V6: u32 = 0x100;

/// Seconds a UDP mapping lives where the venue does not say; Linux's default for a flow with replies.
const DEFAULT_MAPPING_TIMEOUT: u32 = 120;

pub(super) fn build(scenario: &Scenario) -> Plan {
    let mut builder = Wiring::default();
    builder.internet(scenario);
    for venue in &scenario.venues {
        builder.venue(scenario, venue);
    }
    for sharer in &scenario.sharers {
        builder.sharer(scenario, sharer);
    }
    let mut sites = Vec::new();
    for pi in &scenario.pis {
        builder.pi(scenario, pi, &mut sites);
    }
    builder.machine_lines(scenario);
    let overlay = scenario.overlay.as_ref().and_then(|overlay| {
        let IpAddr::V6(address) = overlay.address.get_ref().addr else {
            return None;
        };
        Some(Overlay {
            server: overlay.server.get_ref().clone(),
            address,
            network: overlay.address.get_ref().network(),
            pool: *overlay.pool.get_ref(),
            sites,
        })
    });
    let walls = |router: &str, wall: &str, template: &str| {
        let router = builder.nodes.iter().find(|node| node.name == router)?;
        Some(ruleset(router, wall, template, ["wan0", "lan0"], None))
    };
    let places = places(scenario, walls);
    let mut plan = Plan {
        title: scenario.title.clone(),
        nodes: builder.nodes,
        links: builder.links,
        overlay,
        passages: passages(scenario),
        places,
        seed: 0,
    };
    number_interfaces(&mut plan);
    plan
}

/// Machines whose addresses are in one network of the core: they share a link there.
pub(super) struct Neighbourhood {
    pub(super) networks: Vec<Net>,
    pub(super) members: Vec<(String, Vec<Net>)>,
}

impl Wiring {
    /// The core router with all that has a public address.
    fn internet(&mut self, scenario: &Scenario) {
        self.add(CORE, Role::Core, sysctls::router(true));
        for (n, hood) in neighbourhoods(scenario).into_iter().enumerate() {
            let names: Vec<&str> = hood.members.iter().map(|(name, _)| name.as_str()).collect();
            let wans = |name: &str| {
                let venue = scenario.venues.iter().any(|venue| venue.edge() == name);
                if venue { "wan0" } else { "eth0" }
            };
            for (name, _) in &hood.members {
                let role = if wans(name) == "wan0" {
                    Role::Router
                } else {
                    Role::Server
                };
                self.add(name, role, sysctls::host());
            }
            let cables = names
                .iter()
                .map(|name| (*name, wans(name)))
                .collect::<Vec<_>>();
            let interface = self.segment(CORE, &format!("net{n}"), &cables);
            for network in &hood.networks {
                let address = if network.is_ipv4() {
                    network.nth(1)
                } else {
                    Some(Net {
                        addr: CORE_LINK_LOCAL.into(),
                        len: 64,
                    })
                };
                self.address(CORE, &interface, address, None);
                if !network.is_ipv4() {
                    self.route(CORE, *network, None, &interface);
                }
            }
            self.ipv6_outside(scenario, &hood, &interface);
            for (name, addresses) in &hood.members {
                for address in addresses {
                    self.address(name, wans(name), Some(*address), None);
                    let (to, via) = match address.nth(1) {
                        Some(gateway) if address.is_ipv4() => (Net::DEFAULT_V4, gateway.addr),
                        _ => (Net::DEFAULT_V6, CORE_LINK_LOCAL.into()),
                    };
                    self.route(name, to, Some(via), wans(name));
                }
                self.pool(scenario, name, addresses, &interface);
                self.open_inside(scenario, name, &interface);
            }
        }
        self.address(CORE, "lo", Some(Net::host(CORE_GLOBAL.into())), None);
    }

    /// The route to the overlay's address space, where `name` is the server that has it.
    fn pool(&mut self, scenario: &Scenario, name: &str, addresses: &[Net], interface: &str) {
        let holder = scenario
            .overlay
            .as_ref()
            .filter(|overlay| overlay.server.get_ref() == name);
        let via = addresses.iter().find(|address| !address.is_ipv4());
        if let (Some(overlay), Some(via)) = (holder, via) {
            self.route(CORE, *overlay.pool.get_ref(), Some(via.addr), interface);
        }
    }

    /// The route to the inside of a venue, where `name` is one that translates nothing.
    fn open_inside(&mut self, scenario: &Scenario, name: &str, interface: &str) {
        let venue = scenario.venues.iter().find(|venue| venue.edge() == name);
        if let Some(venue) = venue
            && venue.kind.behind.is_none()
            && venue.kind.nat.behaviour.mapping == Mapping::None
        {
            let via = venue.wan.get_ref().addr;
            self.route(CORE, *venue.lan.get_ref(), Some(via), interface);
        }
    }

    /// The inside of a venue; its router stands already, as a neighbour of the core or of a carrier's.
    fn venue(&mut self, scenario: &Scenario, venue: &Venue) {
        let name = venue.name.get_ref();
        if let Some(behind) = &venue.kind.behind {
            self.carrier(venue, behind);
        }
        let pis = scenario.pis_at(&venue.name);
        let guests: Vec<(&str, &str)> = scenario
            .sharers_at(&venue.name)
            .map(|sharer| (sharer.name.get_ref().as_str(), "wlan0"))
            .chain(pis.map(|pi| (pi.name.get_ref().as_str(), "eth0")))
            .collect();
        let lan = *venue.lan.get_ref();
        for (guest, interface) in &guests {
            let wireless = *interface == "wlan0";
            self.add(
                guest,
                if wireless { Role::Sharer } else { Role::Pi },
                sysctls::host(),
            );
        }
        self.bridge(name, "lan0", "lan", &guests);
        self.address(name, "lan0", lan.nth(1), None);
        for (n, (guest, interface)) in (FIRST_LEASE_V4..).zip(&guests) {
            self.lease(guest, interface, lan, n);
        }
        self.translate(name, &venue.kind.nat, venue.kind.udp_timeout);
        if let Some(link) = &venue.kind.link {
            self.condition(name, "wan0", link);
        }
        self.serve(venue, &guests);
        if let Some(ipv6) = &venue.kind.ipv6 {
            self.ipv6_inside(name, ipv6, &guests);
        }
    }

    /// The router in front of a venue's, and the cable to that one.
    fn carrier(&mut self, venue: &Venue, behind: &Behind) {
        let (name, edge) = (venue.name.get_ref(), venue.edge());
        self.add(name, Role::Router, sysctls::host());
        self.cable(&edge, "lan0", name, "wan0");
        self.address(&edge, "lan0", behind.lan.nth(1), None);
        self.lease(name, "wan0", behind.lan, FIRST_LEASE_V4);
        self.translate(&edge, &behind.nat, behind.udp_timeout);
    }

    /// Makes a machine whose addresses are given a router between its `wan0` and its `lan0`.
    fn translate(&mut self, name: &str, kind: &nat::Kind, timeout: Option<UdpTimeout>) {
        if let Some(router) = self.find(name) {
            router.sysctls = sysctls::router(false);
            router
                .sysctls
                .extend(timeout.into_iter().flat_map(sysctls::udp_timeout));
            let lifetime = timeout.map(|timeout| timeout.replied);
            router.ruleset = Some(ruleset(
                router,
                &kind.name,
                &kind.template,
                ["wan0", "lan0"],
                lifetime,
            ));
        }
    }

    /// A computer between a venue's WLAN and the Pi cabled to it.
    fn sharer(&mut self, scenario: &Scenario, sharer: &Sharer) {
        let name = sharer.name.get_ref();
        let lan = *sharer.lan.get_ref();
        let cabled: Vec<&str> = scenario
            .pis_at(&sharer.name)
            .map(|pi| pi.name.get_ref().as_str())
            .collect();
        for pi in &cabled {
            self.add(pi, Role::Pi, sysctls::host());
            self.cable(name, "eth0", pi, "eth0");
            self.address(name, "eth0", lan.nth(1), None);
            self.lease(pi, "eth0", lan, FIRST_LEASE_V4);
            let resolver = self.find(name).and_then(|sharer| sharer.guest.resolver);
            if let Some(pi) = self.find(pi) {
                pi.guest.resolver = resolver;
            }
        }
        if let Some(node) = self.find(name) {
            node.sysctls = sysctls::router(false);
            let sides = ["wlan0", "eth0"];
            node.ruleset = Some(ruleset(node, nat::SHARED, &sharer.template, sides, None));
        }
    }

    /// A Pi's alias and its downstream links; its uplink was laid with the place it is at.
    fn pi(&mut self, scenario: &Scenario, pi: &Pi, sites: &mut Vec<Site>) {
        let name = pi.name.get_ref();
        if let Some(alias) = &pi.address
            && let Some(uplink) = self.find(name).and_then(|node| node.interfaces.first_mut())
            && let Some(len) = uplink.addresses.first().map(|address| address.net.len)
        {
            let net = Net {
                addr: IpAddr::V4(*alias.get_ref()),
                len,
            };
            if uplink.addresses.iter().all(|address| address.net != net) {
                uplink.addresses.push(AddressPlan {
                    net,
                    label: Some("eth0:1".to_owned()),
                    leased: false,
                });
            }
        }
        let Some(prefix) = pi.prefix.as_ref().map(|prefix| *prefix.get_ref()) else {
            return;
        };
        let mut spare = prefix.subnets(SUBNET);
        let cable = self.downstream_cable(scenario, pi, &mut spare);
        let radio = spare
            .next()
            .and_then(|prefix| self.radio(scenario, pi, prefix));
        if let Some(address) = &pi.overlay {
            sites.push(Site {
                node: name.clone(),
                address: *address.get_ref(),
                prefix,
                links: cable.into_iter().chain(radio).collect(),
            });
        }
    }

    /// What the cables of single machines do to packets.
    fn machine_lines(&mut self, scenario: &Scenario) {
        let servers = scenario.servers.iter();
        let pis = scenario.pis.iter();
        let clients = scenario.clients.iter();
        let lines = servers
            .map(|server| (&server.name, &server.link))
            .chain(pis.map(|pi| (&pi.name, &pi.link)))
            .chain(clients.map(|client| (&client.name, &client.link)));
        for (name, link) in lines {
            if let Some(link) = link {
                self.condition(name.get_ref(), "eth0", link);
            }
        }
    }

    /// The link of what is cabled to a Pi, if anything is; it takes the first of the prefixes.
    fn downstream_cable(
        &mut self,
        scenario: &Scenario,
        pi: &Pi,
        prefixes: &mut impl Iterator<Item = Net>,
    ) -> Option<Downstream> {
        let name = pi.name.get_ref();
        let clients = scenario
            .clients
            .iter()
            .filter(|client| client.behind == pi.name);
        let cables: Vec<(&str, &str)> = clients
            .map(|client| (client.name.get_ref().as_str(), "eth0"))
            .collect();
        if cables.is_empty() {
            return None;
        }
        let prefix = prefixes.next()?;
        let gateway = prefix.nth(1)?;
        let IpAddr::V6(first) = gateway.addr else {
            return None;
        };
        for (client, _) in &cables {
            self.add(client, Role::Client, sysctls::host());
        }
        let interface = self.segment(name, "br0", &cables);
        self.address(name, &interface, Some(gateway), None);
        for (n, (client, uplink)) in (FIRST_LEASE_V6..).zip(&cables) {
            self.address(client, uplink, prefix.nth(n), None);
            self.route(client, Net::DEFAULT_V6, Some(gateway.addr), uplink);
        }
        Some(Downstream {
            interface,
            prefix,
            gateway: first,
            hosts: cables
                .iter()
                .map(|(client, _)| (*client).to_owned())
                .collect(),
        })
    }
}

/// Groups what has public addresses by network, in the scenario's order.
fn neighbourhoods(scenario: &Scenario) -> Vec<Neighbourhood> {
    let server = |server: &Server| {
        (
            server.name.get_ref().clone(),
            server
                .addresses
                .iter()
                .map(|address| *address.get_ref())
                .collect::<Vec<_>>(),
        )
    };
    let venue = |venue: &Venue| (venue.edge(), venue.outside());
    let members = scenario
        .servers
        .iter()
        .map(server)
        .chain(scenario.venues.iter().map(venue));
    let mut hoods: Vec<Neighbourhood> = Vec::new();
    for (name, addresses) in members {
        let mut networks: Vec<Net> = addresses.iter().map(Net::network).collect();
        networks.dedup();
        let near = hoods.iter_mut().find(|hood| {
            hood.networks
                .iter()
                .any(|network| networks.contains(network))
        });
        match near {
            Some(hood) => {
                for network in networks {
                    if !hood.networks.contains(&network) {
                        hood.networks.push(network);
                    }
                }
                hood.members.push((name, addresses));
            }
            None => hoods.push(Neighbourhood {
                networks,
                members: vec![(name, addresses)],
            }),
        }
    }
    hoods
}

/// The ruleset of a router whose outer and inner interface have their addresses.
fn ruleset(
    router: &NodePlan,
    kind: &str,
    template: &str,
    [wan, lan]: [&str; 2],
    timeout: Option<u32>,
) -> Ruleset {
    let nets = |name: &str| {
        let interface = router.interfaces.iter().find(|found| found.name == name);
        let addresses = interface.into_iter().flat_map(|found| &found.addresses);
        addresses
            .map(|address| address.net)
            .filter(Net::is_ipv4)
            .collect::<Vec<_>>()
    };
    let outside: Vec<Ipv4Addr> = nets(wan)
        .iter()
        .filter_map(|net| match net.addr {
            IpAddr::V4(addr) => Some(addr),
            IpAddr::V6(_) => None,
        })
        .collect();
    let sides = Sides {
        wan,
        lan,
        outside: &outside,
        inside: nets(lan).first().copied(),
        mapping_timeout: timeout.unwrap_or(DEFAULT_MAPPING_TIMEOUT),
    };
    nat::ruleset(kind, template, &sides)
}

/// Each Pi's way to the first server with an IPv4 address, where what all NATs between them do can be told in advance.
fn passages(scenario: &Scenario) -> Vec<Passage> {
    let Some((to, address)) = scenario.first_server() else {
        return Vec::new();
    };
    let passage = |pi: &Pi| {
        let sharer = scenario.sharers.iter().find(|sharer| sharer.name == pi.at);
        let place = sharer.map_or(&pi.at, |sharer| &sharer.at);
        let venue = scenario.venues.iter().find(|venue| venue.name == *place)?;
        if venue.kind.dhcp.is_some_and(|dhcp| dhcp.ipv6_only.is_some()) {
            return None;
        }
        let IpAddr::V4(seen_as) = venue.wan.get_ref().addr else {
            return None;
        };
        let mut promise = venue.kind.nat.promise()?;
        if let Some(behind) = &venue.kind.behind {
            promise = promise.behind(behind.nat.promise()?);
        }
        // The stricter of two in a row decides, and a sharer preserves ports for all destinations.
        promise.filters_by_port |= sharer.is_some();
        Some(Passage {
            from: pi.name.get_ref().clone(),
            to: to.clone(),
            address,
            seen_as,
            promise,
        })
    };
    scenario.pis.iter().filter_map(passage).collect()
}

/// Hardware addresses by position: locally administered, `v6`, machine, interface.
pub(super) fn number_interfaces(plan: &mut Plan) {
    for (n, node) in (0_u16..).zip(&mut plan.nodes) {
        let [high, low] = n.to_be_bytes();
        let own = node
            .interfaces
            .iter_mut()
            .filter(|found| found.radio.is_none());
        for (m, interface) in (0_u8..=u8::MAX).zip(own) {
            interface.mac = [0x02, b'v', b'6', high, low, m];
        }
    }
}
