//! `StrictSubnets` and `TunnelServer`: what is believed of what others announce, and who is told.

mod cuts;
mod ends;
mod siege;
mod support;

use std::time::Duration;

use ends::name;
use siege::{Siege, edges};
use support::{Mesh, frame};
use v6router_core::dataplane::Forwarding;
use v6router_core::node::{Input, Order, Output, Script, Settings, Trust};
use v6router_core::options::Options;
use v6router_core::subnet::Subnet;

const MINUTE: Duration = Duration::from_secs(60);
const BOBS: &str = "2:0:0:0:0:b#10";

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

/// A node besieged by mallory whose files give a station to bob and nothing to mallory.
fn siege(trust: Trust) -> Siege {
    Siege::with(Options(0xc), |settings| {
        settings.trust = trust;
        settings.subnets = vec![subnet("10.1.0.0/16")];
        settings.owners = vec![(name("bob"), subnet(BOBS))];
    })
}

fn owners_of(siege: &Siege, owner: &str) -> Vec<String> {
    let is_its = |line: &String| line.ends_with(&format!(" owner {owner}"));
    siege.node.dump_mesh().into_iter().filter(is_its).collect()
}

fn scripts(siege: &Siege) -> Vec<String> {
    let script = |output: &Output| match output {
        Output::Script(Script::Subnet {
            up, node, subnet, ..
        }) => Some(format!("{subnet} {node} {up}")),
        _ => None,
    };
    siege.outputs.iter().filter_map(script).collect()
}

#[test]
fn a_node_cannot_take_over_the_subnet_that_files_give_to_another() {
    for trust in [Trust::StrictSubnets, Trust::TunnelServer] {
        let mut siege = siege(trust);
        // The same with a weight that wins, a part of it, and one that bob is to lose.
        siege.say(&[
            "10 1 mallory 2:0:0:0:0:b#1",
            "10 2 mallory 2:0:0:0:0:b#10",
            "10 3 mallory 10.1.2.0/24#10",
            "11 4 bob 2:0:0:0:0:b#10",
            "10 5 bob 2:0:0:0:0:c#10",
        ]);
        assert_eq!(
            owners_of(&siege, "mallory"),
            Vec::<String>::new(),
            "{trust:?}"
        );
        assert_eq!(
            owners_of(&siege, "bob"),
            [format!(" {BOBS} owner bob")],
            "{trust:?}"
        );
        assert!(!siege.closed());
    }
    // Without the policy she can, as in any tinc mesh.
    let mut siege = siege(Trust::Mesh);
    siege.say(&["10 1 mallory 2:0:0:0:0:b#1"]);
    assert_eq!(owners_of(&siege, "mallory").len(), 1);
}

#[test]
fn what_files_say_is_told_to_neighbours_even_of_nodes_that_are_not_there() {
    let told = |trust| {
        let mut siege = siege(trust);
        siege.heard()
    };
    let ours = "10 alice 10.1.0.0/16#10".to_owned();
    let bobs = format!("10 bob {BOBS}");
    let strict = told(Trust::StrictSubnets);
    assert!(
        strict.contains(&ours) && strict.contains(&bobs),
        "{strict:?}"
    );
    let server = told(Trust::TunnelServer);
    assert!(
        server.contains(&ours) && !server.contains(&bobs),
        "{server:?}"
    );
}

#[test]
fn a_tunnel_server_takes_a_neighbours_word_for_itself_only() {
    let mut siege = siege(Trust::TunnelServer);
    siege.say(&[
        "12 1 eve zoe 192.0.2.3 655 c 1",
        "12 2 zoe eve 192.0.2.4 655 c 1",
        "10 3 eve 10.9.0.0/16#10",
    ]);
    let dump = siege.node.dump_mesh().join("\n");
    assert!(!dump.contains("eve") && !dump.contains("zoe"), "{dump}");
    siege.say(&edges("kim", "192.0.2.5"));
    assert!(siege.came_up().contains(&"kim".to_owned()));
}

#[test]
fn files_read_again_change_who_owns_what_and_the_mesh_hears_the_difference() {
    let mut siege = siege(Trust::StrictSubnets);
    siege.say(&edges("bob", "192.0.2.4"));
    siege.heard();
    siege.outputs.clear();
    siege.tell(Input::Order(Order::SetOwners(vec![
        (name("alice"), subnet("10.1.0.0/16")),
        (name("alice"), subnet("10.2.0.0/16")),
        (name("kim"), subnet("10.3.0.0/16")),
    ])));
    let heard = siege.heard();
    let expected = [
        format!("11 bob {BOBS}"),
        "10 alice 10.2.0.0/16#10".to_owned(),
        "10 kim 10.3.0.0/16#10".to_owned(),
    ];
    assert_eq!(heard, expected);
    let expected = [
        format!("{BOBS} bob false"),
        "10.2.0.0/16#10 alice true".to_owned(),
    ];
    assert_eq!(scripts(&siege), expected, "kim is not there");
}

#[test]
fn subnets_of_files_outlive_a_purge() {
    let mut siege = siege(Trust::StrictSubnets);
    siege.tell(Input::Order(Order::Purge));
    assert_eq!(owners_of(&siege, "bob").len(), 1);
}

/// Two leaves of a hub that has a policy; the leaves have none.
fn star(settings: fn(&mut Settings)) -> Mesh {
    let nodes: [(&str, &[&str]); 3] = [("a", &["hub"]), ("b", &["hub"]), ("hub", &[])];
    Mesh::with(3, &nodes, settings)
}

fn peers(mesh: &Mesh, index: usize) -> usize {
    let count = |picture: &Forwarding| picture.peers.iter().count();
    mesh.members[index].picture().map_or(0, count)
}

#[test]
fn the_leaves_of_a_tunnel_server_never_hear_of_each_other() {
    let mut mesh = star(|settings| {
        if settings.name.as_str() == "hub" {
            settings.trust = Trust::TunnelServer;
        }
    });
    let up = |mesh: &Mesh| [0, 1, 2].map(|index| peers(mesh, index)) == [1, 1, 2];
    assert!(mesh.run(MINUTE, up));
    mesh.device_sends(0, &support::broadcast(1, b"is anybody there"));
    mesh.run(Duration::from_secs(2), |_| false);
    assert_eq!(mesh.members[2].device.len(), 1);
    assert!(mesh.members[1].device.is_empty());
    // Nor when one comes, goes, or renews its keys.
    mesh.kill(0);
    mesh.run(MINUTE, |_| false);
    mesh.start(0);
    assert!(mesh.run(MINUTE, up));
    let dump = mesh.members[1]
        .node
        .as_ref()
        .unwrap()
        .dump_mesh()
        .join("\n");
    assert!(!dump.contains(" a "), "{dump}");
}

#[test]
fn strict_leaves_still_hear_what_a_strict_hub_does_not_believe() {
    let mut mesh = star(|settings| {
        if settings.name.as_str() == "hub" {
            settings.trust = Trust::StrictSubnets;
        }
    });
    assert!(mesh.run(MINUTE, Mesh::converged));
    mesh.device_sends(0, &support::broadcast(1, b"here I am"));
    mesh.run(Duration::from_secs(2), |_| false);
    let owner = |index: usize| {
        let node = mesh.members[index].node.as_ref().unwrap();
        node.dump_mesh()
            .iter()
            .any(|line| line.ends_with(" owner a"))
    };
    assert!(!owner(2) && owner(1));
    mesh.members[0].device.clear();
    mesh.device_sends(1, &frame(1, 2, b"found you"));
    assert!(mesh.run(MINUTE, |mesh| mesh.members[0].device
        == [frame(1, 2, b"found you")]));
}
