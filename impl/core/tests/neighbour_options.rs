//! What the settings of one node, or what a host file says of one neighbour, change for the others.

mod cuts;
mod ends;
mod siege;
mod support;

use std::sync::Arc;
use std::time::Duration;

use siege::{Siege, edges};
use support::{Mesh, broadcast, frame};
use v6router_core::dataplane::Up;
use v6router_core::meta::Event;
use v6router_core::node::{Input, Order, Output, Settings};
use v6router_core::options::Options;

const MINUTE: Duration = Duration::from_secs(60);

/// Two leaves of a hub that know of each other, and UDP proven as far as it is looked for.
fn star(settings: fn(&mut Settings)) -> Mesh {
    let nodes: [(&str, &[&str]); 3] = [("a", &["hub"]), ("b", &["hub"]), ("hub", &[])];
    let mut mesh = Mesh::with(3, &nodes, settings);
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.device_sends(0, &broadcast(1, b"here I am"));
    mesh.run(Duration::from_secs(1), |_| false);
    mesh.device_sends(1, &frame(1, 2, b"first"));
    mesh.run(MINUTE, |_| false);
    mesh
}

/// Datagrams that the leaves exchange without the hub, and whether what b's device sends reaches a's.
fn exchange(mesh: &mut Mesh) -> (usize, bool) {
    let leaves = [mesh.members[0].address, mesh.members[1].address];
    let said = frame(1, 2, b"to a");
    mesh.wiretap.clear();
    mesh.members[0].device.clear();
    mesh.device_sends(1, &said);
    let arrived = mesh.run(MINUTE, |mesh| mesh.members[0].device.contains(&said));
    let taps = mesh.wiretap.iter();
    let direct = taps.filter(|(from, to, _)| leaves.contains(from) && leaves.contains(to));
    (direct.count(), arrived)
}

#[test]
fn nobody_but_its_neighbours_sends_directly_to_a_node_with_indirect_data() {
    let mut mesh = star(|_| {});
    let (direct, arrived) = exchange(&mut mesh);
    assert!(direct > 0 && arrived);
    let mut mesh = star(|settings| {
        if settings.name.as_str() == "a" {
            settings.options = settings.options.with(Options::INDIRECT);
        }
    });
    let a = mesh.members[0].address;
    let b = mesh.members[1].address;
    let to_a = |mesh: &Mesh| {
        let taps = mesh.wiretap.iter();
        taps.filter(|(from, to, _)| (*from, *to) == (b, a)).count()
    };
    assert_eq!(to_a(&mesh), 0, "not even to look whether UDP passes");
    let (_, arrived) = exchange(&mut mesh);
    assert!(arrived);
    assert_eq!(to_a(&mesh), 0);
    let hub = mesh.members[2].address;
    let relayed = |(from, to, _): &_| (*from, *to) == (hub, a);
    assert!(mesh.wiretap.iter().any(relayed));
}

/// What a node told its neighbour first, and the weight it then gave the edge to her.
fn weights(of_host_file: Option<i32>) -> (i32, i32) {
    let siege = Siege::weighed(Options(0xc), of_host_file);
    let active = |event: &Event| match event {
        Event::Active { ack, .. } => Some(ack.weight),
        _ => None,
    };
    let told = siege.mallory.events.iter().find_map(active).unwrap();
    let mesh = siege.node.dump_mesh();
    let edge = |line: &&String| line.starts_with(" alice to mallory ");
    let edge = mesh.iter().find(edge).unwrap();
    let (_, weight) = edge.rsplit_once(' ').unwrap();
    (told, weight.parse().unwrap())
}

/// An edge weighs the mean of what both ends say.
#[test]
fn the_weight_of_a_host_file_is_told_in_place_of_the_measured_one() {
    let (measured, _) = weights(None);
    assert_ne!(measured, 2000);
    let (told, light) = weights(Some(2000));
    assert_eq!(told, 2000);
    let (told, heavy) = weights(Some(4000));
    assert_eq!(told, 4000);
    assert_eq!(heavy - light, 1000);
}

/// Of a thousand packets by TCP, how many are written while so many bytes wait already.
fn written(waiting: usize, most: usize) -> usize {
    let mut siege = Siege::with(Options(0xc), |settings| settings.max_output_buffer = most);
    siege.say(&edges("far", "192.0.2.7"));
    let picture = siege.outputs.iter().rev().find_map(|output| match output {
        Output::Publish(picture) => Some(Arc::clone(picture)),
        _ => None,
    });
    let peers = &picture.unwrap().peers;
    let neighbour = peers.iter().next().unwrap().1.nexthop;
    siege.backlog.add(waiting);
    for _ in 0..1000 {
        let frame = frame(1, 2, b"by TCP");
        siege.tell(Input::Up(Up::Frame { neighbour, frame }));
    }
    let events = siege.mallory.events.iter();
    events
        .filter(|event| matches!(event, Event::Packet(_)))
        .count()
}

#[test]
fn the_fuller_the_output_buffer_the_more_packets_are_dropped() {
    const MOST: usize = 10_000;
    assert_eq!(written(MOST / 2, MOST), 1000);
    let some = written(MOST * 3 / 4, MOST);
    assert!((400..600).contains(&some), "{some}");
    assert_eq!(written(MOST, MOST), 0);
    assert_eq!(written(MOST, 2 * MOST), 1000, "the limit is what was set");
}

#[test]
fn a_path_is_proven_anew_at_once_when_a_connection_is_made_over_it() {
    let mut mesh = star(|_| {});
    let b = mesh.members[1].address;
    let is_proven = |mesh: &Mesh| {
        let picture = mesh.members[0].node.as_ref().unwrap().forwarding();
        let mut at_b = picture.peers.iter().map(|(_, path)| path);
        at_b.any(|path| path.min_mtu > 0 && path.udp.is_some_and(|udp| udp.address == b))
    };
    assert!(is_proven(&mesh));
    let reload = Order::Reload {
        connect_to: vec!["hub".parse().unwrap(), "b".parse().unwrap()],
        drop: Vec::new(),
    };
    mesh.tell(0, Input::Order(reload));
    assert!(mesh.run(MINUTE, |mesh| !is_proven(mesh)));
    assert!(mesh.run(Duration::from_secs(2), is_proven));
}
