//! What somebody wants of a router, checked: each value is sound by itself and beside the others.

use std::net::Ipv6Addr;

use super::advertise::AdvertiseSettings;
use super::prefix::{InterfaceAddress, Prefix};
use crate::name::NodeName;
use crate::wire::ndp::DomainName;

/// A router: a server that hands out prefixes, a Pi that was given some, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterConfig {
    /// Our address on the VPN interface, and the link that all members share there.
    pub address: InterfaceAddress,
    /// Who is asked for everything we know no way to; on the link of `address`.
    pub gateway: Option<Ipv6Addr>,
    /// What is ours to hand out: where nobody has it, it is unreachable.
    pub pool: Option<Prefix>,
    /// What was handed out.
    pub sites: Vec<Site>,
    /// The networks we advertise to.
    pub downstream: Vec<Downstream>,
}

/// A prefix that is routed to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The node.
    pub node: NodeName,
    /// Its address on the VPN.
    pub via: Ipv6Addr,
    /// What is behind it, /64 or shorter.
    pub prefix: Prefix,
}

/// A network of ours to which we advertise ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downstream {
    /// Its interface.
    pub interface: String,
    /// It comes and goes, so that nothing is wrong if it is not there.
    pub hotplug: bool,
    /// The /64 from which its hosts take their addresses.
    pub prefix: Prefix,
    /// Hosts reach each other without us; not so on 6LoWPAN links (RFC 7668 section 3.2.3).
    pub on_link: bool,
    /// Our own address there, in `prefix`.
    pub address: Ipv6Addr,
    /// Recursive DNS servers to tell (RFC 8106 section 5.1).
    pub dns: Vec<Ipv6Addr>,
    /// Domains to search in (RFC 8106 section 5.2).
    pub search: Vec<DomainName>,
    /// The MTU to tell, bytes (RFC 4861 section 4.6.4).
    pub mtu: Option<u32>,
}

impl Downstream {
    /// What is advertised there.
    #[must_use]
    pub fn advertisement(&self) -> AdvertiseSettings {
        AdvertiseSettings {
            prefixes: vec![self.prefix],
            on_link: self.on_link,
            dns: self.dns.clone(),
            search: self.search.clone(),
            mtu: self.mtu,
            ..AdvertiseSettings::default()
        }
    }

    /// Our address with the length of the link's prefix.
    #[must_use]
    pub fn interface_address(&self) -> InterfaceAddress {
        InterfaceAddress {
            address: self.address,
            len: self.prefix.len(),
        }
    }
}
