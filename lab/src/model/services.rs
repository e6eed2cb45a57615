//! What a venue serves to those who come in: addresses (`[dhcp]`) and names (`[dns]`).

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::ModelError;
use super::kind::VenueFile;
use super::overriding::{Over, Said};

/// The shortest lease in seconds; dnsmasq rounds shorter ones up, which would not be what was asked for.
const SHORTEST_LEASE: u32 = 120;

/// How long a client may stay without IPv4 at least, in seconds (`MIN_V6ONLY_WAIT` of RFC 8925).
const SHORTEST_IPV6_ONLY: u32 = 300;

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
