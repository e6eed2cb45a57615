//! What an advertisement says at a moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::schedule::Link;
use super::{
    AdvertiseSettings, HOST_HOP_LIMIT, HOST_RETRANSMIT, HOSTS_KEEP_VALID, MAX_RETIRED, MIN_MTU,
};
use crate::router::Prefix;
use crate::wire::ndp::{Information, Lifetime, PrefixInformation, RouterAdvertisement};

/// Whether hosts are to use the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// As long as the settings say.
    Offered,
    /// Not for now, since the tunnel leads nowhere: their addresses stay valid.
    Suspended,
    /// No more.
    Ended,
}

/// Prefixes that the link had before, and until when addresses from them are valid.
#[derive(Debug, Default)]
pub(super) struct Retired(BTreeMap<Prefix, Instant>);

impl Retired {
    /// The settings change from `old` to `new`.
    pub(super) fn renumber(
        &mut self,
        old: &AdvertiseSettings,
        new: &AdvertiseSettings,
        now: Instant,
    ) {
        let until = now + old.valid.min(HOSTS_KEEP_VALID);
        let gone = old.prefixes.iter().map(|prefix| (*prefix, until));
        self.0.extend(gone);
        self.0
            .retain(|prefix, until| *until > now && !new.prefixes.contains(prefix));
        while self.0.len() > MAX_RETIRED {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            let Some(first) = first.map(|(prefix, _)| *prefix) else {
                return;
            };
            self.0.remove(&first);
        }
    }

    /// Those that are still valid, and how long.
    fn iter(&self, now: Instant) -> impl Iterator<Item = (Prefix, Lifetime)> {
        let left = self.0.iter().map(move |(prefix, until)| {
            let left = until.saturating_duration_since(now);
            (*prefix, Lifetime::from(left))
        });
        left.filter(|(_, left)| *left > Lifetime::NONE)
    }
}

/// The advertisement of a link at a moment.
pub(super) fn advertisement(
    settings: &AdvertiseSettings,
    retired: &Retired,
    link: &Link,
    service: Service,
    now: Instant,
) -> RouterAdvertisement {
    let offered = |lifetime: Duration| match service {
        Service::Offered => lifetime,
        Service::Suspended | Service::Ended => Duration::ZERO,
    };
    let valid = match service {
        Service::Offered | Service::Suspended => settings.valid,
        Service::Ended => settings.valid.min(HOSTS_KEEP_VALID),
    };
    let mut options: Vec<_> = link
        .address
        .map(Information::LinkAddress)
        .into_iter()
        .collect();
    let mtu = settings.mtu.map(|mtu| mtu.min(link.mtu));
    options.extend(mtu.filter(|mtu| *mtu >= MIN_MTU).map(Information::Mtu));
    let prefix = |prefix, valid, preferred| {
        Information::Prefix(PrefixInformation {
            prefix,
            on_link: settings.on_link,
            autonomous: true,
            valid,
            preferred,
        })
    };
    let current = settings.prefixes.iter();
    options
        .extend(current.map(|one| prefix(*one, valid.into(), offered(settings.preferred).into())));
    let former = retired.iter(now);
    options.extend(former.map(|(one, left)| prefix(one, left, Lifetime::NONE)));
    // Names are worth three intervals (RFC 8106 section 5.1).
    let lifetime = Lifetime::from(offered(3 * settings.interval));
    if !settings.dns.is_empty() {
        let servers = settings.dns.clone();
        options.push(Information::DnsServers { lifetime, servers });
    }
    if !settings.search.is_empty() {
        let domains = settings.search.clone();
        options.push(Information::SearchList { lifetime, domains });
    }
    // An answer by radio may take longer than that.
    let retransmit = match settings.on_link {
        true => HOST_RETRANSMIT,
        false => Duration::ZERO,
    };
    RouterAdvertisement {
        hop_limit: HOST_HOP_LIMIT,
        preference: settings.preference,
        lifetime: offered(settings.lifetime),
        retransmit,
        options,
        ..RouterAdvertisement::default()
    }
}
