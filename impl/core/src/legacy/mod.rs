//! The handshake of the legacy protocol and the channel under it.

mod channel;
mod handshake;

pub(crate) use channel::Channel;
pub(crate) use handshake::{Handshake, Step};

use crate::crypto::rsa::RsaError;
use crate::crypto::stream::MaterialError;
use crate::name::NodeName;
use crate::wire::request::RequestError;

/// Why a meta connection cannot go on. All of these are the peer's doing, except
/// [`MetaError::Rsa`] and [`MetaError::Material`] for a host file with a key that is too short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// A line is no request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A line does not end where the longest line would.
    #[error("a line of more than {} bytes", crate::constants::MAX_LINE)]
    LineTooLong,
    /// More input came than one connection may leave waiting.
    #[error("more input than can be taken at once")]
    Flooded,
    /// Another request was due.
    #[error("{found} while {expected} was due")]
    OutOfOrder {
        /// What was due.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The peer claims to be us: an attempt to reflect our own messages, or a copied directory.
    #[error("the peer uses our own name {name}")]
    OwnName {
        /// Our name.
        name: NodeName,
    },
    /// We dialled somebody else.
    #[error("expected {expected} at the other end, found {found}")]
    OtherName {
        /// Whom we dialled.
        expected: NodeName,
        /// Who answered.
        found: NodeName,
    },
    /// The peer speaks another version of the protocol.
    #[error("protocol version {found}, not {}", crate::constants::PROTOCOL_VERSION)]
    Version {
        /// Its version.
        found: i32,
    },
    /// The peer asks for a cipher of the meta connection that we do not have, or for none.
    #[error("cipher of OpenSSL number {found} is not possible for a meta connection")]
    Cipher {
        /// OpenSSL object number.
        found: i32,
    },
    /// The peer asks for a digest that we do not have, or for none.
    #[error("digest of OpenSSL number {found} is not possible for a challenge")]
    Digest {
        /// OpenSSL object number.
        found: i32,
    },
    /// The connection carried as much as its cipher's small blocks allow.
    #[error(
        "{} bytes went by a cipher with 64-bit blocks, which may carry no more",
        crate::constants::SMALL_BLOCK_BUDGET
    )]
    Spent,
    /// The MAC length of METAKEY is beyond its digest.
    #[error("MAC length {found} is out of range")]
    MacLength {
        /// The length.
        found: i32,
    },
    /// Key or challenge does not have the length of our modulus.
    #[error("{request} of {found} bytes, our key has {expected}")]
    Length {
        /// Which request.
        request: &'static str,
        /// Bytes of our modulus.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The peer could not answer our challenge: it does not have the private key.
    #[error("wrong answer to our challenge")]
    WrongReply,
    /// RSA failed.
    #[error(transparent)]
    Rsa(#[from] RsaError),
    /// The RSA key is too short for the meta cipher.
    #[error(transparent)]
    Material(#[from] MaterialError),
}
