//! What a venue serves to those who come in: addresses (`[dhcp]`), names (`[dns]`) and IPv6 (`[ipv6]`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::ModelError;
use super::kind::VenueFile;
use super::overriding::{Said, field};
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
    lease: Option<Spanned<u32>>,
    ipv6_only: Option<Spanned<u32>>,
}

/// `[dns]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsTable {
    answers: Option<Spanned<Answers>>,
    /// Seconds.
    delay: Option<Spanned<f64>>,
}

/// `[ipv6]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ipv6Table {
    prefix: Option<Spanned<Net>>,
    preference: Option<Preference>,
    leads: Option<Leads>,
    nat64: Option<Spanned<Net>>,
    pref64: Option<Spanned<bool>>,
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

/// The DHCP server, if anybody speaks of one, nearest first.
pub(super) fn dhcp(said: &[Said<'_, &VenueFile>]) -> Result<Option<Dhcp>, ModelError> {
    let tables = tables(said, |file| file.dhcp.as_ref());
    let Some(first) = tables.first() else {
        return Ok(None);
    };
    let lease = field(&tables, |table| table.lease.as_ref())
        .ok_or_else(|| first.error("`dhcp` does not say `lease`, in seconds"))?;
    let ipv6_only = field(&tables, |table| table.ipv6_only.as_ref())
        .map(|found| at_least(found, SHORTEST_IPV6_ONLY, "ipv6-only"));
    Ok(Some(Dhcp {
        lease: at_least(lease, SHORTEST_LEASE, "lease")?,
        ipv6_only: ipv6_only.transpose()?,
    }))
}

fn at_least(found: Said<'_, &Spanned<u32>>, least: u32, what: &str) -> Result<u32, ModelError> {
    let seconds = *found.value.get_ref();
    if seconds >= least {
        return Ok(seconds);
    }
    Err(found.error(format!("{what} = {seconds}: at least {least}, in seconds")))
}

/// The resolver, if anybody speaks of one, nearest first.
pub(super) fn dns(said: &[Said<'_, &VenueFile>]) -> Result<Option<Dns>, ModelError> {
    let tables = tables(said, |file| file.dns.as_ref());
    if tables.is_empty() {
        return Ok(None);
    }
    let answers = field(&tables, |table| table.answers.as_ref());
    let answers = answers.map(|answers| *answers.value.get_ref());
    let answers = answers.unwrap_or_default();
    let delay = field(&tables, |table| table.delay.as_ref());
    let seconds = delay.map_or(0.0, |delay| *delay.value.get_ref());
    if let Some(delay) = delay {
        if !(0.0..=LONGEST_DELAY).contains(&seconds) {
            let reason = format!("delay = {seconds}: from 0 to {LONGEST_DELAY}, in seconds");
            return Err(delay.error(reason));
        }
        if answers == Answers::Nothing && seconds > 0.0 {
            return Err(delay.error("a resolver that answers nothing has no `delay`"));
        }
    }
    Ok(Some(Dns {
        answers,
        // At most a minute, and of no more than milliseconds is anything promised.
        delay: (seconds * 1000.0).round() as u32,
    }))
}

/// What is told of IPv6, if anybody speaks of it, nearest first.
pub(super) fn ipv6(said: &[Said<'_, &VenueFile>]) -> Result<Option<Ipv6>, ModelError> {
    let tables = tables(said, |file| file.ipv6.as_ref());
    let Some(first) = tables.first() else {
        return Ok(None);
    };
    let missing = |what: &str| first.error(format!("`ipv6` does not say {what}"));
    let guests = field(&tables, |table| table.prefix.as_ref())
        .ok_or_else(|| missing("`prefix`, a /64, e.g. \"2001:db8:cafe::/64\""))?;
    let prefix = *guests.value.get_ref();
    if prefix.is_ipv4() || prefix.len != 64 || prefix.network() != prefix {
        let reason = format!("prefix = {prefix}: an IPv6 /64, as stateless configuration wants it");
        return Err(guests.error(reason));
    }
    let leads = field(&tables, |table| table.leads.as_ref())
        .ok_or_else(|| missing("where it `leads`: \"out\", \"astray\" or \"nowhere\""))?;
    let leads = *leads.value;
    let nat64 = field(&tables, |table| table.nat64.as_ref());
    if let Some(nat64) = nat64 {
        let net = *nat64.value.get_ref();
        translates(net, prefix, leads)
            .map_err(|reason| nat64.error(format!("nat64 = {net}: {reason}")))?;
    }
    let told = field(&tables, |table| table.pref64.as_ref());
    let told = told.filter(|told| *told.value.get_ref());
    if let (Some(told), None) = (told, nat64) {
        return Err(told.error("`pref64` tells guests of a `nat64`, and there is none"));
    }
    let behind = said
        .iter()
        .find_map(|said| said.part(|file| file.behind.as_ref()));
    if let Some(behind) = behind.filter(|_| leads != Leads::Nowhere) {
        return Err(
            behind.error("a carrier's router in front carries no IPv6, and `ipv6` leads there")
        );
    }
    let preference = field(&tables, |table| table.preference.as_ref());
    Ok(Some(Ipv6 {
        prefix,
        preference: preference.map(|said| *said.value).unwrap_or_default(),
        leads,
        nat64: nat64.map(|nat64| *nat64.value.get_ref()),
        pref64: told.is_some(),
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
    let tables = tables(said, |file| file.dns.as_ref());
    match field(&tables, |table| table.answers.as_ref()) {
        Some(answers) if makes_up && !translates => {
            Err(answers.error("`answers = \"dns64\"` needs an [ipv6] with a `nat64`"))
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
    let tables = tables(said, |file| file.dhcp.as_ref());
    match field(&tables, |table| table.ipv6_only.as_ref()) {
        Some(found) if asked && ipv6.is_none_or(|ipv6| ipv6.leads == Leads::Nowhere) => {
            Err(found.error("`ipv6-only` leaves guests with nothing; the venue needs an [ipv6] that does not lead nowhere"))
        }
        _ => Ok(()),
    }
}

/// What each of those says of a table who speaks of it.
fn tables<'a, 'b, T>(
    said: &[Said<'a, &'b VenueFile>],
    part: impl Fn(&'b VenueFile) -> Option<&'b Spanned<T>>,
) -> Vec<Said<'a, &'b Spanned<T>>> {
    said.iter().filter_map(|said| said.part(&part)).collect()
}
