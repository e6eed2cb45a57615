//! The replay window decides as tincd 1.0.36 did. How the vectors were taken is told beside them.

use serde::Deserialize;
use v6router_core::tunnel::replay::ReplayWindow;

#[derive(Deserialize)]
struct Vectors {
    replay_window_bytes: usize,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    seqno: u32,
    accepted: bool,
}

#[test]
fn the_verdicts_are_those_of_the_reference() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/replay-window.json"))
        .expect("the vector file is well-formed");
    let mut window = ReplayWindow::new(vectors.replay_window_bytes);
    for (at, Event { seqno, accepted }) in vectors.events.into_iter().enumerate() {
        assert_eq!(
            window.accept(seqno).is_ok(),
            accepted,
            "event {at}, number {seqno}"
        );
    }
}
