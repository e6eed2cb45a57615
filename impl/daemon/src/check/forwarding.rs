//! Whether a node that others are behind forwards their packets.

use v6router_core::dataplane::Mode;
use v6router_core::subnet::{Subnet, SubnetAddr};

use super::finding::{At, Code, Findings};
use super::machine::Machine;
use super::network::{Network, Script};
use super::script::{Act, Deed, Device, Way};

/// For packets of others only this one counts; that of an interface is about its own advertisements and redirects
/// (Linux, Documentation/networking/ip-sysctl, `conf/all/forwarding`).
const FORWARDING: &str = "all.forwarding";
/// One for each interface and for all.
const FORWARDINGS: &str = "*.forwarding";
const ACCEPT_RA: &str = ".accept_ra";
const IPV6: &str = "net.ipv6.conf.";

/// What scripts say of forwarding, beside what is in force if the machine is this one.
pub(super) fn check(network: &Network, machine: Option<&Machine>, found: &mut Findings) {
    // With a router.toml the daemon sees to it.
    if !matches!(network.router, Ok(None)) || machine.is_some_and(|machine| machine.forwards) {
        return;
    }
    let up: Vec<&Script> = network
        .scripts
        .iter()
        .filter(|script| script.name.ends_with("-up"))
        .collect();
    let settings: Vec<Setting<'_>> = up.iter().flat_map(|script| settings(script)).collect();
    let open = |deed: &Deed| matches!(deed, Deed::Unknown | Deed::PerhapsSetting);
    let unknown = |script: &&Script| script.acts.iter().any(|act| open(&act.deed));
    let anything = up.iter().any(unknown);
    let forwards = |one: &&Setting<'_>| one.switches_on() && one.in_force;
    if let Some(one) = settings.iter().find(forwards) {
        accept_ra(&settings, found);
        if !anything {
            accept_ra_alone(network, one, &settings, found);
        }
        return;
    }
    if anything {
        return;
    }
    if let Some(paper) = settings.iter().find(|one| one.switches_on()) {
        found.error(
            Code::ForwardingOff,
            At::line(&paper.script.path, paper.act.line),
            format!("forwarding is only written down: {}", paper.act.shown),
            "the file is read at the next start of the machine; until then packets of others are dropped",
            "sysctl -w net.ipv6.conf.all.forwarding=1",
        );
        return;
    }
    if let Some((script, act)) = routes_for_others(network) {
        found.warning(
            Code::ForwardingOff,
            At::line(&script.path, act.line),
            format!(
                "there are routes for others, but no script switches forwarding on: {}",
                act.shown
            ),
            "unless the machine does so elsewhere, packets of others are dropped",
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        );
    } else if let Some((script, act)) = default_route(network) {
        found.note(
            Code::ForwardingOff,
            At::line(&script.path, act.line),
            format!(
                "a default route over the VPN, and no script switches forwarding on: {}",
                act.shown
            ),
            "who is behind this node is not on the internet; alone it needs nothing",
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding, before the default route",
        );
    }
}

struct Setting<'s> {
    script: &'s Script,
    act: &'s Act,
    key: &'s str,
    value: Option<&'s str>,
    in_force: bool,
}

impl Setting<'_> {
    fn is(&self, which: &str) -> bool {
        self.key.starts_with(IPV6) && self.key.ends_with(which)
    }

    fn switches_on(&self) -> bool {
        (self.is(FORWARDING) || self.is(FORWARDINGS)) && self.value != Some("0")
    }
}

fn settings(script: &Script) -> Vec<Setting<'_>> {
    let loaded = script
        .acts
        .iter()
        .filter(|act| act.deed == Deed::Load)
        .map(|act| act.line)
        .max();
    let settings = script.acts.iter().filter_map(|act| match &act.deed {
        Deed::Setting {
            key,
            value,
            kept_in,
        } => Some(Setting {
            script,
            act,
            key,
            value: value.as_deref(),
            in_force: kept_in.is_none() || loaded.is_some_and(|line| line >= act.line),
        }),
        _ => None,
    });
    settings.collect()
}

/// A router takes no advertisements unless told to (Linux, Documentation/networking/ip-sysctl, `accept_ra`).
fn accept_ra(settings: &[Setting<'_>], found: &mut Findings) {
    for one in settings
        .iter()
        .filter(|one| one.is(ACCEPT_RA) && one.value == Some("1"))
    {
        found.warning(
            Code::AcceptRa,
            At::line(&one.script.path, one.act.line),
            format!("accept_ra is 1: {}", one.act.shown),
            "with forwarding on, 1 means no: the venue's router is forgotten",
            "2 means yes in any case",
        );
    }
}

/// Whoever dials is in networks of others, which may advertise themselves.
fn accept_ra_alone(
    network: &Network,
    forwarding: &Setting<'_>,
    settings: &[Setting<'_>],
    found: &mut Findings,
) {
    let dials = network.all("ConnectTo").next().is_some();
    if !dials || settings.iter().any(|one| one.is(ACCEPT_RA)) {
        return;
    }
    found.note(
        Code::AcceptRa,
        At::line(&forwarding.script.path, forwarding.act.line),
        format!(
            "forwarding is switched on, and accept_ra is left alone: {}",
            forwarding.act.shown
        ),
        "unless it is 2, the advertisements of a venue are ignored, and peers are dialled by IPv4 only",
        "sysctl -w net.ipv6.conf.INTERFACE.accept_ra=2 before it, for the interface that leads out",
    );
}

/// The first route that leads to what is behind another node; the mode tells what such a route looks like.
fn routes_for_others(network: &Network) -> Option<(&Script, &Act)> {
    let interface = network.interface.as_deref()?;
    let scripts = network
        .scripts
        .iter()
        .filter(|script| script.name.ends_with("-up"));
    let mut acts = scripts.flat_map(|script| script.acts.iter().map(move |act| (script, act)));
    let behind_us = network.mode == Some(Mode::Router)
        && network.all("Subnet").any(|entry| {
            let subnet = Subnet::parse_config(&entry.value).map(|subnet| subnet.addr);
            matches!(subnet, Ok(SubnetAddr::V6 { len, .. }) if len < 128)
        });
    // A bridge has its address for itself.
    let is_port = |act: &Act| matches!(act.deed, Deed::Port(_));
    let bridged = network
        .scripts
        .iter()
        .flat_map(|script| &script.acts)
        .any(is_port);
    acts.find(|(_, act)| match &act.deed {
        Deed::Route(route) => match &route.way {
            Way::Through {
                gateway: Some(gateway),
                device,
                ..
            } => {
                let elsewhere = matches!(device, Some(Device::Named(name)) if name != interface);
                gateway.is_ipv6() && !route.is_default() && !elsewhere && route.to.len() < 128
            }
            Way::Through {
                gateway: None,
                device: Some(Device::Named(name)),
                ..
            } => behind_us && name == interface,
            _ => false,
        },
        Deed::Address {
            device: Device::Named(name),
            address,
            ..
        } => address.is_ipv6() && name != interface && !bridged,
        _ => false,
    })
}

fn default_route(network: &Network) -> Option<(&Script, &Act)> {
    let scripts = network
        .scripts
        .iter()
        .filter(|script| script.name.ends_with("-up"));
    let mut acts = scripts.flat_map(|script| script.acts.iter().map(move |act| (script, act)));
    acts.find(|(_, act)| match &act.deed {
        Deed::Route(route) => {
            let v6 = matches!(&route.way, Way::Through { gateway: Some(gateway), .. } if gateway.is_ipv6());
            v6 && route.is_default()
        }
        _ => false,
    })
}
