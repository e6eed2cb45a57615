//! IPv4 addresses as they look from a network that translates them (RFC 6052), and how its prefix is found (RFC 7050).

use std::net::{Ipv4Addr, Ipv6Addr};

/// The name whose IPv6 addresses, made up by the network's resolver, tell the prefix (RFC 7050 section 8.1).
pub const WELL_KNOWN_NAME: &str = "ipv4only.arpa";

/// The only IPv4 addresses of that name (RFC 7050 section 8.2).
const WELL_KNOWN_ADDRESSES: [Ipv4Addr; 2] =
    [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// How many bytes of an address the prefix may be (RFC 6052 section 2.2).
const LENGTHS: [usize; 6] = [4, 5, 6, 7, 8, 12];

/// The byte that is zero and belongs to neither prefix nor IPv4 address: bits 64 to 71 (RFC 6052 section 2.2).
const RESERVED: usize = 8;

/// What stands before IPv4 addresses in a network with NAT64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// Zero beyond the prefix.
    bits: [u8; 16],
    /// In bytes, one of [`LENGTHS`].
    len: usize,
}

impl Prefix {
    /// The prefix that an address of [`WELL_KNOWN_NAME`] has, unless there is none or could be two (RFC 7050
    /// section 3).
    #[must_use]
    pub fn discovered(address: Ipv6Addr) -> Option<Self> {
        let octets = address.octets();
        let is_found = |len: &usize| {
            embedded(&octets, *len).is_some_and(|found| WELL_KNOWN_ADDRESSES.contains(&found))
        };
        let mut lengths = LENGTHS.into_iter().filter(is_found);
        let (len, None) = (lengths.next()?, lengths.next()) else {
            return None;
        };
        let mut bits = octets;
        bits.iter_mut().skip(len).for_each(|octet| *octet = 0);
        Some(Self { bits, len })
    }

    /// The address by which the network translates to an IPv4 address (RFC 6052 section 2.3).
    #[must_use]
    pub fn synthesised(&self, address: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.bits;
        let room = places(self.len).zip(address.octets());
        for (place, octet) in room {
            if let Some(at) = octets.get_mut(place) {
                *at = octet;
            }
        }
        octets.into()
    }
}

/// The IPv4 address behind a prefix of that many bytes, unless the reserved byte says that there is none.
fn embedded(octets: &[u8; 16], len: usize) -> Option<Ipv4Addr> {
    let mut address = [0; 4];
    for (place, octet) in places(len).zip(&mut address) {
        *octet = *octets.get(place)?;
    }
    (octets.get(RESERVED) == Some(&0)).then_some(address.into())
}

/// Where the bytes of the IPv4 address are.
fn places(len: usize) -> impl Iterator<Item = usize> {
    (len..16).filter(|place| *place != RESERVED).take(4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(bits: &str, len: usize) -> Prefix {
        let bits: Ipv6Addr = bits.parse().unwrap();
        Prefix {
            bits: bits.octets(),
            len: len / 8,
        }
    }

    /// The tables of RFC 6052 section 2.4.
    #[test]
    fn addresses_are_synthesised_as_the_standard_shows() {
        for (bits, len, expected) in [
            ("2001:db8::", 32, "2001:db8:c000:221::"),
            ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
            ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
            ("64:ff9b::", 96, "64:ff9b::192.0.2.33"),
        ] {
            let found = prefix(bits, len).synthesised(Ipv4Addr::new(192, 0, 2, 33));
            assert_eq!(found, expected.parse::<Ipv6Addr>().unwrap(), "{bits}/{len}");
        }
    }

    #[test]
    fn an_address_that_holds_the_well_known_one_twice_tells_nothing() {
        let twice = "2001:db8:c000:aa:00c0:0:aa00:0".parse().unwrap();
        assert_eq!(Prefix::discovered(twice), None);
        let native = "2001:db8::170".parse().unwrap();
        assert_eq!(Prefix::discovered(native), None);
    }

    proptest! {
        #[test]
        fn any_prefix_is_discovered_from_what_it_makes_up(
            bits: [u8; 16], nth in 0..LENGTHS.len(), which in 0..2_usize
        ) {
            let len = LENGTHS[nth];
            let mut whole = bits;
            whole[RESERVED] = 0;
            whole.iter_mut().skip(len).for_each(|octet| *octet = 0);
            let prefix = Prefix { bits: whole, len };
            let made_up = prefix.synthesised(WELL_KNOWN_ADDRESSES[which]);
            // A prefix may hold such an address itself, which chance does not make.
            prop_assert_eq!(Prefix::discovered(made_up), Some(prefix));
        }

        #[test]
        fn any_address_may_be_asked(octets: [u8; 16]) {
            let _ = Prefix::discovered(octets.into());
        }
    }
}
