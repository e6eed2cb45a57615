//! The kits that a border router is connected to, and by which of them an address is reached.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use sixlowpan::context::Contexts;
use sixlowpan::iid::{DeviceAddress, Iid, IidMode};
use sixlowpan::iphc::{NextHeaders, compress};
use sixlowpan::link::Link;
use sixlowpan::nd::{Limits, Registry};
use tokio::sync::mpsc;

use super::counts::Counts;

/// Addresses remembered of all kits, and of one.
const LIMITS: Limits = Limits {
    total: 1024,
    per_channel: 16,
};

/// A kit.
pub(super) struct Station {
    pub(super) link: Link,
    /// What it was told.
    pub(super) contexts: Contexts,
    /// Whether its channel is open.
    pub(super) open: bool,
    payloads: mpsc::Sender<Vec<u8>>,
    /// Addresses it was heard with and has not registered.
    heard: Vec<Ipv6Addr>,
}

/// All kits.
pub(super) struct Stations {
    pub(super) all: BTreeMap<[u8; 6], Station>,
    pub(super) registry: Registry<[u8; 6]>,
}

impl Stations {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            registry: Registry::new(LIMITS),
        }
    }

    /// A kit has connected.
    pub(super) fn add(
        &mut self,
        own: DeviceAddress,
        kit: DeviceAddress,
        mode: IidMode,
        payloads: mpsc::Sender<Vec<u8>>,
    ) {
        let station = Station {
            link: Link::new(own, kit, mode),
            contexts: Contexts::default(),
            open: false,
            payloads,
            heard: Vec::new(),
        };
        self.all.insert(kit.octets, station);
    }

    /// A kit is lost, and with it what it registered.
    pub(super) fn remove(&mut self, kit: DeviceAddress) {
        self.all.remove(&kit.octets);
        self.registry.channel_lost(kit.octets);
    }

    /// Whether any channel is open.
    pub(super) fn any_open(&self) -> bool {
        self.all.values().any(|station| station.open)
    }

    /// The kit that has an address: registered, made of its device address, or heard.
    pub(super) fn with(&mut self, address: Ipv6Addr) -> Option<&mut Station> {
        let registered = self.registry.get(address).map(|known| known.channel);
        let iid = Iid::of_address(address);
        let has =
            |station: &Station| station.link.peer.iid() == iid || station.heard.contains(&address);
        let found = registered.or_else(|| {
            let mut all = self.all.iter();
            all.find(|(_, station)| has(station))
                .map(|(device, _)| *device)
        });
        self.all.get_mut(&found?)
    }

    /// Notes an address that a kit was heard with. Nobody takes over what another has.
    pub(super) fn heard(&mut self, kit: [u8; 6], address: Ipv6Addr) -> bool {
        if let Some(registered) = self.registry.get(address) {
            return registered.channel == kit;
        }
        let iid = Iid::of_address(address);
        let theirs =
            |station: &Station| station.heard.contains(&address) || station.link.peer.iid() == iid;
        if self
            .all
            .iter()
            .any(|(other, station)| *other != kit && theirs(station))
        {
            return false;
        }
        match self.all.get_mut(&kit) {
            Some(station) if theirs(station) => true,
            Some(station) if station.heard.len() < LIMITS.per_channel => {
                station.heard.push(address);
                true
            }
            _ => false,
        }
    }
}

impl Station {
    /// Sends it a packet, or loses that.
    pub(super) fn send(&mut self, packet: &[u8], counts: &mut Counts) {
        if !self.open {
            return counts.dropped("too early", &"the channel is not open");
        }
        match compress(packet, &self.link, &self.contexts, NextHeaders::default()) {
            Ok(payload) => {
                if let Err(error) = self.payloads.try_send(payload) {
                    counts.dropped("for want of room", &error);
                }
            }
            Err(error) => counts.dropped("not IPv6", &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sixlowpan::nd::{AddressRegistration, Minutes};

    use super::*;

    const ONE: DeviceAddress = DeviceAddress::random([0xc2, 0, 0, 0, 0, 1]);
    const TWO: DeviceAddress = DeviceAddress::random([0xc2, 0, 0, 0, 0, 2]);

    fn stations() -> Stations {
        let mut stations = Stations::new();
        for kit in [ONE, TWO] {
            let (payloads, _) = mpsc::channel(1);
            let router = DeviceAddress::public([0, 0, 0x5e, 0, 0x53, 1]);
            stations.add(router, kit, IidMode::Rfc7668, payloads);
        }
        stations
    }

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn found(stations: &mut Stations, text: &str) -> Option<Iid> {
        stations
            .with(address(text))
            .map(|station| station.link.peer.iid())
    }

    fn iid(kit: DeviceAddress) -> Option<Iid> {
        Some(Iid::of_device(kit, IidMode::Rfc7668))
    }

    #[test]
    fn a_kit_is_found_by_what_it_is_made_of_and_by_what_it_was_heard_with() {
        let mut stations = stations();
        assert_eq!(found(&mut stations, "fe80::c200:ff:fe00:1"), iid(ONE));
        assert_eq!(found(&mut stations, "2001:db8::c200:ff:fe00:2"), iid(TWO));
        assert_eq!(found(&mut stations, "2001:db8::7"), None);
        assert!(stations.heard(ONE.octets, address("2001:db8::7")));
        assert_eq!(found(&mut stations, "2001:db8::7"), iid(ONE));
    }

    #[test]
    fn nobody_takes_over_what_another_has() {
        let mut stations = stations();
        assert!(stations.heard(ONE.octets, address("2001:db8::7")));
        let request = AddressRegistration::plain([1; 8], Minutes(60));
        let registered = address("2001:db8::8");
        stations
            .registry
            .register(ONE.octets, registered, &request, Instant::now());
        for theirs in ["2001:db8::7", "2001:db8::8", "2001:db8::c200:ff:fe00:1"] {
            assert!(!stations.heard(TWO.octets, address(theirs)), "{theirs}");
        }
        stations.remove(ONE);
        for free in ["2001:db8::7", "2001:db8::8"] {
            assert!(stations.heard(TWO.octets, address(free)), "{free}");
        }
    }

    #[test]
    fn what_is_remembered_of_a_kit_has_a_bound() {
        let mut stations = stations();
        let all = (0..100).filter(|n| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, *n);
            stations.heard(ONE.octets, address)
        });
        assert_eq!(all.count(), LIMITS.per_channel);
    }
}
