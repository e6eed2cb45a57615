//! A router's border in a whole mesh: two sites that a server gave addresses to.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

mod support;

use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use support::Mesh;
use v6router_core::node::{Input, Order};
use v6router_core::router::BorderRules;

const SERVER: &str = "2001:db8:85a3:ef00::1";
const ONE: &str = "2001:db8:85a3:ef00::11";
const LAN_TWO: &str = "2001:db8:85a3:ef12::100";

fn rules() -> BorderRules {
    let owner = |name: &str, prefix: &str| (name.parse().unwrap(), prefix.parse().unwrap());
    BorderRules {
        pool: vec!["2001:db8:85a3:ef00::/56".parse().unwrap()],
        owners: vec![
            owner("server", "2001:db8:85a3:ef00::1/128"),
            owner("one", "2001:db8:85a3:ef00::11/128"),
            owner("two", "2001:db8:85a3:ef12::/64"),
        ],
        sites: vec!["one".parse().unwrap(), "two".parse().unwrap()],
        own: vec![SERVER.parse().unwrap()],
    }
}

/// A frame to all nodes with an ICMPv6 message of that type.
fn frame(from: u8, source: &str, kind: u8) -> Vec<u8> {
    let source: Ipv6Addr = source.parse().unwrap();
    let link = [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, from, 0x86, 0xdd];
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let fixed = [0x60, 0, 0, 0, 0, 24, 58, 255];
    let message = [&[kind][..], &[0; 23]].concat();
    [
        &link[..],
        &fixed,
        &source.octets(),
        &all_nodes.octets(),
        &message,
    ]
    .concat()
}

#[test]
fn the_rules_hold_by_udp_and_tcp_and_until_they_are_taken_back() {
    for udp in [true, false] {
        let nodes: [(&str, &[&str]); 3] =
            [("one", &["server"]), ("server", &[]), ("two", &["server"])];
        let mut mesh = Mesh::new(1, &nodes);
        mesh.udp = udp;
        assert!(mesh.run(Duration::from_secs(60), Mesh::converged));
        mesh.tell(1, Input::Order(Order::SetBorder(Some(rules()))));
        let arrived = |mesh: &mut Mesh, from: usize, source: &str, kind: u8| {
            let before = mesh.members[1].device.len();
            mesh.device_sends(from, &frame(u8::try_from(from).unwrap(), source, kind));
            mesh.run(Duration::from_secs(1), |_| false);
            mesh.members[1].device.len() > before
        };
        // The second time there is a key, and a path that is proven.
        for _ in 0..2 {
            assert!(arrived(&mut mesh, 0, ONE, 128));
            assert!(arrived(&mut mesh, 2, LAN_TWO, 128));
            assert!(!arrived(&mut mesh, 0, LAN_TWO, 128));
            assert!(!arrived(&mut mesh, 2, SERVER, 128));
            assert!(!arrived(&mut mesh, 0, "fe80::1", 134));
        }
        let picture = mesh.members[1].picture().unwrap();
        let counts = picture.border.as_ref().unwrap().counts();
        assert_eq!(counts.sources.load(Ordering::Relaxed), 4);
        assert_eq!(counts.advertisements.load(Ordering::Relaxed), 2);
        mesh.tell(1, Input::Order(Order::SetBorder(None)));
        assert!(arrived(&mut mesh, 0, LAN_TWO, 128));
        assert!(arrived(&mut mesh, 0, "fe80::1", 134));
    }
}
