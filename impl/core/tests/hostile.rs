//! A node among neighbours that mean no good, or more than it can take.

mod cuts;
mod ends;
mod siege;

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
