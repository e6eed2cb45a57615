//! IPv6 prefixes, and addresses with the prefix of their link.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bits of an IPv6 address.
const BITS: u8 = 128;
/// The length that stateless address autoconfiguration needs on Ethernet and Bluetooth (RFC 4862
/// section 5.5.3, RFC 2464 section 4, RFC 7668 section 3.2.2).
pub const SLAAC_LEN: u8 = 64;

/// Addresses that begin alike: `2001:db8:85a3:ef00::/56`. Bits beyond the length are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Prefix {
    bits: u128,
    len: u8,
}

/// Why a text is no prefix, or no address with the length of its link's prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Not `ADDRESS/LENGTH`.
    #[error("{0:?} is not ADDRESS/LENGTH, as in 2001:db8:85a3:ef00::/56")]
    Form(String),
    /// Bits beyond the length.
    #[error("{found} has bits beyond the first {len}: the prefix is {masked}")]
    HostBits {
        /// What was written.
        found: String,
        /// Its length.
        len: u8,
        /// What it would be without them.
        masked: Prefix,
    },
}

impl Prefix {
    /// Every address: `::/0`.
    pub const ALL: Self = Self { bits: 0, len: 0 };
    /// Addresses of one link (RFC 4291 section 2.5.6).
    pub const LINK_LOCAL: Self = Self {
        bits: 0xfe80 << 112,
        len: 64,
    };

    /// The prefix of `len` bits, at most 128, that `address` lies in.
    #[must_use]
    pub fn of(address: Ipv6Addr, len: u8) -> Self {
        let len = len.min(BITS);
        Self {
            bits: address.to_bits() & mask(len),
            len,
        }
    }

    /// Its first address.
    #[must_use]
    pub fn network(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.bits)
    }

    /// Its length in bits, at most 128.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a length in bits")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether an address begins like this.
    #[must_use]
    pub fn contains(self, address: Ipv6Addr) -> bool {
        address.to_bits() & mask(self.len) == self.bits
    }

    /// Whether all addresses of `other` are among ours.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.network())
    }

    /// Whether any address is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The address with number `index` within the prefix; `None` beyond its end.
    #[must_use]
    pub fn address(self, index: u128) -> Option<Ipv6Addr> {
        (index & mask(self.len) == 0).then(|| Ipv6Addr::from_bits(self.bits | index))
    }

    /// The prefixes of `len` bits that it consists of, in order; none if it is longer itself.
    pub fn split(self, len: u8) -> impl Iterator<Item = Self> {
        let spare = len.checked_sub(self.len).filter(|_| len <= BITS);
        // Wide enough for every index: a prefix of no bits has 2^128 - 1 of them and one more.
        let last = spare.map(|spare| u128::MAX.checked_shr(u32::from(BITS - spare)).unwrap_or(0));
        last.into_iter().flat_map(move |last| {
            (0..=last).map(move |index| Self {
                bits: self.bits | index.checked_shl(u32::from(BITS - len)).unwrap_or(0),
                len,
            })
        })
    }
}

/// The first `len` bits set; `len` is at most 128.
fn mask(len: u8) -> u128 {
    u128::MAX
        .checked_shl(u32::from(BITS.saturating_sub(len)))
        .unwrap_or(0)
}

fn parts(text: &str) -> Result<(Ipv6Addr, u8), PrefixError> {
    let read = || {
        let (address, len) = text.split_once('/')?;
        // Numbers as people write them: `+64` and `064` are typing errors.
        let canonical = |len: &u8| *len <= BITS;
        let len = len
            .parse()
            .ok()
            .filter(canonical)
            .filter(|number: &u8| number.to_string() == len)?;
        Some((address.parse().ok()?, len))
    };
    read().ok_or_else(|| PrefixError::Form(text.to_owned()))
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = parts(text)?;
        let prefix = Self::of(address, len);
        if prefix.network() != address {
            return Err(PrefixError::HostBits {
                found: text.to_owned(),
                len,
                masked: prefix,
            });
        }
        Ok(prefix)
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.len)
    }
}

/// An address and the length of its link's prefix: `2001:db8:85a3:ef00::1/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct InterfaceAddress {
    /// The address.
    pub address: Ipv6Addr,
    /// Bits of the prefix, at most 128.
    pub len: u8,
}

impl InterfaceAddress {
    /// What is reached without a router.
    #[must_use]
    pub fn link(self) -> Prefix {
        Prefix::of(self.address, self.len)
    }
}

impl FromStr for InterfaceAddress {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = parts(text)?;
        Ok(Self { address, len })
    }
}

impl TryFrom<String> for InterfaceAddress {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<InterfaceAddress> for String {
    fn from(address: InterfaceAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_with_bits_beyond_its_length_is_refused_and_told_what_it_is() {
        let error = "2001:db8:85a3:ef11::1/64".parse::<Prefix>().unwrap_err();
        assert!(
            error.to_string().ends_with("is 2001:db8:85a3:ef11::/64"),
            "{error}"
        );
        for wrong in ["", "::", "::/129", "::/+1", "::/01", "192.0.2.0/24", "x/64"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_split_in_order() {
        let of_63: Vec<String> = prefix("2001:db8:0:2::/63")
            .split(64)
            .map(String::from)
            .collect();
        assert_eq!(of_63, ["2001:db8:0:2::/64", "2001:db8:0:3::/64"]);
        assert_eq!(prefix("2001:db8::/64").split(64).count(), 1);
        assert_eq!(prefix("2001:db8::/65").split(64).count(), 0);
        assert_eq!(Prefix::ALL.split(128).take(2).count(), 2);
        assert_eq!(Prefix::ALL.split(0).count(), 1);
    }

    #[test]
    fn addresses_are_counted_within_the_prefix() {
        let link = prefix("2001:db8::/126");
        assert_eq!(link.address(3), Some("2001:db8::3".parse().unwrap()));
        assert_eq!(link.address(4), None);
    }

    proptest! {
        #[test]
        fn text_and_prefix_say_the_same(bits: u128, len in 0..=128_u8) {
            let one = Prefix::of(Ipv6Addr::from_bits(bits), len);
            prop_assert_eq!(one.to_string().parse::<Prefix>(), Ok(one));
            prop_assert!(one.contains(Ipv6Addr::from_bits(bits)));
        }

        #[test]
        fn prefixes_overlap_only_if_one_covers_the_other(a: u128, b: u128, la in 0..=8_u8, lb in 0..=8_u8) {
            let (one, other) = (Prefix::of(Ipv6Addr::from_bits(a), la), Prefix::of(Ipv6Addr::from_bits(b), lb));
            prop_assert_eq!(one.overlaps(other), one.contains(other.network()) || other.contains(one.network()));
        }

        #[test]
        fn parts_lie_within_and_apart(bits: u128, len in 50..=64_u8, more in 0..=5_u8) {
            let whole = Prefix::of(Ipv6Addr::from_bits(bits), len);
            let parts: Vec<Prefix> = whole.split(len + more).collect();
            prop_assert_eq!(parts.len(), 1 << more);
            prop_assert!(parts.iter().all(|part| whole.covers(*part)));
            prop_assert!(parts.is_sorted() && parts.windows(2).all(|two| !two[0].overlaps(two[1])));
        }
    }
}
