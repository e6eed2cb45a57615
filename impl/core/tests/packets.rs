//! Datagrams that were damaged, forged or sent again, and what a node takes them for: nothing.

mod support;

use std::time::Duration;

use support::{Mesh, frame};
use v6router_core::node::Settings;

const MINUTE: Duration = Duration::from_secs(60);

/// A pair between whose devices frames go by UDP.
fn proven_pair(settings: fn(&mut Settings)) -> Mesh {
    let nodes: [(&str, &[&str]); 2] = [("pi", &["server"]), ("server", &[])];
    let mut mesh = Mesh::with(1, &nodes, settings);
    let proven = |mesh: &Mesh| mesh.proven("pi") >= 1400 && mesh.proven("server") >= 1400;
    assert!(mesh.run(MINUTE, proven));
    // What is under way arrives before anything is counted.
    mesh.run(Duration::from_secs(1), |_| false);
    mesh
}

/// A datagram for the server that carries this payload and has not arrived.
fn sealed(mesh: &mut Mesh, payload: &[u8]) -> Vec<u8> {
    let mut datagrams = mesh.sealed(0, &frame(2, 1, payload));
    assert_eq!(datagrams.len(), 1);
    datagrams.remove(0)
}

/// How often the device of the server got this payload.
fn deliveries(mesh: &Mesh, payload: &[u8]) -> usize {
    let frames = mesh.members[1].device.iter();
    frames.filter(|got| got.ends_with(payload)).count()
}

#[test]
fn of_a_thousand_good_packets_with_every_bit_flipped_none_is_accepted() {
    let mut mesh = proven_pair(|_| {});
    let from = mesh.members[0].address;
    let long = [200, 600, 1200].map(|len| vec![0x5a; len]);
    let short = (0..997).map(|number: usize| vec![0x5a; number % 48]);
    for payload in short.chain(long) {
        let mut datagram = sealed(&mut mesh, &payload);
        for bit in 0..datagram.len() * 8 {
            datagram[bit / 8] ^= 1 << (bit % 8);
            mesh.datagram_arrives(1, from, &datagram);
            datagram[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(mesh.members[1].device.is_empty(), "{} bytes", payload.len());
        // It was a good one, and the damaged copies have not used its number up.
        mesh.datagram_arrives(1, from, &datagram);
        assert_eq!(mesh.members[1].device.len(), 1);
        mesh.members[1].device.clear();
    }
}

#[test]
fn cut_and_lengthened_packets_are_not_accepted() {
    let mut mesh = proven_pair(|_| {});
    let from = mesh.members[0].address;
    let datagram = sealed(&mut mesh, b"whole");
    for len in 0..datagram.len() {
        mesh.datagram_arrives(1, from, &datagram[..len]);
    }
    for more in 1..100 {
        let longer = [datagram.clone(), vec![0; more]].concat();
        mesh.datagram_arrives(1, from, &longer);
    }
    assert!(mesh.members[1].device.is_empty());
    mesh.datagram_arrives(1, from, &datagram);
    assert_eq!(deliveries(&mesh, b"whole"), 1);
}

/// Seals more packets than a window covers, delivers the newest first and then all others, each
/// twice. Says how often each was delivered, the newest last.
fn replayed(settings: fn(&mut Settings), count: u32) -> Vec<usize> {
    let mut mesh = proven_pair(settings);
    let from = mesh.members[0].address;
    let packets: Vec<_> = (0..count)
        .map(|number| {
            let payload = number.to_be_bytes();
            (payload, sealed(&mut mesh, &payload))
        })
        .collect();
    // Every other one from the front, so that the window slides and leaves gaps.
    for (_, datagram) in packets.iter().step_by(2) {
        mesh.datagram_arrives(1, from, datagram);
    }
    for (_, datagram) in packets.iter().rev().chain(&packets) {
        mesh.datagram_arrives(1, from, datagram);
        mesh.datagram_arrives(1, from, datagram);
    }
    let times = packets
        .iter()
        .map(|(payload, _)| deliveries(&mesh, payload));
    times.collect()
}

#[test]
fn replays_at_the_edges_of_the_window_are_not_delivered_twice() {
    for (settings, window) in [
        ((|s| s.replay_window = 1) as fn(&mut Settings), 8),
        (|s| s.replay_window = 16, 128),
        (|s| s.replay_window = 64, 512),
    ] {
        let count = window + 40;
        // Even numbers were taken as they came; the last of them is the highest.
        let highest = (count - 1) / 2 * 2;
        let times = replayed(settings, count);
        for (number, times) in (0..count).zip(times) {
            // The odd ones came late: those that the window covers are taken, once.
            let covered = number % 2 == 0 || number > highest || is_covered(number, count, window);
            assert_eq!(
                times,
                usize::from(covered),
                "{number} in a window of {window}"
            );
        }
    }
}

/// Whether a late number is within the window below the highest one, which is the last.
fn is_covered(number: u32, count: u32, window: u32) -> bool {
    count - 1 - number < window
}

/// `ReplayWindow = 0` asks for no check, and there is none: whoever sets it gets replays.
#[test]
fn without_a_window_every_replay_is_delivered() {
    let times = replayed(|settings| settings.replay_window = 0, 20);
    let even = |number: usize| usize::from(number.is_multiple_of(2));
    let expected: Vec<_> = (0..20).map(|number| 4 + even(number)).collect();
    assert_eq!(times, expected);
}
