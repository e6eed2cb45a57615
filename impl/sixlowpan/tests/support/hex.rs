//! Octets in files.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, de};

/// Octets that a file has in hexadecimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = HEXLOWER.decode(text.as_bytes());
        octets.map(Self).map_err(de::Error::custom)
    }
}
