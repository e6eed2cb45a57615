//! What must hold in a scenario before it can be planned.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use toml::Spanned;

use super::error::nearest;
use super::{
    CORE, FIRST_LEASE_V4, ModelError, Net, Overlay, Pi, Scenario, Venue, host_number, router,
};

/// Longest name of a machine: it becomes a file, a host name and a tinc node name.
const MAX_NAME: usize = 32;

type Checked = Result<(), ModelError>;

pub(super) fn check(scenario: &Scenario) -> Checked {
    names(scenario)?;
    servers(scenario)?;
    places(scenario)?;
    pis(scenario)?;
    clients(scenario)?;
    match &scenario.overlay {
        Some(overlay) => self::overlay(scenario, overlay),
        None => no_overlay(scenario),
    }
}

/// Whether `name` may become a file name; `also` lists characters allowed beside letters, digits and underscore.
pub(super) fn name(name: &str, also: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    if !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(good) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not a name: 1 to {MAX_NAME} letters, digits and underscores{}",
        match also {
            "" => String::new(),
            also => format!(" and any of {also:?}"),
        }
    ))
}

fn names(scenario: &Scenario) -> Checked {
    let all = scenario
        .servers
        .iter()
        .map(|server| &server.name)
        .chain(scenario.venues.iter().map(|venue| &venue.name))
        .chain(scenario.sharers.iter().map(|sharer| &sharer.name))
        .chain(scenario.pis.iter().map(|pi| &pi.name))
        .chain(scenario.clients.iter().map(|client| &client.name))
        .chain(scenario.kits.iter().map(|kit| &kit.name));
    let mut seen = HashMap::new();
    for found in all {
        name(found.get_ref(), "").map_err(|reason| scenario.error_at(found, reason))?;
        if found.get_ref() == CORE {
            return Err(scenario.error_at(found, format!("{CORE:?} is the core router's own name")));
        }
        if let Some(first) = seen.insert(found.get_ref(), found) {
            let line = scenario.error_at(first, "").line.unwrap_or_default();
            return Err(scenario.error_at(
                found,
                format!("{:?} is already the name in line {line}", found.get_ref()),
            ));
        }
    }
    for venue in &scenario.venues {
        if let Some(first) = seen.get(&venue.edge())
            && **first != venue.name
        {
            let reason = format!(
                "{:?} is the name of the router in front of {:?}; take another",
                first.get_ref(),
                venue.name.get_ref()
            );
            return Err(scenario.error_at(first, reason));
        }
    }
    if seen.is_empty() {
        return Err(ModelError {
            file: scenario.path().to_owned(),
            line: None,
            reason: "nobody is in this scenario; it wants at least one [[server]]".to_owned(),
        });
    }
    Ok(())
}

fn servers(scenario: &Scenario) -> Checked {
    let mut taken = HashMap::new();
    let wans = scenario.venues.iter().map(|venue| &venue.wan);
    for address in scenario
        .servers
        .iter()
        .flat_map(|server| &server.addresses)
        .chain(wans)
    {
        host(scenario, address)?;
        if taken.insert(address.get_ref().addr, ()).is_some() {
            return Err(scenario.error_at(
                address,
                format!("{} is taken twice", address.get_ref().addr),
            ));
        }
    }
    for venue in &scenario.venues {
        for more in venue.outside().iter().skip(1) {
            if taken.insert(more.addr, ()).is_some() {
                let kind = &venue.outer_nat().name;
                let reason = format!("{kind} also takes {}, which is taken already", more.addr);
                return Err(scenario.error_at(&venue.wan, reason));
            }
        }
    }
    for server in &scenario.servers {
        if server.addresses.is_empty() {
            return Err(scenario.error_at(&server.name, "a server needs an address"));
        }
        let mut families = HashMap::new();
        for address in &server.addresses {
            if families.insert(address.get_ref().is_ipv4(), ()).is_some() {
                let reason = "a server has at most one IPv4 and one IPv6 address";
                return Err(scenario.error_at(address, reason));
            }
        }
    }
    Ok(())
}

/// A machine's address in its network: neither the network itself nor what the router there takes.
fn host(scenario: &Scenario, address: &Spanned<Net>) -> Checked {
    let net = address.get_ref();
    let first = net.nth(1).map(|gateway| gateway.addr);
    if net.is_ipv4() && (first.is_none() || first == Some(net.addr)) {
        let reason =
            format!("{net}: the first address of that network is the router's; take a later one");
        return Err(scenario.error_at(address, reason));
    }
    if net.network().addr == net.addr {
        return Err(scenario.error_at(
            address,
            format!("{net} is a network; give the address in it"),
        ));
    }
    // The network's own is not among them any more.
    if host_number(*net).is_some_and(|number| net.nth(number).is_none()) {
        let reason = format!(
            "{net}: the last address of that network is for everybody in it; take an earlier one"
        );
        return Err(scenario.error_at(address, reason));
    }
    Ok(())
}

fn places(scenario: &Scenario) -> Checked {
    for venue in &scenario.venues {
        if !venue.wan.get_ref().is_ipv4() {
            return Err(scenario.error_at(
                &venue.wan,
                "a venue's wan is an IPv4 address, e.g. 203.0.113.50/24",
            ));
        }
        router::pool(venue).map_err(|reason| scenario.error_at(&venue.wan, reason))?;
        lan(scenario, &venue.lan)?;
        narrow(scenario, venue)?;
    }
    prefixes(scenario)?;
    for sharer in &scenario.sharers {
        lan(scenario, &sharer.lan)?;
        let venue = scenario.venues.iter().find(|venue| venue.name == sharer.at);
        let Some(venue) = venue else {
            return Err(unknown(
                scenario,
                &sharer.at,
                "venue",
                scenario.venues.iter().map(|venue| &venue.name),
            ));
        };
        if venue.lan.get_ref().contains(sharer.lan.get_ref().addr) {
            let reason = format!(
                "{} is inside {:?}'s own lan; take another",
                sharer.lan.get_ref(),
                sharer.at.get_ref()
            );
            return Err(scenario.error_at(&sharer.lan, reason));
        }
        let cabled = |pi: &&Pi| pi.at.get_ref() == sharer.name.get_ref();
        if let Some(second) = scenario.pis.iter().filter(cabled).nth(1) {
            let reason = format!(
                "{:?} has one socket, and another Pi is in it",
                sharer.name.get_ref()
            );
            return Err(scenario.error_at(&second.at, reason));
        }
    }
    Ok(())
}

/// The internet's end of a line that carries less than Ethernet is not to be others' too.
fn narrow(scenario: &Scenario, venue: &Venue) -> Checked {
    let shares = |net: &Net| net.network() == venue.wan.get_ref().network();
    let servers = scenario.servers.iter().map(|server| {
        let all = server.addresses.iter().map(Spanned::get_ref);
        (&server.name, all.copied().collect::<Vec<_>>())
    });
    let venues = scenario.venues.iter();
    let venues = venues.map(|other| (&other.name, vec![*other.wan.get_ref()]));
    let neighbour = servers
        .chain(venues)
        .find(|(name, nets)| **name != venue.name && nets.iter().any(shares));
    match (venue.kind.link.and_then(|link| link.mtu), neighbour) {
        (Some(mtu), Some((other, _))) if venue.kind.behind.is_none() => {
            let reason = format!(
                "{:?} is in this network too, which carries more than {mtu} bytes; take an address in a network of its own, \
                 e.g. 192.0.2.2/30",
                other.get_ref()
            );
            Err(scenario.error_at(&venue.wan, reason))
        }
        _ => Ok(()),
    }
}

/// Two places cannot have one prefix, nor can one that the overlay has.
fn prefixes(scenario: &Scenario) -> Checked {
    let mut taken = HashMap::new();
    for venue in &scenario.venues {
        let Some(ipv6) = venue.kind.ipv6 else {
            continue;
        };
        let pool = scenario
            .overlay
            .as_ref()
            .map(|overlay| overlay.pool.get_ref());
        let reason = if pool.is_some_and(|pool| pool.contains(ipv6.prefix.addr)) {
            format!(
                "its kind advertises {}, which is of the overlay's pool",
                ipv6.prefix
            )
        } else if let Some(other) = taken.insert(ipv6.prefix, venue.name.get_ref()) {
            format!(
                "its kind advertises {}, as {other:?} does; say another in `but`",
                ipv6.prefix
            )
        } else {
            continue;
        };
        return Err(scenario.error_at(&venue.like, reason));
    }
    Ok(())
}

fn lan(scenario: &Scenario, lan: &Spanned<Net>) -> Checked {
    is_lan(lan.get_ref()).map_err(|reason| scenario.error_at(lan, reason))
}

/// Whether people can be given addresses in this network.
pub(super) fn is_lan(net: &Net) -> Result<(), String> {
    if net.is_ipv4() && net.network() == *net && net.len <= 24 {
        return Ok(());
    }
    Err(format!(
        "{net}: a lan is an IPv4 network of at most 24 bits, e.g. 192.168.1.0/24"
    ))
}

fn pis(scenario: &Scenario) -> Checked {
    for pi in &scenario.pis {
        let venues = scenario
            .venues
            .iter()
            .map(|venue| (&venue.name, venue.lan.get_ref()));
        let sharers = scenario
            .sharers
            .iter()
            .map(|sharer| (&sharer.name, sharer.lan.get_ref()));
        let places: Vec<_> = venues.chain(sharers).collect();
        let Some((_, lan)) = places.iter().find(|(name, _)| *name == &pi.at) else {
            return Err(unknown(
                scenario,
                &pi.at,
                "venue or sharer",
                places.iter().map(|(name, _)| *name),
            ));
        };
        if let Some(address) = &pi.address
            && !lan.contains(IpAddr::V4(*address.get_ref()))
        {
            let reason = format!(
                "{} is not in {lan}, the network at {:?}",
                address.get_ref(),
                pi.at.get_ref()
            );
            return Err(scenario.error_at(address, reason));
        }
        if let Some(address) = &pi.address {
            alias(scenario, pi, address, lan)?;
        }
        if let Some(prefix) = &pi.prefix {
            let net = prefix.get_ref();
            if net.is_ipv4() || net.len > 64 || net.network() != *net {
                let reason = format!(
                    "{net}: a Pi's prefix is an IPv6 /64, as stateless configuration wants it, or shorter"
                );
                return Err(scenario.error_at(prefix, reason));
            }
        }
        behind(scenario, pi)?;
    }
    Ok(())
}

/// Who is behind a Pi gets a prefix from it, and on each of its links a /64 of its own.
fn behind(scenario: &Scenario, pi: &Pi) -> Checked {
    let mut clients = scenario.clients.iter().map(|client| &client.behind);
    let mut kits = scenario.kits.iter().map(|kit| &kit.behind);
    let cabled = clients.find(|behind| **behind == pi.name);
    let radio = kits.find(|behind| **behind == pi.name);
    let name = pi.name.get_ref();
    match (&pi.prefix, cabled.or(radio)) {
        (Some(prefix), None) => {
            let reason =
                format!("nobody is behind {name:?} to be given this; add a [[client]] or [[kit]]");
            return Err(scenario.error_at(prefix, reason));
        }
        (None, Some(behind)) => {
            let reason = format!("{name:?} has no prefix to give out; give it one");
            return Err(scenario.error_at(behind, reason));
        }
        _ => {}
    }
    if let (Some(prefix), Some(_), Some(_)) = (&pi.prefix, cabled, radio)
        && prefix.get_ref().len == 64
    {
        let reason = format!(
            "{}: there are two links behind {name:?}, by cable and by radio, and each needs a /64; a /63 has two",
            prefix.get_ref()
        );
        return Err(scenario.error_at(prefix, reason));
    }
    Ok(())
}

/// A static address must be nobody else's in that place.
fn alias(scenario: &Scenario, pi: &Pi, address: &Spanned<Ipv4Addr>, lan: &Net) -> Checked {
    let addr = IpAddr::V4(*address.get_ref());
    let given_out = lan
        .nth(FIRST_LEASE_V4)
        .is_some_and(|first| first.addr <= addr);
    if given_out || lan.nth(1).is_some_and(|router| router.addr == addr) {
        let reason = format!(
            "{addr} is the router's, or among those {:?} gives out; take another",
            pi.at.get_ref()
        );
        return Err(scenario.error_at(address, reason));
    }
    let twice = |other: &&Pi| {
        other.at == pi.at && other.name != pi.name && other.address.as_ref() == Some(address)
    };
    match scenario.pis.iter().find(twice) {
        Some(other) => Err(scenario.error_at(
            address,
            format!("{addr} is already {:?}'s", other.name.get_ref()),
        )),
        None => Ok(()),
    }
}

fn clients(scenario: &Scenario) -> Checked {
    let clients = scenario.clients.iter().map(|client| &client.behind);
    for behind in clients.chain(scenario.kits.iter().map(|kit| &kit.behind)) {
        if !scenario.pis.iter().any(|pi| pi.name == *behind) {
            let pis = scenario.pis.iter().map(|pi| &pi.name);
            return Err(unknown(scenario, behind, "Pi", pis));
        }
    }
    let mut taken = HashMap::new();
    for kit in &scenario.kits {
        kit.check(scenario)?;
        if let Some(device) = kit.device()
            && let Some(other) = taken.insert(device, kit.name.get_ref())
        {
            let reason = format!("{device} is already {other:?}'s device address");
            return Err(scenario.error_at(&kit.name, reason));
        }
    }
    Ok(())
}

fn overlay(scenario: &Scenario, overlay: &Overlay) -> Checked {
    let Some(server) = scenario
        .servers
        .iter()
        .find(|server| server.name == overlay.server)
    else {
        return Err(unknown(
            scenario,
            &overlay.server,
            "server",
            scenario.servers.iter().map(|server| &server.name),
        ));
    };
    if server
        .addresses
        .iter()
        .all(|address| address.get_ref().is_ipv4())
    {
        let reason = format!(
            "the pool is routed over IPv6, and {:?} has no IPv6 address",
            server.name.get_ref()
        );
        return Err(scenario.error_at(&overlay.server, reason));
    }
    let (pool, link) = (overlay.pool.get_ref(), overlay.address.get_ref());
    if pool.is_ipv4() || pool.network() != *pool {
        return Err(scenario.error_at(&overlay.pool, format!("{pool} is not an IPv6 network")));
    }
    if !pool.contains(link.addr) || link.len < pool.len {
        return Err(scenario.error_at(
            &overlay.address,
            format!("{link} is not part of the pool {pool}"),
        ));
    }
    let mut addresses = HashMap::from([(link.addr, overlay.server.get_ref())]);
    let mut prefixes = HashMap::from([(link.network(), overlay.server.get_ref())]);
    for pi in &scenario.pis {
        let (Some(address), Some(prefix)) = (&pi.overlay, &pi.prefix) else {
            if pi.overlay.is_none() && pi.prefix.is_none() {
                continue;
            }
            return Err(scenario.error_at(
                &pi.name,
                "a Pi in the overlay needs both `overlay` and `prefix`",
            ));
        };
        let addr = IpAddr::V6(*address.get_ref());
        if !link.contains(addr) {
            let reason = format!("{addr} is not on the overlay's link {}", link.network());
            return Err(scenario.error_at(address, reason));
        }
        if let Some(holder) = addresses.insert(addr, pi.name.get_ref()) {
            return Err(scenario.error_at(address, format!("{addr} is already {holder:?}'s")));
        }
        if !pool.contains(prefix.get_ref().addr) {
            return Err(scenario.error_at(
                prefix,
                format!("{} is not in the pool {pool}", prefix.get_ref()),
            ));
        }
        let (addr, len) = (prefix.get_ref().addr, prefix.get_ref().len);
        let overlaps = |other: &Net| {
            other.contains(addr) || len <= other.len && prefix.get_ref().contains(other.addr)
        };
        if let Some((other, holder)) = prefixes.iter().find(|(other, _)| overlaps(other)) {
            let reason = if *other == *prefix.get_ref() {
                format!("{other} is already {holder:?}'s")
            } else {
                format!(
                    "{} overlaps {other}, which is {holder:?}'s",
                    prefix.get_ref()
                )
            };
            return Err(scenario.error_at(prefix, reason));
        }
        prefixes.insert(*prefix.get_ref(), pi.name.get_ref());
    }
    Ok(())
}

fn no_overlay(scenario: &Scenario) -> Checked {
    match scenario.pis.iter().find_map(|pi| pi.overlay.as_ref()) {
        Some(address) => Err(scenario.error_at(address, "there is no [overlay] in this scenario")),
        None => Ok(()),
    }
}

fn unknown<'a>(
    scenario: &Scenario,
    found: &Spanned<String>,
    what: &str,
    known: impl Iterator<Item = &'a Spanned<String>>,
) -> ModelError {
    let known: Vec<String> = known.map(|name| name.get_ref().clone()).collect();
    scenario.error_at(
        found,
        format!(
            "there is no {what} {:?}{}",
            found.get_ref(),
            nearest(found.get_ref(), &known)
        ),
    )
}
