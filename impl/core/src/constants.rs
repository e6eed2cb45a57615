//! Every number of the tinc 1.0 legacy protocol (protocol 17), and our own caps beside them.
//!
//! "Legacy protocol" names the protocol as spoken by tincd 1.0.36; "ours" marks a limit the
//! protocol does not have.

/// Major protocol version in ID (legacy protocol: 17).
pub const PROTOCOL_VERSION: i32 = 17;

/// Default port, TCP and UDP (tinc manual, `Port`; registered with IANA).
pub const DEFAULT_PORT: u16 = 655;

/// Longest request line in bytes, its LF included; also the largest length a PACKET may
/// announce (legacy protocol: input buffer of 2048 + 128 bytes).
pub const MAX_LINE: usize = 2176;

/// Longest word of a request in bytes; the remainder counts as the next word (legacy protocol).
pub const MAX_WORD: usize = 2048;

/// Longest Ethernet frame in bytes without FCS (legacy protocol: 1500 + 14 + 4).
pub const MTU: usize = 1518;

/// Longest frame in bytes that a PACKET or a compressed datagram may carry: [`MTU`] + 4 of
/// sequence number + 32 of padding + 64 of MAC + 43 of compression allowance (legacy protocol).
/// PACKETs between this and [`MAX_LINE`] are read and dropped.
pub const MAX_PACKET: usize = 1661;

/// Bytes of the sequence number at the front of a datagram's plaintext (legacy protocol).
pub const SEQNO_LEN: usize = 4;

/// Bytes by which a compressed body may exceed its frame: 1518 / 64 + 20 (legacy protocol).
pub const COMPRESSION_ALLOWANCE: usize = 43;

/// Sequence numbers one packet key may be used for before a new one is due (legacy protocol: 2^30).
pub const MAX_SEQNO: u32 = 1 << 30;

/// Bytes that one direction of a meta connection may carry under a cipher with blocks of 8 bytes
/// (legacy protocol; CVE-2016-2183).
pub const SMALL_BLOCK_BUDGET: u64 = 1 << 31;

/// Public exponent of keys in hexadecimal (legacy protocol, `PublicKey`).
pub const HEX_KEY_EXPONENT: u32 = 0xffff;

/// Weight of a subnet that names none (tinc manual, `Subnet`).
pub const DEFAULT_SUBNET_WEIGHT: i32 = 10;

/// MAC bytes per datagram unless `MACLength` says otherwise (tinc manual, `MACLength`).
pub const DEFAULT_MAC_LENGTH: u8 = 4;

/// Highest compression level of the protocol; 10 and 11 are LZO (tinc manual, `Compression`).
pub const MAX_COMPRESSION: i32 = 11;

/// Ours: longest node name in bytes, so that `hosts/NAME-down` fits a file name of 255 bytes.
/// The legacy protocol allows [`MAX_WORD`].
pub const MAX_NAME_LEN: usize = 250;

/// Ours: longest address or port of an edge that is no number, in bytes. A host name has at most
/// 253 (RFC 1035 section 2.3.4); with longer ones the edge, printed by us with a nonce of ours,
/// could outgrow [`MAX_LINE`].
pub const MAX_OPAQUE_LEN: usize = 255;

/// Ours: smallest RSA modulus in bits. Below this METAKEY has no room for key and IV, and
/// 512-bit keys are the least that `tincd -K` generates.
pub const MIN_RSA_BITS: usize = 512;

/// Ours: largest RSA modulus in bits. A METAKEY of a larger one does not fit [`MAX_LINE`]
/// (legacy protocol: 8192).
pub const MAX_RSA_BITS: usize = 8192;

/// Ours: received bytes one connection may leave unprocessed while its owner does not poll.
/// Twice the longest item plus what one read from a socket brings.
pub const MAX_PENDING_INPUT: usize = 2 * MAX_LINE + 65_536;
