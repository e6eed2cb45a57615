//! What venues do to UDP. Needs what `v6lab doctor` asks for, and fails where that is missing.

mod support;

use support::{SERVER, VENUE, heard, lab, plan, socket};
use v6lab::fabric::Lab;

fn main() {
    support::run(tests![
        the_venue_keeps_ports_and_filters_by_port,
        a_stray_packet_does_not_cost_the_pi_its_port,
        two_nats_are_passed_in_a_row,
        a_nat_that_breaks_its_promise_is_no_lab,
    ]);
}

async fn the_venue_keeps_ports_and_filters_by_port() {
    let lab = lab("how-to").await;
    let server = lab.node("v6router").unwrap();
    let (known, stranger) = (
        socket(server, &format!("{SERVER}:3478")).await,
        socket(server, &format!("{SERVER}:3479")).await,
    );
    let pi = socket(lab.node("node_one").unwrap(), "0.0.0.0:655").await;
    pi.send_to(b"out", (SERVER, 3478)).await.unwrap();
    let mapped = heard(&known).await.unwrap();
    assert_eq!(mapped.to_string(), format!("{VENUE}:655"));
    // Sent first, it would arrive first.
    stranger.send_to(b"in", mapped).await.unwrap();
    known.send_to(b"in", mapped).await.unwrap();
    assert_eq!(
        heard(&pi).await.unwrap().to_string(),
        format!("{SERVER}:3478")
    );
    pi.send_to(b"out", (SERVER, 3479)).await.unwrap();
    assert_eq!(
        heard(&stranger).await,
        Some(mapped),
        "one mapping for all destinations"
    );
    lab.down().await.unwrap();
}

async fn a_stray_packet_does_not_cost_the_pi_its_port() {
    let lab = lab("how-to").await;
    let server = socket(lab.node("v6router").unwrap(), &format!("{SERVER}:655")).await;
    server.send_to(b"early", (VENUE, 655)).await.unwrap();
    let pi = socket(lab.node("node_one").unwrap(), "0.0.0.0:655").await;
    pi.send_to(b"out", (SERVER, 655)).await.unwrap();
    assert_eq!(
        heard(&server).await.unwrap().to_string(),
        format!("{VENUE}:655")
    );
    lab.down().await.unwrap();
}

async fn two_nats_are_passed_in_a_row() {
    let lab = lab("laptop-sharing").await;
    let server = socket(lab.node("v6router").unwrap(), &format!("{SERVER}:655")).await;
    let pi = socket(lab.node("node_one").unwrap(), "0.0.0.0:655").await;
    pi.send_to(b"out", (SERVER, 655)).await.unwrap();
    let mapped = heard(&server).await.unwrap();
    assert_eq!(mapped.to_string(), format!("{VENUE}:655"));
    server.send_to(b"in", mapped).await.unwrap();
    assert_eq!(
        heard(&pi).await.unwrap().to_string(),
        format!("{SERVER}:655")
    );
    lab.down().await.unwrap();
}

async fn a_nat_that_breaks_its_promise_is_no_lab() {
    let promised = "oifname $wan masquerade";
    for (broken, reason) in [
        ("oifname $wan masquerade fully-random", "port 20000 became"),
        ("", "the server saw 192.168.1.100:20000"),
    ] {
        let mut plan = plan("how-to");
        let venue = plan
            .nodes
            .iter_mut()
            .find(|node| node.name == "cafe")
            .unwrap();
        let text = &mut venue.ruleset.as_mut().unwrap().text;
        *text = text.replace(promised, broken);
        let error = Lab::up(&plan).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
