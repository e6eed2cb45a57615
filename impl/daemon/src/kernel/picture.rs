//! What the kernel has, as far as somebody may wish for it.

use std::net::{IpAddr, Ipv6Addr};

use futures::TryStreamExt as _;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType,
};
use rtnetlink::packet_route::rule::{RuleAttribute, RuleMessage};
use rtnetlink::{Handle, IpVersion, RouteMessageBuilder};
use v6router_core::router::wish::{Item, Link, Route, Rule, Way, Who};
use v6router_core::router::{InterfaceAddress, Prefix};

use super::settings;

/// What was there when it was taken.
pub(super) struct Picture {
    links: Vec<LinkMessage>,
    pub(super) addresses: Vec<AddressMessage>,
    pub(super) routes: Vec<RouteMessage>,
    pub(super) rules: Vec<RuleMessage>,
}

impl Picture {
    pub(super) async fn take(handle: &Handle) -> Result<Self, rtnetlink::Error> {
        let every_route = RouteMessageBuilder::<Ipv6Addr>::new().build();
        Ok(Self {
            links: handle.link().get().execute().try_collect().await?,
            addresses: handle.address().get().execute().try_collect().await?,
            routes: handle
                .route()
                .get(every_route)
                .execute()
                .try_collect()
                .await?,
            rules: handle
                .rule()
                .get(IpVersion::V6)
                .execute()
                .try_collect()
                .await?,
        })
    }

    /// The interfaces.
    pub(super) fn links(&self) -> Vec<Link> {
        let named = |link: &LinkMessage| {
            Some(Link {
                name: name(link)?.to_owned(),
                is_6lowpan: link.header.link_layer_type == LinkLayerType::Sixlowpan,
                is_loopback: link.header.flags.contains(LinkFlags::Loopback),
            })
        };
        self.links.iter().filter_map(named).collect()
    }

    /// The number of an interface.
    pub(super) fn index(&self, interface: &str) -> Option<u32> {
        Some(self.link(interface)?.header.index)
    }

    /// The name of an interface.
    pub(super) fn name(&self, index: u32) -> Option<&str> {
        let mut links = self.links.iter();
        name(links.find(|link| link.header.index == index)?)
    }

    fn link(&self, interface: &str) -> Option<&LinkMessage> {
        let mut links = self.links.iter();
        links.find(|link| name(link) == Some(interface))
    }

    /// Whether something is as wished, whoever made it so.
    pub(super) fn has(&self, item: &Item) -> bool {
        match item {
            Item::Up { interface } => self
                .link(interface)
                .is_some_and(|link| link.header.flags.contains(LinkFlags::Up)),
            Item::NoQueue { interface } => self.link(interface).is_some_and(|link| {
                let attributes = link.attributes.iter();
                let mut queues = attributes.filter_map(|attribute| match attribute {
                    LinkAttribute::Qdisc(kind) => Some(kind.as_str()),
                    _ => None,
                });
                queues.any(|kind| kind == "noqueue")
            }),
            Item::Address {
                interface, address, ..
            } => self
                .index(interface)
                .is_some_and(|index| self.address(index, *address).is_some()),
            // Why it cannot be read hears who goes on to change it.
            Item::Setting { .. } | Item::Forwarding => settings::KERNEL.has(item).unwrap_or(false),
            Item::Route(route) => self.route(route).is_some(),
            Item::Rule(rule) => self.rule(rule).is_some(),
        }
    }

    /// The address of an interface, if it is there.
    pub(super) fn address(&self, index: u32, wanted: InterfaceAddress) -> Option<&AddressMessage> {
        let found = self.of_any_length(index, wanted)?;
        (found.header.prefix_len == wanted.len).then_some(found)
    }

    /// The address of an interface, which has it once at most.
    fn of_any_length(&self, index: u32, wanted: InterfaceAddress) -> Option<&AddressMessage> {
        self.addresses.iter().find(|one| {
            one.header.index == index && address_of(one) == Some(IpAddr::V6(wanted.address))
        })
    }

    /// The route, if it is there.
    pub(super) fn route(&self, wanted: &Route) -> Option<&RouteMessage> {
        let (kind, gateway, interface) = match &wanted.way {
            Way::Link { interface } => (RouteType::Unicast, None, Some(interface)),
            Way::Via { gateway, interface } => {
                (RouteType::Unicast, Some(*gateway), Some(interface))
            }
            Way::Unreachable => (RouteType::Unreachable, None, None),
        };
        let index = interface.map(|interface| self.index(interface));
        self.routes.iter().find(|route| {
            let facts = RouteFacts::of(route);
            route.header.kind == kind
                && facts.to == wanted.to
                && facts.table == wanted.table
                && facts.metric == wanted.metric
                && facts.gateway == gateway
                // The kernel says that of what is unreachable the way out is the loopback.
                && index.is_none_or(|index| index.is_some() && facts.interface == index)
        })
    }

    /// The rule, if it is there.
    pub(super) fn rule(&self, wanted: &Rule) -> Option<&RuleMessage> {
        self.rules.iter().find(|rule| {
            let facts = RuleFacts::of(rule);
            let (from, mark) = match wanted.who {
                Who::Anybody => (None, None),
                Who::From(prefix) => (Some(prefix), None),
                Who::Unmarked(mark) => (None, Some(mark)),
            };
            facts.priority == wanted.priority
                && facts.table == wanted.table
                && facts.from == from
                && facts.mark == mark
                && facts.no_default == wanted.no_default
        })
    }

    /// What the kernel takes for `item`, and is not as wished, in the words of `ip`; as far as it
    /// can be seen here.
    pub(super) fn in_the_way(&self, item: &Item) -> Option<String> {
        match item {
            Item::Address {
                interface, address, ..
            } => {
                let found = self.of_any_length(self.index(interface)?, *address)?;
                let len = found.header.prefix_len;
                Some(format!("{}/{len} dev {interface}", address.address))
            }
            // Whatever its kind and its way.
            Item::Route(wanted) => {
                let found = self.routes.iter().find(|route| {
                    let facts = RouteFacts::of(route);
                    facts.to == wanted.to
                        && facts.table == wanted.table
                        && facts.metric == wanted.metric
                })?;
                Some(self.describe(found))
            }
            // What one leaves open, the other may say (Linux, net/core/fib_rules.c, rule_exists).
            Item::Rule(Rule {
                priority, table, ..
            }) => {
                let mut rules = self.rules.iter().map(RuleFacts::of);
                rules.find(|rule| rule.priority == *priority && rule.table == *table)?;
                Some(format!(
                    "another rule with priority {priority} table {table}"
                ))
            }
            Item::Up { .. } | Item::NoQueue { .. } | Item::Setting { .. } | Item::Forwarding => {
                None
            }
        }
    }

    fn describe(&self, route: &RouteMessage) -> String {
        let facts = RouteFacts::of(route);
        let kind = match route.header.kind {
            RouteType::Unicast => String::new(),
            kind => format!("{kind:?} ").to_lowercase(),
        };
        let gateway = facts.gateway.map(|gateway| format!(" via {gateway}"));
        let interface = facts.interface.and_then(|index| self.name(index));
        let interface = interface.map(|name| format!(" dev {name}"));
        format!(
            "{kind}{}{}{} table {} metric {}",
            facts.to,
            gateway.unwrap_or_default(),
            interface.unwrap_or_default(),
            facts.table,
            facts.metric
        )
    }
}

fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        })
}

/// On a point-to-point link `Address` is the other end.
pub(super) fn address_of(message: &AddressMessage) -> Option<IpAddr> {
    let attributes = || message.attributes.iter();
    let local = attributes().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        attributes().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

pub(super) struct RouteFacts {
    pub(super) to: Prefix,
    pub(super) table: u32,
    pub(super) metric: u32,
    pub(super) gateway: Option<Ipv6Addr>,
    pub(super) interface: Option<u32>,
}

impl RouteFacts {
    pub(super) fn of(route: &RouteMessage) -> Self {
        let len = route.header.destination_prefix_length;
        let mut facts = Self {
            to: Prefix::of(Ipv6Addr::UNSPECIFIED, len),
            table: route.header.table.into(),
            metric: 0,
            gateway: None,
            interface: None,
        };
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Destination(RouteAddress::Inet6(to)) => {
                    facts.to = Prefix::of(*to, len);
                }
                RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) => {
                    facts.gateway = Some(*gateway);
                }
                RouteAttribute::Table(table) => facts.table = *table,
                RouteAttribute::Priority(metric) => facts.metric = *metric,
                RouteAttribute::Oif(index) => facts.interface = Some(*index),
                _ => {}
            }
        }
        facts
    }
}

#[derive(Default)]
pub(super) struct RuleFacts {
    pub(super) priority: u32,
    pub(super) from: Option<Prefix>,
    pub(super) mark: Option<u32>,
    pub(super) table: u32,
    pub(super) no_default: bool,
}

impl RuleFacts {
    pub(super) fn of(rule: &RuleMessage) -> Self {
        let mut facts = Self {
            table: rule.header.table.into(),
            ..Self::default()
        };
        for attribute in &rule.attributes {
            match attribute {
                RuleAttribute::Priority(priority) => facts.priority = *priority,
                RuleAttribute::Source(IpAddr::V6(from)) => {
                    facts.from = Some(Prefix::of(*from, rule.header.src_len));
                }
                RuleAttribute::FwMark(mark) if *mark != 0 => facts.mark = Some(*mark),
                RuleAttribute::Table(table) => facts.table = *table,
                RuleAttribute::SuppressPrefixLen(0) => facts.no_default = true,
                _ => {}
            }
        }
        facts
    }
}

/// Whose routes are ours (`RTPROT`): a number nobody else has taken.
pub(super) const PROTOCOL: RouteProtocol = RouteProtocol::Other(165);

#[cfg(test)]
mod tests {
    use v6router_core::router::wish::{MAIN, TABLE};

    use super::*;

    const VPN: u32 = 7;

    /// A machine with an interface `vpn`.
    fn machine() -> Picture {
        let mut link = LinkMessage::default();
        link.header.index = VPN;
        let name = LinkAttribute::IfName("vpn".to_owned());
        link.attributes.push(name);
        Picture {
            links: vec![link],
            addresses: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn ip(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    /// `default via GATEWAY dev vpn table 655 metric 1024`
    fn default(gateway: &str) -> RouteMessage {
        RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(Ipv6Addr::UNSPECIFIED, 0)
            .table_id(TABLE)
            .priority(1024)
            .output_interface(VPN)
            .gateway(ip(gateway))
            .build()
    }

    fn wanted(gateway: &str, metric: u32) -> Item {
        Item::Route(Route {
            to: Prefix::ALL,
            way: Way::Via {
                gateway: ip(gateway),
                interface: "vpn".to_owned(),
            },
            table: TABLE,
            metric,
        })
    }

    #[test]
    fn a_route_that_differs_in_its_way_is_in_the_way_and_named() {
        let mut machine = machine();
        machine.routes.push(default("fe80::b"));
        assert!(machine.has(&wanted("fe80::b", 1024)));
        let another = wanted("fe80::a", 1024);
        assert!(!machine.has(&another));
        assert_eq!(
            machine.in_the_way(&another).as_deref(),
            Some("::/0 via fe80::b dev vpn table 655 metric 1024")
        );
        // With another metric there is room for both.
        assert_eq!(machine.in_the_way(&wanted("fe80::a", 1)), None);
        machine.routes[0] = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(Ipv6Addr::UNSPECIFIED, 0)
            .table_id(TABLE)
            .priority(1024)
            .kind(RouteType::BlackHole)
            .build();
        assert_eq!(
            machine.in_the_way(&another).as_deref(),
            Some("blackhole ::/0 table 655 metric 1024")
        );
    }

    #[test]
    fn an_address_of_another_length_is_in_the_way_and_named() {
        let mut machine = machine();
        let mut there = AddressMessage::default();
        there.header.index = VPN;
        there.header.prefix_len = 128;
        let address = IpAddr::V6(ip("2001:db8::1"));
        there.attributes.push(AddressAttribute::Address(address));
        machine.addresses.push(there);
        let wanted = |text: &str| Item::Address {
            interface: "vpn".to_owned(),
            address: text.parse().unwrap(),
            no_dad: true,
        };
        assert!(machine.has(&wanted("2001:db8::1/128")));
        assert!(!machine.has(&wanted("2001:db8::1/64")));
        assert_eq!(
            machine.in_the_way(&wanted("2001:db8::1/64")).as_deref(),
            Some("2001:db8::1/128 dev vpn")
        );
        assert_eq!(machine.in_the_way(&wanted("2001:db8::2/64")), None);
    }

    #[test]
    fn a_rule_that_says_more_is_in_the_way_and_named() {
        let mut machine = machine();
        let mut there = RuleMessage::default();
        there.header.src_len = 48;
        there.attributes.extend([
            RuleAttribute::Priority(30_656),
            RuleAttribute::Table(MAIN),
            RuleAttribute::Source(IpAddr::V6(ip("2001:db8::"))),
            RuleAttribute::SuppressPrefixLen(0),
        ]);
        machine.rules.push(there);
        let wanted = |table| {
            Item::Rule(Rule {
                priority: 30_656,
                who: Who::Anybody,
                table,
                no_default: true,
            })
        };
        assert!(!machine.has(&wanted(MAIN)));
        assert_eq!(
            machine.in_the_way(&wanted(MAIN)).as_deref(),
            Some("another rule with priority 30656 table 254")
        );
        assert_eq!(machine.in_the_way(&wanted(TABLE)), None);
    }
}
