//! What the ends of a link know about each other without being told in every packet.

use std::net::Ipv6Addr;

use crate::context::Context;
use crate::iid::{DeviceAddress, Iid, IidMode};

/// Registered addresses kept for one end, the latest of each /64: as many as there can be
/// contexts, since others are never elided.
const MAX_REGISTERED: usize = 16;

/// The two ends of a channel, seen from one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// This end: where packets are compressed for the other.
    pub own: Endpoint,
    /// The other end: where packets to decompress come from.
    pub peer: Endpoint,
}

impl Link {
    /// A link between two devices that make their interface identifiers alike.
    #[must_use]
    pub const fn new(own: DeviceAddress, peer: DeviceAddress, mode: IidMode) -> Self {
        Self {
            own: Endpoint::new(Iid::of_device(own, mode)),
            peer: Endpoint::new(Iid::of_device(peer, mode)),
        }
    }
}

/// One end of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    iid: Iid,
    /// Oldest first.
    registered: Vec<Ipv6Addr>,
}

impl Endpoint {
    /// An end that has not registered any address.
    #[must_use]
    pub const fn new(iid: Iid) -> Self {
        Self {
            iid,
            registered: Vec::new(),
        }
    }

    /// The interface identifier made of its device address.
    #[must_use]
    pub const fn iid(&self) -> Iid {
        self.iid
    }

    /// Notes that this end has registered `address`: from now on packets leave that one out,
    /// even if it is not made of the device address, instead of what was registered before in the
    /// same /64 (RFC 7668 section 3.2.4). Both ends have to note it when the registration is
    /// answered.
    pub fn register(&mut self, address: Ipv6Addr) {
        let half = address.to_bits() >> 64;
        self.registered
            .retain(|other| other.to_bits() >> 64 != half);
        if self.registered.len() == MAX_REGISTERED {
            self.registered.remove(0);
        }
        self.registered.push(address);
    }

    /// Notes that a registration has ended.
    pub fn deregister(&mut self, address: Ipv6Addr) {
        self.registered.retain(|other| *other != address);
    }

    /// The address in `context` that packets leave out: the last one registered there, else the
    /// one made of the device address.
    #[must_use]
    pub fn elided(&self, context: &Context) -> Ipv6Addr {
        let registered = self.registered.iter().rev();
        registered
            .copied()
            .find(|address| context.contains(*address))
            .unwrap_or_else(|| context.complete(self.iid.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_address_registered_in_a_prefix_is_left_out() {
        let mut node = Endpoint::new(Iid([0, 0x1b, 0xdc, 0xff, 0xfe, 0, 0, 2]));
        let context = Context::new(address("2001:db8:1:2::"), 64, true).unwrap();
        assert_eq!(
            node.elided(&context),
            address("2001:db8:1:2:1b:dcff:fe00:2")
        );
        node.register(address("2001:db8:1:2::7"));
        node.register(address("2001:db8:1:2::8"));
        node.register(address("2001:db8:9::9"));
        assert_eq!(node.elided(&context), address("2001:db8:1:2::8"));
        node.deregister(address("2001:db8:1:2::8"));
        assert_eq!(
            node.elided(&context),
            address("2001:db8:1:2:1b:dcff:fe00:2")
        );
    }

    #[test]
    fn registrations_that_are_remembered_have_a_bound() {
        let mut node = Endpoint::new(Iid([0; 8]));
        for prefix in 0..1000 {
            node.register(Ipv6Addr::new(0x2001, 0xdb8, 0, prefix, 0, 0, 0, 1));
        }
        assert_eq!(node.registered.len(), MAX_REGISTERED);
        assert_eq!(node.registered.last(), Some(&address("2001:db8:0:3e7::1")));
    }
}
