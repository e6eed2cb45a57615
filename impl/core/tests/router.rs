//! What router mode does with every kind of packet, by the rules of tinc 1.0.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

mod routing;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use routing::{Net, both, hops, packet, sized};
use v6router_core::dataplane::{Broadcast, Egress, Forwarder, Origin, Policy, Transit};
use v6router_core::options::Options;
use v6router_core::subnet::Mac;

#[test]
fn packets_go_to_the_owner_of_their_destination_and_come_to_ours() {
    let net = Net::new(Policy::default());
    for mut frame in both(0, 1, 100, 64) {
        assert_eq!(
            net.forward(&mut frame, Origin::Device).neighbours(),
            [net.a]
        );
    }
    for mut frame in both(1, 0, 100, 64) {
        let outcome = net.forward(&mut frame, Origin::Udp(net.a));
        assert!(outcome.for_device && outcome.sent.is_empty());
    }
    for mut frame in both(1, 2, 100, 64) {
        assert_eq!(
            net.forward(&mut frame, Origin::Udp(net.a)).neighbours(),
            [net.b]
        );
    }
}

#[test]
fn nobodys_and_unreachable_destinations_are_refused_where_the_packet_came_from() {
    let net = Net::new(Policy::default());
    for (to, answers) in [(9, [(3, 6), (1, 3)]), (4, [(3, 0), (1, 0)])] {
        for (frame, answer) in both(0, to, 100, 64).iter().zip(answers) {
            let from_device = net.forward(&mut frame.clone(), Origin::Device);
            assert_eq!(from_device.refusal(), answer);
            assert!(from_device.sent.is_empty());
            let from_peer = net.forward(&mut frame.clone(), Origin::Udp(net.b));
            assert_eq!(from_peer.refusal(), answer);
            assert_eq!(from_peer.neighbours(), [net.b]);
        }
    }
}

#[test]
fn what_would_return_to_its_source_is_dropped_in_silence() {
    let net = Net::new(Policy::default());
    for mut frame in both(0, 0, 100, 64) {
        assert!(net.forward(&mut frame, Origin::Device).is_nothing());
    }
    for mut frame in both(1, 1, 100, 64) {
        assert!(net.forward(&mut frame, Origin::Udp(net.a)).is_nothing());
    }
    // `far` is behind `a`: a packet that `a` sends us for it has lost its way.
    for mut frame in both(1, 3, 100, 64) {
        assert!(net.forward(&mut frame, Origin::Udp(net.a)).is_nothing());
    }
}

#[test]
fn without_forwarding_transit_is_prohibited_and_nothing_else() {
    let net = Net::new(Policy {
        transit: Transit::Off,
        ..Policy::default()
    });
    for (mut frame, answer) in both(1, 2, 100, 64).into_iter().zip([(3, 9), (1, 1)]) {
        assert_eq!(
            net.forward(&mut frame, Origin::Udp(net.a)).refusal(),
            answer
        );
    }
    for mut frame in both(1, 0, 100, 64) {
        assert!(net.forward(&mut frame, Origin::Udp(net.a)).for_device);
    }
    for mut frame in both(0, 1, 100, 64) {
        assert_eq!(
            net.forward(&mut frame, Origin::Device).neighbours(),
            [net.a]
        );
    }
}

#[test]
fn the_kernel_gets_everything_if_it_is_to_forward() {
    let net = Net::new(Policy {
        transit: Transit::Kernel,
        ..Policy::default()
    });
    net.forwarding.station.is_at(Mac([2, 0, 0, 0, 0, 7]));
    for mut frame in both(1, 2, 100, 64) {
        let outcome = net.forward(&mut frame, Origin::Udp(net.a));
        assert!(outcome.for_device && outcome.sent.is_empty());
        assert_eq!(frame[..6], [2, 0, 0, 0, 0, 7]);
    }
    for mut frame in both(0, 2, 100, 64) {
        assert_eq!(
            net.forward(&mut frame, Origin::Device).neighbours(),
            [net.b]
        );
    }
    let mut multicast = packet("10.1.0.7", "224.0.0.5");
    let outcome = net.forward(&mut multicast, Origin::Udp(net.a));
    assert!(outcome.for_device && outcome.sent.is_empty());
}

#[test]
fn direct_only_refuses_relays() {
    let net = Net::new(Policy {
        direct_only: true,
        ..Policy::default()
    });
    for (mut frame, answer) in both(0, 3, 100, 64).into_iter().zip([(3, 9), (1, 1)]) {
        assert_eq!(net.forward(&mut frame, Origin::Device).refusal(), answer);
    }
    for mut frame in both(0, 1, 100, 64) {
        assert_eq!(
            net.forward(&mut frame, Origin::Device).neighbours(),
            [net.a]
        );
    }
    let lenient = Net::new(Policy::default());
    for mut frame in both(0, 3, 100, 64) {
        let outcome = lenient.forward(&mut frame, Origin::Device);
        assert_eq!(outcome.neighbours(), [lenient.a]);
        assert_ne!(lenient.far, lenient.a);
    }
}

#[test]
fn transit_counts_as_a_hop_if_asked_for() {
    let mut net = Net::new(Policy {
        decrement_ttl: true,
        ..Policy::default()
    });
    let local: [IpAddr; 2] = [[10, 0, 0, 1].into(), "fd00::1".parse().unwrap()];
    assert!(net.forwarding.station.has(&local));
    for mut frame in both(1, 2, 100, 64) {
        let outcome = net.forward(&mut frame, Origin::Udp(net.a));
        assert_eq!(hops(&outcome.sent[0].1), 63);
    }
    for (mut frame, local) in both(1, 2, 100, 1).into_iter().zip(local) {
        let outcome = net.forward(&mut frame, Origin::Udp(net.a));
        let (at, answer, from) = match local {
            IpAddr::V4(from) => (26, (11, 0), from.octets().to_vec()),
            IpAddr::V6(from) => (22, (3, 0), from.octets().to_vec()),
        };
        assert_eq!(outcome.refusal(), answer);
        let (to, told) = &outcome.sent[0];
        assert_eq!((*to, &told[at..at + from.len()]), (net.a, from.as_slice()));
    }
    // Neither end of a way is a hop of it.
    for mut frame in both(0, 1, 100, 1) {
        assert_eq!(hops(&net.forward(&mut frame, Origin::Device).sent[0].1), 1);
    }
    for mut frame in both(1, 0, 100, 1) {
        assert!(net.forward(&mut frame, Origin::Udp(net.a)).for_device);
        assert_eq!(hops(&frame), 1);
    }
}

#[test]
fn groups_get_a_copy_each_and_hops_of_others_packets_are_counted() {
    let net = Net::new(Policy {
        decrement_ttl: true,
        ..Policy::default()
    });
    for to in ["224.0.0.5", "255.255.255.255"] {
        let mut frame = packet("10.0.0.7", to);
        let outcome = net.forward(&mut frame, Origin::Device);
        assert_eq!(outcome.neighbours(), [net.a, net.b]);
        assert!(!outcome.for_device);
        let mut frame = packet("10.1.0.7", to);
        let outcome = net.forward(&mut frame, Origin::Udp(net.a));
        assert!(outcome.for_device);
        assert_eq!((outcome.neighbours(), frame[22]), (vec![net.b], 63));
    }
    let mut spent = sized("fd00:1::7", "ff02::1", 100, 1);
    assert!(net.forward(&mut spent, Origin::Udp(net.a)).is_nothing());
}

#[test]
fn without_broadcast_a_group_is_an_address_like_any_other() {
    let net = Net::new(Policy {
        broadcast: Broadcast::No,
        ..Policy::default()
    });
    for (from, to) in [("10.0.0.7", "224.0.0.5"), ("fd00::7", "ff02::1")] {
        // Nobody has it, and nobody is told about packets to groups.
        assert!(
            net.forward(&mut packet(from, to), Origin::Device)
                .is_nothing()
        );
    }
}

#[test]
fn direct_broadcasts_are_repeated_by_nobody() {
    let mut net = Net::new(Policy {
        broadcast: Broadcast::Direct,
        ..Policy::default()
    });
    net.forwarding.broadcast = vec![net.a, net.b, net.far];
    let mut frame = packet("10.0.0.7", "224.0.0.5");
    // UDP to `far` is not proven, and `a` must not take its copy for one of its own.
    let outcome = net.forward(&mut frame, Origin::Device);
    assert_eq!(outcome.neighbours(), [net.a, net.b]);
    let mut frame = packet("10.1.0.7", "224.0.0.5");
    let outcome = net.forward(&mut frame, Origin::Udp(net.a));
    assert!(outcome.for_device && outcome.sent.is_empty());
}

#[test]
fn the_limits_of_a_path_are_told_as_ip_packets() {
    let net = Net::new(Policy::default());
    for (mut frame, answer) in both(0, 1, 1452, 64).into_iter().zip([(3, 4), (2, 0)]) {
        let at = if frame[12] == 8 { 34 } else { 54 };
        let outcome = net.forward(&mut frame, Origin::Device);
        assert_eq!(outcome.refusal(), answer);
        assert_eq!(outcome.to_device[0][at + 6..at + 8], 1437_u16.to_be_bytes());
    }
    for mut frame in both(0, 1, 1451, 64) {
        assert_eq!(
            net.forward(&mut frame, Origin::Device).neighbours(),
            [net.a]
        );
    }
    // What is for our own device has arrived.
    for mut frame in both(1, 0, 1514, 64) {
        assert!(net.forward(&mut frame, Origin::Udp(net.a)).for_device);
    }
    let mut cuttable = sized("10.0.0.7", "10.1.0.7", 1514, 64);
    cuttable[20] = 0;
    let outcome = net.forward(&mut cuttable, Origin::Device);
    let lens: Vec<_> = outcome.sent.iter().map(|(_, frame)| frame.len()).collect();
    assert_eq!(lens, [14 + 20 + 1416, 14 + 20 + 64]);
}

#[test]
fn other_protocols_and_tagged_frames_go_nowhere() {
    let net = Net::new(Policy::default());
    let mut tagged = packet("10.0.0.7", "10.1.0.7");
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    let mut other = packet("10.0.0.7", "10.1.0.7");
    other[12..14].copy_from_slice(&[0x88, 0xb5]);
    let mut wrong_version = packet("10.0.0.7", "10.1.0.7");
    wrong_version[14] = 0x65;
    let cut = packet("10.0.0.7", "10.1.0.7")[..33].to_vec();
    for mut frame in [tagged, other, wrong_version, cut, vec![8; 5]] {
        for origin in [Origin::Device, Origin::Udp(net.a)] {
            assert!(net.forward(&mut frame, origin).is_nothing());
        }
    }
}

/// A SYN that offers an MSS of 1460, from one numbered subnet to another.
fn syn(from: u8, to: u8) -> [Vec<u8>; 2] {
    both(from, to, 100, 64).map(|mut frame| {
        let (protocol, tcp) = if frame[12] == 8 { (23, 34) } else { (20, 54) };
        frame[protocol] = 6;
        frame[tcp + 12] = 6 << 4;
        frame[tcp + 13] = 2;
        frame[tcp + 20..tcp + 24].copy_from_slice(&[2, 4, 0x05, 0xb4]);
        frame
    })
}

#[test]
fn what_tcp_offers_is_clamped_to_both_halves_of_the_way() {
    let mut net = Net::new(Policy::default());
    net.forwarding.options = Options::CLAMP_MSS;
    for (peer, mtu) in [(net.a, 1451), (net.b, 1300)] {
        let mut path = net.forwarding.peer(peer).unwrap().clone();
        path.mtu = mtu;
        path.options = path.options.with(Options::CLAMP_MSS);
        net.forwarding.peers.insert(peer, Arc::new(path));
    }
    let mss = |frame: &[u8]| {
        let tcp = if frame[12] == 8 { 34 } else { 54 };
        let room = u16::try_from(tcp + 20).unwrap();
        room + u16::from_be_bytes([frame[tcp + 22], frame[tcp + 23]])
    };
    for (from, to, origin, mtu) in [
        (0, 1, Origin::Device, 1451),
        (0, 2, Origin::Device, 1300),
        (1, 2, Origin::Udp(net.a), 1300),
        (2, 1, Origin::Udp(net.b), 1300),
    ] {
        for mut frame in syn(from, to) {
            let outcome = net.forward(&mut frame, origin);
            assert_eq!(mss(&outcome.sent[0].1), mtu, "{from} to {to}");
        }
    }
    for mut frame in syn(2, 0) {
        assert!(net.forward(&mut frame, Origin::Udp(net.b)).for_device);
        assert_eq!(mss(&frame), 1300);
    }
}

/// An ARP request of `02:00:00:00:00:0a` for an address.
fn who_has(target: [u8; 4]) -> Vec<u8> {
    let asker = [2, 0, 0, 0, 0, 0x0a];
    let mut frame = [
        &[0xff; 6][..],
        &asker,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &asker,
    ]
    .concat();
    frame.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    frame.extend(target);
    frame
}

#[test]
fn the_device_is_answered_for_addresses_of_others_only() {
    let net = Net::new(Policy::default());
    for (target, answered) in [
        ([10, 1, 0, 7], true),
        ([10, 4, 0, 7], true),
        ([10, 0, 0, 7], false),
        ([10, 9, 0, 7], false),
    ] {
        let outcome = net.forward(&mut who_has(target), Origin::Device);
        assert!(outcome.sent.is_empty() && !outcome.for_device);
        let answers: Vec<_> = outcome.to_device.iter().map(|frame| &frame[..12]).collect();
        let wanted = [2, 0, 0, 0, 0, 0x0a, 2, 0, 0, 0, 0, 0xf5];
        assert_eq!(
            answers,
            vec![&wanted[..]; usize::from(answered)],
            "{target:?}"
        );
        // Another node's link is not ours.
        let outcome = net.forward(&mut who_has(target), Origin::Udp(net.b));
        assert!(outcome.is_nothing());
    }
}

#[test]
fn what_is_delivered_is_addressed_to_the_station_that_asked() {
    let net = Net::new(Policy::default());
    let mut frame = packet("10.1.0.7", "10.0.0.7");
    assert!(net.forward(&mut frame, Origin::Udp(net.a)).for_device);
    assert_eq!(frame[..6], [0xfe, 0xfd, 0, 0, 0, 0]);
    net.forward(&mut who_has([10, 1, 0, 7]), Origin::Device);
    let mut frame = packet("10.1.0.7", "10.0.0.7");
    assert!(net.forward(&mut frame, Origin::Udp(net.a)).for_device);
    assert_eq!(frame[..6], [2, 0, 0, 0, 0, 0x0a]);
}

#[test]
fn a_flood_of_refusals_is_bounded() {
    let net = Net::new(Policy::default());
    let (mut forwarder, mut egress) = (Forwarder::default(), Egress::default());
    let now = Instant::now();
    for _ in 0..1000 {
        let mut frame = packet("10.0.0.7", "10.9.0.7");
        forwarder.forward(
            &mut frame,
            Origin::Device,
            &net.forwarding,
            now,
            &mut egress,
        );
    }
    assert_eq!(egress.device_frames().count(), 50);
    assert_eq!(net.me, net.forwarding.me);
}
