//! `ifconfig`, `route` and `brctl`, which scripts of old use.

use std::net::{IpAddr, Ipv4Addr};

use super::shell::Word;
use super::{Deed, Route, Way, address, device, mapped};

/// `ifconfig INTERFACE ...` (ifconfig(8)).
pub(super) fn ifconfig(words: &[Word]) -> Vec<Deed> {
    let Some((first, rest)) = words.split_first() else {
        return Vec::new();
    };
    if first.text.starts_with('-') && !first.uncertain {
        return Vec::new();
    }
    let keyword = |text: &str| {
        matches!(
            text,
            "up" | "down" | "add" | "del" | "inet" | "inet6" | "netmask" | "mtu" | "hw"
        ) || address(text).is_some()
    };
    let device = match device(Some(first), keyword) {
        Ok(device) => device,
        Err(missing) => return vec![Deed::NoInterface(missing)],
    };
    let mut deeds = Vec::new();
    let (mut netmask, mut peer) = (None, None);
    let mut up = false;
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "netmask" => netmask = words.next().and_then(|word| mask_len(&word.text)),
            "dstaddr" | "pointopoint" => peer = words.next().and_then(|word| address(&word.text)),
            "mtu" | "hw" | "broadcast" | "del" => {
                words.next();
            }
            "down" => up = false,
            "up" => up = true,
            text => {
                if let Some((address, len)) = address(text) {
                    // Giving an interface an address brings it up.
                    up = true;
                    let device = device.clone();
                    deeds.push(Deed::Address {
                        device,
                        address,
                        link: Some(mapped(address, len)),
                    });
                }
            }
        }
    }
    if let Some(Deed::Address { address, link, .. }) = deeds.first_mut() {
        let on_link = peer.or_else(|| netmask.map(|len| (*address, len)));
        *link = on_link.map(|(net, len)| mapped(net, len)).or(*link);
    }
    deeds.extend(up.then_some(Deed::Up(device)));
    deeds
}

/// `route add ...` (route(8)).
pub(super) fn route(words: &[Word]) -> Vec<Deed> {
    let is_add = |word: &Word| word.text == "add";
    if !words.iter().any(is_add) {
        return Vec::new();
    }
    if words.iter().any(|word| word.uncertain) {
        return vec![Deed::Unknown];
    }
    let mut v6 = false;
    let (mut to, mut gateway, mut named, mut mask) = (None, None, None, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "add" | "-net" | "-host" => {}
            "-6" | "inet6" | "--inet6" => v6 = true,
            "metric" | "mss" | "window" => {
                words.next();
            }
            "netmask" => mask = words.next().and_then(|word| mask_len(&word.text)),
            "gw" => {
                gateway = words
                    .next()
                    .and_then(|word| word.text.parse::<IpAddr>().ok())
            }
            "dev" => match device(words.next(), |_| false) {
                Ok(device) => named = Some(device),
                Err(missing) => return vec![Deed::NoInterface(missing)],
            },
            text if text.starts_with('-') => {}
            _ if to.is_none() => to = Some(word),
            _ => named = device(Some(word), |_| false).ok(),
        }
    }
    let Some(to) = to else {
        return vec![Deed::Unknown];
    };
    let net = match to.text.as_str() {
        "default" if v6 => Some(mapped([0_u16; 8].into(), 0)),
        "default" => Some(mapped([0_u8; 4].into(), 0)),
        text => address(text).map(|(net, len)| mapped(net, mask.unwrap_or(len))),
    };
    let Some(net) = net else {
        return vec![Deed::Unknown];
    };
    vec![Deed::Route(Route {
        to: net,
        shown: to.text.clone(),
        way: Way::Through {
            gateway,
            device: named,
            on_link: false,
        },
        repeatable: false,
    })]
}

/// `brctl addif BRIDGE INTERFACE` (brctl(8)).
pub(super) fn brctl(words: &[Word]) -> Vec<Deed> {
    let [command, _bridge, rest @ ..] = words else {
        return Vec::new();
    };
    if command.text != "addif" {
        return Vec::new();
    }
    match device(rest.first(), |_| false) {
        Ok(device) => vec![Deed::Port(device)],
        Err(missing) => vec![Deed::NoInterface(missing)],
    }
}

/// `255.255.0.0` as a length.
fn mask_len(text: &str) -> Option<u8> {
    let mask: Ipv4Addr = text.parse().ok()?;
    let bits = mask.to_bits();
    let len = bits.leading_ones();
    (bits.count_ones() == len)
        .then(|| u8::try_from(len).ok())
        .flatten()
}
