//! Whether holes can be punched where theory says so, and nowhere else. Needs what `v6lab doctor` asks for, and fails
//! where that is missing.

#[allow(dead_code, reason = "no sockets but the probe's own")]
mod support;

use v6lab::fabric::Lab;
use v6lab::model::VenueKind;
use v6lab::{nat, probe};

fn main() {
    support::run(tests![
        every_two_kinds_do_what_theory_says,
        a_venue_of_another_kind_is_seen_in_the_matrix,
    ]);
}

async fn every_two_kinds_do_what_theory_says() {
    let kinds = VenueKind::every_nat().unwrap();
    assert!(kinds.len() >= 13, "{}", kinds.len());
    let (mut wrong, mut open, mut shut) = (Vec::new(), 0, 0);
    for (row, first) in punch(&kinds).await.iter().zip(&kinds) {
        for (seen, second) in row.iter().zip(&kinds) {
            let (first, second) = (&first.nat, &second.nat);
            if *seen != nat::can_be_punched(&first.behaviour, &second.behaviour) {
                wrong.push(format!("{} before {}: {seen}", first.name, second.name));
            }
            *(if *seen { &mut open } else { &mut shut }) += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(open > 0 && shut > 0, "{open} open, {shut} shut");
}

async fn a_venue_of_another_kind_is_seen_in_the_matrix() {
    let every = VenueKind::every_nat().unwrap();
    let find = |name: &str| {
        every
            .iter()
            .find(|kind| kind.nat.name == name)
            .unwrap()
            .clone()
    };
    let mut kind = find("port-restricted");
    assert!(nat::can_be_punched(
        &kind.nat.behaviour,
        &kind.nat.behaviour
    ));
    kind.nat.template = find("symmetric").nat.template;
    assert_eq!(punch(&[kind]).await, [[false]]);
}

async fn punch(kinds: &[VenueKind]) -> Vec<Vec<bool>> {
    let lab = Lab::up(&probe::homes(kinds).unwrap()).await.unwrap();
    let seen = probe::punch_all(&lab, kinds.len()).await;
    lab.down().await.unwrap();
    seen.unwrap_or_else(|error| panic!("{error}"))
}
