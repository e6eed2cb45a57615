//! The cryptography of the legacy protocol: keys and ciphers, no message formats.

pub mod algorithm;
pub mod packet;
pub mod rsa;
pub mod stream;
