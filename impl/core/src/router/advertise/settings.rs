//! What an interface is to advertise.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::{
    INTERVAL, INTERVALS, MAX_PREFIXES, MAX_RESOLVERS, MAX_ROUTER_LIFETIME, MAX_SEARCH, MIN_MTU,
    PREFERRED, TUNNEL_PATIENCE, VALID,
};
use crate::router::{Prefix, SLAAC_LEN};
use crate::wire::ndp::{DomainName, Preference};

/// What an interface is to advertise; [`AdvertiseSettings::check`] says whether that is legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertiseSettings {
    /// Prefixes that hosts make addresses from: 64 bits, at most 16 of them.
    pub prefixes: Vec<Prefix>,
    /// Hosts reach each other without us, as on Ethernet; not so on 6LoWPAN links, where everything
    /// goes by the router (RFC 6775, RFC 7668).
    pub on_link: bool,
    /// Resolvers that hosts may ask; at most 8.
    pub dns: Vec<Ipv6Addr>,
    /// Domains that hosts look for short names in; at most 256 bytes.
    pub search: Vec<DomainName>,
    /// Bytes of the longest packet that passes the tunnel, from 1,280 on; `None` leaves it to path
    /// MTU discovery. Never advertised beyond what the link carries.
    pub mtu: Option<u32>,
    /// Whether hosts are to prefer us to other routers.
    pub preference: Preference,
    /// The longest time between two unsolicited advertisements, 4 seconds to 30 minutes.
    pub interval: Duration,
    /// How long hosts use us after an advertisement: the interval at least and 9,000 seconds at
    /// most, or zero if they are not to use us as a default router.
    pub lifetime: Duration,
    /// How long hosts choose an address for new connections after an advertisement.
    pub preferred: Duration,
    /// How long an address is valid after an advertisement; not less than it is preferred.
    pub valid: Duration,
    /// How long the tunnel may be down before hosts are told not to use us.
    pub tunnel_patience: Duration,
}

impl Default for AdvertiseSettings {
    /// No prefix; Ethernet; the times of RFC 4861, of RFC 9096 for addresses.
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            on_link: true,
            dns: Vec::new(),
            search: Vec::new(),
            mtu: None,
            preference: Preference::default(),
            interval: INTERVAL,
            lifetime: 3 * INTERVAL,
            preferred: PREFERRED,
            valid: VALID,
            tunnel_patience: TUNNEL_PATIENCE,
        }
    }
}

/// Why something cannot be advertised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdvertiseError {
    /// A prefix that hosts cannot make addresses from.
    #[error("{0} is advertised: hosts make addresses from prefixes of {SLAAC_LEN} bits only")]
    PrefixLength(Prefix),
    /// A prefix whose addresses do not leave the link, or belong to nobody.
    #[error("{0} is advertised: its addresses are no hosts' beyond the link")]
    PrefixScope(Prefix),
    /// A prefix named twice.
    #[error("{0} is advertised twice")]
    PrefixTwice(Prefix),
    /// Too many of something.
    #[error("{found} {what} are advertised, {max} at most fit")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        max: usize,
    },
    /// A resolver that is no host.
    #[error("{0} cannot be asked: it is no host")]
    Resolver(Ipv6Addr),
    /// An MTU below that of all links.
    #[error("an MTU of {0} is advertised: every link of IPv6 carries {MIN_MTU} bytes")]
    Mtu(u32),
    /// A time beyond what is legal.
    #[error("{what} is {} s: {} to {} s are legal", found.as_secs(), min.as_secs(), max.as_secs())]
    Time {
        /// Which.
        what: &'static str,
        /// How long.
        found: Duration,
        /// How long at least.
        min: Duration,
        /// How long at most.
        max: Duration,
    },
}

impl AdvertiseSettings {
    /// Whether hosts understand it as it is meant, and whether it fits one advertisement.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), AdvertiseError> {
        for (nth, prefix) in self.prefixes.iter().enumerate() {
            let network = prefix.network();
            if prefix.len() != SLAAC_LEN {
                return Err(AdvertiseError::PrefixLength(*prefix));
            }
            // Link-local ones are ignored by hosts (RFC 4862 section 5.5.3).
            if network.is_multicast()
                || network.is_unicast_link_local()
                || network.segments()[0] == 0
            {
                return Err(AdvertiseError::PrefixScope(*prefix));
            }
            if self.prefixes.iter().take(nth).any(|other| other == prefix) {
                return Err(AdvertiseError::PrefixTwice(*prefix));
            }
        }
        let no_host = |address: &&Ipv6Addr| {
            address.is_multicast() || address.is_unspecified() || address.is_loopback()
        };
        if let Some(address) = self.dns.iter().find(no_host) {
            return Err(AdvertiseError::Resolver(*address));
        }
        let search = self.search.iter().map(DomainName::encoded_len).sum();
        for (what, found, max) in [
            ("prefixes", self.prefixes.len(), MAX_PREFIXES),
            ("resolvers", self.dns.len(), MAX_RESOLVERS),
            ("bytes of search domains", search, MAX_SEARCH),
        ] {
            if found > max {
                return Err(AdvertiseError::TooMany { what, found, max });
            }
        }
        if let Some(mtu) = self.mtu.filter(|mtu| *mtu < MIN_MTU) {
            return Err(AdvertiseError::Mtu(mtu));
        }
        self.check_times()
    }

    fn check_times(&self) -> Result<(), AdvertiseError> {
        let [shortest, longest] = INTERVALS;
        let is_default_router = !self.lifetime.is_zero();
        let least = if is_default_router {
            self.interval
        } else {
            Duration::ZERO
        };
        // Seconds of 32 bits, of which the last value means for ever.
        let ever = Duration::from_secs(u32::MAX.into());
        for (what, found, min, max) in [
            (
                "the interval of advertisements",
                self.interval,
                shortest,
                longest,
            ),
            (
                "the lifetime of the router",
                self.lifetime,
                least,
                MAX_ROUTER_LIFETIME,
            ),
            ("the valid lifetime", self.valid, self.interval, ever),
            (
                "the preferred lifetime",
                self.preferred,
                self.interval,
                self.valid,
            ),
        ] {
            if !(min..=max).contains(&found) {
                return Err(AdvertiseError::Time {
                    what,
                    found,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut AdvertiseSettings)) -> Result<(), AdvertiseError> {
        let mut settings = AdvertiseSettings {
            prefixes: vec!["2001:db8:85a3:ef11::/64".parse().unwrap()],
            ..AdvertiseSettings::default()
        };
        change(&mut settings);
        settings.check()
    }

    #[test]
    fn what_hosts_would_misunderstand_is_refused() {
        assert_eq!(with(|_| {}), Ok(()));
        let add = |prefix: &str| with(|s| s.prefixes.push(prefix.parse().unwrap()));
        for (prefix, why) in [
            ("2001:db8::/63", "of 64 bits only"),
            ("fe80::/64", "beyond the link"),
            ("::/64", "beyond the link"),
            ("2001:db8:85a3:ef11::/64", "twice"),
        ] {
            let error = add(prefix).unwrap_err().to_string();
            assert!(error.ends_with(why), "{error}");
        }
        assert_eq!(with(|s| s.mtu = Some(1279)), Err(AdvertiseError::Mtu(1279)));
        let everybody = crate::wire::ndp::ALL_NODES;
        let error = AdvertiseError::Resolver(everybody);
        assert_eq!(with(|s| s.dns = vec![everybody]), Err(error));
        let names = vec!["a".repeat(60).parse().unwrap(); 5];
        let error = with(|s| s.search = names).unwrap_err().to_string();
        assert_eq!(
            error,
            "310 bytes of search domains are advertised, 256 at most fit"
        );
    }

    #[test]
    fn times_that_would_leave_hosts_without_router_are_refused() {
        let seconds = Duration::from_secs;
        assert!(with(|s| s.interval = seconds(3)).is_err());
        assert!(with(|s| s.lifetime = seconds(599)).is_err());
        assert!(with(|s| s.lifetime = seconds(9001)).is_err());
        assert!(with(|s| s.lifetime = Duration::ZERO).is_ok());
        let error = with(|s| s.preferred = seconds(5401)).unwrap_err();
        let text = "the preferred lifetime is 5401 s: 600 to 5400 s are legal";
        assert_eq!(error.to_string(), text);
    }
}
