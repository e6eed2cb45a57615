//! IPv6 of venues: the way there and back, and who tells their guests.

use std::net::Ipv6Addr;

use super::build::{CORE_LINK_LOCAL, Neighbourhood};
use super::wiring::Wiring;
use super::{Advertisement, Net, sysctls};
use crate::model::{CORE, Ipv6, Leads, Scenario};

/// Nothing comes in that was not asked for (RFC 6092, recommendation 10 and following, simple security).
const SIMPLE_SECURITY: &str = "
table ip6 lab {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
    iifname lan0 accept
  }
}
";

/// What guests send is lost, and nobody is told.
const LOSES: &str = "
table ip6 lab {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname lan0 drop
  }
}
";

/// What a translator hands back to the router leaves like what guests send by IPv4 (RFC 6146 section 1.2).
const TRANSLATED: &str = "
table ip lab {
  chain forward {
    iifname nat64 accept
  }
}
";

impl Wiring {
    /// The way between the core and those of its neighbours on `interface` that have IPv6 for their guests.
    pub(super) fn ipv6_outside(
        &mut self,
        scenario: &Scenario,
        hood: &Neighbourhood,
        interface: &str,
    ) {
        let mut first = hood.networks.iter().all(Net::is_ipv4);
        for (n, venue) in (1..).zip(&scenario.venues) {
            let name = venue.name.get_ref();
            let Some(ipv6) = venue.kind.ipv6.filter(|ipv6| ipv6.leads != Leads::Nowhere) else {
                continue;
            };
            if hood.members.iter().all(|(member, _)| member != name) {
                continue;
            }
            let link = |addr: Ipv6Addr| {
                Some(Net {
                    addr: addr.into(),
                    len: 64,
                })
            };
            if first {
                self.address(CORE, interface, link(CORE_LINK_LOCAL), None);
                first = false;
            }
            let ours = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 6, n);
            self.address(name, "wan0", link(ours), None);
            self.route(name, Net::DEFAULT_V6, Some(CORE_LINK_LOCAL.into()), "wan0");
            self.route(CORE, ipv6.prefix, Some(ours.into()), interface);
        }
    }

    /// What the router of a venue, which translates IPv4 already, is and says to its guests.
    pub(super) fn ipv6_inside(&mut self, name: &str, ipv6: &Ipv6, guests: &[(&str, &str)]) {
        let leads = ipv6.leads;
        if leads != Leads::Nowhere {
            self.address(name, "lan0", ipv6.prefix.nth(1), None);
        }
        if let Some(router) = self.find(name) {
            router.advertisement = Some(Advertisement {
                interface: "lan0".to_owned(),
                ipv6: *ipv6,
            });
            if leads != Leads::Nowhere {
                router.sysctls.extend(sysctls::forward_ipv6());
            }
            if let Some(ruleset) = &mut router.ruleset {
                ruleset.text.push_str(match leads {
                    Leads::Out => SIMPLE_SECURITY,
                    Leads::Astray => LOSES,
                    Leads::Nowhere => "",
                });
                if ipv6.nat64.is_some() {
                    ruleset.text.push_str(TRANSLATED);
                }
            }
        }
        for (guest, interface) in guests {
            if let Some(guest) = self.find(guest) {
                guest.guest.told_of = Some(((*interface).to_owned(), ipv6.prefix));
            }
        }
    }
}
