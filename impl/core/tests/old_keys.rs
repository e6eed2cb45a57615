//! What becomes of keys: of those that are old, and of one that comes before the address where it is needed.

mod cuts;
mod ends;
mod siege;

use std::time::Duration;

use siege::{Siege, edges};
use v6router_core::dataplane::Up;
use v6router_core::node::Input;
use v6router_core::options::Options;

/// The keys that mallory was told since the last look.
fn keys(siege: &mut Siege) -> Vec<String> {
    let mut told = siege.heard();
    told.retain(|line| line.starts_with("16 alice mallory "));
    told
}

#[test]
fn who_goes_on_with_an_old_key_is_told_another() {
    let mut siege = Siege::new(Options::PMTU_DISCOVERY);
    let mallory = siege.node.forwarding().broadcast[0];
    siege.say(&["15 mallory alice"]);
    siege.say(&["15 mallory alice"]);
    keys(&mut siege);
    let in_keys = |siege: &Siege| -> Vec<_> {
        let picture = siege.node.forwarding();
        let path = picture.peer(mallory).unwrap();
        path.in_keys.iter().map(|key| key.epoch).collect()
    };
    let [_, in_use] = in_keys(&siege)[..] else {
        panic!("not two keys");
    };
    let packet = Input::Up(Up::OldKey(mallory));
    siege.tell(packet);
    assert!(keys(&mut siege).is_empty(), "it was under way");
    siege.now += Duration::from_secs(3);
    siege.tell(Input::Up(Up::OldKey(mallory)));
    assert_eq!(keys(&mut siege).len(), 1);
    assert_eq!(in_keys(&siege)[1], in_use, "what comes by it is opened on");
    siege.tell(Input::Up(Up::OldKey(mallory)));
    assert!(keys(&mut siege).is_empty(), "it has just been told");
}

#[test]
fn a_node_whose_address_is_told_after_its_key_is_probed_then() {
    let mut siege = Siege::new(Options::PMTU_DISCOVERY);
    siege.say(&edges("carol", "carol.example"));
    assert_eq!(siege.came_up(), ["carol"]);
    let key = "07".repeat(48);
    siege.say(&[format!("16 carol alice {key} 427 672 4 0")]);
    assert_eq!(siege.datagrams(), 0, "nobody knows where she is");
    siege.say(&edges("carol", "192.0.2.9"));
    assert_ne!(siege.datagrams(), 0);
}
