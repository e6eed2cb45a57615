//! A node among neighbours that mean no good, or more than it can take.

mod cuts;
mod ends;
mod siege;

use std::time::Duration;

use siege::{PING_TIMEOUT, Siege, edges};
use v6router_core::node::{Input, Output, Script};
use v6router_core::options::Options;

#[test]
fn nodes_told_of_at_once_come_up_together_in_the_order_of_their_names() {
    let mut siege = Siege::new(Options(0xc));
    let told = [
        edges("zoe", "192.0.2.3"),
        edges("bob", "192.0.2.4"),
        edges("kim", "192.0.2.5"),
    ];
    siege.say(&told.concat());
    assert_eq!(siege.came_up(), ["bob", "kim", "zoe"]);
}

#[test]
fn a_node_whose_address_is_a_name_comes_up_with_that_name_and_is_never_sent_to() {
    let mut siege = Siege::new(Options(0xc));
    siege.say(&edges("ghost", "some.host.name"));
    let endpoint = siege.outputs.iter().find_map(|output| match output {
        Output::Script(Script::Host { endpoint, .. }) => endpoint.clone(),
        _ => None,
    });
    assert_eq!(endpoint.unwrap().to_string(), "some.host.name port 655");
    siege.say(&[format!("16 ghost alice {} 427 672 4 0", "AB".repeat(48))]);
    assert_eq!(siege.datagrams(), 0);
    assert!(!siege.closed());
}

#[test]
fn a_node_that_wants_tcp_only_probes_nobody() {
    for (options, probes) in [(Options(0xc), true), (Options(0xb), false)] {
        let mut siege = Siege::new(options);
        siege.say(&edges("far", "192.0.2.7"));
        siege.say(&[format!("16 far alice {} 427 672 4 0", "AB".repeat(48))]);
        assert_eq!(siege.datagrams() > 0, probes);
    }
}

#[test]
fn a_connection_that_is_always_busy_is_no_dead_one() {
    let mut siege = Siege::new(Options(0xc));
    siege.backlog.add(10_000);
    for _ in 0..10 {
        siege.now += PING_TIMEOUT;
        siege.tell(Input::Timer);
        // Bytes leave and others come.
        siege.backlog.add(5_000);
        siege.backlog.sub(5_000);
    }
    assert!(!siege.closed());
    siege.backlog.add(8 << 20);
    siege.now += PING_TIMEOUT;
    siege.tell(Input::Timer);
    assert!(siege.closed());
}

#[test]
fn what_a_neighbour_can_make_us_remember_is_bounded() {
    let mut siege = Siege::new(Options(0xc));
    for owner in 0..20 {
        let lines: Vec<_> = (0..5_000)
            .map(|station| {
                format!(
                    "10 1 n{owner} 2:0:0:0:{:x}:{:x}#{owner}",
                    station / 256,
                    station % 256
                )
            })
            .collect();
        siege.say(&lines);
        assert!(siege.subnets_known() <= 4096 * (owner + 1));
        siege.now += Duration::from_secs(10);
    }
    assert_eq!(siege.subnets_known(), 65_536);
    assert!(!siege.closed());
    // There is room again for what is taken back.
    siege.say(&["11 2 n0 2:0:0:0:0:0#0", "10 3 n19 2:0:0:0:99:99#0"]);
    assert_eq!(siege.subnets_known(), 65_536);
}

#[test]
fn keys_given_up_again_and_again_cost_no_picture_each() {
    let mut siege = Siege::new(Options(0xc));
    let lines: Vec<_> = (0..500)
        .map(|nonce| format!("14 {nonce:x} mallory"))
        .collect();
    siege.say(&lines);
    let picture = |output: &&Output| matches!(output, Output::Publish(_));
    assert!(siege.outputs.iter().filter(picture).count() <= 1);
}

#[test]
fn the_edges_of_one_node_leave_room_for_those_of_others() {
    let mut siege = Siege::new(Options(0xc));
    let lines: Vec<_> = (0..6_000)
        .map(|n| format!("12 1 eve n{n} 192.0.2.1 655 c 1"))
        .collect();
    siege.say(&lines);
    assert_eq!(siege.edges_of("eve"), 4096);
    siege.say(&["12 2 bob n1 192.0.2.1 655 c 1"]);
    assert_eq!(siege.edges_of("bob"), 1);
    assert!(!siege.closed());
}

#[test]
fn the_whole_state_of_a_large_mesh_passes_at_once() {
    let mut siege = Siege::new(Options(0xc));
    let nodes: Vec<_> = (0..1_000).collect();
    let lines = nodes.iter().flat_map(|n| {
        let [there, back] = edges(&format!("n{n}"), "192.0.2.9");
        let subnets = (0..8).map(move |s| format!("10 1 n{n} 10.{s}.{}.{}", n / 256, n % 256));
        subnets.chain([there, back])
    });
    siege.say(&lines.collect::<Vec<_>>());
    assert_eq!(siege.came_up().len(), nodes.len());
    assert_eq!(siege.subnets_known(), 8_000);
    assert!(!siege.closed());
}

#[test]
fn a_neighbour_that_never_stops_talking_is_cut_off() {
    let mut siege = Siege::new(Options(0xc));
    // As much as an honest one may say each second, for long.
    for _ in 0..20 {
        siege.say(&["8"; 500]);
        siege.now += Duration::from_secs(1);
    }
    assert!(!siege.closed());
    for _ in 0..70 {
        siege.say(&["8"; 1_000]);
    }
    assert!(siege.closed());
}

/// Two nodes of one name take each other's edges back for ever. The reference stops its whole
/// loop for ten seconds and more.
#[test]
fn contradictions_without_end_hold_up_nothing() {
    let mut siege = Siege::new(Options(0xc));
    for round in 0..20 {
        let lines = (0..500).flat_map(|n| {
            let nonce = round * 500 + n;
            [
                format!("12 {nonce:x} alice nobody 192.0.2.1 655 c 1"),
                format!("13 {nonce:x} alice mallory"),
            ]
        });
        siege.say(&lines.collect::<Vec<_>>());
        siege.say(&["9"]);
        siege.now += PING_TIMEOUT;
        siege.tell(Input::Timer);
        // Whatever comes next is dealt with at once, and the wait for it has an end.
        let waits = siege.node.deadline().unwrap() - siege.now;
        assert!(waits <= PING_TIMEOUT, "{waits:?}");
    }
    siege.say(&edges("bob", "192.0.2.4"));
    assert_eq!(siege.came_up(), ["bob"]);
    assert!(!siege.closed());
}

/// A pair of edges to a node whose only address is a name ends the reference (SIGABRT).
#[test]
fn the_two_edges_that_end_the_reference_do_not_end_us() {
    let mut siege = Siege::new(Options(0xc));
    siege.say(&[
        "12 1 mallory ghost some.host.name 655 c 5",
        "12 1 ghost mallory 10.9.9.9 655 c 5",
    ]);
    assert_eq!(siege.came_up(), ["ghost"]);
    siege.say(&edges("bob", "192.0.2.4"));
    assert_eq!(siege.came_up(), ["ghost", "bob"]);
    assert!(!siege.closed());
}
