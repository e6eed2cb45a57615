//! The cryptography of the legacy protocol: keys and ciphers, no message formats.

pub mod algorithm;
pub mod compression;
mod mac;
pub mod packet;
pub mod rsa;
mod spec;
pub mod stream;
