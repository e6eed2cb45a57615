//! Links of the vectors.

use sixlowpan::iid::{AddressKind, DeviceAddress, IidMode};
use sixlowpan::link::Link;

/// The link between two devices as `own` sees it.
pub(crate) fn link(own: &str, peer: &str) -> Link {
    let device = |text| DeviceAddress::parse(text, AddressKind::Public).unwrap();
    Link::new(device(own), device(peer), IidMode::Rfc7668)
}
