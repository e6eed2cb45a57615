//! The prefixes that both ends of a link know and therefore leave out of packets (RFC 6282
//! section 3.1.1, RFC 6775 section 5.4).

use std::net::Ipv6Addr;

use thiserror::Error;

use crate::iid::LINK_LOCAL_PREFIX;

/// Contexts of a link: their number has four bits (RFC 6282 section 3.1.2).
const COUNT: u8 = 16;

/// The number of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContextId(u8);

impl ContextId {
    /// The one that packets need not name.
    pub const DEFAULT: Self = Self(0);

    /// `None` above 15.
    #[must_use]
    pub const fn new(id: u8) -> Option<Self> {
        if id < COUNT { Some(Self(id)) } else { None }
    }

    /// The id in the lower half of an octet.
    #[must_use]
    pub const fn from_low_nibble(octet: u8) -> Self {
        Self(octet & 0x0f)
    }

    /// The id as a number below 16.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A prefix that both ends know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    prefix: Ipv6Addr,
    length: u8,
    compress: bool,
}

impl Context {
    /// The prefix of link-local addresses, which both ends always know (RFC 6282 section 3.1.1).
    pub const LINK_LOCAL: Self = Self {
        prefix: LINK_LOCAL_PREFIX,
        length: 64,
        compress: true,
    };

    /// The first `length` bits of `prefix`.
    ///
    /// `compress` is whether packets may be compressed with it. One that is about to come or to
    /// go serves for decompression only, so that no end uses what the other does not know
    /// (RFC 6775 section 7.2).
    ///
    /// # Errors
    /// If `length` is above 128.
    pub fn new(prefix: Ipv6Addr, length: u8, compress: bool) -> Result<Self, InvalidLength> {
        if length > 128 {
            return Err(InvalidLength(length));
        }
        let prefix = Ipv6Addr::from_bits(prefix.to_bits() & mask(length));
        Ok(Self {
            prefix,
            length,
            compress,
        })
    }

    /// The prefix; bits beyond its length are zero.
    #[must_use]
    pub const fn prefix(&self) -> Ipv6Addr {
        self.prefix
    }

    /// Bits of the prefix, 0 to 128.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether packets may be compressed with it.
    #[must_use]
    pub const fn may_compress(&self) -> bool {
        self.compress
    }

    /// Whether `address` begins with the prefix.
    #[must_use]
    pub fn contains(&self, address: Ipv6Addr) -> bool {
        address.to_bits() & mask(self.length) == self.prefix.to_bits()
    }

    /// The address that has the prefix, then zeros up to its middle, then `iid`; where the
    /// prefix reaches into the second half, its bits count (RFC 6282 section 3.1.1).
    #[must_use]
    pub fn complete(&self, iid: [u8; 8]) -> Ipv6Addr {
        let iid = u128::from(u64::from_be_bytes(iid));
        Ipv6Addr::from_bits(self.prefix.to_bits() | (iid & !mask(self.length)))
    }
}

/// A prefix is longer than an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a prefix of {0} bits is longer than an address")]
pub struct InvalidLength(pub u8);

/// The contexts of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contexts([Option<Context>; COUNT as usize]);

impl Contexts {
    /// Sets or replaces one.
    pub fn set(&mut self, id: ContextId, context: Context) {
        if let Some(place) = self.0.get_mut(usize::from(id.0)) {
            *place = Some(context);
        }
    }

    /// Forgets one.
    pub fn remove(&mut self, id: ContextId) {
        if let Some(place) = self.0.get_mut(usize::from(id.0)) {
            *place = None;
        }
    }

    /// The context of that number.
    #[must_use]
    pub fn get(&self, id: ContextId) -> Option<&Context> {
        self.0.get(usize::from(id.0))?.as_ref()
    }

    /// All that are set, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ContextId, &Context)> {
        (0..)
            .map(ContextId)
            .zip(&self.0)
            .filter_map(|(id, context)| Some((id, context.as_ref()?)))
    }

    /// The longest that may compress `address`; of equals the one with the lowest number.
    #[must_use]
    pub fn longest_match(&self, address: Ipv6Addr) -> Option<(ContextId, &Context)> {
        self.iter()
            .filter(|(_, context)| context.compress && context.contains(address))
            .min_by_key(|(id, context)| (u8::MAX - context.length, *id))
    }
}

/// The first `length` bits, which are at most 128.
fn mask(length: u8) -> u128 {
    u128::MAX
        .checked_shl(128_u32.saturating_sub(length.into()))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(prefix: &str, length: u8, compress: bool) -> Context {
        Context::new(prefix.parse().unwrap(), length, compress).unwrap()
    }

    #[test]
    fn the_longest_context_that_may_compress_is_taken() {
        let mut contexts = Contexts::default();
        contexts.set(ContextId(1), context("2001:db8::", 32, true));
        contexts.set(ContextId(9), context("2001:db8:1:2::", 64, true));
        contexts.set(ContextId(4), context("2001:db8:1:2::", 64, true));
        contexts.set(ContextId(5), context("2001:db8:1:2::1", 128, false));
        let id = |text: &str| {
            contexts
                .longest_match(text.parse().unwrap())
                .map(|(id, _)| id.0)
        };
        assert_eq!(id("2001:db8:1:2::1"), Some(4));
        assert_eq!(id("2001:db8:9::"), Some(1));
        assert_eq!(id("2001:db9::"), None);
    }

    #[test]
    fn bits_of_the_prefix_win_over_those_of_the_identifier() {
        let complete = |prefix, length| context(prefix, length, true).complete([0xff; 8]);
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        assert_eq!(
            complete("2001:db8:1:2::", 48),
            address("2001:db8:1:0:ffff:ffff:ffff:ffff")
        );
        assert_eq!(complete("64:ff9b::", 96), address("64:ff9b::ffff:ffff"));
        assert_eq!(complete("2001:db8::53", 128), address("2001:db8::53"));
        assert_eq!(
            complete("2001:db8::53", 0),
            address("::ffff:ffff:ffff:ffff")
        );
    }

    #[test]
    fn no_prefix_is_longer_than_an_address() {
        assert_eq!(
            Context::new(Ipv6Addr::UNSPECIFIED, 129, true),
            Err(InvalidLength(129))
        );
    }
}
