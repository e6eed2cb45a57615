//! The addresses and routes of scripts: whether the kernel takes them, and what it makes of them.

use std::net::IpAddr;

use v6router_core::dataplane::Mode;
use v6router_core::router::{Prefix, SLAAC_LEN};

use super::finding::{At, Code, Findings};
use super::network::{Network, Script};
use super::script::{Act, Deed, Device, Route, ToV6, Way, written};

/// Addresses for private use, where nobody from outside comes by (RFC 4193 section 3.1).
const UNIQUE_LOCAL: (u16, u8) = (0xfc00, 7);

/// Walks through the scripts in the order in which they run.
pub(super) fn check(network: &Network, found: &mut Findings) {
    let Some(interface) = &network.interface else {
        return;
    };
    let mut walk = Walk::new(network, interface);
    for script in network
        .scripts
        .iter()
        .filter(|script| script.name.ends_with("-up"))
    {
        walk.reported_down = false;
        for act in &script.acts {
            walk.step(script, act, found);
        }
        if script.name == "tinc-up" {
            walk.never_up(script, found);
        }
    }
    if matches!(network.mode, Some(Mode::Switch | Mode::Hub)) {
        on_link(network, interface, found);
    }
    twice(network, found);
}

/// What is known while scripts run.
struct Walk<'n> {
    network: &'n Network,
    interface: &'n str,
    up: bool,
    /// Something that was not understood may have done anything.
    anything: bool,
    /// Whoever is in one of these needs no gateway; the flag: on the VPN interface.
    links: Vec<(Prefix, bool)>,
    /// Addresses of this machine.
    addresses: Vec<IpAddr>,
    reported_down: bool,
}

impl<'n> Walk<'n> {
    fn new(network: &'n Network, interface: &'n str) -> Self {
        // A router.toml has done its work before scripts run; one that cannot be read may say anything.
        let router = network.router.as_ref().ok().and_then(Option::as_ref);
        Self {
            network,
            interface,
            up: router.is_some(),
            anything: network.router.is_err(),
            links: router
                .map(|router| (router.address.link(), true))
                .into_iter()
                .collect(),
            addresses: router
                .map(|router| router.address.address.into())
                .into_iter()
                .collect(),
            reported_down: false,
        }
    }

    fn is_ours(&self, device: &Device) -> bool {
        is_ours(device, self.interface)
    }

    fn step(&mut self, script: &Script, act: &Act, found: &mut Findings) {
        match &act.deed {
            Deed::Up(Device::Uncertain) | Deed::Unknown => self.anything = true,
            Deed::Up(device) => self.up |= self.is_ours(device),
            Deed::Address {
                device,
                address,
                link,
            } => {
                self.links
                    .extend(link.map(|link| (link, self.is_ours(device))));
                self.addresses.push(*address);
                self.anything |= *device == Device::Uncertain;
            }
            Deed::Route(route) => self.route(script, act, route, found),
            Deed::Port(_)
            | Deed::Setting { .. }
            | Deed::Load
            | Deed::PerhapsSetting
            | Deed::NoInterface(_) => {}
        }
    }

    fn route(&mut self, script: &Script, act: &Act, route: &Route, found: &mut Findings) {
        let Way::Through {
            gateway,
            device,
            on_link,
        } = &route.way
        else {
            return;
        };
        let ours = device.as_ref().is_some_and(|device| self.is_ours(device));
        let link = gateway.and_then(|gateway| {
            let gateway = gateway.to_v6();
            self.links
                .iter()
                .find(|(link, _)| link.contains(gateway))
                .copied()
        });
        if (ours || link.is_some_and(|(_, ours)| ours)) && !self.up && !self.anything {
            self.down(script, act, found);
        }
        if let Some(gateway) = gateway.filter(|gateway| self.addresses.contains(gateway)) {
            Self::to_ourselves(script, act, (route, gateway), found);
        }
        match gateway {
            None => {
                if ours {
                    self.links.push((route.to, true));
                }
            }
            Some(gateway) if link.is_none() && !on_link => {
                self.off_link(script, act, (route, *gateway, device.as_ref()), found);
            }
            Some(_) => {}
        }
    }

    fn down(&mut self, script: &Script, act: &Act, found: &mut Findings) {
        if std::mem::replace(&mut self.reported_down, true) {
            return;
        }
        let later = script.acts.iter().find(|other| {
            other.line > act.line && matches!(&other.deed, Deed::Up(device) if self.is_ours(device))
        });
        let fix = match later {
            Some(_) if act.conditional => return,
            Some(later) => format!("move line {} before it", later.line),
            None => "write `ip link set $INTERFACE up' before it".to_owned(),
        };
        found.error(
            Code::InterfaceDown,
            At::line(&script.path, act.line),
            format!(
                "a route over {}, which is not up: {}",
                self.interface, act.shown
            ),
            "the kernel refuses it: `Nexthop device is not up', or `No route to host'",
            fix,
        );
    }

    /// An interface that is configured and never brought up.
    fn never_up(&self, script: &Script, found: &mut Findings) {
        if self.up || self.anything || self.reported_down {
            return;
        }
        let uses =
            |act: &&Act| matches!(&act.deed, Deed::Address { device, .. } if self.is_ours(device));
        if let Some(act) = script.acts.iter().find(uses) {
            found.error(
                Code::InterfaceDown,
                At::line(&script.path, act.line),
                format!(
                    "{} gets an address and is never brought up: {}",
                    self.interface, act.shown
                ),
                "an interface that is down carries nothing",
                "write `ip link set $INTERFACE up' before it",
            );
        }
    }

    fn off_link(
        &self,
        script: &Script,
        act: &Act,
        (route, gateway, device): (&Route, IpAddr, Option<&Device>),
        found: &mut Findings,
    ) {
        let elsewhere = match device {
            Some(device) => !self.is_ours(device),
            // A way round the tunnel, through the venue's router.
            None => gateway.is_ipv4() || route.to.len() == 128,
        };
        if self.anything || elsewhere || Prefix::LINK_LOCAL.contains(gateway.to_v6()) {
            return;
        }
        let later = self.later_link(gateway);
        let is_v4 = |link: &Prefix| link.network().to_ipv4_mapped().is_some();
        let alike = self.ours().filter(|link| is_v4(link) == gateway.is_ipv4());
        let links: Vec<String> = alike.map(written).collect();
        let (why, fix) = match later {
            // One of two cases, and the other one is the first time.
            Some(_) if act.conditional => return,
            Some(line) => (
                format!(
                    "the kernel refuses it: only line {line} of tinc-up makes {gateway} a neighbour"
                ),
                "move the address before the route".to_owned(),
            ),
            None if links.is_empty() => (
                format!(
                    "the kernel refuses it, `No route to host': {} has no address of its kind",
                    self.interface
                ),
                "give the interface an address first, one whose prefix has the gateway in it"
                    .to_owned(),
            ),
            None => (
                format!(
                    "the kernel refuses it, `No route to host': on link is {}",
                    links.join(", ")
                ),
                format!(
                    "name the neighbour by its address in {}",
                    links.join(" or ")
                ),
            ),
        };
        let (code, what) = match route.is_default() {
            true => (
                Code::DefaultGatewayOffLink,
                format!("a default route through {gateway}, an address nobody on the VPN has"),
            ),
            false => (
                Code::GatewayOffLink,
                format!("a route through {gateway}, which is on no link"),
            ),
        };
        found.error(
            code,
            At::line(&script.path, act.line),
            format!("{what}: {}", act.shown),
            why,
            fix,
        );
    }

    fn to_ourselves(
        script: &Script,
        act: &Act,
        (route, gateway): (&Route, IpAddr),
        found: &mut Findings,
    ) {
        let code = match route.is_default() {
            true => Code::DefaultGatewayOffLink,
            false => Code::GatewayOffLink,
        };
        found.error(
            code,
            At::line(&script.path, act.line),
            format!(
                "a route through {gateway}, which is an address of this machine: {}",
                act.shown
            ),
            "the kernel refuses it: `Invalid argument'",
            "name the neighbour by its address on the VPN",
        );
    }

    fn ours(&self) -> impl Iterator<Item = Prefix> {
        self.links
            .iter()
            .filter(|(_, ours)| *ours)
            .map(|(link, _)| *link)
    }

    /// The line of tinc-up that makes a gateway a neighbour after all.
    fn later_link(&self, gateway: IpAddr) -> Option<usize> {
        let scripts = self
            .network
            .scripts
            .iter()
            .filter(|script| script.name == "tinc-up");
        let acts = scripts.flat_map(|script| &script.acts);
        let makes = |act: &&Act| match act.deed {
            Deed::Address {
                link: Some(link), ..
            } => link.contains(gateway.to_v6()),
            _ => false,
        };
        acts.into_iter().find(makes).map(|act| act.line)
    }
}

/// Whether it is the VPN interface, or would be if it had not got lost.
fn is_ours(device: &Device, interface: &str) -> bool {
    match device {
        Device::Named(name) => name == interface,
        Device::Lost => true,
        Device::Uncertain => false,
    }
}

/// More than one link's worth of addresses to which everybody is a neighbour.
fn on_link(network: &Network, interface: &str, found: &mut Findings) {
    let acts = || {
        let scripts = network
            .scripts
            .iter()
            .filter(|script| script.name.ends_with("-up"));
        scripts.flat_map(|script| script.acts.iter().map(move |act| (script, act)))
    };
    let refused: Vec<Prefix> = acts()
        .filter_map(|(_, act)| match &act.deed {
            Deed::Route(Route {
                to,
                way: Way::Refused,
                ..
            }) => Some(*to),
            _ => None,
        })
        .collect();
    let ours = |device: &Device| is_ours(device, interface);
    for (script, act) in acts() {
        let link = match &act.deed {
            Deed::Address {
                device,
                address: IpAddr::V6(_),
                link: Some(link),
            } if ours(device) => *link,
            Deed::Route(Route {
                to,
                way:
                    Way::Through {
                        gateway: None,
                        device: Some(device),
                        ..
                    },
                ..
            }) if ours(device) => *to,
            _ => continue,
        };
        let (first, len) = UNIQUE_LOCAL;
        let private =
            Prefix::of(IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0]).to_v6(), len).covers(link);
        // The kernel prefers the longer of two prefixes, so a shorter refusal refuses nothing.
        let partly_refused = refused
            .iter()
            .any(|other| link.covers(*other) && *other != link);
        if link.len() >= SLAAC_LEN || private || partly_refused {
            continue;
        }
        found.warning(
            Code::PoolOnLink,
            At::line(&script.path, act.line),
            format!("all of {link} is on link on {interface}: {}", act.shown),
            "for each address that nobody has the kernel asks around on the VPN instead of saying that there is no \
             way; who scans the prefix fills the neighbour cache",
            format!("a /64 for the interface, and `ip -6 route replace unreachable {link}' for the rest"),
        );
    }
}

/// One way for the same addresses is enough.
fn twice(network: &Network, found: &mut Findings) {
    for script in &network.scripts {
        let routes: Vec<(&Act, &Route)> = script
            .acts
            .iter()
            .filter(|act| !act.conditional)
            .filter_map(|act| match &act.deed {
                Deed::Route(route) if !route.repeatable && route.way != Way::Uncertain => {
                    Some((act, route))
                }
                _ => None,
            })
            .collect();
        for (nth, (act, route)) in routes.iter().enumerate() {
            let before = routes
                .iter()
                .take(nth)
                .find(|(_, other)| other.to == route.to);
            if let Some((other, _)) = before {
                found.error(
                    Code::RouteTwice,
                    At::line(&script.path, act.line),
                    format!(
                        "{} has a route already (line {}): {}",
                        route.shown, other.line, act.shown
                    ),
                    "the kernel refuses the second: `File exists'",
                    "each prefix leads to one node",
                );
            }
        }
    }
}
