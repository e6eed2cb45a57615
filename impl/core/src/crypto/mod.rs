//! The cryptography of the legacy protocol: keys and ciphers, no message formats.

mod body;
mod cipher;
pub mod compression;
mod digest;
mod hex_key;
mod mac;
mod modes;
pub mod packet;
pub mod rsa;
mod spec;
pub mod stream;

/// Which ciphers and digests there are, by OpenSSL's names and object numbers.
pub mod algorithm {
    pub use super::cipher::{PacketCipher, StreamCipher};
    pub use super::digest::Digest;
    pub use super::spec::{PacketSpec, SpecError};
}
