//! Promises of whole nodes to one another, kept in a mesh in memory.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use support::{Mesh, broadcast, frame};
use v6router_core::crypto::algorithm::{Digest, PacketCipher, PacketSpec};
use v6router_core::node::{Input, Order, Script, Settings};

const MINUTE: Duration = Duration::from_secs(60);

fn pair() -> Mesh {
    let mut mesh = Mesh::new(1, &[("pi", &["server"]), ("server", &[])]);
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh
}

/// A pair whose UDP path is proven for whole Ethernet frames of a 1,500-byte path.
fn proven_pair() -> Mesh {
    let mut mesh = pair();
    assert!(mesh.run(MINUTE, |mesh| mesh.proven("pi") >= 1400
        && mesh.proven("server") >= 1400));
    mesh
}

#[test]
fn two_nodes_connect_within_a_few_round_trips() {
    let mut mesh = Mesh::new(1, &[("server", &[]), ("pi", &["server"])]);
    assert!(mesh.run(Duration::from_millis(200), Mesh::converged));
}

#[test]
fn frames_flow_at_once_although_udp_is_not_proven() {
    let mut mesh = pair();
    mesh.udp = false;
    mesh.device_sends(0, &broadcast(1, b"hello"));
    assert!(mesh.run(MINUTE, |mesh| mesh.members[1].device.len() == 1));
    assert_eq!(mesh.members[1].device[0], broadcast(1, b"hello"));
}

#[test]
fn proven_udp_carries_frames_both_ways() {
    let mut mesh = proven_pair();
    let sent = mesh.members[0].datagrams_sent;
    mesh.device_sends(0, &broadcast(1, b"hello"));
    assert_eq!(mesh.members[0].datagrams_sent, sent + 1);
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
    mesh.device_sends(1, &frame(1, 2, b"hello yourself"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[0].device.is_empty()));
    assert_eq!(mesh.members[0].device[0], frame(1, 2, b"hello yourself"));
}

/// What compression saves on a probe says nothing of the frames after it: even one that does not
/// compress at all fits where its length was proven.
#[test]
fn a_compressed_path_is_proven_for_frames_that_do_not_compress() {
    fn spec(level: i32) -> PacketSpec {
        let default = PacketSpec::default();
        PacketSpec::new(default.cipher(), default.digest(), 4, level).unwrap()
    }
    let settings: [fn(&mut Settings); 3] = [
        |settings| settings.packet = spec(1),
        |settings| settings.packet = spec(9),
        |settings| settings.packet = spec(11),
    ];
    for settings in settings {
        let mut mesh = Mesh::with(1, &[("pi", &["server"]), ("server", &[])], settings);
        mesh.run(Duration::from_secs(20), |_| false);
        let proven = usize::from(mesh.proven("pi"));
        assert!((1400..1451).contains(&proven), "{proven}");
        let mut payload = vec![0; proven - 14];
        mesh.rng.fill_bytes(&mut payload);
        let sent = mesh.members[0].datagrams_sent;
        mesh.device_sends(0, &broadcast(1, &payload));
        assert_eq!(mesh.members[0].datagrams_sent, sent + 1);
        assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
        assert_eq!(mesh.members[1].device[0], broadcast(1, &payload));
    }
}

/// A peer cannot choose for us that anybody may read what we send; the meta connection is
/// encrypted and carries it. Where our own operator wants it too, it is done.
#[test]
fn packets_go_in_clear_only_where_both_ends_are_set_up_for_it() {
    fn plain() -> PacketSpec {
        PacketSpec::new(PacketCipher::None, Digest::None, 0, 0).unwrap()
    }
    let nodes: [(&str, &[&str]); 2] = [("pi", &["server"]), ("server", &[])];
    let mut mesh = Mesh::with(1, &nodes, |settings| {
        if settings.name.as_str() == "server" {
            settings.packet = plain();
        }
    });
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.device_sends(0, &broadcast(1, b"a secret"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
    mesh.run(MINUTE, |_| false);
    assert_eq!(mesh.members[0].datagrams_sent, 0);

    let mut mesh = Mesh::with(1, &nodes, |settings| settings.packet = plain());
    assert!(mesh.run(MINUTE, |mesh| mesh.proven("pi") >= 1400));
    mesh.device_sends(0, &broadcast(1, b"no secret"));
    let carries = |(_, _, bytes): &(_, _, Vec<u8>)| bytes.ends_with(b"no secret");
    assert!(mesh.run(MINUTE, |mesh| mesh.wiretap.iter().any(carries)));
}

#[test]
fn silence_of_udp_falls_back_to_tcp_and_comes_back() {
    let mut mesh = proven_pair();
    mesh.udp = false;
    assert!(mesh.run(3 * MINUTE, |mesh| mesh.proven("pi") == 0));
    mesh.device_sends(0, &broadcast(1, b"by tcp"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
    mesh.udp = true;
    assert!(mesh.run(3 * MINUTE, |mesh| mesh.proven("pi") >= 1400));
}

/// Lets a node's device send a frame of `len` bytes ten times a second, for at most `limit` or until
/// `done`; how long that took.
fn traffic(mesh: &mut Mesh, len: usize, limit: Duration, done: impl Fn(&Mesh) -> bool) -> Duration {
    let start = mesh.now;
    while !done(mesh) && mesh.now - start < limit {
        mesh.device_sends(0, &broadcast(1, &vec![7; len - 14]));
        mesh.run(Duration::from_millis(100), |_| false);
    }
    mesh.now - start
}

#[test]
fn a_black_hole_under_traffic_is_left_within_seconds() {
    let mut mesh = proven_pair();
    traffic(&mut mesh, 200, Duration::from_secs(5), |_| false);
    assert_eq!(mesh.members[1].device.len(), 50, "nothing was lost before");
    mesh.udp = false;
    let took = traffic(&mut mesh, 200, MINUTE, |mesh| mesh.proven("pi") == 0);
    assert!(took < Duration::from_secs(4), "{took:?}");
    let before = mesh.members[1].device.len();
    traffic(&mut mesh, 200, Duration::from_secs(10), |_| false);
    assert_eq!(mesh.members[1].device.len(), before + 100, "all by TCP");
    mesh.udp = true;
    let back = traffic(&mut mesh, 200, MINUTE, |mesh| mesh.proven("pi") >= 1400);
    assert!(back < Duration::from_secs(25), "{back:?}");
}

#[test]
fn a_path_that_shrinks_in_silence_carries_long_frames_again_within_seconds() {
    let mut mesh = proven_pair();
    traffic(&mut mesh, 1400, Duration::from_secs(3), |_| false);
    mesh.path_mtu = 1280 - 28;
    let took = traffic(&mut mesh, 1400, MINUTE, |mesh| mesh.proven("pi") < 1280);
    assert!(took < Duration::from_secs(4), "{took:?}");
    let before = mesh.members[1].device.len();
    traffic(&mut mesh, 1400, Duration::from_secs(3), |_| false);
    assert_eq!(mesh.members[1].device.len(), before + 30);
    assert!(mesh.proven("pi") >= 1200, "short ones go by UDP");
}

#[test]
fn watching_costs_little_under_traffic_and_nothing_when_idle() {
    let mut mesh = proven_pair();
    let sent = |mesh: &mut Mesh| std::mem::take(&mut mesh.members[0].datagrams_sent);
    mesh.run(Duration::from_secs(5), |_| false);
    sent(&mut mesh);
    mesh.run(Duration::from_secs(30), |_| false);
    assert_eq!(sent(&mut mesh), 0, "idle");
    traffic(&mut mesh, 200, Duration::from_secs(10), |_| false);
    let count = sent(&mut mesh);
    assert!((101..=111).contains(&count), "{count} for 100 frames");
    mesh.run(Duration::from_secs(2), |_| false);
    sent(&mut mesh);
    mesh.run(Duration::from_secs(8), |_| false);
    assert_eq!(sent(&mut mesh), 0, "idle again");
}

#[test]
fn a_broadcast_reaches_every_node_exactly_once() {
    let nodes: [(&str, &[&str]); 5] = [
        ("a", &["b", "c"]),
        ("b", &["c"]),
        ("c", &["d"]),
        ("d", &["a", "e"]),
        ("e", &[]),
    ];
    let mut mesh = Mesh::new(2, &nodes);
    assert!(mesh.run(MINUTE, Mesh::converged));
    // Everybody reaches everybody before everybody knows every edge, and with it the tree.
    mesh.run(Duration::from_secs(1), |_| false);
    for from in 0..5 {
        mesh.device_sends(from, &broadcast(1, &[u8::try_from(from).unwrap()]));
        mesh.run(Duration::from_secs(1), |_| false);
        for (index, member) in mesh.members.iter_mut().enumerate() {
            let got = std::mem::take(&mut member.device).len();
            assert_eq!(got, usize::from(index != from), "{from} to {index}");
        }
    }
}

#[test]
fn a_learned_address_is_sent_to_its_owner_only() {
    let mut mesh = Mesh::new(3, &[("a", &["hub"]), ("b", &["hub"]), ("hub", &[])]);
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.device_sends(0, &broadcast(1, b"here I am"));
    mesh.run(Duration::from_secs(1), |_| false);
    for member in &mut mesh.members {
        member.device.clear();
    }
    mesh.device_sends(1, &frame(1, 2, b"to a"));
    mesh.run(Duration::from_secs(1), |_| false);
    assert_eq!(mesh.members[0].device, [frame(1, 2, b"to a")]);
    assert!(mesh.members[2].device.is_empty());
}

#[test]
fn a_leaf_reaches_a_leaf_directly_by_udp() {
    let mut mesh = Mesh::new(3, &[("a", &["hub"]), ("b", &["hub"]), ("hub", &[])]);
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.device_sends(0, &broadcast(1, b"here I am"));
    mesh.run(Duration::from_secs(1), |_| false);
    mesh.device_sends(1, &frame(1, 2, b"first"));
    assert!(mesh.run(MINUTE, |mesh| mesh.proven("b") >= 1400));
    let relayed = mesh.members[2].datagrams_sent;
    mesh.members[0].device.clear();
    mesh.device_sends(1, &frame(1, 2, b"direct"));
    assert!(mesh.run(Duration::from_millis(6), |mesh| {
        mesh.members[0].device == [frame(1, 2, b"direct")]
    }));
    assert_eq!(mesh.members[2].datagrams_sent, relayed);
}

#[test]
fn leaves_behind_nats_find_each_other_although_they_asked_before_the_hub_knew_where_they_are() {
    let mut mesh = Mesh::new(3, &[("a", &["hub"]), ("b", &["hub"]), ("hub", &[])]);
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.udp = false;
    // Their NATs take other ports, which none but the hub can see.
    mesh.members[0].address.set_port(40_000);
    mesh.members[1].address.set_port(40_001);
    mesh.device_sends(0, &broadcast(1, b"here I am"));
    mesh.run(Duration::from_secs(1), |_| false);
    mesh.device_sends(1, &frame(1, 2, b"to a"));
    mesh.device_sends(1, &broadcast(2, b"here I am"));
    mesh.run(Duration::from_secs(1), |_| false);
    mesh.device_sends(0, &frame(2, 1, b"to b"));
    mesh.run(Duration::from_millis(500), |_| false);
    mesh.udp = true;
    let both = |mesh: &Mesh| mesh.proven("a") >= 1400 && mesh.proven("b") >= 1400;
    assert!(mesh.run(Duration::from_secs(10), both));
}

#[test]
fn leaves_on_one_network_find_each_other_there_if_they_look() {
    for look in [true, false] {
        let settings: fn(&mut Settings) = if look {
            |settings| settings.local_discovery = true
        } else {
            |_| {}
        };
        let nodes: [(&str, &[&str]); 3] = [("a", &["hub"]), ("b", &["hub"]), ("hub", &[])];
        let mut mesh = Mesh::with(3, &nodes, settings);
        mesh.one_lan = true;
        mesh.cut(0, 1);
        assert!(mesh.run(MINUTE, Mesh::converged));
        mesh.device_sends(0, &broadcast(1, b"here I am"));
        mesh.run(Duration::from_secs(1), |_| false);
        mesh.device_sends(1, &frame(1, 2, b"first"));
        let found = mesh.run(Duration::from_secs(10), |mesh| mesh.proven("b") >= 1400);
        assert_eq!(found, look);
    }
}

#[test]
fn a_moved_station_is_followed() {
    let mut mesh = Mesh::new(3, &[("a", &["hub"]), ("b", &["hub"]), ("hub", &[])]);
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.device_sends(0, &broadcast(9, b"at a"));
    mesh.run(Duration::from_secs(1), |_| false);
    mesh.device_sends(1, &broadcast(9, b"at b"));
    mesh.run(Duration::from_secs(1), |_| false);
    mesh.members[1].device.clear();
    mesh.device_sends(2, &frame(9, 3, b"where are you"));
    mesh.run(Duration::from_secs(1), |_| false);
    assert_eq!(mesh.members[1].device, [frame(9, 3, b"where are you")]);
}

#[test]
fn a_killed_server_is_found_again_within_seconds() {
    let mut mesh = proven_pair();
    mesh.kill(1);
    mesh.run(Duration::from_millis(100), |_| false);
    mesh.start(1);
    assert!(mesh.run(Duration::from_secs(2), Mesh::converged));
}

#[test]
fn a_killed_pi_is_back_at_once() {
    let mut mesh = proven_pair();
    mesh.kill(0);
    mesh.start(0);
    assert!(mesh.run(Duration::from_millis(300), Mesh::converged));
    mesh.device_sends(0, &broadcast(1, b"back"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
}

#[test]
fn key_renewal_loses_no_packet() {
    let mut mesh = Mesh::with(4, &[("pi", &["server"]), ("server", &[])], |settings| {
        settings.key_expire = Duration::from_secs(10);
    });
    assert!(mesh.run(MINUTE, |mesh| mesh.proven("pi") >= 1400));
    let count = 12_000_u32;
    for number in 0..count {
        mesh.device_sends(0, &broadcast(1, &number.to_be_bytes()));
        mesh.run(Duration::from_millis(10), |_| false);
    }
    mesh.run(Duration::from_secs(1), |_| false);
    let mut got = mesh.members[1].device.clone();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), usize::try_from(count).unwrap());
}

#[test]
fn a_replayed_packet_from_elsewhere_redirects_nothing() {
    let mut mesh = proven_pair();
    mesh.device_sends(0, &broadcast(1, b"once"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
    let (_, _, recorded) = mesh.wiretap.last().cloned().unwrap();
    let thief = SocketAddr::from(([192, 0, 2, 66], 655));
    mesh.datagram_arrives(1, thief, &recorded);
    assert_eq!(mesh.members[1].device.len(), 1);
    mesh.members[0].device.clear();
    mesh.device_sends(1, &broadcast(2, b"answer"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[0].device.is_empty()));
}

#[test]
fn a_new_address_is_learned_from_a_fresh_packet() {
    let mut mesh = proven_pair();
    // The NAT moves the Pi to another port.
    let moved = SocketAddr::from(([10, 0, 0, 77], 1024));
    mesh.members[0].address = moved;
    mesh.device_sends(0, &broadcast(1, b"from a new port"));
    assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
    mesh.device_sends(1, &broadcast(2, b"there you are"));
    mesh.run(Duration::from_secs(1), |_| false);
    assert!(mesh.wiretap.iter().any(|(_, to, _)| *to == moved));
}

#[test]
fn scripts_run_in_the_order_of_tinc() {
    let mut mesh = Mesh::with(5, &[("pi", &["server"]), ("server", &[])], |settings| {
        settings.subnets = vec!["10.1.0.0/16".parse().unwrap()];
    });
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.tell(0, Input::Order(Order::Shutdown));
    let told: Vec<_> = mesh.members[0]
        .scripts
        .iter()
        .map(|script| match script {
            Script::Host { up, node, .. } => format!("host {node} {up}"),
            Script::Subnet { up, node, .. } => format!("subnet {node} {up}"),
        })
        .collect();
    let expected = [
        "subnet pi true",
        "host server true",
        "subnet server true",
        "host server false",
        "subnet server false",
        "subnet pi false",
    ];
    assert_eq!(told, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever is killed, stopped and started, in whatever order: the mesh comes together.
    #[test]
    fn a_mesh_converges_after_any_restarts(seed: u64) {
        let nodes: [(&str, &[&str]); 8] = [
            ("a", &["b", "c"]),
            ("b", &["a", "c"]),
            ("c", &["a"]),
            ("d", &["a", "b"]),
            ("e", &["c"]),
            ("f", &["d", "a"]),
            ("g", &["f", "b"]),
            ("h", &["a"]),
        ];
        let mut mesh = Mesh::new(seed, &nodes);
        for _ in 0..20 {
            let victim = mesh.below(nodes.len());
            if mesh.members[victim].node.is_some() {
                if mesh.below(2) == 0 { mesh.kill(victim) } else { mesh.stop(victim) }
            }
            let pause = u64::try_from(mesh.below(3000)).unwrap();
            mesh.run(Duration::from_millis(pause), |_| false);
            if mesh.members[victim].node.is_none() {
                mesh.start(victim);
            }
        }
        prop_assert!(mesh.run(2 * MINUTE, Mesh::converged), "seed {seed}");
    }

    /// Rubbish on the UDP port and damaged packets change nothing and disturb nobody.
    #[test]
    fn damaged_datagrams_have_no_effect(seed: u64, flip in 0_usize..12_000) {
        let mut mesh = proven_pair();
        mesh.device_sends(0, &broadcast(1, b"intact"));
        assert!(mesh.run(MINUTE, |mesh| !mesh.members[1].device.is_empty()));
        let (from, _, mut bytes) = mesh.wiretap.last().cloned().unwrap();
        let bit = flip % (8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        mesh.datagram_arrives(1, from, &bytes);
        mesh.datagram_arrives(1, from, &seed.to_be_bytes());
        mesh.datagram_arrives(1, from, &[]);
        prop_assert_eq!(mesh.members[1].device.len(), 1);
        mesh.device_sends(0, &broadcast(1, b"still fine"));
        prop_assert!(mesh.run(MINUTE, |mesh| mesh.members[1].device.len() == 2));
    }
}
