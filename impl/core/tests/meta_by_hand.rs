//! What a meta connection takes from a peer that is played by hand, and what it does not.

mod cuts;
mod ends;

use cuts::pieces;
use ends::{End, HANDSHAKE, Hand, identity, key, name, ping};
use proptest::prelude::*;
use v6router_core::constants::{MAX_LINE, MAX_PACKET};
use v6router_core::meta::{Event, MetaError};
use v6router_core::wire::request::RequestError;

#[test]
fn only_the_request_that_is_due_is_taken() {
    for due in HANDSHAKE {
        for number in (0..=18).filter(|number| *number != due) {
            for mut hand in Hand::both(due) {
                let wrong = hand.right(number);
                let said = hand.say(&wrong);
                assert!(said.is_err(), "{number} where {due} is due");
                // No second chance, and the peer is not told why.
                let heard = hand.numbers.clone();
                assert!(hand.say_right(due).is_err());
                assert!(!hand.our.is_active());
                assert_eq!(hand.numbers, heard);
            }
        }
    }
}

#[test]
fn once_active_no_request_of_the_handshake_is_taken() {
    for number in HANDSHAKE {
        for mut hand in Hand::both(5) {
            let line = hand.right(number);
            let said = hand.say(&line);
            assert!(
                matches!(said, Err(MetaError::OutOfOrder { .. })),
                "{number}"
            );
        }
    }
    for number in [-1, 5, 6, 7, 18] {
        for mut hand in Hand::both(5) {
            let error = MetaError::Request(RequestError::Unknown { number });
            assert_eq!(hand.say(&format!("{number} a b c d e f")), Err(error));
        }
    }
}

#[test]
fn a_peer_that_breaks_the_protocol_keeps_its_name_for_the_log() {
    for mut hand in Hand::both(2) {
        assert!(hand.say("9").is_err());
        assert_eq!(hand.our.conn.peer_name(), Some(&name("hand")));
    }
}

#[test]
fn whom_we_cannot_talk_to_is_refused_without_a_word() {
    for (line, error) in [
        (
            "0 alice 17",
            MetaError::OwnName {
                name: name("alice"),
            },
        ),
        ("0 hand 16", MetaError::Version { found: 16 }),
        ("0 hand 18", MetaError::Version { found: 18 }),
        ("0 hand 2.7", MetaError::Version { found: 2 }),
    ] {
        for mut hand in [Hand::dials(), Hand::is_dialled()] {
            let dialled = hand.our.conn.peer_name().is_some();
            assert_eq!(hand.say(line), Err(error.clone()));
            // The initiator has greeted before it knew.
            assert_eq!(hand.numbers, if dialled { vec![0] } else { vec![] });
        }
    }
    assert_eq!(
        Hand::is_dialled().say("0 mallory 17"),
        Err(MetaError::OtherName {
            expected: name("hand"),
            found: name("mallory"),
        })
    );
}

#[test]
fn a_node_of_tinc_1_1_is_welcome() {
    for mut hand in [Hand::dials(), Hand::is_dialled()] {
        hand.say("0 hand 17.7").unwrap();
        assert_eq!(hand.our.conn.peer_minor(), Some(7));
        for number in 1..=4 {
            hand.say_right(number).unwrap();
        }
        assert!(hand.our.is_active());
    }
}

#[test]
fn a_meta_key_is_taken_only_if_it_encrypts_and_proves_something() {
    for numbers in [
        "429 672 0 0",
        "429 672 32 99",
        "429 64 20 0",
        "429 674 64 -1",
        // As tincd before 1.0.30 says it.
        "94 64 4 0",
        "63 1099 64 0",
    ] {
        for mut hand in Hand::both(1) {
            assert_eq!(hand.say_meta_key(numbers), Ok(()), "{numbers}");
        }
    }
    for (numbers, error) in [
        ("0 672 0 0", MetaError::Cipher { found: 0 }),
        ("427 672 0 0", MetaError::Cipher { found: 427 }),
        ("111 672 0 0", MetaError::Cipher { found: 111 }),
        ("-1 672 0 0", MetaError::Cipher { found: -1 }),
        ("429 0 0 0", MetaError::Digest { found: 0 }),
        ("429 257 0 0", MetaError::Digest { found: 257 }),
        ("429 672 33 0", MetaError::MacLength { found: 33 }),
        ("429 672 -1 0", MetaError::MacLength { found: -1 }),
    ] {
        for mut hand in Hand::both(1) {
            assert_eq!(hand.say_meta_key(numbers), Err(error.clone()), "{numbers}");
        }
    }
}

#[test]
fn keys_and_challenges_have_the_length_of_our_modulus() {
    for (due, line, request) in [(1, "1 429 672 0 0", "METAKEY"), (2, "2", "CHALLENGE")] {
        for found in [1, 127, 129, 256] {
            for mut hand in Hand::both(due) {
                let said = hand.say(&format!("{line} {}", "01".repeat(found)));
                let error = MetaError::Length {
                    request,
                    expected: 128,
                    found,
                };
                assert_eq!(said, Err(error));
            }
        }
    }
    // Not below the modulus, whose first bit is set.
    for mut hand in Hand::both(1) {
        let said = hand.say(&format!("1 429 672 0 0 {}", "FF".repeat(128)));
        assert!(matches!(said, Err(MetaError::Rsa(_))), "{said:?}");
    }
}

#[test]
fn a_wrong_answer_to_our_challenge_ends_it() {
    for wrong in [
        |right: &str| format!("{}0", &right[..right.len() - 1]),
        |right: &str| format!("{}1", &right[..right.len() - 1]),
        |right: &str| right[..right.len() - 2].to_owned(),
        |right: &str| format!("{right}00"),
        |_: &str| "3 00".to_owned(),
    ] {
        for mut hand in Hand::both(3) {
            let right = hand.right(3);
            let line = wrong(&right);
            if line == right {
                continue;
            }
            let heard = hand.numbers.clone();
            assert_eq!(hand.say(&line), Err(MetaError::WrongReply));
            assert_eq!(hand.numbers, heard);
        }
    }
}

/// CVE-2018-16737 and CVE-2018-16738: whoever has no key must not get a challenge answered.
#[test]
fn the_responder_answers_only_whom_it_has_proof_of() {
    let [mut dialling, mut dialled] = Hand::both(3);
    assert_eq!(dialling.numbers, [0, 1, 2]);
    assert_eq!(dialled.numbers, [0, 1, 2, 3]);
    for hand in [&mut dialling, &mut dialled] {
        hand.say_right(3).unwrap();
        assert_eq!(hand.numbers, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn packets_up_to_the_limit_arrive_and_longer_ones_are_swallowed() {
    for mut hand in Hand::both(5) {
        hand.our.events.clear();
        for len in 0..=MAX_LINE {
            let mut bytes = format!("17 {len}\n").into_bytes();
            // Bytes that would be lines if they were not counted.
            bytes.extend(b"\n8\n".iter().cycle().take(len));
            hand.say_bytes(&bytes).unwrap();
            let expected = if len <= MAX_PACKET {
                vec![Event::Packet(
                    b"\n8\n".iter().copied().cycle().take(len).collect(),
                )]
            } else {
                vec![]
            };
            assert_eq!(
                std::mem::take(&mut hand.our.events),
                expected,
                "{len} bytes"
            );
        }
        hand.say("8").unwrap();
        assert_eq!(hand.our.events, [ping(b"8")]);
        assert!(hand.say(&format!("17 {}", MAX_LINE + 1)).is_err());
    }
}

#[test]
fn a_line_without_end_is_not_waited_for() {
    for due in [0, 2, 5] {
        for mut hand in Hand::both(due) {
            let taken = (0..)
                .take_while(|_| hand.say_bytes(b"xxxxxxxx").is_ok())
                .count();
            assert!((taken + 1) * 8 <= MAX_LINE, "{taken}");
        }
    }
}

#[test]
fn nothing_is_taken_while_the_owner_makes_up_its_mind_and_not_much_is_kept() {
    let End {
        mut conn,
        mut rng,
        started,
        ..
    } = End::responder(identity("alice", key(1024, 0)), key(1024, 1));
    conn.receive(b"0 bob 17\n9\n").unwrap();
    let event = conn.poll(started, &mut rng);
    assert_eq!(event, Ok(Some(Event::Identified(name("bob")))));
    assert_eq!(conn.poll(started, &mut rng), Ok(None));
    let flooded = (0..1000).find_map(|_| conn.receive(&[b'9'; 1000]).err());
    assert_eq!(flooded, Some(MetaError::Flooded));
}

#[test]
fn limits_of_ours_cost_a_request_but_not_the_connection() {
    let long = "n".repeat(251);
    for mut hand in Hand::both(5) {
        hand.our.events.clear();
        for line in [
            format!("14 1 {long}"),
            format!("15 {long} alice"),
            "12 1 a b \x1b[2J 655 c 5".to_owned(),
            "12 1 a b 192.0.2.1 655 c 99999999999".to_owned(),
            "10 1 a 65537.2.3.4".to_owned(),
            "4294967306 1f a 10.0.0.0/8".to_owned(),
            "10f a 10.0.0.0/8".to_owned(),
        ] {
            assert_eq!(hand.say(&line), Ok(()), "{line}");
        }
        assert_eq!(hand.our.events, []);
        hand.say("8 further fields").unwrap();
        assert_eq!(hand.our.events, [ping(b"8 further fields")]);
        assert!(hand.say("14 1 not-a-name").is_err());
    }
    assert!(Hand::dials().say(&format!("0 {long} 17")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rubbish_never_panics_wherever_it_comes(
        due in 0_u8..=5,
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        cuts in prop::collection::vec(1_usize..400, 1..20),
    ) {
        for mut hand in Hand::both(due) {
            for piece in pieces(bytes.len(), &cuts) {
                let _ = hand.say_bytes(&bytes[piece]);
            }
            prop_assert_eq!(hand.our.is_active(), due == 5);
        }
    }

    #[test]
    fn lines_of_rubbish_never_panic(
        due in 0_u8..=5,
        lines in prop::collection::vec("[0-9]{1,2}( [ -~]{1,40}){0,8}", 0..20),
    ) {
        for mut hand in Hand::both(due) {
            for line in &lines {
                let _ = hand.say(line);
            }
        }
    }
}
