//! Neighbour discovery messages (RFC 4861) and their options.

mod domain;
mod information;
mod neighbour;
mod options;
mod router;

pub use domain::{DomainName, DomainNameError};
pub use information::{
    Information, Lifetime, Nat64Prefix, Preference, PrefixInformation, RouteInformation,
};
pub use neighbour::{Solicitation, unsolicited_neighbour_advertisement};
pub use options::{MAX_OPTIONS, OptionError, OptionList, RawOption};
pub use router::{RouterAdvertisement, RouterSolicitation};

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use pnet_packet::icmpv6::{Icmpv6Type, Icmpv6Types};
use pnet_packet::ip::IpNextHeaderProtocols::Icmpv6;

use super::ethernet::{ETHERTYPE_IPV6, Frame};
use super::icmpv6::{self, IPV6_HEADER_LEN};
use super::ip::Ends;

/// All nodes on the link (RFC 4291 section 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers on the link (RFC 4291 section 2.7.1).
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Hop limit that shows that no router passed the message on (RFC 4861 section 7.1).
pub const HOP_LIMIT: u8 = 255;
/// ICMPv6 types of neighbour discovery (RFC 4861 section 4).
pub(crate) const TYPES: RangeInclusive<u8> = Icmpv6Types::RouterSolicit.0..=Icmpv6Types::Redirect.0;
/// Where the hop limit stands in the IPv6 header.
const HOP_LIMIT_AT: usize = 7;
/// Type, code and checksum (RFC 4443 section 2.1).
const ICMPV6_LEN: usize = 4;

/// Whether a frame holds any message of neighbour discovery that no router passed on, so that its
/// receivers take it (RFC 4861 sections 6.1, 7.1 and 8.1).
pub(crate) fn is_valid_in(frame: &Frame<'_>) -> bool {
    message_in(frame)
        .is_some_and(|(hop_limit, kind)| hop_limit == HOP_LIMIT && TYPES.contains(&kind))
}

/// Hop limit and type of the ICMPv6 message in a frame.
fn message_in(frame: &Frame<'_>) -> Option<(u8, u8)> {
    let (header, message) = frame.payload().split_first_chunk::<IPV6_HEADER_LEN>()?;
    let is_icmpv6 = frame.ethertype() == ETHERTYPE_IPV6 && header[6] == Icmpv6.0;
    let kind = message.first().filter(|_| is_icmpv6)?;
    Some((header[HOP_LIMIT_AT], *kind))
}

/// Why a message of neighbour discovery is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// A router passed it on, so it is not from this link.
    #[error("hop limit {0} instead of 255")]
    HopLimit(u8),
    /// The checksum is wrong.
    #[error("wrong checksum")]
    Checksum,
    /// Another message than the one expected.
    #[error("ICMPv6 type {kind}, code {code}")]
    Kind {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
    },
    /// It ends within its fixed part.
    #[error("{0} bytes are too few")]
    TooShort(usize),
    /// Its sender has no address that may send it.
    #[error("sent from {0}")]
    Source(Ipv6Addr),
    /// Its options are malformed.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// A sender without an address tells its link-layer address.
    #[error("a link-layer address of a sender without address")]
    LinkAddressOfNobody,
}

/// An ICMPv6 message and what its IPv6 header says.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// Whom it is for.
    pub destination: Ipv6Addr,
    /// The hop limit that it arrived with.
    pub hop_limit: u8,
    /// The message, from its type on.
    pub message: &'a [u8],
}

impl<'a> Received<'a> {
    /// The message in a frame, if it stands right behind the IPv6 header.
    #[must_use]
    pub fn in_frame(frame: &Frame<'a>) -> Option<Self> {
        let (hop_limit, _) = message_in(frame)?;
        let Ends::V6 {
            source,
            destination,
        } = Ends::of(frame)?
        else {
            return None;
        };
        let (header, rest) = frame.payload().split_first_chunk::<IPV6_HEADER_LEN>()?;
        let length = u16::from_be_bytes([header[4], header[5]]);
        Some(Self {
            source,
            destination,
            hop_limit,
            message: rest.get(..length.into())?,
        })
    }

    /// The fixed part behind type, code and checksum, and the options of a message of this type,
    /// after the checks that all messages of neighbour discovery share.
    fn parts<const N: usize>(
        &self,
        expected: Icmpv6Type,
    ) -> Result<(&'a [u8; N], OptionList<'a>), InvalidMessage> {
        if self.hop_limit != HOP_LIMIT {
            return Err(InvalidMessage::HopLimit(self.hop_limit));
        }
        let too_short = || InvalidMessage::TooShort(self.message.len());
        let (&[kind, code, ..], rest) = self
            .message
            .split_first_chunk::<ICMPV6_LEN>()
            .ok_or_else(too_short)?;
        if (kind, code) != (expected.0, 0) {
            return Err(InvalidMessage::Kind { kind, code });
        }
        if !icmpv6::is_intact(self.message, self.source, self.destination) {
            return Err(InvalidMessage::Checksum);
        }
        let (fixed, options) = rest.split_first_chunk().ok_or_else(too_short)?;
        Ok((fixed, OptionList::new(options)?))
    }
}
