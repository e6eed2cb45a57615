//! Addresses with a prefix length, and the little arithmetic a plan needs on them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An address or prefix with its length, e.g. `192.168.1.6/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Net {
    /// The address; host bits may be set.
    pub addr: IpAddr,
    /// Prefix length in bits, never longer than the address.
    pub len: u8,
}

impl Net {
    /// The IPv4 default route.
    pub const DEFAULT_V4: Self = Self {
        addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        len: 0,
    };
    /// The IPv6 default route.
    pub const DEFAULT_V6: Self = Self {
        addr: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        len: 0,
    };

    /// One address by itself: /32 or /128.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        Self {
            addr,
            len: if addr.is_ipv4() { 32 } else { 128 },
        }
    }

    /// Whether it is IPv4.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.addr.is_ipv4()
    }

    /// The same with all host bits zero.
    #[must_use]
    pub fn network(&self) -> Self {
        let (bits, width) = bits(self.addr);
        Self {
            addr: from_bits(bits & mask(self.len, width), width),
            len: self.len,
        }
    }

    /// Whether `addr` lies in this network; never for the other family.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        let ((ours, width), (theirs, other)) = (bits(self.addr), bits(addr));
        width == other && (ours ^ theirs) & mask(self.len, width) == 0
    }

    /// The address with host number `n` in this network, `None` if it has no room for it.
    /// In IPv4 the network's own and its broadcast address are not hosts.
    #[must_use]
    pub fn nth(&self, n: u32) -> Option<Self> {
        let (bits, width) = bits(self.addr);
        let mask = mask(self.len, width);
        let host = u128::from(n);
        let room = !mask & full(width);
        let usable = if width == 32 {
            host > 0 && host < room
        } else {
            host <= room
        };
        usable.then(|| Self {
            addr: from_bits((bits & mask) | host, width),
            len: self.len,
        })
    }

    /// The networks of `len` bits in this one, in order; none, if that is less than it has.
    pub fn subnets(self, len: u8) -> impl Iterator<Item = Self> {
        let (first, width) = bits(self.network().addr);
        let step = 1_u128
            .checked_shl(u32::from(width.saturating_sub(len)))
            .unwrap_or(0);
        let count = match len.checked_sub(self.len) {
            Some(more) if len <= width => 1_u128.checked_shl(more.into()).unwrap_or(u128::MAX),
            _ => 0,
        };
        (0..count).map(move |n| Self {
            addr: from_bits(first + n * step, width),
            len,
        })
    }
}

fn bits(addr: IpAddr) -> (u128, u8) {
    match addr {
        IpAddr::V4(addr) => (u128::from(addr.to_bits()), 32),
        IpAddr::V6(addr) => (addr.to_bits(), 128),
    }
}

fn from_bits(bits: u128, width: u8) -> IpAddr {
    if width == 32 {
        // `bits` stems from a 32-bit address and a mask of as many bits.
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    }
}

fn full(width: u8) -> u128 {
    u128::MAX >> (128 - u32::from(width))
}

fn mask(len: u8, width: u8) -> u128 {
    let host = u32::from(width.saturating_sub(len));
    full(width) & u128::MAX.checked_shl(host).unwrap_or(0)
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || {
            format!(
                "{text:?} is not an address with a prefix length, e.g. 192.168.1.0/24 or 2001:db8::/64"
            )
        };
        let (addr, len) = text.split_once('/').ok_or_else(wanted)?;
        let net = Self {
            addr: addr.parse().map_err(|_| wanted())?,
            len: len.parse().map_err(|_| wanted())?,
        };
        if net.len > Self::host(net.addr).len {
            return Err(format!(
                "{text:?}: the prefix length of {addr} is at most {}",
                Self::host(net.addr).len
            ));
        }
        Ok(net)
    }
}

impl<'de> Deserialize<'de> for Net {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Net {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_are_counted_from_the_network_address() {
        assert_eq!(net("192.168.1.77/24").nth(1), Some(net("192.168.1.1/24")));
        assert_eq!(
            net("2001:db8:0:ef11::/64").nth(0x100),
            Some(net("2001:db8:0:ef11::100/64"))
        );
    }

    #[test]
    fn network_and_broadcast_address_are_no_hosts() {
        assert_eq!(net("10.0.0.0/30").nth(0), None);
        assert_eq!(net("10.0.0.0/30").nth(2), Some(net("10.0.0.2/30")));
        assert_eq!(net("10.0.0.0/30").nth(3), None);
        assert_eq!(net("10.0.0.1/32").nth(1), None);
    }

    #[test]
    fn a_network_contains_its_own_family_only() {
        assert!(net("192.168.1.0/24").contains("192.168.1.200".parse().unwrap()));
        assert!(!net("192.168.1.0/24").contains("192.168.2.1".parse().unwrap()));
        assert!(!Net::DEFAULT_V4.contains("::1".parse().unwrap()));
        assert!(Net::DEFAULT_V6.contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_network_is_split_in_order() {
        let split = |text: &str, len| -> Vec<String> {
            let nets = net(text).subnets(len);
            nets.map(|net| net.to_string()).collect()
        };
        assert_eq!(
            split("2001:db8:0:ef20::/63", 64),
            ["2001:db8:0:ef20::/64", "2001:db8:0:ef21::/64"]
        );
        assert_eq!(split("10.0.0.0/24", 24), ["10.0.0.0/24"]);
        assert!(split("10.0.0.0/24", 23).is_empty());
        assert_eq!(Net::DEFAULT_V6.subnets(128).nth(1), Some(net("::1/128")));
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        assert!("192.168.1.0".parse::<Net>().unwrap_err().contains("e.g."));
        assert!(
            "192.168.1.0/33"
                .parse::<Net>()
                .unwrap_err()
                .contains("at most 32")
        );
    }
}
