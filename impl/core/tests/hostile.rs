//! A node among neighbours that mean no good, or more than it can take.

mod cuts;
mod ends;
mod siege;
mod support;

use std::time::Duration;

use siege::{CONN, PING_TIMEOUT, Siege, edges};
use support::frame;
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
    assert!(siege.pictures() <= 1);
    // Nor do those that were told in between.
    siege.outputs.clear();
    let key = "07".repeat(48);
    let lines = (0..100).flat_map(|nonce| {
        [
            format!("16 mallory alice {key} 427 672 4 0"),
            format!("14 {:x} mallory", 0x1000 + nonce),
        ]
    });
    siege.say(&lines.collect::<Vec<_>>());
    assert_eq!(siege.pictures(), 1);
}

/// A picture of a large mesh is megabytes, and costs milliseconds.
#[test]
fn packets_between_requests_cost_no_picture_each() {
    let mut siege = Siege::new(Options(0xc));
    let to_her_own = frame(9, 1, b"x");
    let at_the_device = |siege: &mut Siege| {
        let outputs = siege.outputs.drain(..);
        let frames = outputs.filter(|output| matches!(output, Output::Device(_)));
        frames.count()
    };
    // What she has said before a packet counts for it.
    siege
        .mallory
        .conn
        .send_line(b"10 ffff mallory 2:0:0:0:0:9#10");
    siege.mallory.conn.send_packet(&to_her_own);
    siege.listen();
    assert_eq!(siege.pictures(), 1);
    assert_eq!(at_the_device(&mut siege), 0);
    // But for all that comes at once only one picture is drawn before there is time for another.
    for nonce in 0..200 {
        let verb = 11 - nonce % 2;
        let line = format!("{verb} {nonce:x} mallory 2:0:0:0:0:9#10");
        siege.mallory.conn.send_line(line.as_bytes());
        siege.mallory.conn.send_packet(&to_her_own);
    }
    siege.listen();
    assert_eq!(siege.pictures(), 1);
    assert_eq!(at_the_device(&mut siege), 200);
}

/// Lines as long as they may be, each of which goes to everybody else.
#[test]
fn who_has_too_much_passed_on_is_cut_off_and_nobody_who_is_told_it() {
    let mut siege = Siege::new(Options(0xc)).joined();
    let rest = "x".repeat(2_000);
    for batch in 0..500 {
        let lines = (0..8).map(|n| format!("14 {:x} mallory {rest}", batch * 8 + n));
        siege.say(&lines.collect::<Vec<_>>());
    }
    siege.now += PING_TIMEOUT;
    siege.tell(Input::Timer);
    assert_eq!(siege.ended(), [CONN]);
    let told = siege.read_by_bystander();
    assert!((4_000_000..5 << 20).contains(&told), "{told}");
}

#[test]
fn what_a_neighbour_says_of_keys_of_others_crowds_nobody_out() {
    let mut siege = Siege::new(Options(0xc)).joined();
    let rest = "x".repeat(2_000);
    let asks = vec![format!("15 mallory bob {rest}"); 500];
    siege.say(&asks);
    siege.say(&asks);
    let waited = siege.read_by_bystander();
    assert!((1_000_000..1_100_000).contains(&waited), "{waited}");
    // Nor does it fill a connection that is read without end.
    let mut told = waited;
    for _ in 0..20 {
        siege.say(&asks);
        told += siege.read_by_bystander();
    }
    assert!((15_000_000..16 << 20).contains(&told), "{told}");
    assert!(!siege.closed());
    siege.now += Duration::from_secs(1);
    siege.say(&["15 mallory bob"]);
    assert_ne!(siege.read_by_bystander(), 0);
}

/// Each time it goes the whole graph is searched, and all who are behind it go and come with it.
#[test]
fn a_hub_that_comes_and_goes_all_the_time_is_followed_a_few_times() {
    const LEAVES: usize = 1_000;
    let mut siege = Siege::new(Options(0xc));
    siege.say(&edges("hub", "192.0.2.9"));
    let leaves = (0..LEAVES).flat_map(|n| {
        [
            format!("12 1 hub n{n} 192.0.2.1 655 c 1"),
            format!("12 1 n{n} hub 192.0.2.9 655 c 1"),
        ]
    });
    siege.say(&leaves.collect::<Vec<_>>());
    assert_eq!(siege.came_up().len(), LEAVES + 1);
    let mut nonce = 1;
    let mut flap = || {
        nonce += 1;
        [
            format!("13 {nonce:x} mallory hub"),
            format!("12 {nonce:x} mallory hub 192.0.2.9 655 c 1"),
        ]
    };
    siege.outputs.clear();
    let flaps: Vec<_> = (0..100).flat_map(|_| flap()).collect();
    siege.say(&flaps);
    let ups = siege.came_up().len();
    assert!((LEAVES + 1..=5 * (LEAVES + 1)).contains(&ups), "{ups}");
    // However few are said at once, they are not followed for ever.
    for _ in 0..1_000 {
        siege.outputs.clear();
        siege.say(&flap());
        if siege.closed() {
            return;
        }
    }
    panic!("a thousand searches are too many");
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
