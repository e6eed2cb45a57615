//! Requests of the meta protocol: the text lines two daemons exchange over TCP.
//!
//! [`Request::parse`] reads one line, [`Request`]'s `Display` prints one, both without the LF.
//! Data is printed in uppercase hex, numbers of hex fields in lowercase, as tincd does.

mod parse;

use std::fmt;

use data_encoding::{HEXUPPER, HEXUPPER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::addr::{Endpoint, Port, WordError};
use crate::constants::PROTOCOL_VERSION;
use crate::name::{NameError, NodeName};
use crate::options::Options;
use crate::subnet::{Subnet, SubnetError};

/// One request (legacy protocol, numbers 0 to 4 and 8 to 17).
///
/// Fields after the known ones are ignored here; whoever forwards a request forwards the line
/// it came in, so that they survive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// 0: who is speaking, and in which version of the protocol.
    Id {
        /// The sender.
        name: NodeName,
        /// The version it speaks.
        version: Version,
    },
    /// 1: the sender's session key, encrypted to the receiver.
    MetaKey(MetaKey),
    /// 2: random bytes to be digested.
    Challenge(Vec<u8>),
    /// 3: the digest of the challenge.
    ChalReply(Vec<u8>),
    /// 4: the handshake is done; terms of the connection.
    Ack(Ack),
    /// 8: are you there?
    Ping,
    /// 9: I am.
    Pong,
    /// 10: a node owns a subnet.
    AddSubnet {
        /// Makes the line unique.
        nonce: u32,
        /// Who owns it.
        owner: NodeName,
        /// What it owns.
        subnet: Subnet,
    },
    /// 11: a node no longer owns a subnet.
    DelSubnet {
        /// Makes the line unique.
        nonce: u32,
        /// Who owned it.
        owner: NodeName,
        /// What it owned.
        subnet: Subnet,
    },
    /// 12: a node has a connection to another.
    AddEdge(AddEdge),
    /// 13: a node no longer has a connection to another.
    DelEdge {
        /// Makes the line unique.
        nonce: u32,
        /// Where the edge began.
        from: NodeName,
        /// Where it ended.
        to: NodeName,
    },
    /// 14: a node's packet keys are void.
    KeyChanged {
        /// Makes the line unique.
        nonce: u32,
        /// Whose keys.
        node: NodeName,
    },
    /// 15: asks `to` for a packet key.
    ReqKey {
        /// Who wants to send.
        from: NodeName,
        /// Who shall answer.
        to: NodeName,
    },
    /// 16: tells `to` how to encrypt packets to `from`.
    AnsKey(AnsKey),
    /// 17: an Ethernet frame of that many bytes follows the line.
    Packet {
        /// Length of the frame, at most [`MAX_LINE`](crate::constants::MAX_LINE).
        len: usize,
    },
}

/// Version of ID: `17`, or `17.7` for a tinc 1.1 node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The number that must agree.
    pub major: i32,
    /// What the peer can do beyond. None of it is used; a node of tinc 1.0 says nothing of it.
    pub minor: Option<u32>,
}

impl Version {
    /// What we speak: 17 without a minor version.
    pub const LEGACY: Self = Self {
        major: PROTOCOL_VERSION,
        minor: None,
    };
}

/// Fields of METAKEY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaKey {
    /// OpenSSL number of the stream cipher.
    pub cipher: i32,
    /// OpenSSL number of the challenge digest.
    pub digest: i32,
    /// Not used on meta connections; range-checked only.
    pub mac_length: i32,
    /// Not used on meta connections; not even checked.
    pub compression: i32,
    /// Key material, encrypted with the receiver's RSA key.
    pub key: Vec<u8>,
}

/// Fields of ACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The sender's UDP port.
    pub port: Port,
    /// The sender's estimate of the connection's weight, in milliseconds.
    pub weight: i32,
    /// The sender's options for this connection.
    pub options: Options,
}

/// Fields of ADD_EDGE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddEdge {
    /// Makes the line unique.
    pub nonce: u32,
    /// Where the edge begins.
    pub from: NodeName,
    /// Where it ends.
    pub to: NodeName,
    /// Where `from` sees `to`.
    pub endpoint: Endpoint,
    /// What the two ends agreed on.
    pub options: Options,
    /// Lower is preferred.
    pub weight: i32,
}

/// Fields of ANS_KEY. Numbers are as received: [`PacketKey`](crate::crypto::packet::PacketKey)
/// judges them, since a key we cannot use must not cost the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsKey {
    /// Who wants to be sent to.
    pub from: NodeName,
    /// Who shall send.
    pub to: NodeName,
    /// The key material.
    pub key: AnsKeyMaterial,
    /// OpenSSL number of the packet cipher; 0 for none.
    pub cipher: i32,
    /// OpenSSL number of the packet digest; 0 for none.
    pub digest: i32,
    /// MAC bytes at the end of each packet.
    pub mac_length: i32,
    /// 0 for none, 1 to 9 for zlib, 10 and 11 for LZO.
    pub compression: i32,
    /// Where a relay sees `from`, if it said so.
    pub endpoint: Option<Endpoint>,
}

/// The key word of ANS_KEY, kept as text: relays pass it on without understanding it, and
/// tinc 1.1 nodes put other things there. Wiped when dropped, not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct AnsKeyMaterial(Zeroizing<String>);

impl AnsKeyMaterial {
    /// Prints key bytes as hex.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(HEXUPPER.encode(bytes)))
    }

    /// The bytes behind the hex, or `None` if it is not hex.
    #[must_use]
    pub fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        HEXUPPER_PERMISSIVE
            .decode(self.0.as_bytes())
            .ok()
            .map(Zeroizing::new)
    }
}

impl fmt::Debug for AnsKeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} hex digits)", self.0.len())
    }
}

impl Request {
    /// The request number.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::Id { .. } => 0,
            Self::MetaKey(_) => 1,
            Self::Challenge(_) => 2,
            Self::ChalReply(_) => 3,
            Self::Ack(_) => 4,
            Self::Ping => 8,
            Self::Pong => 9,
            Self::AddSubnet { .. } => 10,
            Self::DelSubnet { .. } => 11,
            Self::AddEdge(_) => 12,
            Self::DelEdge { .. } => 13,
            Self::KeyChanged { .. } => 14,
            Self::ReqKey { .. } => 15,
            Self::AnsKey(_) => 16,
            Self::Packet { .. } => 17,
        }
    }

    /// The protocol's name of the request, for messages.
    #[must_use]
    pub fn title(&self) -> &'static str {
        parse::title(self.number().into()).unwrap_or("unknown")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())?;
        match self {
            Self::Id { name, version } => {
                write!(f, " {name} {}", version.major)?;
                version.minor.map_or(Ok(()), |minor| write!(f, ".{minor}"))
            }
            Self::MetaKey(key) => {
                let hex = HEXUPPER.encode(&key.key);
                let (mac_length, compression) = (key.mac_length, key.compression);
                write!(
                    f,
                    " {} {} {mac_length} {compression} {hex}",
                    key.cipher, key.digest
                )
            }
            Self::Challenge(bytes) | Self::ChalReply(bytes) => {
                write!(f, " {}", Zeroizing::new(HEXUPPER.encode(bytes)).as_str())
            }
            Self::Ack(ack) => write!(f, " {} {} {:x}", ack.port, ack.weight, ack.options),
            Self::Ping | Self::Pong => Ok(()),
            Self::AddSubnet {
                nonce,
                owner,
                subnet,
            }
            | Self::DelSubnet {
                nonce,
                owner,
                subnet,
            } => write!(f, " {nonce:x} {owner} {subnet}"),
            Self::AddEdge(edge) => {
                let Endpoint { host, port } = &edge.endpoint;
                write!(f, " {:x} {} {}", edge.nonce, edge.from, edge.to)?;
                write!(f, " {host} {port} {:x} {}", edge.options, edge.weight)
            }
            Self::DelEdge { nonce, from, to } => write!(f, " {nonce:x} {from} {to}"),
            Self::KeyChanged { nonce, node } => write!(f, " {nonce:x} {node}"),
            Self::ReqKey { from, to } => write!(f, " {from} {to}"),
            Self::AnsKey(key) => {
                let (mac_length, compression) = (key.mac_length, key.compression);
                write!(f, " {} {} {}", key.from, key.to, key.key.0.as_str())?;
                write!(
                    f,
                    " {} {} {mac_length} {compression}",
                    key.cipher, key.digest
                )?;
                match &key.endpoint {
                    Some(Endpoint { host, port }) => write!(f, " {host} {port}"),
                    None => Ok(()),
                }
            }
            Self::Packet { len } => write!(f, " {len}"),
        }
    }
}

/// Why a line is not a request. All of these are the peer's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The line is longer than the protocol allows.
    #[error("a request has at most {max} bytes, found {found}", max = crate::constants::MAX_LINE - 1)]
    TooLong {
        /// Its length in bytes, without LF.
        found: usize,
    },
    /// The line has a NUL byte, behind which tincd and we would read different things.
    #[error("the request has a NUL byte")]
    Nul,
    /// The line does not begin with a decimal number.
    #[error("the line does not begin with a request number")]
    NotANumber,
    /// No request has this number; 5 to 7 were never put to use.
    #[error("there is no request of number {number}")]
    Unknown {
        /// The number found.
        number: i32,
    },
    /// The line ends before a field that the request needs.
    #[error("{request} without {field}")]
    Missing {
        /// The protocol's name of the request.
        request: &'static str,
        /// What is missing.
        field: &'static str,
    },
    /// A field is not of its type, or out of its range.
    #[error("{request} with a malformed {field}")]
    Malformed {
        /// The protocol's name of the request.
        request: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A number is out of range or has something behind it. tincd keeps some of its bits or
    /// digits; we do not guess.
    #[error("{request} with a {field} that is not quite a number")]
    Number {
        /// The protocol's name of the request.
        request: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A field that should name a node does not.
    #[error("{request}: {source}")]
    Name {
        /// The protocol's name of the request.
        request: &'static str,
        /// What is wrong with the name.
        source: NameError,
    },
    /// An address or port is not printable.
    #[error("{request}: {source}")]
    Endpoint {
        /// The protocol's name of the request.
        request: &'static str,
        /// What is wrong with the word.
        source: WordError,
    },
    /// A subnet is not one.
    #[error("{request}: {source}")]
    Subnet {
        /// The protocol's name of the request.
        request: &'static str,
        /// What is wrong with the text.
        source: SubnetError,
    },
    /// An edge from a node to itself.
    #[error("{request}: an edge from {node} to itself")]
    SelfEdge {
        /// The protocol's name of the request.
        request: &'static str,
        /// The node.
        node: NodeName,
    },
}

impl RequestError {
    /// Whether only a limit of ours was hit that tincd does not have.
    ///
    /// An honest neighbour may pass such a line on from a hostile node; closing the connection
    /// for it would let that node cut us off from the mesh.
    #[must_use]
    pub fn is_only_ours(&self) -> bool {
        matches!(
            self,
            Self::Name {
                source: NameError::TooLong { .. },
                ..
            } | Self::Endpoint { .. }
                | Self::Number { .. }
                | Self::Subnet {
                    source: SubnetError::NumberTooLarge,
                    ..
                }
        )
    }
}
