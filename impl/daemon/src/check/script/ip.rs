//! `ip` of iproute2 (ip-link(8), ip-address(8), ip-route(8)), as far as scripts use it.

use super::shell::Word;
use super::{Deed, Device, Missing, Route, Way, address, device, mapped};

/// What `ip` does with these arguments.
pub(super) fn deeds(mut words: &[Word]) -> Vec<Deed> {
    let mut v6 = false;
    while let [option, rest @ ..] = words
        && let Some(name) = option.text.strip_prefix('-')
    {
        words = rest;
        match name.trim_start_matches('-') {
            "6" => v6 = true,
            // A batch of commands, or another network namespace.
            "b" | "batch" => return vec![Deed::Unknown],
            "n" | "netns" => return Vec::new(),
            "f" | "family" => {
                v6 |= words.first().is_some_and(|family| family.text == "inet6");
                words = words.get(1..).unwrap_or_default();
            }
            _ => {}
        }
    }
    let [object, command, arguments @ ..] = words else {
        return Vec::new();
    };
    let is = |whole: &str, word: &Word| !word.text.is_empty() && whole.starts_with(&word.text);
    if object.uncertain || command.uncertain {
        return vec![Deed::Unknown];
    }
    let adds = ["add", "replace", "change", "append", "prepend"]
        .iter()
        .any(|verb| is(verb, command));
    match () {
        () if is("link", object) && is("set", command) => link(arguments),
        () if is("address", object) && adds => of_address(arguments),
        () if is("route", object) && adds => {
            let repeatable = !is("add", command);
            route(arguments, v6, repeatable)
        }
        () => Vec::new(),
    }
}

/// Words of `ip link set` that are followed by a value.
const OF_LINK: [&str; 14] = [
    "mtu",
    "address",
    "addr",
    "name",
    "alias",
    "txqueuelen",
    "txqlen",
    "group",
    "netns",
    "arp",
    "multicast",
    "promisc",
    "allmulticast",
    "type",
];

fn link(words: &[Word]) -> Vec<Deed> {
    let keyword = |text: &str| {
        matches!(text, "up" | "down" | "dev" | "master" | "nomaster") || OF_LINK.contains(&text)
    };
    let mut named = None;
    let (mut up, mut port) = (false, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "dev" => named = Some(device(words.next(), keyword)),
            "up" => up = true,
            "down" | "nomaster" => {}
            "master" => {
                port = true;
                words.next();
            }
            text if OF_LINK.contains(&text) => {
                words.next();
            }
            _ => named = named.or_else(|| Some(device(Some(word), keyword))),
        }
    }
    let device = match named.unwrap_or(Err(Missing::Empty)) {
        Ok(device) => device,
        Err(missing) => return vec![Deed::NoInterface(missing)],
    };
    let up = up.then(|| Deed::Up(device.clone()));
    up.into_iter()
        .chain(port.then(|| Deed::Port(device.clone())))
        .collect()
}

/// Words of `ip address add` that are followed by a value.
const OF_ADDRESS: [&str; 11] = [
    "broadcast",
    "brd",
    "anycast",
    "label",
    "scope",
    "valid_lft",
    "preferred_lft",
    "metric",
    "priority",
    "preference",
    "proto",
];

fn of_address(words: &[Word]) -> Vec<Deed> {
    let keyword = |text: &str| {
        matches!(text, "dev" | "local" | "peer" | "remote") || OF_ADDRESS.contains(&text)
    };
    let mut named = None;
    let (mut local, mut peer) = (None, None);
    let mut on_link = true;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "dev" => named = Some(device(words.next(), keyword)),
            "local" => local = words.next(),
            "peer" | "remote" => peer = words.next(),
            "noprefixroute" => on_link = false,
            text if OF_ADDRESS.contains(&text) => {
                words.next();
            }
            _ if local.is_none() => local = Some(word),
            _ => {}
        }
    }
    let (device, missing) = match named.unwrap_or(Err(Missing::Empty)) {
        Ok(device) => (device, None),
        Err(missing) => (Device::Lost, Some(Deed::NoInterface(missing))),
    };
    let given = match (local, peer) {
        (Some(local), peer) if !local.uncertain && peer.is_none_or(|peer| !peer.uncertain) => {
            // With a peer, it is the peer who is on link.
            let link = address(&peer.unwrap_or(local).text).map(|(net, len)| mapped(net, len));
            address(&local.text).map(|(address, _)| Deed::Address {
                device,
                address,
                link: link.filter(|_| on_link),
            })
        }
        _ => Some(Deed::Unknown),
    };
    missing.into_iter().chain(given).collect()
}

/// Words of `ip route add` that are followed by a value.
const OF_ROUTE: [&str; 19] = [
    "metric",
    "preference",
    "priority",
    "table",
    "proto",
    "protocol",
    "scope",
    "src",
    "mtu",
    "advmss",
    "hoplimit",
    "rtt",
    "window",
    "initcwnd",
    "initrwnd",
    "pref",
    "realm",
    "tos",
    "expires",
];

fn route(words: &[Word], mut v6: bool, repeatable: bool) -> Vec<Deed> {
    let keyword =
        |text: &str| matches!(text, "dev" | "oif" | "via" | "onlink") || OF_ROUTE.contains(&text);
    let (mut to, mut gateway, mut named) = (None, None, None);
    let (mut on_link, mut refused, mut uncertain) = (false, false, false);
    let mut repeatable = repeatable;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "unreachable" | "prohibit" | "blackhole" | "throw" => refused = true,
            "unicast" | "to" => {}
            "onlink" => on_link = true,
            // Several ways at once, or wrapped in something else.
            "nexthop" | "encap" | "nhid" | "via6" | "inet6" => return vec![Deed::Unknown],
            "dev" | "oif" => match device(words.next(), keyword) {
                Ok(device) => named = Some(device),
                Err(missing) => return vec![Deed::NoInterface(missing)],
            },
            "via" => match words.next() {
                Some(word) if !word.uncertain => match word.text.parse() {
                    Ok(address) => gateway = Some(address),
                    Err(_) => uncertain = true,
                },
                _ => uncertain = true,
            },
            text if OF_ROUTE.contains(&text) => {
                // Who asks another table, and when, is told by rules.
                uncertain |= text == "table";
                // Beside one of another metric there is room.
                repeatable |= matches!(text, "metric" | "preference" | "priority");
                words.next();
            }
            _ if to.is_none() => to = Some(word),
            _ => {}
        }
    }
    v6 |= gateway.is_some_and(|gateway: std::net::IpAddr| gateway.is_ipv6());
    let Some(to) = to.filter(|to| !to.uncertain) else {
        return vec![Deed::Unknown];
    };
    let net = match to.text.as_str() {
        "default" | "any" | "all" if v6 => Some(mapped([0_u16; 8].into(), 0)),
        "default" | "any" | "all" => Some(mapped([0_u8; 4].into(), 0)),
        text => address(text).map(|(net, len)| mapped(net, len)),
    };
    let Some(net) = net else {
        return vec![Deed::Unknown];
    };
    uncertain |= named == Some(Device::Uncertain);
    vec![Deed::Route(Route {
        to: net,
        shown: to.text.clone(),
        way: match () {
            () if refused => Way::Refused,
            () if uncertain => Way::Uncertain,
            () => Way::Through {
                gateway,
                device: named,
                on_link,
            },
        },
        repeatable,
    })]
}
