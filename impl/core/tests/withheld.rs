//! A neighbour whose packets would be lost gets a key again when UDP works, or after a while.

mod cuts;
mod ends;
mod siege;
mod support;

use std::time::Duration;

use siege::Siege;
use support::broadcast;
use v6router_core::dataplane::{Egress, Outbound, Up};
use v6router_core::graph::NodeId;
use v6router_core::node::Input;
use v6router_core::options::Options;

/// What is longer than what a path carries that has shrunk, and what is not; as frames.
const LONG: u16 = 1451;
const SHORT: u16 = 1243;

/// A node that found that frames of [`LONG`] bytes are lost on the way to mallory.
struct Withheld {
    siege: Siege,
    mallory: NodeId,
}

impl Withheld {
    fn from(version: &'static str) -> Self {
        let siege = Siege::by(version, Options::PMTU_DISCOVERY);
        let mallory = siege.node.forwarding().broadcast[0];
        let mut all = Self { siege, mallory };
        let key = "07".repeat(48);
        all.siege
            .say(&[format!("16 mallory alice {key} 427 672 4 0")]);
        all.answers(LONG);
        // By the first the node notices that the path is in use, the next it watches.
        all.sends();
        all.sends();
        all.siege.heard();
        all.pass(Duration::from_secs(5));
        let told = all.siege.heard();
        assert_eq!(told, ["16 alice mallory 0000 427 672 4 0"]);
        all
    }

    /// A probe of `len` bytes is answered by UDP.
    fn answers(&mut self, len: u16) {
        let peer = self.mallory;
        self.siege
            .tell(Input::Up(Up::ProbeReply { peer, len, mark: 0 }));
    }

    /// The device sends a frame of [`LONG`] bytes to everybody.
    fn sends(&mut self) {
        let mut egress = Egress::default();
        let mut frame = broadcast(1, &vec![7; usize::from(LONG) - 14]);
        let picture = self.siege.node.forwarding();
        Outbound::default().seal(&mut frame, &picture, self.siege.now, &mut egress);
        for up in egress.reports() {
            self.siege.tell(Input::Up(up));
        }
    }

    /// Lets time pass, in which mallory answers whether she is there.
    fn pass(&mut self, time: Duration) {
        let end = self.siege.now + time;
        while let Some(due) = self.siege.node.deadline().filter(|due| *due <= end) {
            self.siege.now = due.max(self.siege.now);
            self.siege.tell(Input::Timer);
            self.siege.say(&["9"]);
        }
        self.siege.now = end;
    }

    /// Whether mallory gets a key if she asks for one.
    fn is_given_a_key(&mut self) -> bool {
        self.siege.heard();
        self.siege.say(&["15 mallory alice"]);
        let told = self.siege.heard();
        told.iter()
            .any(|line| line.starts_with("16 alice mallory "))
    }
}

#[test]
fn what_passes_a_shrunken_path_brings_no_key_back() {
    let mut all = Withheld::from("17");
    all.answers(SHORT);
    assert!(!all.is_given_a_key());
    all.answers(LONG);
    assert!(all.is_given_a_key());
}

#[test]
fn tincd_waits_for_a_key_longer_than_tinc_1_1_which_tries_a_path_before_it_uses_it() {
    for (version, seconds) in [("17", 300), ("17.0", 30), ("17.7", 30)] {
        let mut all = Withheld::from(version);
        all.pass(Duration::from_secs(seconds - 8));
        assert!(!all.is_given_a_key(), "{version}");
        all.pass(Duration::from_secs(8));
        assert!(all.is_given_a_key(), "{version}");
    }
}
