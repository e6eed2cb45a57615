//! Who says what the routers of the network pass on (RFC 6775 section 4.3).

use std::net::Ipv6Addr;
use std::time::Duration;

use super::option::Minutes;

/// A lifetime of 0 means this (RFC 6775 section 4.3).
const DEFAULT_LIFETIME: Minutes = Minutes(10_000);

/// The border router of which a message's prefixes and contexts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BorderRouter {
    /// Grows with each change of what the border router says.
    pub version: u32,
    /// How long that holds, as it is carried; see [`Self::valid_for`].
    pub lifetime: Minutes,
    /// An address of the border router.
    pub address: Ipv6Addr,
}

impl BorderRouter {
    /// How long what the border router says holds.
    #[must_use]
    pub fn valid_for(&self) -> Duration {
        match self.lifetime {
            Minutes(0) => DEFAULT_LIFETIME.into(),
            lifetime => lifetime.into(),
        }
    }

    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (&[low0, low1, high0, high1, a, b], address) = body.split_first_chunk()?;
        Some(Self {
            version: u32::from_be_bytes([high0, high1, low0, low1]),
            lifetime: Minutes(u16::from_be_bytes([a, b])),
            address: <[u8; 16]>::try_from(address).ok()?.into(),
        })
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let [high0, high1, low0, low1] = self.version.to_be_bytes();
        let [a, b] = self.lifetime.0.to_be_bytes();
        [
            &[low0, low1, high0, high1, a, b][..],
            &self.address.octets(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_of_zero_stands_for_ten_thousand_minutes() {
        let mut router = BorderRouter {
            version: 0x0001_0002,
            lifetime: Minutes(0),
            address: "fe80::1".parse().unwrap(),
        };
        assert_eq!(router.valid_for(), Duration::from_secs(600_000));
        router.lifetime = Minutes(1);
        assert_eq!(router.valid_for(), Duration::from_secs(60));
        assert_eq!(router.body()[..6], [0, 2, 0, 1, 0, 1]);
    }
}
