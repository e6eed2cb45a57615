//! Our device as a station: what router mode has to know of the kernel behind it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::subnet::Mac;

/// The MAC address of a device that has not been heard of (tinc 1.0).
const UNKNOWN: Mac = Mac([0xfe, 0xfd, 0, 0, 0, 0]);

/// The MAC address of our device and the addresses of our kernel.
///
/// The thread that reads the device renews the MAC address, all threads write it into what they
/// deliver; the rest is as immutable as the picture that it is part of.
#[derive(Clone, Debug)]
pub struct Station {
    mac: Arc<AtomicU64>,
    addresses: Arc<[IpAddr]>,
}

impl Default for Station {
    fn default() -> Self {
        Self {
            mac: Arc::new(AtomicU64::new(to_bits(UNKNOWN))),
            addresses: Arc::default(),
        }
    }
}

impl Station {
    /// The device has that MAC address.
    pub fn is_at(&self, mac: Mac) {
        self.mac.store(to_bits(mac), Ordering::Relaxed);
    }

    /// The device has that MAC address as far as its interface shows; whoever was heard speaking
    /// there, a bridge for instance, knows better.
    pub fn starts_at(&self, mac: Mac) {
        let unknown = to_bits(UNKNOWN);
        let order = Ordering::Relaxed;
        // Anything else was heard.
        let _ = self
            .mac
            .compare_exchange(unknown, to_bits(mac), order, order);
    }

    /// The kernel has these addresses, those of the device first; says whether that is news.
    pub fn has(&mut self, addresses: &[IpAddr]) -> bool {
        let is_news = *self.addresses != *addresses;
        if is_news {
            self.addresses = addresses.into();
        }
        is_news
    }

    /// Addresses a frame to the device, which on an Ethernet takes no others.
    pub(super) fn take_in(&self, frame: &mut [u8]) {
        let [_, _, mac @ ..] = self.mac.load(Ordering::Relaxed).to_be_bytes();
        if let Some(destination) = frame.first_chunk_mut::<6>() {
            *destination = mac;
        }
    }

    /// The address in whose name the kernel would most likely speak to `other`: the one with the
    /// longest prefix in common (RFC 6724 section 5, rule 8), of equal ones the first.
    pub(super) fn nearest_to(&self, other: IpAddr) -> Option<IpAddr> {
        let in_common = |address: &IpAddr| match (address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
            (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
            _ => None,
        };
        let of_family = self.addresses.iter().rev();
        let of_family = of_family.filter_map(|address| Some((in_common(address)?, *address)));
        of_family
            .max_by_key(|(bits, _)| *bits)
            .map(|(_, address)| address)
    }
}

fn to_bits(Mac([a, b, c, d, e, f]): Mac) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_addressed_to_where_the_device_was_seen_last() {
        let station = Station::default();
        let mut frame = [9; 14];
        station.take_in(&mut frame);
        assert_eq!(frame[..7], [0xfe, 0xfd, 0, 0, 0, 0, 9]);
        station.starts_at(Mac([2, 0, 0, 0, 0, 6]));
        station.take_in(&mut frame);
        assert_eq!(frame[..7], [2, 0, 0, 0, 0, 6, 9]);
        station.clone().is_at(Mac([2, 0, 0, 0, 0, 7]));
        station.take_in(&mut frame);
        assert_eq!(frame[..7], [2, 0, 0, 0, 0, 7, 9]);
        station.starts_at(Mac([2, 0, 0, 0, 0, 6]));
        station.take_in(&mut frame);
        assert_eq!(frame[..7], [2, 0, 0, 0, 0, 7, 9]);
    }

    #[test]
    fn the_nearest_address_of_the_same_family_speaks() {
        let mut station = Station::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(station.nearest_to(address("10.1.0.1")), None);
        let _ = station.has(&["10.9.0.1", "192.168.1.1", "10.1.9.1", "fd00::1"].map(address));
        for (other, nearest) in [
            ("10.1.0.1", "10.1.9.1"),
            ("192.168.7.7", "192.168.1.1"),
            ("10.200.0.1", "10.9.0.1"),
            ("2001:db8::1", "fd00::1"),
        ] {
            assert_eq!(station.nearest_to(address(other)), Some(address(nearest)));
        }
    }
}
