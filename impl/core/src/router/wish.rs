//! What the kernel has to look like for a router to route: a list of items, in the order in which
//! they are put in force. Whoever puts them there compares first, and undoes them from the end.

use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

use super::config::{Downstream, RouterConfig};
use super::prefix::{InterfaceAddress, Prefix};

/// The routing table for what leaves by the tunnel; ours.
pub const TABLE: u32 = 655;
/// The mark on packets that carry the tunnel, which must not enter it; ours.
pub const MARK: u32 = 655;
/// The main routing table (`RT_TABLE_MAIN`).
pub const MAIN: u32 = 254;
/// Metric of a route that yields to any other: of those that are told none, the kernel's is 1024.
const LAST_RESORT: u32 = u32::MAX;
/// Metric of our own routes.
const METRIC: u32 = 1024;
/// From our prefixes to the tunnel; all ours stand before main (32766).
const FROM_OURS: u32 = 30_655;
/// Everything the main table knows better than by a default route.
const BEFORE_DEFAULT: u32 = 30_656;
/// All the rest, unless it carries the tunnel.
const UNMARKED: u32 = 30_657;

/// One thing about the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// An interface is up.
    Up {
        /// Its name.
        interface: String,
    },
    /// An interface has no queueing discipline.
    NoQueue {
        /// Its name.
        interface: String,
    },
    /// An interface has an address.
    Address {
        /// Its name.
        interface: String,
        /// The address.
        address: InterfaceAddress,
        /// It is in use at once, without duplicate address detection (RFC 4862 section 5.4).
        no_dad: bool,
    },
    /// A file below `/proc/sys/net` holds a value.
    Setting {
        /// Its path from there.
        key: String,
        /// The value.
        value: String,
        /// Only where that holds, if it matters.
        only: Option<Only>,
    },
    /// Packets of others are passed on, by all interfaces.
    Forwarding,
    /// A table has a route.
    Route(Route),
    /// A rule says who asks which table.
    Rule(Rule),
}

/// Where a setting is changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Only {
    /// Where it was this before.
    pub instead_of: String,
    /// Where this interface passes packets on by [`Item::Forwarding`] of ours, and did not before.
    pub forwards_by_us: String,
}

/// A way to a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The prefix.
    pub to: Prefix,
    /// The way.
    pub way: Way,
    /// The table.
    pub table: u32,
    /// Among routes to the same prefix the lowest is taken.
    pub metric: u32,
}

/// How a prefix is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It is on the link.
    Link {
        /// Of this interface.
        interface: String,
    },
    /// By a router.
    Via {
        /// Its address.
        gateway: Ipv6Addr,
        /// On this interface's link.
        interface: String,
    },
    /// Not at all, and whoever asks is told so.
    Unreachable,
}

/// Which packets ask a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Rules are asked from the lowest to the highest.
    pub priority: u32,
    /// The packets.
    pub who: Who,
    /// The table.
    pub table: u32,
    /// Its default routes do not count.
    pub no_default: bool,
}

/// The packets a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// All.
    Anybody,
    /// Those from a prefix.
    From(Prefix),
    /// Those without a mark.
    Unmarked(u32),
}

/// An interface that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// It is a Bluetooth 6LoWPAN link (`ARPHRD_6LOWPAN`).
    pub is_6lowpan: bool,
    /// It is the loopback.
    pub is_loopback: bool,
}

/// What a router wishes.
///
/// `vpn` is the interface of the VPN, `links` are all that are there, and `tunnel` is whether
/// anybody is reached through it: as long as nobody is, our own packets try the venue.
#[must_use]
pub fn wish(config: &RouterConfig, vpn: &str, links: &[Link], tunnel: bool) -> Vec<Item> {
    let present = |one: &&Downstream| links.iter().any(|link| link.name == one.interface);
    let downstream: Vec<&Downstream> = config.downstream.iter().filter(present).collect();
    let mut items = Vec::new();
    hear_no_routers_from(vpn, &mut items);
    for one in &downstream {
        hear_no_routers_from(&one.interface, &mut items);
    }
    for link in links {
        let ours = link.name == vpn || config.downstream.iter().any(|d| d.interface == link.name);
        if !ours && !link.is_loopback {
            // What begins to forward stops listening to routers unless it is told to (accept_ra
            // 2). What forwards already listens to none, and we must not change that.
            items.push(Item::Setting {
                key: accept_ra(&link.name),
                value: "2".to_owned(),
                only: Some(Only {
                    instead_of: "1".to_owned(),
                    forwards_by_us: link.name.clone(),
                }),
            });
        }
    }
    items.push(Item::Forwarding);
    on_the_vpn(config, vpn, &mut items);
    for one in &downstream {
        let interface = one.interface.clone();
        let is_6lowpan = |link: &Link| link.name == interface && link.is_6lowpan;
        if links.iter().any(is_6lowpan) {
            // With a queue, Linux 6.12 forgets the next hop on its way through.
            items.push(Item::NoQueue {
                interface: interface.clone(),
            });
        }
        items.push(Item::Up {
            interface: interface.clone(),
        });
        items.push(Item::Address {
            interface,
            address: one.interface_address(),
            no_dad: false,
        });
    }
    if let Some(gateway) = config.gateway {
        way_out(config, vpn, gateway, &downstream, tunnel, &mut items);
    }
    items
}

fn accept_ra(interface: &str) -> String {
    format!("ipv6/conf/{interface}/accept_ra")
}

/// The link is ours to advertise on, or its members have no say in where we send.
fn hear_no_routers_from(interface: &str, items: &mut Vec<Item>) {
    items.push(Item::Setting {
        key: accept_ra(interface),
        value: "0".to_owned(),
        only: None,
    });
}

fn on_the_vpn(config: &RouterConfig, vpn: &str, items: &mut Vec<Item>) {
    let interface = vpn.to_owned();
    items.push(Item::Up {
        interface: interface.clone(),
    });
    items.push(Item::Address {
        interface: interface.clone(),
        address: config.address,
        // Nobody could be asked yet.
        no_dad: true,
    });
    if let Some(pool) = config.pool {
        items.push(Item::Route(Route {
            to: pool,
            way: Way::Unreachable,
            table: MAIN,
            metric: LAST_RESORT,
        }));
    }
    for site in &config.sites {
        items.push(Item::Route(Route {
            to: site.prefix,
            way: Way::Via {
                gateway: site.via,
                interface: interface.clone(),
            },
            table: MAIN,
            metric: METRIC,
        }));
    }
}

/// Everything goes to the gateway, whatever the venue advertises: what comes from our prefixes in
/// any case, and what we send ourselves unless it carries the tunnel.
fn way_out(
    config: &RouterConfig,
    vpn: &str,
    gateway: Ipv6Addr,
    downstream: &[&Downstream],
    tunnel: bool,
    items: &mut Vec<Item>,
) {
    let route = |to, way| {
        Item::Route(Route {
            to,
            way,
            table: TABLE,
            metric: METRIC,
        })
    };
    let link = |interface: &str| Way::Link {
        interface: interface.to_owned(),
    };
    items.push(route(config.address.link(), link(vpn)));
    for one in downstream {
        items.push(route(one.prefix, link(&one.interface)));
    }
    for site in &config.sites {
        let way = Way::Via {
            gateway: site.via,
            interface: vpn.to_owned(),
        };
        items.push(route(site.prefix, way));
    }
    if let Some(pool) = config.pool {
        items.push(route(pool, Way::Unreachable));
    }
    let default = Way::Via {
        gateway,
        interface: vpn.to_owned(),
    };
    items.push(route(Prefix::ALL, default));
    let from_ours = |from| {
        Item::Rule(Rule {
            priority: FROM_OURS,
            who: Who::From(from),
            table: TABLE,
            no_default: false,
        })
    };
    items.push(from_ours(Prefix::of(config.address.address, 128)));
    for one in &config.downstream {
        items.push(from_ours(one.prefix));
    }
    if tunnel {
        items.push(Item::Rule(Rule {
            priority: BEFORE_DEFAULT,
            who: Who::Anybody,
            table: MAIN,
            no_default: true,
        }));
        items.push(Item::Rule(Rule {
            priority: UNMARKED,
            who: Who::Unmarked(MARK),
            table: TABLE,
            no_default: false,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(gateway: bool) -> RouterConfig {
        let prefix: Prefix = "2001:db8:85a3:ef11::/64".parse().unwrap();
        RouterConfig {
            address: "2001:db8:85a3:ef00::11/64".parse().unwrap(),
            gateway: gateway.then(|| "2001:db8:85a3:ef00::1".parse().unwrap()),
            pool: (!gateway).then(|| "2001:db8:85a3:ef00::/56".parse().unwrap()),
            sites: Vec::new(),
            downstream: vec![Downstream {
                interface: "bt0".to_owned(),
                hotplug: true,
                on_link: true,
                prefix,
                address: prefix.address(1).unwrap(),
                dns: Vec::new(),
                search: Vec::new(),
                mtu: None,
            }],
        }
    }

    fn link(name: &str) -> Link {
        Link {
            name: name.to_owned(),
            is_6lowpan: name.starts_with("bt"),
            is_loopback: name == "lo",
        }
    }

    fn place(items: &[Item], wanted: impl Fn(&Item) -> bool) -> usize {
        items.iter().position(wanted).unwrap()
    }

    #[test]
    fn routers_of_the_venue_are_still_heard_where_forwarding_of_ours_would_stop_that() {
        let items = wish(&config(true), "vpn", &[link("lo"), link("eth0")], true);
        let heard = Item::Setting {
            key: "ipv6/conf/eth0/accept_ra".to_owned(),
            value: "2".to_owned(),
            only: Some(Only {
                instead_of: "1".to_owned(),
                forwards_by_us: "eth0".to_owned(),
            }),
        };
        let heard = place(&items, |item| *item == heard);
        assert!(heard < place(&items, |item| *item == Item::Forwarding));
        let lo = |item: &Item| matches!(item, Item::Setting { key, .. } if key.contains("/lo/"));
        assert!(!items.iter().any(lo));
    }

    #[test]
    fn a_network_that_is_not_there_is_not_wished_for_and_its_prefix_still_leaves_by_the_tunnel() {
        let of_bt0 = |item: &Item| matches!(item, Item::Address { interface, .. } | Item::NoQueue { interface } if interface == "bt0");
        let from_ours = |item: &Item| matches!(item, Item::Rule(Rule { who: Who::From(from), .. }) if from.len() == 64);
        let gone = wish(&config(true), "vpn", &[link("eth0")], true);
        assert!(!gone.iter().any(of_bt0) && gone.iter().any(from_ours));
        let there = wish(&config(true), "vpn", &[link("eth0"), link("bt0")], true);
        assert_eq!(there.iter().filter(|item| of_bt0(item)).count(), 2);
    }

    #[test]
    fn without_a_tunnel_our_own_packets_try_the_venue() {
        let rules = |tunnel| -> Vec<Who> {
            let items = wish(&config(true), "vpn", &[], tunnel).into_iter();
            let rules = items.filter_map(|item| match item {
                Item::Rule(rule) => Some(rule.who),
                _ => None,
            });
            rules.collect()
        };
        let from_ours = |who: &Who| matches!(who, Who::From(_));
        assert!(rules(false).iter().all(from_ours));
        // And with one, what carries it is let go.
        assert!(rules(true).contains(&Who::Unmarked(MARK)));
    }

    #[test]
    fn what_of_the_pool_nobody_has_is_unreachable() {
        let items = wish(&config(false), "vpn", &[], true);
        let pool = place(&items, |item| {
            matches!(
                item,
                Item::Route(Route {
                    way: Way::Unreachable,
                    ..
                })
            )
        });
        let Item::Route(route) = &items[pool] else {
            panic!()
        };
        assert_eq!(route.to.len(), 56);
        assert!(!items.iter().any(|item| matches!(item, Item::Rule(_))));
    }
}
