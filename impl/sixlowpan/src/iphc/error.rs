//! What can be wrong with a payload or a packet.

use std::fmt;

use thiserror::Error;

use crate::MTU;
use crate::context::ContextId;

/// A payload cannot be decompressed. All of these are the sender's doing, except that the two
/// ends may disagree about a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecompressError {
    /// It has no octet at all.
    #[error("the payload is empty")]
    Empty,
    /// It is neither compressed nor plain IPv6. Mesh headers and fragments do not exist on this
    /// link (RFC 7668 section 3.2).
    #[error("the dispatch {0:#04x} is not used on this link")]
    Dispatch(u8),
    /// It ends too early.
    #[error("the payload ends within {0}")]
    Truncated(Field),
    /// The packet would be longer than the link allows.
    #[error("the packet would be longer than {MTU} octets")]
    TooLong,
    /// Both ends need the same contexts; this one does not have it.
    #[error("context {} is not known", .0.get())]
    UnknownContext(ContextId),
    /// A multicast address takes at most 64 bits of a prefix (RFC 3306 section 4).
    #[error("context {} is too long for a multicast address", .0.get())]
    MulticastContext(ContextId),
    /// These bits of the second octet say nothing about the destination (RFC 6282 section 3.1.1).
    #[error("M, DAC and DAM are {0:04b}, which is reserved")]
    ReservedDestination(u8),
    /// No next header is compressed like that.
    #[error("no next header is compressed as {0:#04x}")]
    UnknownNhc(u8),
    /// Behind an encoded IPv6 header comes another, which has to be compressed as well (RFC 6282
    /// section 4.2).
    #[error("the inner IPv6 header has the dispatch {0:#04x}")]
    InnerDispatch(u8),
    /// Only options can be padded, so other extension headers have to be whole (RFC 6282 section
    /// 4.2).
    #[error("an extension header of {0} octets behind its length is not a multiple of 8")]
    ExtensionLength(u8),
    /// It cannot be computed of a fragment, nor before the last destination is known.
    #[error("the checksum is left out where it cannot be computed")]
    ElidedChecksum,
    /// Plain IPv6, but of another version or length.
    #[error(transparent)]
    Plain(#[from] PacketError),
}

/// A part of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The two octets that say how the header is compressed.
    Base,
    /// The numbers of the contexts.
    ContextIds,
    /// Traffic class and flow label.
    TrafficClass,
    /// The number of the next header.
    NextHeader,
    /// The hop limit.
    HopLimit,
    /// The address of the sender.
    Source,
    /// The address of the receiver.
    Destination,
    /// The octet that says how the next header is compressed.
    Nhc,
    /// An extension header.
    Extension,
    /// Ports and checksum of UDP.
    Udp,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "the first two octets",
            Self::ContextIds => "the context identifiers",
            Self::TrafficClass => "the traffic class and flow label",
            Self::NextHeader => "the next header",
            Self::HopLimit => "the hop limit",
            Self::Source => "the source address",
            Self::Destination => "the destination address",
            Self::Nhc => "the encoding of the next header",
            Self::Extension => "an extension header",
            Self::Udp => "the UDP header",
        })
    }
}

/// Octets are no IPv6 packet of this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// They are too few for a header.
    #[error("{0} octets are no IPv6 header")]
    Short(usize),
    /// They are of another protocol.
    #[error("the version is {0}, not 6")]
    Version(u8),
    /// The length is not carried, hence it has to be right.
    #[error("the payload length is {said}, but {found} octets follow the header")]
    Length {
        /// What the header says.
        said: u16,
        /// What follows it.
        found: usize,
    },
    /// They are too many: the sender has to be told (RFC 4443 section 3.2).
    #[error("{0} octets are more than the link's {MTU}")]
    TooLong(usize),
}
