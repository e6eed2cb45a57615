//! Promises of a meta connection to another of ours, whoever is between them.

mod cuts;
mod ends;

use cuts::UNCUT;
use ends::{End, TAKES, identity, key, name, ping, wire};
use proptest::prelude::*;
use v6router_core::constants::{MAX_LINE, MAX_PACKET};
use v6router_core::meta::Event;
use v6router_core::wire::request::Request;

/// Two ends that know each other, with keys of these sizes.
fn pair(initiator_bits: usize, responder_bits: usize) -> (End, End) {
    let (alice, bob) = (key(initiator_bits, 0), key(responder_bits, 1));
    (
        End::initiator(identity("alice", alice.clone()), "bob", bob.clone()),
        End::responder(identity("bob", bob), alice),
    )
}

#[test]
fn keys_of_different_sizes_on_both_ends_get_along() {
    for (one, other) in [(512, 512), (1024, 2048), (2048, 1024), (512, 2048)] {
        let (mut alice, mut bob) = pair(one, other);
        wire(&mut alice, &mut bob, UNCUT);
        assert!(
            alice.is_active() && bob.is_active(),
            "{one} and {other} bits"
        );
    }
}

#[test]
fn both_ends_learn_who_the_other_is_and_what_it_says_of_itself() {
    let (mut alice, mut bob) = pair(1024, 1024);
    wire(&mut alice, &mut bob, UNCUT);
    let weight = i32::try_from(TAKES.as_millis()).unwrap();
    for (end, peer) in [(&alice, "bob"), (&bob, "alice")] {
        assert_eq!(end.conn.peer_name(), Some(&name(peer)));
        let [
            Event::Identified(told),
            Event::Active {
                name: proven,
                weight: ours,
                ack,
            },
        ] = end.events.as_slice()
        else {
            panic!("{:?}", end.events);
        };
        assert_eq!((told, proven), (&name(peer), &name(peer)));
        assert_eq!((*ours, ack.weight, ack.options.0), (weight, weight, 0xc));
    }
}

/// What a responder says before it has proof: ID, METAKEY, CHALLENGE.
fn unproven_len(own: &str, bits: usize) -> usize {
    let hex = bits / 4;
    format!("0 {own} 17\n1 429 672 0 0 \n2 \n").len() + 2 * hex
}

#[test]
fn two_nodes_cannot_be_made_to_answer_for_each_other() {
    let (alice_key, bob_key) = (key(1024, 0), key(1024, 1));
    let mut alice = End::responder(identity("alice", alice_key.clone()), bob_key.clone());
    let mut bob = End::responder(identity("bob", bob_key), alice_key);
    // Mallory dials both in the name of the other and passes everything on. IDs are hers.
    alice.take(b"0 bob 17\n");
    bob.take(b"0 alice 17\n");
    let strip =
        |mut bytes: Vec<u8>| bytes.split_off(bytes.iter().position(|b| *b == b'\n').unwrap() + 1);
    let (there, back) = (alice.output(), bob.output());
    let (said_by_alice, said_by_bob) = (there.len(), back.len());
    bob.take(&strip(there));
    alice.take(&strip(back));
    let [more_of_alice, more_of_bob] = wire(&mut alice, &mut bob, UNCUT);
    assert_eq!(
        said_by_alice + more_of_alice.len(),
        unproven_len("alice", 1024)
    );
    assert_eq!(said_by_bob + more_of_bob.len(), unproven_len("bob", 1024));
    assert!(!alice.is_active() && !bob.is_active());
}

#[test]
fn our_own_words_prove_nothing_to_us() {
    for end in [
        End::responder(identity("alice", key(1024, 0)), key(1024, 1)),
        End::initiator(identity("alice", key(1024, 0)), "bob", key(1024, 1)),
    ] {
        let mut alice = end;
        alice.take(b"0 bob 17\n");
        let mut said = alice.output();
        said.drain(..=said.iter().position(|b| *b == b'\n').unwrap());
        while !said.is_empty() && alice.error.is_none() {
            alice.take(&said);
            said = alice.output();
        }
        assert!(!alice.is_active());
    }
}

#[test]
fn what_a_peer_would_close_the_connection_for_is_not_sent() {
    let (mut alice, mut bob) = pair(1024, 1024);
    wire(&mut alice, &mut bob, UNCUT);
    alice.conn.send_line(&[b'8'; MAX_LINE]);
    alice.conn.send_packet(&[0; MAX_PACKET + 1]);
    assert_eq!(alice.output(), b"");
    let mut longest = vec![b' '; MAX_LINE - 1];
    longest[0] = b'8';
    alice.conn.send_line(&longest);
    alice.conn.send_packet(&[0; MAX_PACKET]);
    bob.events.clear();
    wire(&mut alice, &mut bob, UNCUT);
    assert_eq!(bob.error, None);
    assert_eq!(
        bob.events,
        [ping(&longest), Event::Packet(vec![0; MAX_PACKET])]
    );
}

#[test]
fn without_security_both_ends_are_active_at_once_and_in_the_clear() {
    let careless = |own| {
        let mut ours = identity(own, key(1024, 0));
        ours.bypass_security = true;
        ours
    };
    let mut alice = End::initiator(careless("alice"), "bob", key(1024, 0));
    let mut bob = End::responder(careless("bob"), key(1024, 0));
    let [said_by_alice, said_by_bob] = wire(&mut alice, &mut bob, UNCUT);
    assert!(alice.is_active() && bob.is_active());
    assert_eq!(said_by_alice, b"0 alice 17\n4 655 40 c\n");
    assert_eq!(said_by_bob, b"0 bob 17\n4 655 40 c\n");
    // One end alone cannot leave security out.
    let mut alice = End::initiator(careless("alice"), "bob", key(1024, 1));
    let mut bob = End::responder(identity("bob", key(1024, 1)), key(1024, 0));
    wire(&mut alice, &mut bob, UNCUT);
    assert!(!alice.is_active() && !bob.is_active());
    assert!(alice.error.is_some() && bob.error.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_does_not_matter_where_tcp_cuts(
        cuts in prop::collection::vec(1_usize..400, 1..20),
        sizes in prop::sample::select(vec![(1024, 1024), (1024, 2048), (2048, 1024)]),
        frame in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (mut alice, mut bob) = pair(sizes.0, sizes.1);
        wire(&mut alice, &mut bob, &cuts);
        prop_assert!(alice.is_active() && bob.is_active());
        alice.events.clear();
        bob.events.clear();
        for end in [&mut alice, &mut bob] {
            end.conn.send_packet(&frame);
            end.conn.send(&Request::Ping);
            end.conn.send_packet(&frame);
        }
        wire(&mut alice, &mut bob, &cuts);
        let expected = [Event::Packet(frame.clone()), ping(b"8"), Event::Packet(frame)];
        prop_assert_eq!(&alice.events, &expected);
        prop_assert_eq!(&bob.events, &expected);
    }

    #[test]
    fn a_bit_turned_on_the_way_never_panics_nor_lets_an_impostor_in(
        at: prop::sample::Index, bit in 0_u32..8, towards_responder: bool,
    ) {
        let (mut alice, mut bob) = pair(1024, 1024);
        // Whoever has a name of one bit less is not known.
        bob.knows = Some(name("alice"));
        let mut position = 0;
        // As long as the shorter of the two directions without ACK.
        let at = at.index(unproven_len("bob", 1024) + 60);
        loop {
            let (mut there, mut back) = (alice.output(), bob.output());
            if there.is_empty() && back.is_empty() {
                break;
            }
            let tampered = if towards_responder { &mut there } else { &mut back };
            if let Some(byte) = at.checked_sub(position).and_then(|at| tampered.get_mut(at)) {
                *byte ^= 1 << bit;
            }
            position += tampered.len();
            bob.take(&there);
            alice.take(&back);
        }
        for (end, peer) in [(&alice, "bob"), (&bob, "alice")] {
            for event in &end.events {
                if let Event::Active { name: proven, .. } = event {
                    prop_assert_eq!(proven, &name(peer));
                }
            }
        }
    }
}
