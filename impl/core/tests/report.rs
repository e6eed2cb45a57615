//! What operators are told of other nodes: the way to each, why, and how long it takes.

mod support;

use std::time::Duration;

use support::{Mesh, frame};
use v6router_core::dataplane::Obstacle;
use v6router_core::node::{PeerReport, Settings};
use v6router_core::options::Options;

const HOUR: Duration = Duration::from_secs(3600);
/// Twice the latency of the mesh's wires.
const ROUND_TRIP: Option<Duration> = Some(Duration::from_millis(10));

const TWO: &[(&str, &[&str])] = &[("pi", &["server"]), ("server", &[])];
const THREE: &[(&str, &[&str])] = &[("one", &["server"]), ("server", &[]), ("two", &["server"])];

/// What the first node says of the one called `name`.
fn of(mesh: &Mesh, name: &str) -> PeerReport {
    let node = mesh.members[0].node.as_ref().unwrap();
    let mut reports = node.report(mesh.now).into_iter();
    reports.find(|report| report.name.as_str() == name).unwrap()
}

fn is_by_udp(mesh: &Mesh, name: &str) -> bool {
    of(mesh, name).way.is_some_and(|way| way.udp.is_some())
}

fn stop_and_obstacle(report: &PeerReport) -> (&str, Option<Obstacle>) {
    let way = report.way.as_ref().unwrap();
    (way.stop.as_str(), way.obstacle)
}

#[test]
fn a_path_by_udp_has_its_address_length_and_round_trip_time() {
    let mut mesh = Mesh::new(1, TWO);
    assert!(of(&mesh, "server").way.is_none() && of(&mesh, "server").wanted);
    assert!(mesh.run(HOUR, |mesh| is_by_udp(mesh, "server")
        && of(mesh, "server").proven > 1400));
    let report = of(&mesh, "server");
    assert_eq!(stop_and_obstacle(&report), ("server", None));
    assert_eq!(report.way.unwrap().udp, Some(mesh.members[1].address));
    assert_eq!(report.round_trip, ROUND_TRIP);
    assert!(report.udp_turned.is_some());
    assert_eq!(report.link.unwrap().address, mesh.members[1].address);
}

#[test]
fn where_udp_is_blocked_the_connection_is_timed_and_the_reason_is_told() {
    let mut mesh = Mesh::new(1, TWO);
    mesh.udp = false;
    let timed = |mesh: &Mesh| {
        of(mesh, "server")
            .link
            .is_some_and(|link| link.round_trip.is_some())
    };
    assert!(mesh.run(HOUR, timed));
    let report = of(&mesh, "server");
    assert_eq!(
        stop_and_obstacle(&report),
        ("server", Some(Obstacle::Unproven))
    );
    assert_eq!(report.link.unwrap().round_trip, ROUND_TRIP);
    assert_eq!(
        (report.proven, report.udp_turned, report.round_trip),
        (0, None, None)
    );
}

#[test]
fn since_when_udp_is_silent_is_told() {
    let mut mesh = Mesh::new(1, TWO);
    assert!(mesh.run(HOUR, |mesh| is_by_udp(mesh, "server")));
    mesh.udp = false;
    assert!(mesh.run(HOUR, |mesh| !is_by_udp(mesh, "server")));
    mesh.run(Duration::from_secs(30), |_| false);
    let report = of(&mesh, "server");
    assert_eq!(
        stop_and_obstacle(&report),
        ("server", Some(Obstacle::Unproven))
    );
    assert_eq!(report.udp_turned, Some(Duration::from_secs(30)));
}

#[test]
fn who_passes_frames_on_is_told_with_the_reason() {
    let mut mesh = Mesh::new(1, THREE);
    assert!(mesh.run(HOUR, Mesh::converged));
    // Nobody has had a reason to ask for a key.
    let report = of(&mesh, "two");
    assert_eq!(
        stop_and_obstacle(&report),
        ("server", Some(Obstacle::NoKey))
    );
    assert!(report.link.is_none() && !report.wanted);
    let mut mesh = Mesh::with(1, THREE, |settings: &mut Settings| {
        settings.options = settings.options.with(Options::INDIRECT);
    });
    assert!(mesh.run(HOUR, |mesh| Mesh::converged(mesh) && is_by_udp(mesh, "two")));
    let report = of(&mesh, "two");
    assert_eq!(
        stop_and_obstacle(&report),
        ("server", Some(Obstacle::Indirect))
    );
}

#[test]
fn a_wish_for_tcp_is_the_reason() {
    let mut mesh = Mesh::with(1, TWO, |settings: &mut Settings| {
        settings.options = Options::TCP_ONLY.with(Options::INDIRECT);
    });
    assert!(mesh.run(HOUR, Mesh::converged));
    let report = of(&mesh, "server");
    assert_eq!(
        stop_and_obstacle(&report),
        ("server", Some(Obstacle::TcpOnly))
    );
}

/// From the first moment to the last, whether or not a datagram leaves for a short frame.
#[test]
fn what_is_told_is_what_happens_to_frames() {
    let mut mesh = Mesh::new(1, TWO);
    mesh.run(Duration::from_secs(5), Mesh::converged);
    mesh.device_sends(1, &frame(9, 1, b"here I am"));
    let mut seen = [0; 2];
    for second in 0..120 {
        mesh.udp = !(40..=80).contains(&second);
        mesh.run(Duration::from_secs(1), |_| false);
        let sealed = mesh.sealed(0, &frame(1, 9, b"hello"));
        assert_eq!(is_by_udp(&mesh, "server"), !sealed.is_empty(), "{second}");
        seen[usize::from(sealed.is_empty())] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
