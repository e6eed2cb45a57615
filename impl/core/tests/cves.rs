//! Attacks on tinc that have a number, tried on us.

mod cuts;
mod ends;
mod siege;

use std::time::Duration;

use ends::Hand;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use siege::{Siege, edges};
use v6router_core::constants::{MAX_LINE, MAX_PACKET};
use v6router_core::meta::{Event, MetaError};
use v6router_core::node::Input;
use v6router_core::options::Options;

/// Overlong packets overflowed a buffer on the stack.
#[test]
fn cve_2013_1428_a_packet_longer_than_any_frame_is_swallowed() {
    for mut hand in Hand::both(5) {
        hand.our.events.clear();
        for len in [MAX_PACKET + 1, MAX_LINE - 1, MAX_LINE] {
            let packet = [format!("17 {len}\n").into_bytes(), vec![0x41; len]].concat();
            hand.say_bytes(&packet).unwrap();
        }
        assert!(hand.our.events.is_empty());
        // What follows is read from where the packet ended.
        hand.say("8").unwrap();
        assert!(matches!(hand.our.events[..], [Event::Request { .. }]));
        for len in ["2177", "65536", "4294967296", "-1"] {
            let [mut hand, _] = Hand::both(5);
            assert!(hand.say(&format!("17 {len}")).is_err(), "{len}");
        }
    }
}

/// Whoever has no key used a node to answer the challenges of another.
#[test]
fn cve_2018_16737_a_stranger_gets_no_challenge_answered() {
    for wrong in ["3 00".to_owned(), format!("3 {}", "00".repeat(32))] {
        let [mut hand, _] = Hand::both(3);
        assert_eq!(hand.numbers, [0, 1, 2]);
        assert_eq!(hand.say(&wrong), Err(MetaError::WrongReply));
        // Not even afterwards.
        assert!(hand.say_right(3).is_err());
        assert_eq!(hand.numbers, [0, 1, 2]);
    }
}

/// The first mitigation still let answers of one connection serve on another.
#[test]
fn cve_2018_16738_an_answer_is_good_on_its_own_connection_only() {
    let [mut one, _] = Hand::both(3);
    let [mut other, _] = Hand::both(1);
    // So that it does not ask the same.
    other.our.rng = StdRng::seed_from_u64(4);
    other.say_right(1).unwrap();
    other.say_right(2).unwrap();
    let answer = one.right(3);
    assert_ne!(answer, other.right(3));
    assert_eq!(other.say(&answer), Err(MetaError::WrongReply));
    assert_eq!(other.numbers, [0, 1, 2]);
    one.say(&answer).unwrap();
    assert_eq!(one.numbers, [0, 1, 2, 3, 4]);
}

/// Somebody in the middle flips bits of the meta stream until packets go out in clear.
#[test]
fn cve_2018_16758_a_key_changed_on_its_way_never_means_packets_in_clear() {
    let key = "AB".repeat(48);
    for line in [
        format!("16 far alice {key} 0 672 4 0"),
        format!("16 far alice {key} 0 0 0 0"),
        format!("16 far alice {key} 0 672 0 0"),
    ] {
        let mut siege = Siege::new(Options(0xc));
        siege.say(&edges("far", "192.0.2.7"));
        // With the right one it is probed, in packets that are sealed by it.
        siege.say(&[format!("16 far alice {key} 427 672 4 0")]);
        assert!(siege.datagrams() > 0);
        siege.outputs.clear();
        siege.say(&[line]);
        // The key before is void too: it may be another one that was to replace it.
        siege.now += Duration::from_secs(1);
        siege.tell(Input::Timer);
        assert_eq!(siege.datagrams(), 0);
        assert!(!siege.closed());
    }
}
