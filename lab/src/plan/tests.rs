//! What a plan promises.

use std::collections::HashSet;
use std::path::Path;

use super::*;

pub(super) fn plan(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(name)
        .with_extension("toml");
    Plan::new(&Scenario::load(&path).unwrap())
}

fn addresses(plan: &Plan, node: &str, interface: &str) -> Vec<String> {
    let node = plan.node(node).unwrap();
    let interface = node
        .interfaces
        .iter()
        .find(|found| found.name == interface)
        .unwrap();
    interface
        .addresses
        .iter()
        .map(|address| address.net.to_string())
        .collect()
}

fn routes(plan: &Plan, node: &str) -> Vec<String> {
    let text = plan.node(node).unwrap().to_string();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("route "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_rules_of_a_venue_are_drawn() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/how-to.toml");
    let how_to = || Scenario::load(&path).unwrap();
    let drawn = |like| Plan::new(&how_to().with_venue_like("cafe", like).unwrap()).drawing();
    let hotel = drawn("hotel-portal");
    assert!(
        hotel.contains("; wall flow-limit, wall portal, isolation\n"),
        "{hotel}"
    );
    let proxy = drawn("proxy-only");
    assert!(
        proxy.contains("; wall no-way-out, proxy 192.168.1.1:3128\n"),
        "{proxy}"
    );
}

#[test]
fn the_same_scenario_gives_the_same_plan() {
    assert_eq!(plan("five-pis").to_string(), plan("five-pis").to_string());
}

#[test]
fn the_how_to_has_the_addresses_of_its_text() {
    let plan = plan("how-to");
    assert_eq!(
        addresses(&plan, "v6router", "eth0"),
        ["198.51.100.10/24", "2001:db8:85a3:a1a1::1/64"]
    );
    assert_eq!(addresses(&plan, "www", "eth0"), ["2001:db8:ffff::42/64"]);
    assert_eq!(addresses(&plan, "cafe", "wan0"), ["203.0.113.50/24"]);
    assert_eq!(addresses(&plan, "cafe", "lan0"), ["192.168.1.1/24"]);
    assert_eq!(
        addresses(&plan, "node_one", "eth0"),
        ["192.168.1.100/24", "192.168.1.6/24"]
    );
    assert_eq!(
        addresses(&plan, "laptop", "eth0"),
        ["2001:db8:85a3:ef11::100/64"]
    );
    assert_eq!(
        routes(&plan, "node_one"),
        ["default via 192.168.1.1 dev eth0"]
    );
    assert_eq!(
        routes(&plan, "laptop"),
        ["default via 2001:db8:85a3:ef11::1 dev eth0"]
    );
    let pool = "2001:db8:85a3:ef00::/56 via 2001:db8:85a3:a1a1::1 dev eth0".to_owned();
    assert!(routes(&plan, "internet").contains(&pool));
}

#[test]
fn neither_server_nor_pi_forwards_before_somebody_configures_it() {
    let plan = plan("how-to");
    for node in &plan.nodes {
        let forwards = node
            .sysctls
            .iter()
            .any(|(key, _)| key.ends_with("forward") || key.ends_with("forwarding"));
        assert_eq!(
            forwards,
            matches!(node.role, Role::Core | Role::Router),
            "{}",
            node.name
        );
    }
}

#[test]
fn a_shared_wlan_puts_two_nats_before_the_pi() {
    let plan = plan("laptop-sharing");
    let nats: Vec<&str> = plan
        .nodes
        .iter()
        .filter(|node| node.ruleset.is_some())
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(nats, ["cafe", "notebook"]);
    assert_eq!(addresses(&plan, "notebook", "wlan0"), ["192.168.1.100/24"]);
    assert_eq!(addresses(&plan, "node_one", "eth0"), ["10.42.0.100/24"]);
    assert!(plan.link("notebook--node_one").is_some());
}

#[test]
fn five_venues_in_one_network_share_a_bridge_in_the_core() {
    let plan = plan("five-pis");
    let core = plan.node("internet").unwrap();
    let bridge = core
        .interfaces
        .iter()
        .find(|interface| interface.bridge)
        .unwrap();
    assert_eq!(bridge.addresses[0].net.to_string(), "203.0.113.1/24");
    let ports = core
        .interfaces
        .iter()
        .filter(|port| port.port_of.as_ref() == Some(&bridge.name));
    assert_eq!(ports.count(), 5);
    assert_eq!(plan.overlay.unwrap().sites.len(), 5);
}

#[test]
fn no_two_interfaces_share_a_hardware_address_and_no_name_is_too_long() {
    for name in ["how-to", "five-pis", "laptop-sharing"] {
        let plan = plan(name);
        let all: Vec<_> = plan
            .nodes
            .iter()
            .flat_map(|node| &node.interfaces)
            .collect();
        let distinct: HashSet<_> = all.iter().map(|interface| interface.mac).collect();
        assert_eq!(distinct.len(), all.len());
        // IFNAMSIZ in linux/if.h is 16 with the final zero.
        assert!(all.iter().all(|interface| interface.name.len() < 16));
        let names: HashSet<_> = plan.nodes.iter().map(|node| &node.name).collect();
        assert_eq!(
            names.len(),
            plan.nodes.len(),
            "each machine is planned once"
        );
    }
}

#[test]
fn the_drawing_shows_each_machine_once() {
    let plan = plan("laptop-sharing");
    let drawing = plan.drawing();
    assert_eq!(drawing.lines().count(), plan.nodes.len());
    assert!(drawing.contains("        `-- node_one"), "{drawing}");
}

#[test]
fn a_segment_of_two_is_a_cable_and_one_of_more_has_a_switch() {
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let segment = |members| Segment {
        networks: &networks,
        members,
    };
    let plan = Plan::segments("x", &[segment(&["a", "b"]), segment(&["b", "c", "d"])]);
    let names: Vec<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "switch1"]);
    let on = |node: &str| {
        let interfaces = plan.node(node).unwrap().interfaces.iter();
        let address = |net: &AddressPlan| net.net.to_string();
        let told = interfaces.map(|i| (i.name.clone(), i.addresses.first().map(address)));
        told.collect::<Vec<_>>()
    };
    let at = |name: &str, address: &str| (name.to_owned(), Some(address.to_owned()));
    assert_eq!(
        on("b"),
        [at("eth0", "192.0.2.11/24"), at("eth1", "192.0.2.10/24")]
    );
    assert_eq!(on("d"), [at("eth0", "192.0.2.12/24")]);
}

#[test]
fn kits_have_the_addresses_that_follow_from_their_devices() {
    let plan = plan("sixlowpan");
    let site = &plan.overlay.as_ref().unwrap().sites[0];
    let links: Vec<_> = site
        .links
        .iter()
        .map(|link| (link.interface.as_str(), link.prefix.to_string()))
        .collect();
    assert_eq!(
        links,
        [
            ("eth1", "2001:db8:85a3:ef10::/64".to_owned()),
            ("bt0", "2001:db8:85a3:ef11::/64".to_owned())
        ]
    );
    assert_eq!(
        addresses(&plan, "node_one", "bt0"),
        ["2001:db8:85a3:ef11::1/64"]
    );
    assert_eq!(
        addresses(&plan, "kit_two", "bt0"),
        ["2001:db8:85a3:ef11:c276:36ff:fe00:2/64"]
    );
    let drawing = plan.drawing();
    assert!(drawing.contains("`-- kit_two"), "{drawing}");
    assert_eq!(plan.mermaid().matches(" -. radio .- ").count(), 2);
    assert_eq!(plan.graphviz().matches("style=dotted").count(), 2);
}
