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

#[test]
fn a_network_that_changes_all_the_time_keeps_no_dead_connection() {
    let mut mesh = Mesh::new(1, &[("pi", &["server"]), ("server", &[])]);
    assert!(mesh.run(Duration::from_secs(30), Mesh::converged));
    mesh.cut(0, 1);
    for _ in 0..20 {
        mesh.tell(0, Input::Order(Order::RetryNow));
        mesh.run(Duration::from_secs(1), |_| false);
    }
    assert!(!mesh.members[0].node.as_ref().unwrap().reaches_anyone());
}

#[test]
fn whose_host_file_changes_during_the_handshake_begins_anew() {
    let mut mesh = Mesh::new(1, &[("pi", &["server"]), ("server", &[])]);
    // The ID has arrived, and the rest takes longer.
    mesh.run(Duration::from_millis(12), |_| false);
    let drop = vec!["pi".parse().unwrap()];
    let reload = Order::Reload {
        connect_to: Vec::new(),
        drop,
    };
    mesh.tell(1, Input::Order(reload));
    mesh.run(Duration::from_millis(200), |_| false);
    assert!(!mesh.converged());
    assert!(mesh.run(Duration::from_secs(5), Mesh::converged));
    assert_eq!(mesh.members[0].dials.len(), 2);
}
