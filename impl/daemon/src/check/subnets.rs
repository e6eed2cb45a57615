//! Who owns what, and whether that is how the scripts see it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use v6router_core::dataplane::Mode;
use v6router_core::name::NodeName;
use v6router_core::router::Prefix;
use v6router_core::subnet::{Subnet, SubnetAddr};

use super::finding::{At, Code, Findings, Severity};
use super::network::Network;
use super::script::{Deed, Device, ToV6 as _, mapped};
use crate::config::{Assignment, Span};

/// Compares owners among each other, and what we own with what we use.
pub(super) fn check(network: &Network, found: &mut Findings) {
    let owned: Vec<(&NodeName, &Assignment, Subnet)> = network
        .hosts
        .iter()
        .filter_map(|(node, host)| Some((node, host.set.as_ref().ok()?)))
        .flat_map(|(node, set)| set.all("Subnet").map(move |entry| (node, entry)))
        .filter_map(|(node, entry)| Some((node, entry, Subnet::parse_config(&entry.value).ok()?)))
        .collect();
    twice(&owned, found);
    within(&owned, found);
    match network.mode {
        Some(Mode::Router) => router(network, found),
        Some(Mode::Switch | Mode::Hub) => without_use(network, &owned, found),
        None => {}
    }
}

fn twice(owned: &[(&NodeName, &Assignment, Subnet)], found: &mut Findings) {
    let mut owners: BTreeMap<Subnet, (&NodeName, &Span)> = BTreeMap::new();
    for (node, entry, subnet) in owned {
        let (other, at) = *owners.entry(*subnet).or_insert((node, &entry.at));
        if other != *node {
            found.warning(
                Code::SubnetTwice,
                At::span(&entry.at),
                format!("{} is {node}'s, and {other}'s too ({at})", entry.value),
                "packets to it go to one of the two, which may change",
                "give it to one, or let weights say who comes first: Subnet = ADDRESS/LEN#WEIGHT",
            );
        }
    }
}

/// A part of somebody's subnet that is somebody else's: on purpose, or a wrong length.
fn within(owned: &[(&NodeName, &Assignment, Subnet)], found: &mut Findings) {
    let prefixes: Vec<(&NodeName, &Assignment, Prefix)> = owned
        .iter()
        .filter_map(|(node, entry, subnet)| Some((*node, *entry, prefix(subnet)?)))
        .collect();
    for (node, entry, wide) in &prefixes {
        let mut parts = prefixes
            .iter()
            .filter(|(other, _, part)| other != node && part != wide && wide.covers(*part));
        let Some((other, part, _)) = parts.next().filter(|_| !is_way_out(*wide)) else {
            continue;
        };
        let more = match parts.count() {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        found.note(
            Code::SubnetWithin,
            At::span(&entry.at),
            format!(
                "{}, of {node}, has {} of {other} in it ({}){more}",
                entry.value, part.value, part.at
            ),
            "packets go to the owner of the longest prefix, so this one gets the rest only",
            "nothing, if that is meant; else correct the lengths",
        );
    }
}

/// Whether a subnet is that of whoever leads to everything else: all addresses, half of them, all of the internet's.
fn is_way_out(wide: Prefix) -> bool {
    match wide.network().to_ipv4_mapped() {
        Some(_) => wide.len() <= 97,
        None => wide.len() <= 3,
    }
}

fn prefix(subnet: &Subnet) -> Option<Prefix> {
    match subnet.addr {
        SubnetAddr::V4 { addr, len } => Some(mapped(addr.into(), len)),
        SubnetAddr::V6 { addr, len } => Some(mapped(addr.into(), len)),
        SubnetAddr::Mac(_) => None,
    }
}

/// In router mode a node gets what its subnets say, and nothing else.
fn router(network: &Network, found: &mut Findings) {
    // Without our name, nobody knows which host file is ours; nor what is in one that cannot be read.
    let (Some(interface), Some(_)) = (&network.interface, &network.name) else {
        return;
    };
    if network.own_host().is_some_and(|host| host.set.is_err()) {
        return;
    }
    let ours = |device: &Device| matches!(device, Device::Named(name) if name == interface);
    let subnets: Vec<Prefix> = network
        .all("Subnet")
        .filter_map(|entry| prefix(&Subnet::parse_config(&entry.value).ok()?))
        .collect();
    let up = network
        .scripts
        .iter()
        .filter(|script| script.name == "tinc-up");
    for script in up {
        for act in &script.acts {
            let (what, code) = match &act.deed {
                Deed::Port(device) if ours(device) => {
                    ("becomes a port of a bridge", Code::ModeWithoutSubnets)
                }
                Deed::Address {
                    device, address, ..
                } if ours(device) && !is_for_this_link(*address) => {
                    let is_covered = subnets.iter().any(|subnet| subnet.covers(host(*address)));
                    match subnets.is_empty() {
                        _ if is_covered => continue,
                        true => (
                            "gets an address, but we have no Subnet",
                            Code::ModeWithoutSubnets,
                        ),
                        false => (
                            "gets an address that is in none of our Subnets",
                            Code::AddressWithoutSubnet,
                        ),
                    }
                }
                _ => continue,
            };
            // Where that would be right, the mode is what is wrong.
            let fix = match code {
                Code::AddressWithoutSubnet => {
                    "Subnet = that address, in our host file, here and at the others"
                }
                _ => {
                    "Mode = switch in tinc.conf, on every node; or a Subnet for every node in its host file"
                }
            };
            let severity = match code {
                Code::AddressWithoutSubnet => Severity::Warning,
                _ => Severity::Error,
            };
            let texts = [
                format!("{interface} {what}: {}", act.shown),
                "in router mode, the default, packets go to the owner of a Subnet: none come here"
                    .to_owned(),
                fix.to_owned(),
            ];
            found.add(code, severity, At::line(&script.path, act.line), texts);
            if code == Code::ModeWithoutSubnets {
                return;
            }
        }
    }
}

/// Addresses that nobody beyond the link sends to.
fn is_for_this_link(address: IpAddr) -> bool {
    address.is_unspecified() || Prefix::LINK_LOCAL.contains(address.to_v6())
}

fn host(address: IpAddr) -> Prefix {
    mapped(address, if address.is_ipv4() { 32 } else { 128 })
}

/// In switch and hub mode frames go by hardware addresses.
fn without_use(
    network: &Network,
    owned: &[(&NodeName, &Assignment, Subnet)],
    found: &mut Findings,
) {
    let of_ip = |subnet: &Subnet| !matches!(subnet.addr, SubnetAddr::Mac(_));
    let own = network.name.as_ref();
    let ours = owned
        .iter()
        .filter(|(node, _, subnet)| Some(*node) == own && of_ip(subnet));
    for (_, entry, _) in ours {
        found.note(
            Code::SubnetsWithoutUse,
            At::span(&entry.at),
            format!("Subnet = {}, but the mode is not `router'", entry.value),
            "frames go by hardware addresses then: the line has no effect",
            "take it out, or set Mode = router on every node",
        );
    }
}
