//! A router that translates: `nat`, `with` and `[udp-timeout]`, of a venue, or of the carrier's that it is `[behind]`.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::overriding::{Said, field};
use super::{ModelError, UdpTimeout, Venue, check, kind};
use crate::nat;
use crate::net::Net;

/// What carriers number the network between their own router and their customers' by (RFC 6598).
pub const SHARED_SPACE: Net = Net {
    addr: std::net::IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)),
    len: 10,
};

/// How long a router may remember a UDP flow, in seconds: a day is more than any is known to. Ours.
const TIMEOUTS: RangeInclusive<u32> = 1..=86_400;

/// A router in front of a venue's own: a carrier's, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// What it does to packets.
    pub nat: nat::Kind,
    /// How long it remembers a UDP flow.
    pub udp_timeout: Option<UdpTimeout>,
    /// The network between it and the venue's router.
    pub lan: Net,
}

/// `[behind]`, and the same fields of a venue itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RouterTable {
    /// Name of a file in `nat/`.
    pub(super) nat: Option<Spanned<String>>,
    /// Names of files in `nat/with/`.
    pub(super) with: Option<Vec<Spanned<String>>>,
    pub(super) udp_timeout: Option<Spanned<TimeoutTable>>,
    pub(super) lan: Option<Spanned<Net>>,
}

/// `[udp-timeout]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutTable {
    unreplied: Option<Spanned<u32>>,
    replied: Option<Spanned<u32>>,
}

/// The kind of NAT and its memory, by what is said of it, nearest first.
pub(super) fn router(
    home: &Path,
    said: &[Said<'_, &RouterTable>],
    missing: impl FnOnce() -> ModelError,
) -> Result<(nat::Kind, Option<UdpTimeout>), ModelError> {
    let mut named = said.iter().enumerate();
    let Some((at, nat)) =
        named.find_map(|(at, said)| Some((at, said.part(|table| table.nat.clone())?)))
    else {
        return Err(missing());
    };
    // An addition belongs to the kind beside which it is written: what is said further away was about another.
    let near = said.get(..=at).unwrap_or_default();
    let with = near
        .iter()
        .find_map(|said| said.part(|table| table.with.clone()));
    let kind = kind::load(home, &nat, with.as_ref())?;
    Ok((kind, timeout(said)?))
}

fn timeout(said: &[Said<'_, &RouterTable>]) -> Result<Option<UdpTimeout>, ModelError> {
    let tables: Vec<_> = said
        .iter()
        .filter_map(|said| said.part(|table| table.udp_timeout.as_ref()))
        .collect();
    let Some(first) = tables.first() else {
        return Ok(None);
    };
    let seconds = |name: &str, of: fn(&TimeoutTable) -> Option<&Spanned<u32>>| {
        let Some(found) = field(&tables, of) else {
            let reason = format!("`udp-timeout` does not say `{name}`, in seconds");
            return Err(first.error(reason));
        };
        let seconds = *found.value.get_ref();
        if TIMEOUTS.contains(&seconds) {
            return Ok(seconds);
        }
        let (least, most) = TIMEOUTS.into_inner();
        let nearest = seconds.clamp(least, most);
        Err(found.error(format!(
            "{name} = {seconds}: from {least} to {most}, in seconds; the nearest is {nearest}"
        )))
    };
    Ok(Some(UdpTimeout {
        unreplied: seconds("unreplied", |table| table.unreplied.as_ref())?,
        replied: seconds("replied", |table| table.replied.as_ref())?,
    }))
}

/// Whether every public address that a venue's kind of NAT takes is in its network.
pub(super) fn pool(venue: &Venue) -> Result<(), String> {
    let (kind, wan) = (venue.outer_nat(), venue.wan.get_ref());
    if venue.outside().len() >= usize::from(kind.addresses) {
        return Ok(());
    }
    // The last address there is for everybody, and the first the router's in front.
    let everybody = u32::MAX.checked_shr(wan.len.into()).unwrap_or(0);
    let last = everybody.checked_sub(kind.addresses.into());
    let last = last.filter(|last| *last > 1).and_then(|last| wan.nth(last));
    let remedy = match last {
        Some(last) => format!("the last to begin with is {last}"),
        None => "take a wider network".to_owned(),
    };
    Err(format!(
        "{} takes {} addresses from {wan} on, and there are not as many; {remedy}",
        kind.name, kind.addresses
    ))
}

/// The router in front, if anybody speaks of one.
pub(super) fn behind(
    home: &Path,
    said: &[Said<'_, &Spanned<RouterTable>>],
) -> Result<Option<Behind>, ModelError> {
    let Some(last) = said.last() else {
        return Ok(None);
    };
    let missing = || last.error("missing field `nat`");
    let said: Vec<_> = said
        .iter()
        .map(|said| Said::new(said.value.get_ref(), said.by))
        .collect();
    let (nat, udp_timeout) = router(home, &said, missing)?;
    let mut lans = said
        .iter()
        .filter_map(|said| said.part(|table| table.lan.as_ref()));
    let Some(lan) = lans.next() else {
        return Ok(Some(Behind {
            nat,
            udp_timeout,
            lan: SHARED_SPACE,
        }));
    };
    check::is_lan(lan.value.get_ref()).map_err(|reason| lan.error(reason))?;
    Ok(Some(Behind {
        nat,
        udp_timeout,
        lan: *lan.value.get_ref(),
    }))
}
