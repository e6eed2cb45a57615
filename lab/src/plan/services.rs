//! What machines run so that a venue serves those who come in: DHCP and DNS.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::wiring::Wiring;
use super::{End, Net};
use crate::model::{Dhcp, Dns, FIRST_LEASE_V4, Ipv6, Venue};

/// Last host number a venue gives away: the last one of a home router's usual network.
const LAST_LEASE_V4: u32 = 254;

/// What a venue's router serves on one of its interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The interface.
    pub interface: String,
    /// Its own address there.
    pub address: Ipv4Addr,
    /// The addresses it gives, if it does.
    pub dhcp: Option<DhcpService>,
    /// The names it knows, if it knows any.
    pub dns: Option<Dns>,
    /// What guests are told of IPv6, on which names may depend.
    #[serde(skip)]
    pub ipv6: Option<Ipv6>,
}

/// What a router tells those who come in of IPv6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advertisement {
    /// The interface it says so on.
    pub interface: String,
    /// What it says.
    pub ipv6: Ipv6,
}

/// The addresses a venue gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DhcpService {
    /// How long, and to whom not.
    pub terms: Dhcp,
    /// The first and the last address that is given to whoever asks.
    pub range: [Net; 2],
    /// Who always gets the same.
    pub reserved: Vec<(End, Ipv4Addr)>,
}

/// How a machine in a venue learns where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// The interface on which it asks for an address, where one is given.
    pub asks_on: Option<String>,
    /// Whose answers it believes, where names are not in its own `/etc/hosts`.
    pub resolver: Option<IpAddr>,
    /// The interface on which it is told of IPv6, and the prefix.
    pub told_of: Option<(String, Net)>,
}

impl Wiring {
    /// Makes the router of a venue serve its guests, each with its interface, who have their addresses.
    pub(super) fn serve(&mut self, venue: &Venue, guests: &[(&str, &str)]) {
        let kind = &venue.kind;
        let lan = *venue.lan.get_ref();
        let Some(IpAddr::V4(address)) = lan.nth(1).map(|router| router.addr) else {
            return;
        };
        if kind.dhcp.is_none() && kind.dns.is_none() {
            return;
        }
        let mut reserved = Vec::new();
        for (name, interface) in guests {
            let Some(guest) = self.find(name) else {
                continue;
            };
            guest.guest.resolver = kind.dns.map(|_| address.into());
            let Some(dhcp) = kind.dhcp else {
                continue;
            };
            guest.guest.asks_on = Some((*interface).to_owned());
            let interfaces = guest.interfaces.iter_mut();
            for found in interfaces.filter(|found| found.name == *interface) {
                for address in &mut found.addresses {
                    address.leased = true;
                    if let IpAddr::V4(address) = address.net.addr {
                        let end = End {
                            node: (*name).to_owned(),
                            interface: (*interface).to_owned(),
                        };
                        reserved.push((end, address));
                    }
                }
            }
            for route in &mut guest.routes {
                route.leased |= route.interface == *interface;
            }
            if dhcp.ipv6_only.is_some() {
                // It is offered an address, and can do without.
                guest.routes.retain(|route| !route.leased);
                for found in &mut guest.interfaces {
                    found.addresses.retain(|address| !address.leased);
                }
                let ipv6 = kind.ipv6.and_then(|ipv6| ipv6.prefix.nth(1));
                guest.guest.resolver = kind.dns.and(ipv6).map(|router| router.addr);
            }
        }
        let range = lan.nth(FIRST_LEASE_V4).zip(lan.nth(LAST_LEASE_V4));
        let dhcp = kind
            .dhcp
            .zip(range)
            .map(|(terms, (first, last))| DhcpService {
                terms,
                range: [first, last],
                reserved,
            });
        if let Some(router) = self.find(venue.name.get_ref()) {
            router.service = Some(Service {
                interface: "lan0".to_owned(),
                address,
                dhcp,
                dns: kind.dns,
                ipv6: kind.ipv6,
            });
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dhcp) = &self.dhcp {
            let [first, last] = dhcp.range.map(|net| net.addr);
            write!(f, "  dhcp {first} to {last} for {} s", dhcp.terms.lease)?;
            if let Some(seconds) = dhcp.terms.ipv6_only {
                write!(f, ", IPv6-only preferred for {seconds} s")?;
            }
            writeln!(f)?;
        }
        if let Some(dns) = &self.dns {
            write!(f, "  dns {}", dns.answers)?;
            if dns.delay > 0 {
                write!(f, " after {} ms", dns.delay)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
