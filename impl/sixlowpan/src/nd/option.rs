//! The options behind a message (RFC 4861 section 4.6), and the walk over them.

use std::time::Duration;

use thiserror::Error;

use super::context::{ContextOption, PrefixInformation};
use super::registration::AddressRegistration;
use super::router::BorderRouter;

/// Options and their lengths count units of this many octets (RFC 4861 section 4.6).
const UNIT: usize = 8;
/// Octets of an option's type and length.
const HEAD: usize = 2;
/// Source link-layer address (RFC 4861 section 4.6.1).
const SOURCE_LINK_ADDRESS: u8 = 1;
/// Target link-layer address (RFC 4861 section 4.6.1).
const TARGET_LINK_ADDRESS: u8 = 2;
/// Prefix information (RFC 4861 section 4.6.2).
const PREFIX_INFORMATION: u8 = 3;
/// MTU (RFC 4861 section 4.6.4).
const MTU: u8 = 5;
/// Address registration, plain or extended (RFC 6775 section 4.1, RFC 8505 section 4.1).
const ADDRESS_REGISTRATION: u8 = 33;
/// 6LoWPAN context (RFC 6775 section 4.2).
const CONTEXT: u8 = 34;
/// Authoritative border router (RFC 6775 section 4.3).
const BORDER_ROUTER: u8 = 35;

/// A time as these options carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Minutes(pub u16);

impl From<Minutes> for Duration {
    fn from(Minutes(minutes): Minutes) -> Self {
        Self::from_secs(60 * u64::from(minutes))
    }
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NdOption<'a> {
    /// The device address of the sender (RFC 7668 section 3.2.3).
    SourceLinkAddress([u8; 6]),
    /// The device address of the node that the message speaks of.
    TargetLinkAddress([u8; 6]),
    /// A prefix of the link.
    Prefix(PrefixInformation),
    /// The longest packet of the link, in octets.
    Mtu(u32),
    /// An address to register, or what became of that.
    AddressRegistration(AddressRegistration),
    /// A prefix for header compression.
    Context(ContextOption),
    /// Who says what the routers of the network pass on.
    BorderRouter(BorderRouter),
    /// Anything else, and link-layer addresses that are not those of a Bluetooth device.
    Other(RawOption<'a>),
}

impl<'a> NdOption<'a> {
    fn parse(kind: u8, body: &'a [u8]) -> Result<Self, InvalidOption> {
        let known = match kind {
            SOURCE_LINK_ADDRESS | TARGET_LINK_ADDRESS => match <[u8; 6]>::try_from(body) {
                Ok(device) if kind == SOURCE_LINK_ADDRESS => Some(Self::SourceLinkAddress(device)),
                Ok(device) => Some(Self::TargetLinkAddress(device)),
                Err(_) => Some(Self::Other(RawOption { kind, body })),
            },
            PREFIX_INFORMATION => PrefixInformation::parse(body).map(Self::Prefix),
            MTU => match *body {
                [_, _, a, b, c, d] => Some(Self::Mtu(u32::from_be_bytes([a, b, c, d]))),
                _ => None,
            },
            ADDRESS_REGISTRATION => AddressRegistration::parse(body).map(Self::AddressRegistration),
            CONTEXT => ContextOption::parse(body).map(Self::Context),
            BORDER_ROUTER => BorderRouter::parse(body).map(Self::BorderRouter),
            _ => Some(Self::Other(RawOption { kind, body })),
        };
        known.ok_or(InvalidOption::Content(kind))
    }

    /// Writes the option behind what `out` holds.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (kind, body) = match self {
            Self::SourceLinkAddress(device) => (SOURCE_LINK_ADDRESS, device.to_vec()),
            Self::TargetLinkAddress(device) => (TARGET_LINK_ADDRESS, device.to_vec()),
            Self::Prefix(prefix) => (PREFIX_INFORMATION, prefix.body()),
            Self::Mtu(mtu) => (MTU, [&[0, 0][..], &mtu.to_be_bytes()].concat()),
            Self::AddressRegistration(registration) => (ADDRESS_REGISTRATION, registration.body()),
            Self::Context(context) => (CONTEXT, context.body()),
            Self::BorderRouter(router) => (BORDER_ROUTER, router.body()),
            Self::Other(raw) => (raw.kind, raw.body.to_vec()),
        };
        // Raw bodies were measured when they were made; all others are shorter than 5 units.
        let units = u8::try_from((HEAD + body.len()) / UNIT).unwrap_or(u8::MAX);
        out.extend([kind, units]);
        out.extend(body);
    }
}

/// An option that this crate does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawOption<'a> {
    kind: u8,
    body: &'a [u8],
}

impl<'a> RawOption<'a> {
    /// The option of that type with `body` behind its length; `None` if that does not fill 1 to
    /// 255 units.
    #[must_use]
    pub fn new(kind: u8, body: &'a [u8]) -> Option<Self> {
        let len = HEAD + body.len();
        let fits = len.is_multiple_of(UNIT) && len / UNIT <= usize::from(u8::MAX);
        fits.then_some(Self { kind, body })
    }

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// What follows its length.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// The options in the octets behind a message. The first that is invalid is the last given, since
/// its message is to be discarded (RFC 4861 section 6.1, RFC 6775 section 6.3).
#[derive(Debug, Clone)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// The options in `octets`.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The first option and what follows it.
    fn split(octets: &'a [u8]) -> Result<(NdOption<'a>, &'a [u8]), InvalidOption> {
        let &[kind, units, ref rest @ ..] = octets else {
            return Err(InvalidOption::Truncated);
        };
        let len = usize::from(units) * UNIT;
        let body = len.checked_sub(HEAD).ok_or(InvalidOption::Empty(kind))?;
        let (body, rest) = rest
            .split_at_checked(body)
            .ok_or(InvalidOption::Truncated)?;
        Ok((NdOption::parse(kind, body)?, rest))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<NdOption<'a>, InvalidOption>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let split = Self::split(self.0);
        self.0 = split.as_ref().map_or(&[], |(_, rest)| *rest);
        Some(split.map(|(option, _)| option))
    }
}

/// Octets are no option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidOption {
    /// They end before it does.
    #[error("the message ends within an option")]
    Truncated,
    /// Its length is zero.
    #[error("the option of type {0} has the length 0")]
    Empty(u8),
    /// It has a length or a value that its type does not allow.
    #[error("the option of type {0} has a length or a value that does not exist")]
    Content(u8),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn walk(octets: &[u8]) -> Vec<Result<NdOption<'_>, InvalidOption>> {
        Options::new(octets).collect()
    }

    #[test]
    fn unknown_options_are_passed_over() {
        let octets = [14, 1, 1, 2, 3, 4, 5, 6, 5, 1, 0, 0, 0, 0, 5, 0];
        let nonce = RawOption::new(14, &[1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(
            walk(&octets),
            [Ok(NdOption::Other(nonce)), Ok(NdOption::Mtu(1280))]
        );
    }

    #[test]
    fn the_walk_ends_at_the_first_invalid_option() {
        let good = [5, 1, 0, 0, 0, 0, 5, 0];
        for (bad, why) in [
            (&[1][..], InvalidOption::Truncated),
            (&[1, 2, 0, 0, 0, 0, 0, 0], InvalidOption::Truncated),
            (&[1, 0, 0, 0, 0, 0, 0, 0], InvalidOption::Empty(1)),
            (
                &[5, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                InvalidOption::Content(5),
            ),
        ] {
            let octets = [&good[..], bad].concat();
            assert_eq!(walk(&octets), [Ok(NdOption::Mtu(1280)), Err(why)]);
        }
    }

    #[test]
    fn link_addresses_of_other_links_are_not_taken_for_those_of_devices() {
        let octets = [1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0];
        assert!(matches!(walk(&octets)[..], [Ok(NdOption::Other(_))]));
    }

    #[test]
    fn a_body_has_to_fill_units() {
        assert_eq!(RawOption::new(25, &[0; 7]), None);
        assert_eq!(RawOption::new(25, &[0; 256 * UNIT - HEAD]), None);
        assert!(RawOption::new(25, &[0; 255 * UNIT - HEAD]).is_some());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_such_that_it_reads_the_same(
            kind in prop_oneof![1..6_u8, 33..36_u8, any::<u8>()],
            units in 1..6_u8,
            body in prop::collection::vec(any::<u8>(), 40),
        ) {
            let octets = [&[kind, units][..], &body[..usize::from(units) * UNIT - HEAD]].concat();
            if let [Ok(option)] = &walk(&octets)[..] {
                let mut written = Vec::new();
                option.write(&mut written);
                prop_assert_eq!(walk(&written), [Ok(option.clone())]);
            }
        }

        #[test]
        fn no_octets_make_it_panic(octets: Vec<u8>) {
            walk(&octets);
        }
    }
}
