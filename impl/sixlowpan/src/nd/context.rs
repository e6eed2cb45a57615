//! Prefixes that a router tells: for addresses, and for header compression.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::option::Minutes;
use crate::context::{Context, ContextId};

/// The longest prefix for which an option carries half an address (RFC 6775 section 4.2).
const HALF: u8 = 64;
/// The C flag: packets may be compressed with the context (RFC 6775 section 4.2).
const COMPRESS: u8 = 0x10;
/// The L flag: addresses in the prefix are reached without a router (RFC 4861 section 4.6.2).
const ON_LINK: u8 = 0x80;
/// The A flag: nodes may form addresses in the prefix (RFC 4861 section 4.6.2).
const AUTONOMOUS: u8 = 0x40;

/// A context and how long it holds (RFC 6775 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextOption {
    /// Its number.
    pub id: ContextId,
    /// Its prefix, and whether packets may be compressed with it yet.
    pub context: Context,
    /// How long it holds; 0 ends it.
    pub lifetime: Minutes,
}

impl ContextOption {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (&[length, flags, _, _, a, b], prefix) = body.split_first_chunk()?;
        let prefix = match *prefix {
            [a, b, c, d, e, f, g, h] if length <= HALF => {
                [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0].into()
            }
            _ => Ipv6Addr::from(<[u8; 16]>::try_from(prefix).ok()?),
        };
        Some(Self {
            id: ContextId::from_low_nibble(flags),
            context: Context::new(prefix, length, flags & COMPRESS != 0).ok()?,
            lifetime: Minutes(u16::from_be_bytes([a, b])),
        })
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let compress = if self.context.may_compress() {
            COMPRESS
        } else {
            0
        };
        let [a, b] = self.lifetime.0.to_be_bytes();
        let length = self.context.length();
        let head = [length, compress | self.id.get(), 0, 0, a, b];
        let octets = self.context.prefix().octets();
        let (half, _) = octets.split_at(octets.len() / 2);
        [&head[..], if length <= HALF { half } else { &octets }].concat()
    }
}

/// A prefix of the link (RFC 4861 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefixInformation {
    /// The prefix; bits beyond its length mean nothing.
    pub prefix: Ipv6Addr,
    /// Its bits, 0 to 128.
    pub length: u8,
    /// Its addresses are reached without a router: never so here, where nodes do not hear each
    /// other (RFC 7668 section 3.2.2).
    pub on_link: bool,
    /// Nodes may form addresses in it (RFC 4862 section 5.5.3).
    pub autonomous: bool,
    /// How long the prefix is one of the link, in seconds on the wire; [`Self::FOREVER`] at most.
    pub valid_lifetime: Duration,
    /// How long its addresses are preferred.
    pub preferred_lifetime: Duration,
}

impl PrefixInformation {
    /// A lifetime without an end (RFC 4861 section 4.6.2).
    pub const FOREVER: Duration = Duration::from_secs(0xffff_ffff);

    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (&[length, flags], rest) = body.split_first_chunk()?;
        let (valid, rest) = rest.split_first_chunk()?;
        let (preferred, rest) = rest.split_first_chunk()?;
        let (_reserved, prefix) = rest.split_first_chunk::<4>()?;
        let seconds = |octets: &[u8; 4]| Duration::from_secs(u32::from_be_bytes(*octets).into());
        (length <= 128).then_some(Self {
            prefix: <[u8; 16]>::try_from(prefix).ok()?.into(),
            length,
            on_link: flags & ON_LINK != 0,
            autonomous: flags & AUTONOMOUS != 0,
            valid_lifetime: seconds(valid),
            preferred_lifetime: seconds(preferred),
        })
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let on_link = if self.on_link { ON_LINK } else { 0 };
        let autonomous = if self.autonomous { AUTONOMOUS } else { 0 };
        let seconds = |lifetime: Duration| {
            u32::try_from(lifetime.as_secs())
                .unwrap_or(u32::MAX)
                .to_be_bytes()
        };
        [
            &[self.length, on_link | autonomous][..],
            &seconds(self.valid_lifetime),
            &seconds(self.preferred_lifetime),
            &[0; 4],
            &self.prefix.octets(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_longer_than_what_is_carried_is_refused() {
        let half = [65, 0x10, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0];
        assert_eq!(ContextOption::parse(&half), None);
        let whole = [&half[..], &[0; 8]].concat();
        assert_eq!(ContextOption::parse(&whole).unwrap().context.length(), 65);
        let beyond = [&[129][..], &whole[1..]].concat();
        assert_eq!(ContextOption::parse(&beyond), None);
    }

    #[test]
    fn a_short_context_may_be_carried_whole() {
        let mut body = [0; 22];
        body[..10].copy_from_slice(&[32, 0x13, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8]);
        let option = ContextOption::parse(&body).unwrap();
        assert_eq!(option.id.get(), 3);
        assert_eq!(
            option.context.prefix(),
            "2001:db8::".parse::<Ipv6Addr>().unwrap()
        );
        assert_eq!(option.body().len(), 14);
    }
}
