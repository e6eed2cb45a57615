//! Who may send from which addresses on the VPN.

use std::net::Ipv6Addr;

use super::{Prefix, RouterConfig};
use crate::name::NodeName;

/// What is checked of frames at the border between the VPN and a router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BorderRules {
    /// Where every address belongs to somebody named in `owners`, or to nobody.
    pub pool: Vec<Prefix>,
    /// Whose addresses are whose; ours too, and longer prefixes within shorter ones.
    pub owners: Vec<(NodeName, Prefix)>,
    /// Nodes that send from addresses of theirs and from no others. Ourselves, if we have no
    /// other way out than the VPN.
    pub sites: Vec<NodeName>,
    /// Addresses of our own kernel.
    pub own: Vec<Ipv6Addr>,
}

/// Bits of an address as a prefix.
const HOST: u8 = 128;

impl BorderRules {
    /// The rules of a router called `me`.
    ///
    /// Who hands out prefixes knows whose each address is. Who was given one knows of its own
    /// only, and that nothing else may leave by it (RFC 2827).
    #[must_use]
    pub fn of(config: &RouterConfig, me: &NodeName) -> Self {
        let mut owners = vec![(me.clone(), Prefix::of(config.address.address, HOST))];
        let downstream = config.downstream.iter();
        owners.extend(downstream.map(|network| (me.clone(), network.prefix)));
        for site in &config.sites {
            owners.push((site.node.clone(), site.prefix));
            owners.push((site.node.clone(), Prefix::of(site.via, HOST)));
        }
        let mut sites: Vec<_> = config.sites.iter().map(|site| site.node.clone()).collect();
        let mut pool: Vec<_> = config.pool.into_iter().collect();
        if config.pool.is_some() {
            pool.push(config.address.link());
        } else if config.sites.is_empty() {
            sites.push(me.clone());
        }
        let gateways = config.downstream.iter().map(|network| network.address);
        Self {
            pool,
            owners,
            sites,
            own: gateways.chain([config.address.address]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{Downstream, Site};

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    fn config() -> RouterConfig {
        RouterConfig {
            address: "2001:db8:85a3:ef00::11/64".parse().unwrap(),
            gateway: None,
            pool: None,
            sites: Vec::new(),
            downstream: Vec::new(),
        }
    }

    #[test]
    fn a_pi_sends_from_what_it_was_given() {
        let prefix = "2001:db8:85a3:ef11::/64".parse().unwrap();
        let network = Downstream {
            interface: "eth1".to_owned(),
            hotplug: false,
            on_link: true,
            prefix,
            address: "2001:db8:85a3:ef11::1".parse().unwrap(),
            dns: Vec::new(),
            search: Vec::new(),
            mtu: None,
        };
        let downstream = vec![network];
        let rules = BorderRules::of(
            &RouterConfig {
                downstream,
                ..config()
            },
            &name("pi"),
        );
        let own = "2001:db8:85a3:ef00::11/128".parse().unwrap();
        assert_eq!(rules.owners, [(name("pi"), own), (name("pi"), prefix)]);
        assert_eq!((rules.sites, rules.pool), (vec![name("pi")], vec![]));
    }

    #[test]
    fn a_server_knows_whose_each_address_is_and_sends_from_any() {
        let site = Site {
            node: name("pi"),
            via: "2001:db8:85a3:ef00::11".parse().unwrap(),
            prefix: "2001:db8:85a3:ef11::/64".parse().unwrap(),
        };
        let (pool, sites) = (Some("2001:db8:85a3:ef00::/56".parse().unwrap()), vec![site]);
        let rules = BorderRules::of(
            &RouterConfig {
                pool,
                sites,
                ..config()
            },
            &name("server"),
        );
        assert_eq!(rules.sites, [name("pi")]);
        let link = "2001:db8:85a3:ef00::/64".parse().unwrap();
        assert_eq!(rules.pool, [pool.unwrap(), link]);
        assert_eq!(rules.owners.len(), 3);
    }
}
