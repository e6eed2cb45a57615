//! A router that translates: `nat`, `with` and `[udp-timeout]`, of a venue, or of the carrier's that it is `[behind]`.

use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::overriding::{Over, Said};
use super::{ModelError, UdpTimeout, check, kind};
use crate::nat;
use crate::net::Net;

/// What carriers number the network between their own router and their customers' by (RFC 6598).
pub const SHARED_SPACE: Net = Net {
    addr: std::net::IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)),
    len: 10,
};

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
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutTable {
    unreplied: Option<u32>,
    replied: Option<u32>,
}

impl Over for TimeoutTable {
    fn over(self, base: Self) -> Self {
        Self {
            unreplied: self.unreplied.or(base.unreplied),
            replied: self.replied.or(base.replied),
        }
    }
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
    let mut tables = said
        .iter()
        .filter_map(|said| said.part(|table| table.udp_timeout.as_ref()));
    let Some(first) = tables.next() else {
        return Ok(None);
    };
    let table = tables.fold(*first.value.get_ref(), |here, base| {
        here.over(*base.value.get_ref())
    });
    let missing =
        |name: &str| first.error(format!("`udp-timeout` does not say `{name}`, in seconds"));
    Ok(Some(UdpTimeout {
        unreplied: table.unreplied.ok_or_else(|| missing("unreplied"))?,
        replied: table.replied.ok_or_else(|| missing("replied"))?,
    }))
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
