//! What the vector files have in common.

use serde::{Deserialize, Deserializer, de};
use sixlowpan::iid::{AddressKind, DeviceAddress, IidMode};
use sixlowpan::link::Link;

/// Octets that a file has in hexadecimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unhex(&text)
            .map(Self)
            .ok_or_else(|| de::Error::custom(format!("{text} is not hexadecimal")))
    }
}

/// The octets of `text`.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// The link between two devices as `own` sees it.
pub(crate) fn link(own: &str, peer: &str) -> Link {
    let device = |text| DeviceAddress::parse(text, AddressKind::Public).unwrap();
    Link::new(device(own), device(peer), IidMode::Rfc7668)
}
