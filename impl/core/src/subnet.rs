//! Subnets: what a node owns, in the text form of `Subnet` variables and of requests.

mod parse;
mod table;

pub use table::{Claim, IpTable};

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::constants::DEFAULT_SUBNET_WEIGHT;

/// An Ethernet address. Shown without zero padding (`2:0:0:0:0:aa`), as the mesh prints it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of everybody on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether the address names a group (IEEE 802 I/G bit); true of the broadcast address too.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether it is [`Mac::BROADCAST`].
    #[must_use]
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{g:x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The address part of a subnet. Bits beyond the prefix are kept as they were announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubnetAddr {
    /// One station of a switched network.
    Mac(Mac),
    /// An IPv4 prefix.
    V4 {
        /// Its address.
        addr: Ipv4Addr,
        /// Its length in bits, at most 32.
        len: u8,
    },
    /// An IPv6 prefix.
    V6 {
        /// Its address.
        addr: Ipv6Addr,
        /// Its length in bits, at most 128.
        len: u8,
    },
}

impl SubnetAddr {
    /// Whether all bits beyond the prefix are zero.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        match *self {
            Self::Mac(_) => true,
            Self::V4 { addr, len } => addr.to_bits().checked_shl(len.into()).unwrap_or(0) == 0,
            Self::V6 { addr, len } => addr.to_bits().checked_shl(len.into()).unwrap_or(0) == 0,
        }
    }

    /// Type, reversed prefix length and address: the order of a node's subnets in state dumps,
    /// scripts and look-ups (legacy protocol).
    fn tree_key(&self) -> (u8, Reverse<u8>, u128) {
        match *self {
            Self::Mac(Mac([a, b, c, d, e, f])) => {
                let value = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
                (0, Reverse(48), value.into())
            }
            Self::V4 { addr, len } => (1, Reverse(len), addr.to_bits().into()),
            Self::V6 { addr, len } => (2, Reverse(len), addr.to_bits()),
        }
    }
}

impl Ord for SubnetAddr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tree_key().cmp(&other.tree_key())
    }
}

impl PartialOrd for SubnetAddr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Shows the address and the prefix length, which is always printed; IPv6 as eight groups
/// without compression.
impl fmt::Display for SubnetAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::V4 { addr, len } => write!(f, "{addr}/{len}"),
            Self::V6 { addr, len } => {
                let [a, b, c, d, e, g, h, i] = addr.segments();
                write!(f, "{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{g:x}:{h:x}:{i:x}/{len}")
            }
        }
    }
}

/// What a node owns, with a weight: of several owners the one of the lowest weight is used.
///
/// Subnets that differ only in weight are different subnets. Shown in the canonical form of
/// the mesh, `ADDRESS/LEN#WEIGHT`; they sort by type, longer prefix first, address, weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    /// The addresses.
    pub addr: SubnetAddr,
    /// Lower is preferred; 10 if not given.
    pub weight: i32,
}

impl Subnet {
    /// Reads a `Subnet` variable: like the form in requests, but bits beyond the prefix must
    /// be zero.
    ///
    /// # Errors
    /// If the text is not a subnet, or has such bits.
    pub fn parse_config(text: &str) -> Result<Self, SubnetError> {
        let subnet: Self = text.parse()?;
        if subnet.addr.is_aligned() {
            Ok(subnet)
        } else {
            Err(SubnetError::HostBits)
        }
    }

    /// Shows the subnet without its weight, as scripts get it in `SUBNET`.
    #[must_use]
    pub fn without_weight(&self) -> impl fmt::Display + use<> {
        self.addr
    }
}

impl From<SubnetAddr> for Subnet {
    fn from(addr: SubnetAddr) -> Self {
        Self {
            addr,
            weight: DEFAULT_SUBNET_WEIGHT,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.addr, self.weight)
    }
}

/// Why a text is not a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// Neither a MAC, an IPv4 nor an IPv6 address.
    #[error("a subnet begins with a MAC, an IPv4 or an IPv6 address")]
    Address,
    /// A number is wider than its field in a way that tincd does not notice: it keeps the low
    /// bits. We do not guess.
    #[error("a number is too large for its place")]
    NumberTooLarge,
    /// The prefix length is not a number or out of range.
    #[error("the prefix length goes from 0 to {max}; a MAC has none")]
    Prefix {
        /// The longest prefix of this kind of address; 0 for a MAC.
        max: u8,
    },
    /// The weight is not a decimal number.
    #[error("the weight after `#` is a decimal number")]
    Weight,
    /// Address bits beyond the prefix are not zero, in configuration.
    #[error("the address has bits set beyond its prefix length")]
    HostBits,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn the_canonical_form_has_no_padding_no_compression_and_always_a_weight() {
        assert_eq!(subnet("01:02:03:0a:0B:0c").to_string(), "1:2:3:a:b:c#10");
        assert_eq!(subnet("10.0.0.1").to_string(), "10.0.0.1/32#10");
        assert_eq!(
            subnet("fd00:1:2::/48#7").to_string(),
            "fd00:1:2:0:0:0:0:0/48#7"
        );
        assert_eq!(
            subnet("::ffff:1.2.3.4").to_string(),
            "0:0:0:0:0:ffff:102:304/128#10"
        );
    }

    #[test]
    fn scripts_get_the_subnet_without_its_weight() {
        assert_eq!(
            subnet("10.1.0.0/16#3").without_weight().to_string(),
            "10.1.0.0/16"
        );
        assert_eq!(
            subnet("2:0:0:0:0:1").without_weight().to_string(),
            "2:0:0:0:0:1"
        );
    }

    #[test]
    fn host_bits_are_kept_in_requests_and_refused_in_configuration() {
        assert_eq!(subnet("10.1.2.3/8").to_string(), "10.1.2.3/8#10");
        assert_eq!(
            Subnet::parse_config("10.1.2.3/8"),
            Err(SubnetError::HostBits)
        );
        assert_eq!(
            Subnet::parse_config("fd00::1/64"),
            Err(SubnetError::HostBits)
        );
        assert_eq!(
            Subnet::parse_config("0.0.0.1/0"),
            Err(SubnetError::HostBits)
        );
        assert!(Subnet::parse_config("10.0.0.0/8").is_ok());
        assert!(Subnet::parse_config("10.0.0.1/32").is_ok());
        assert!(Subnet::parse_config("::/0").is_ok());
    }

    #[test]
    fn numbers_wider_than_their_field_are_refused_not_reduced() {
        for wide in [
            "65537.2.3.4",
            "4294967297.2.3.4",
            "1ff:2:3:4:5:6",
            "12345::",
            "10.0.0.0/4294967304",
            "10.0.0.0/8#4294967297",
            "10.-65535.0.0",
            "2001:-1::/48",
            "2001:+1::",
            "2:0:0:0:0:-a",
        ] {
            assert_eq!(
                wide.parse::<Subnet>(),
                Err(SubnetError::NumberTooLarge),
                "{wide}"
            );
        }
        for out_of_range in ["1.2.3.256", "1.2.3.-1", "1.2.3.--1", "2001:-:1::"] {
            assert_eq!(out_of_range.parse::<Subnet>(), Err(SubnetError::Address));
        }
        assert_eq!("1.-0.2.3".parse::<Subnet>(), "1.0.2.3".parse::<Subnet>());
    }

    #[test]
    fn subnets_sort_by_type_longer_prefix_address_and_weight() {
        let sorted = [
            "2:0:0:0:0:1",
            "10.0.0.0/16",
            "10.1.0.0/16#-4",
            "10.1.0.0/16#5",
            "10.0.0.0/8",
            "fd00::/64",
            "fd00::/48",
        ]
        .map(subnet);
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort();
        assert_eq!(shuffled, sorted);
    }

    #[test]
    fn groups_of_stations_are_told_from_single_ones() {
        assert!(Mac::BROADCAST.is_broadcast() && Mac::BROADCAST.is_multicast());
        assert!(Mac([0x33, 0x33, 0, 0, 0, 1]).is_multicast());
        assert!(!Mac([2, 0, 0, 0, 0, 1]).is_multicast());
    }

    fn any_subnet() -> impl Strategy<Value = Subnet> {
        let addr = prop_oneof![
            any::<[u8; 6]>().prop_map(|mac| SubnetAddr::Mac(Mac(mac))),
            (any::<u32>(), 0..=32u8).prop_map(|(addr, len)| SubnetAddr::V4 {
                addr: addr.into(),
                len
            }),
            (any::<u128>(), 0..=128u8).prop_map(|(addr, len)| SubnetAddr::V6 {
                addr: addr.into(),
                len
            }),
        ];
        (addr, any::<i32>()).prop_map(|(addr, weight)| Subnet { addr, weight })
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(subnet in any_subnet()) {
            prop_assert_eq!(subnet.to_string().parse::<Subnet>(), Ok(subnet));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f:./#+-]{0,40}|\\PC{0,40}") {
            let _ = text.parse::<Subnet>();
        }
    }
}
