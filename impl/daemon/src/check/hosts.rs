//! Host files: whether those are there that are needed, and whether they lead anywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use v6router_core::name::NodeName;

use super::finding::{At, Code, Findings, Severity};
use super::network::{Host, Network};
use crate::config::{ConfigSet, mended};

/// What we know of others, and others of us.
pub(super) fn check(network: &Network, found: &mut Findings) {
    own(network, found);
    odd_names(network, found);
    for (node, host) in &network.hosts {
        let Ok(set) = &host.set else {
            continue;
        };
        if let Some(entry) = set.first("Name")
            && entry.value != node.as_str()
        {
            found.warning(
                Code::NameDiffers,
                At::span(&entry.at),
                format!("the file of {node} says that its name is {}", entry.value),
                "the file's name is what counts",
                "call the file as its node calls itself in tinc.conf, and take the line out",
            );
        }
        addresses(network, node, set, found);
    }
    connect_to(network, found);
}

fn own(network: &Network, found: &mut Findings) {
    let Some(name) = &network.name else {
        return;
    };
    if network.hosts.contains_key(name) || network.bad_name.is_some() {
        return;
    }
    let alike = |other: &&NodeName| other.as_str().eq_ignore_ascii_case(name.as_str());
    let at = network.set.as_ref().ok().and_then(|set| set.first("Name"));
    let at = at.map_or_else(|| At::file(&network.tinc_conf), |entry| At::span(&entry.at));
    let fix = match network.hosts.keys().find(alike) {
        Some(other) => {
            format!("there is hosts/{other}: upper and lower case count; rename one of the two")
        }
        None => format!("{} makes it", network.make_keys()),
    };
    found.warning(
        Code::NoOwnHostFile,
        at,
        format!("there is no hosts/{name}"),
        "our public key, port and subnets stand there, and the others need a copy",
        fix,
    );
}

fn odd_names(network: &Network, found: &mut Findings) {
    for path in &network.odd_hosts {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fix = match mended(&name) {
            Some(name) => format!(
                "rename it to {name}, which the node has to call itself in its tinc.conf too"
            ),
            None => "give it a name of letters, digits and underscores".to_owned(),
        };
        found.error(
            Code::OddHostFileName,
            At::file(path),
            format!("a host file called {name}, as no node can be called"),
            "nobody reads it",
            fix,
        );
    }
}

/// `Address` lines that lead nowhere from somebody else's network.
fn addresses(network: &Network, node: &NodeName, set: &ConfigSet, found: &mut Findings) {
    let written: Vec<_> = set
        .all("Address")
        .filter_map(|entry| Some((entry, entry.value.split_whitespace().next()?)))
        .map(|(entry, host)| (entry, host, of_one_place(host)))
        .collect();
    let also_public = written.iter().any(|(_, _, private)| private.is_none());
    let dialled = network.name.as_ref() == Some(node)
        || network
            .all("ConnectTo")
            .any(|entry| entry.value == node.as_str());
    for (entry, host, private) in written {
        let Some(kind) = private else {
            continue;
        };
        let severity = match also_public || !dialled {
            true => Severity::Warning,
            false => Severity::Error,
        };
        let why = match also_public {
            true => {
                "from another network it leads to a stranger or to nobody, before the other address is tried"
            }
            false => {
                "from another network it leads to a stranger or to nobody, and there is no other"
            }
        };
        found.add(
            Code::PrivateAddress,
            severity,
            At::span(&entry.at),
            [
                format!("{node} is to be reached at {host}, {kind}"),
                why.to_owned(),
                format!("Address = {node}'s public address or name; on its own network LocalDiscovery finds it"),
            ],
        );
    }
}

/// Why an address or a name means nothing elsewhere, if it does not.
fn of_one_place(host: &str) -> Option<&'static str> {
    if let Ok(address) = host.parse() {
        return private(address);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match name.rsplit('.').next() {
        Some("localhost") => Some("each machine's own name (RFC 6761)"),
        Some("local") if name.contains('.') => Some("a name of one link (RFC 6762)"),
        _ => None,
    }
}

fn private(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            match () {
                () if v4.is_private() => Some("a private address (RFC 1918)"),
                () if v4.is_loopback() => Some("each machine's own address"),
                () if v4.is_link_local() => Some("an address of one link (RFC 3927)"),
                () if a == 100 && b & 0xc0 == 64 => {
                    Some("an address inside a carrier's network (RFC 6598)")
                }
                () if v4 == Ipv4Addr::UNSPECIFIED => Some("which is no address"),
                () => None,
            }
        }
        IpAddr::V6(v6) => match () {
            () if v6.is_loopback() => Some("each machine's own address"),
            () if v6.is_unicast_link_local() => Some("an address of one link (RFC 4291)"),
            () if v6.is_unique_local() => Some("a private address (RFC 4193)"),
            () if v6 == Ipv6Addr::UNSPECIFIED => Some("which is no address"),
            () => v6.to_ipv4_mapped().and_then(|v4| private(v4.into())),
        },
    }
}

fn connect_to(network: &Network, found: &mut Findings) {
    let Ok(set) = &network.set else {
        return;
    };
    let has_address = |host: &&Host| {
        host.set
            .as_ref()
            .is_ok_and(|set| set.first("Address").is_some())
    };
    let targets: Vec<_> = set
        .all("ConnectTo")
        .filter_map(|entry| Some((entry, entry.value.parse::<NodeName>().ok()?)))
        .collect();
    let any = targets
        .iter()
        .filter_map(|(_, node)| network.hosts.get(node))
        .any(|host| has_address(&host));
    for (entry, node) in targets {
        let Some(host) = network.hosts.get(&node) else {
            let path = network.dir.join("hosts").join(node.as_str());
            found.error(
                Code::UnknownPeer,
                At::span(&entry.at),
                format!(
                    "{node} is to be dialled, but there is no {}",
                    path.display()
                ),
                "without its key and address nobody can be dialled",
                format!("copy {node}'s own hosts/{node} here, and ours there"),
            );
            continue;
        };
        if host.set.is_ok() && !has_address(&host) {
            let severity = if any {
                Severity::Warning
            } else {
                Severity::Error
            };
            found.add(
                Code::NoAddress,
                severity,
                At::span(&entry.at),
                [
                    format!(
                        "{node} is to be dialled, but {} says no Address",
                        host.path.display()
                    ),
                    "nobody knows where to dial".to_owned(),
                    format!("Address = {node}'s public address or name, in that file"),
                ],
            );
        }
    }
}
