//! What a venue serves to those who come in: addresses (`[dhcp]`), names (`[dns]`) and IPv6 (`[ipv6]`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::ModelError;
use super::kind::VenueFile;
use super::overriding::{Over, Said};
use crate::net::Net;

/// The shortest lease in seconds; dnsmasq rounds shorter ones up, which would not be what was asked for.
const SHORTEST_LEASE: u32 = 120;

/// How long a client may stay without IPv4 at least, in seconds (`MIN_V6ONLY_WAIT` of RFC 8925).
const SHORTEST_IPV6_ONLY: u32 = 300;

/// The prefix that is the same everywhere, RFC 6052 section 2.1.
const WELL_KNOWN: Net = Net {
    addr: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)),
    len: 96,
};

/// The longest delay of an answer in seconds. Clients have given up long before.
const LONGEST_DELAY: f64 = 60.0;

/// A venue's DHCP server (RFC 2131).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dhcp {
    /// How long a lease lasts, in seconds.
    pub lease: u32,
    /// For how many seconds a client that can do without IPv4 is asked to (option 108, RFC 8925).
    pub ipv6_only: Option<u32>,
}

/// A venue's resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dns {
    /// What it answers.
    pub answers: Answers,
    /// How long it takes to, in milliseconds.
    pub delay: u32,
}

/// What a venue tells its guests of IPv6, by router advertisements (RFC 4861).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ipv6 {
    /// The prefix from which guests make themselves addresses.
    pub prefix: Net,
    /// How much the router that advertises it wants to be preferred.
    pub preference: Preference,
    /// Where it leads.
    pub leads: Leads,
    /// The prefix, a /96, by which guests reach IPv4 addresses through a translator (NAT64, RFC 6052 section 2.2).
    pub nat64: Option<Net>,
    /// Whether guests are told of it (PREF64, RFC 8781).
    pub pref64: bool,
}

impl Ipv6 {
    /// What stands for an IPv4 address among guests, where there is a NAT64: the last four bytes are the address.
    #[must_use]
    pub fn translated(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        match self.nat64?.addr {
            IpAddr::V6(prefix) => {
                Some((u128::from(prefix) | u128::from(u32::from(address))).into())
            }
            IpAddr::V4(_) => None,
        }
    }
}

/// Default router preference (RFC 4191).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// Instead of others.
    High,
    /// As most routers say.
    #[default]
    Medium,
    /// Where there is no other.
    Low,
}

/// Where packets of guests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leads {
    /// To the internet; from there nothing comes in that was not asked for (RFC 6092).
    Out,
    /// To the venue's router, which has the way to the internet, and loses them.
    Astray,
    /// To a machine that routes nothing: the advertisement is a mistake, or an attack (RFC 6104).
    Nowhere,
}

/// What a resolver answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// What is so.
    #[default]
    Truth,
    /// Its own address, whatever it is asked for.
    Itself,
    /// The IPv4 addresses only; a name that has none does not exist for it.
    NoAaaa,
    /// That there is no such name (NXDOMAIN).
    Nxdomain,
    /// What is so, and of a name without IPv6 addresses those by which the venue's NAT64 reaches it (DNS64, RFC 6147).
    Dns64,
    /// Nothing at all.
    Nothing,
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truth => "answers the truth",
            Self::Itself => "answers its own address to everything",
            Self::NoAaaa => "knows no IPv6 addresses",
            Self::Nxdomain => "denies every name",
            Self::Dns64 => "answers the truth and makes up for missing IPv6 addresses",
            Self::Nothing => "answers nothing",
        })
    }
}

/// `[dhcp]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DhcpTable {
    lease: Option<u32>,
    ipv6_only: Option<u32>,
}

/// `[dns]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsTable {
    answers: Option<Answers>,
    /// Seconds.
    delay: Option<f64>,
}

/// `[ipv6]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ipv6Table {
    prefix: Option<Net>,
    preference: Option<Preference>,
    leads: Option<Leads>,
    nat64: Option<Net>,
    pref64: Option<bool>,
}

impl fmt::Display for Leads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Out => "out",
            Self::Astray => "astray",
            Self::Nowhere => "nowhere",
        })
    }
}

impl Over for Ipv6Table {
    fn over(self, base: Self) -> Self {
        Self {
            prefix: self.prefix.or(base.prefix),
            preference: self.preference.or(base.preference),
            leads: self.leads.or(base.leads),
            nat64: self.nat64.or(base.nat64),
            pref64: self.pref64.or(base.pref64),
        }
    }
}

impl Over for DhcpTable {
    fn over(self, base: Self) -> Self {
        Self {
            lease: self.lease.or(base.lease),
            ipv6_only: self.ipv6_only.or(base.ipv6_only),
        }
    }
}

impl Over for DnsTable {
    fn over(self, base: Self) -> Self {
        Self {
            answers: self.answers.or(base.answers),
            delay: self.delay.or(base.delay),
        }
    }
}

/// The DHCP server, if anybody speaks of one, nearest first.
pub(super) fn dhcp(said: &[Said<'_, &VenueFile>]) -> Result<Option<Dhcp>, ModelError> {
    let Some((first, table)) = laid(said, |file| file.dhcp.as_ref()) else {
        return Ok(None);
    };
    let at_least = |found: u32, least: u32, what: &str| {
        if found >= least {
            return Ok(found);
        }
        Err(first.error(format!("{what} = {found}: at least {least}, in seconds")))
    };
    let lease = table
        .lease
        .ok_or_else(|| first.error("`dhcp` does not say `lease`, in seconds"))?;
    let ipv6_only = table
        .ipv6_only
        .map(|found| at_least(found, SHORTEST_IPV6_ONLY, "ipv6-only"));
    Ok(Some(Dhcp {
        lease: at_least(lease, SHORTEST_LEASE, "lease")?,
        ipv6_only: ipv6_only.transpose()?,
    }))
}

/// The resolver, if anybody speaks of one, nearest first.
pub(super) fn dns(said: &[Said<'_, &VenueFile>]) -> Result<Option<Dns>, ModelError> {
    let Some((first, table)) = laid(said, |file| file.dns.as_ref()) else {
        return Ok(None);
    };
    let delay = table.delay.unwrap_or(0.0);
    if !(0.0..=LONGEST_DELAY).contains(&delay) {
        let reason = format!("delay = {delay}: from 0 to {LONGEST_DELAY}, in seconds");
        return Err(first.error(reason));
    }
    let answers = table.answers.unwrap_or_default();
    if answers == Answers::Nothing && delay > 0.0 {
        return Err(first.error("a resolver that answers nothing has no `delay`"));
    }
    Ok(Some(Dns {
        answers,
        // At most a minute, and of no more than milliseconds is anything promised.
        delay: (delay * 1000.0).round() as u32,
    }))
}

/// What is told of IPv6, if anybody speaks of it, nearest first.
pub(super) fn ipv6(said: &[Said<'_, &VenueFile>]) -> Result<Option<Ipv6>, ModelError> {
    let Some((first, table)) = laid(said, |file| file.ipv6.as_ref()) else {
        return Ok(None);
    };
    let missing = |what: &str| first.error(format!("`ipv6` does not say {what}"));
    let prefix = table
        .prefix
        .ok_or_else(|| missing("`prefix`, a /64, e.g. \"2001:db8:cafe::/64\""))?;
    if prefix.is_ipv4() || prefix.len != 64 || prefix.network() != prefix {
        let reason = format!("prefix = {prefix}: an IPv6 /64, as stateless configuration wants it");
        return Err(first.error(reason));
    }
    let leads = table
        .leads
        .ok_or_else(|| missing("where it `leads`: \"out\", \"astray\" or \"nowhere\""))?;
    if let Some(nat64) = table.nat64 {
        translates(nat64, prefix, leads)
            .map_err(|reason| first.error(format!("nat64 = {nat64}: {reason}")))?;
    }
    let pref64 = table.pref64.unwrap_or_default();
    if pref64 && table.nat64.is_none() {
        return Err(first.error("`pref64` tells guests of a `nat64`, and there is none"));
    }
    let behind = said
        .iter()
        .find_map(|said| said.part(|file| file.behind.as_ref()));
    if let Some(behind) = behind.filter(|_| leads != Leads::Nowhere) {
        return Err(
            behind.error("a carrier's router in front carries no IPv6, and `ipv6` leads there")
        );
    }
    Ok(Some(Ipv6 {
        prefix,
        preference: table.preference.unwrap_or_default(),
        leads,
        nat64: table.nat64,
        pref64,
    }))
}

/// Whether a translator can serve guests by that prefix.
fn translates(nat64: Net, guests: Net, leads: Leads) -> Result<(), &'static str> {
    let IpAddr::V6(addr) = nat64.addr else {
        return Err("an IPv6 /96, e.g. \"2001:db8:64::/96\"");
    };
    if nat64.len != 96 || nat64.network() != nat64 || addr.octets()[8] != 0 {
        return Err(
            "an IPv6 /96 whose bits 64 to 71 are zero (RFC 6052 section 2.2), e.g. \"2001:db8:64::/96\"",
        );
    }
    if nat64 == WELL_KNOWN {
        return Err(
            "the well-known prefix is for global IPv4 addresses (RFC 6052 section 3.1), and those of labs are not",
        );
    }
    if guests.contains(nat64.addr) {
        return Err("guests make themselves addresses of `prefix`, of which it is a part");
    }
    if leads != Leads::Out {
        return Err("it needs an [ipv6] that leads out");
    }
    Ok(())
}

/// A resolver makes up IPv6 addresses only where something translates.
pub(super) fn made_up(
    said: &[Said<'_, &VenueFile>],
    dns: Option<Dns>,
    ipv6: Option<Ipv6>,
) -> Result<(), ModelError> {
    let makes_up = dns.is_some_and(|dns| dns.answers == Answers::Dns64);
    let translates = ipv6.is_some_and(|ipv6| ipv6.nat64.is_some());
    let table = said
        .iter()
        .find_map(|said| said.part(|file| file.dns.as_ref()));
    match table {
        Some(table) if makes_up && !translates => {
            Err(table.error("`answers = \"dns64\"` needs an [ipv6] with a `nat64`"))
        }
        _ => Ok(()),
    }
}

/// Option 108 is for places where one can do without IPv4.
pub(super) fn without_ipv4(
    said: &[Said<'_, &VenueFile>],
    dhcp: Option<Dhcp>,
    ipv6: Option<Ipv6>,
) -> Result<(), ModelError> {
    let asked = dhcp.is_some_and(|dhcp| dhcp.ipv6_only.is_some());
    let table = said
        .iter()
        .find_map(|said| said.part(|file| file.dhcp.as_ref()));
    match table {
        Some(table) if asked && ipv6.is_none_or(|ipv6| ipv6.leads == Leads::Nowhere) => {
            Err(table.error("`ipv6-only` leaves guests with nothing; the venue needs an [ipv6] that does not lead nowhere"))
        }
        _ => Ok(()),
    }
}

/// What all of them say of a table together, and the nearest of those who speak of it.
fn laid<'a, 'b, T: Over + Clone>(
    said: &[Said<'a, &'b VenueFile>],
    part: impl Fn(&'b VenueFile) -> Option<&'b Spanned<T>>,
) -> Option<(Said<'a, &'b Spanned<T>>, T)> {
    let mut tables = said.iter().filter_map(|said| said.part(&part));
    let first = tables.next()?;
    let table = tables.fold(first.value.get_ref().clone(), |here, base| {
        here.over(base.value.get_ref().clone())
    });
    Some((first, table))
}
