//! What an advertisement says at a moment.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use super::schedule::Link;
use super::{
    AdvertiseSettings, HOST_HOP_LIMIT, HOST_RETRANSMIT, HOSTS_KEEP_VALID, MAX_RETIRED,
    MAX_RETIRED_RESOLVERS, MIN_MTU,
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

/// What hosts of the link were told before and should know of no more.
#[derive(Debug, Default)]
pub(super) struct Retired {
    prefixes: Former<Prefix>,
    resolvers: Former<Ipv6Addr>,
}

impl Retired {
    /// The settings change from `old` to `new`.
    pub(super) fn renumber(
        &mut self,
        old: &AdvertiseSettings,
        new: &AdvertiseSettings,
        now: Instant,
    ) {
        let until = now + old.valid.min(HOSTS_KEEP_VALID);
        self.prefixes
            .change((&old.prefixes, until), &new.prefixes, MAX_RETIRED, now);
        let until = now + worth_of_names(old);
        self.resolvers
            .change((&old.dns, until), &new.dns, MAX_RETIRED_RESOLVERS, now);
    }
}

/// Things that were advertised, and until when hosts go by them if they are not told.
#[derive(Debug)]
struct Former<T>(BTreeMap<T, Instant>);

impl<T> Default for Former<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + Ord> Former<T> {
    /// Those of `old` are advertised no more, but those of `new`. Of more than `most` the first to be void are dropped.
    fn change(&mut self, (old, until): (&[T], Instant), new: &[T], most: usize, now: Instant) {
        self.0.extend(old.iter().map(|one| (*one, until)));
        self.0
            .retain(|one, until| *until > now && !new.contains(one));
        while self.0.len() > most {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            let Some(first) = first.map(|(one, _)| *one) else {
                return;
            };
            self.0.remove(&first);
        }
    }

    /// Those that hosts still go by, and how long.
    fn iter(&self, now: Instant) -> impl Iterator<Item = (T, Lifetime)> {
        let left = self.0.iter().map(move |(one, until)| {
            let left = until.saturating_duration_since(now);
            (*one, Lifetime::from(left))
        });
        left.filter(|(_, left)| *left > Lifetime::NONE)
    }
}

/// How long names are looked up as advertised: three intervals (RFC 8106 section 5.1).
fn worth_of_names(settings: &AdvertiseSettings) -> Duration {
    3 * settings.interval
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
    let former = retired.prefixes.iter(now);
    options.extend(former.map(|(one, left)| prefix(one, left, Lifetime::NONE)));
    let lifetime = Lifetime::from(offered(worth_of_names(settings)));
    if !settings.dns.is_empty() {
        let servers = settings.dns.clone();
        options.push(Information::DnsServers { lifetime, servers });
    }
    let servers: Vec<_> = retired.resolvers.iter(now).map(|(one, _)| one).collect();
    if !servers.is_empty() {
        let lifetime = Lifetime::NONE;
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
