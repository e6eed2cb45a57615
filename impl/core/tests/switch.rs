//! What switch and hub mode do with every kind of frame, by the rules of tinc 1.0.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

mod routing;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use pnet_packet::ipv4::{Ipv4Packet, checksum};
use routing::{Net, both, hops, packet, sized};
use v6router_core::dataplane::{Lease, Mode, Origin, Owner, Owners, Policy, Transit};
use v6router_core::subnet::{IpTable, Mac};

#[test]
fn switch_mode_knows_forwarding_and_direct_only_too() {
    let policy = |transit, direct_only| Policy {
        mode: Mode::Switch,
        transit,
        direct_only,
        ..Policy::default()
    };
    let route = |policy: Policy, origin: fn(&Net) -> Origin| {
        let mut net = Net::new(policy);
        let mac = Mac([2, 0, 0, 0, 0, 3]);
        let macs = [(mac, Owner::Node(net.far))].into();
        let ips = IpTable::default();
        net.forwarding.owners = Arc::new(Owners { macs, ips });
        let mut frame = packet("10.0.0.7", "10.3.0.7");
        frame[..6].copy_from_slice(&mac.0);
        let outcome = net.forward(&mut frame, origin(&net));
        assert!(outcome.to_device.is_empty(), "a switch tells nobody");
        (outcome.for_device, outcome.sent.len())
    };
    let device: fn(&Net) -> Origin = |_| Origin::Device;
    let neighbour: fn(&Net) -> Origin = |net| Origin::Udp(net.b);
    assert_eq!(route(policy(Transit::Internal, false), device), (false, 1));
    assert_eq!(route(policy(Transit::Internal, true), device), (false, 0));
    assert_eq!(
        route(policy(Transit::Internal, false), neighbour),
        (false, 1)
    );
    assert_eq!(route(policy(Transit::Off, false), neighbour), (false, 0));
    assert_eq!(route(policy(Transit::Off, false), device), (false, 1));
    assert_eq!(route(policy(Transit::Kernel, false), neighbour), (true, 0));
}

/// A net that counts hops, where the station 0 is behind our device, 1 behind `a` and 3 behind `far`.
fn counting_switch(mode: Mode) -> Net {
    let mut net = Net::new(Policy {
        mode,
        decrement_ttl: true,
        ..Policy::default()
    });
    let device = Owner::Device(Arc::new(Lease::new(Instant::now())));
    let owners = [device, Owner::Node(net.a), Owner::Node(net.far)];
    let macs = [0, 1, 3].map(|n| Mac([2, 0, 0, 0, 0, n]));
    let macs = macs.into_iter().zip(owners).collect();
    let ips = IpTable::default();
    net.forwarding.owners = Arc::new(Owners { macs, ips });
    net
}

/// The packets of [`both`] in frames from the station of that number to another.
fn frames(from: u8, to: u8, ttl: u8) -> [Vec<u8>; 2] {
    both(from, to, 100, ttl).map(|mut frame| {
        frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from]);
        frame
    })
}

/// As seen of tincd 1.0.36.
#[test]
fn a_switch_counts_as_a_hop_if_asked_for() {
    let mut net = counting_switch(Mode::Switch);
    let local: [IpAddr; 2] = [[10, 0, 0, 1].into(), "fd00::1".parse().unwrap()];
    assert!(net.forwarding.station.has(&local));
    for mut frame in frames(2, 3, 64) {
        let outcome = net.forward(&mut frame, Origin::Udp(net.b));
        assert_eq!(outcome.neighbours(), [net.a]);
        assert_eq!(hops(&outcome.sent[0].1), 63);
        if let Some(ip) = Ipv4Packet::new(&outcome.sent[0].1[14..]).filter(|_| frame[12] == 8) {
            assert_eq!(ip.get_checksum(), checksum(&ip));
        }
    }
    // The sender is told in the name of an address of ours.
    for (mut frame, local) in frames(2, 3, 1).into_iter().zip(local) {
        let outcome = net.forward(&mut frame, Origin::Udp(net.b));
        let (at, answer, from) = match local {
            IpAddr::V4(from) => (26, (11, 0), from.octets().to_vec()),
            IpAddr::V6(from) => (22, (3, 0), from.octets().to_vec()),
        };
        assert_eq!(outcome.refusal(), answer);
        let (to, told) = &outcome.sent[0];
        assert_eq!((*to, &told[at..at + from.len()]), (net.b, from.as_slice()));
        assert_eq!(told[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3]);
    }
    // Neither end of a way is a hop of it.
    for mut frame in frames(0, 3, 1) {
        let outcome = net.forward(&mut frame, Origin::Device);
        assert_eq!(hops(&outcome.sent[0].1), 1);
    }
    for mut frame in frames(2, 0, 1) {
        assert!(net.forward(&mut frame, Origin::Udp(net.b)).for_device);
        assert_eq!(hops(&frame), 1);
    }
}

#[test]
fn a_switch_counts_hops_of_what_goes_to_everybody_for_its_own_device_too() {
    for (mode, to) in [(Mode::Switch, 9), (Mode::Hub, 3)] {
        let net = counting_switch(mode);
        for mut frame in frames(2, to, 64) {
            let outcome = net.forward(&mut frame, Origin::Udp(net.b));
            assert!(outcome.for_device);
            assert_eq!((outcome.neighbours(), hops(&frame)), (vec![net.a], 63));
        }
        for (mut frame, answer) in frames(2, to, 1).into_iter().zip([(11, 0), (3, 0)]) {
            assert_eq!(
                net.forward(&mut frame, Origin::Udp(net.b)).refusal(),
                answer
            );
        }
        // Nobody is told about packets to groups.
        let mut spent = sized("10.2.0.7", "224.0.0.5", 100, 1);
        spent[..6].copy_from_slice(&[1, 0, 0x5e, 0, 0, 5]);
        assert!(net.forward(&mut spent, Origin::Udp(net.b)).is_nothing());
        let mut own = sized("10.0.0.7", "224.0.0.5", 100, 1);
        own[..6].copy_from_slice(&[1, 0, 0x5e, 0, 0, 5]);
        assert_eq!(
            net.forward(&mut own, Origin::Device).neighbours(),
            [net.a, net.b]
        );
        assert_eq!(hops(&own), 1);
    }
}

#[test]
fn a_switch_that_counts_hops_leaves_neighbour_discovery_valid() {
    let net = counting_switch(Mode::Switch);
    let message = |kind, hop_limit| {
        let mut frame = sized("fd00:2::7", "ff02::1", 100, hop_limit);
        frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
        (frame[20], frame[54]) = (58, kind);
        frame
    };
    for (kind, hop_limit, left) in [
        (133, 255, 255),
        (135, 255, 255),
        (136, 255, 255),
        (137, 255, 255),
        // Void before it came.
        (135, 254, 253),
        (128, 255, 254),
        (143, 255, 254),
    ] {
        let mut frame = message(kind, hop_limit);
        assert!(net.forward(&mut frame, Origin::Udp(net.b)).for_device);
        assert_eq!(hops(&frame), left, "{kind}");
    }
}
