//! When a node dials again.

mod support;

use std::time::Duration;

use support::Mesh;
use v6router_core::node::{Input, Order};

fn seconds_between_dials(mesh: &Mesh) -> Vec<u64> {
    mesh.members[0]
        .dials
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect()
}

#[test]
fn a_node_without_address_is_looked_for_after_the_longest_wait() {
    let mut mesh = Mesh::with(1, &[("pi", &["nobody"])], |settings| {
        settings.max_timeout = Duration::from_secs(300);
    });
    mesh.run(Duration::from_secs(700), |_| false);
    assert_eq!(seconds_between_dials(&mesh), [300, 300]);
}

#[test]
fn who_comes_back_after_hours_is_dialled_within_a_minute() {
    let mut mesh = Mesh::new(1, &[("pi", &["server"]), ("server", &[])]);
    mesh.kill(1);
    mesh.run(Duration::from_secs(7200), |_| false);
    let waits = seconds_between_dials(&mesh);
    let longest = waits.iter().max().unwrap();
    // A tenth more, so that many do not come as one.
    assert!((55..=66).contains(longest), "{waits:?}");
}

#[test]
fn waits_begin_anew_when_told_to_retry_now() {
    let mut mesh = Mesh::new(1, &[("pi", &["server"]), ("server", &[])]);
    mesh.kill(1);
    mesh.run(Duration::from_secs(20), |_| false);
    let (before, now) = (mesh.members[0].dials.len(), mesh.now);
    mesh.tell(0, Input::Order(Order::RetryNow));
    assert_eq!(
        mesh.members[0].dials.last(),
        Some(&now),
        "not dialled at once"
    );
    mesh.run(Duration::from_secs(4), |_| false);
    // After 0.5, 1 and 2 seconds.
    assert_eq!(mesh.members[0].dials.len(), before + 4);
}
