//! Whether every NAT kind and venue is what its file says. Needs what `v6lab doctor` asks for, and fails where that is
//! missing.

#[allow(dead_code, reason = "no sockets but the probe's own")]
mod support;

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::future::join_all;
use futures::{StreamExt, stream};
use support::files;
use v6lab::fabric::Lab;
use v6lab::model::{Scenario, UdpTimeout, VenueKind};
use v6lab::nat::{Behaviour, Filtering, Mapping, Promise};
use v6lab::plan::Plan;
use v6lab::probe::{self, Proofs, Sighting};

/// Kinds with additions that are probed beside the kinds and venues that are files.
const ADDED: [&str; 5] = [
    "port-restricted-strict+hairpin",
    "address-restricted+hairpin",
    "full-cone+hairpin",
    "full-cone+hairpin-internal",
    "port-restricted+outbound-refresh",
];

/// Labs that stand at the same time.
const AT_ONCE: usize = 3;

fn main() {
    support::run(tests![
        every_kind_is_what_its_file_says,
        every_venue_has_the_nat_its_file_says,
        a_kind_that_is_not_what_it_says_is_found_out,
        a_run_probes_a_kind_once_and_believes_nothing,
        the_same_seed_gives_the_same_ports,
        mappings_live_as_long_as_stated,
        the_stricter_of_two_nats_in_a_row_decides,
    ]);
}

async fn every_kind_is_what_its_file_says() {
    let kinds = files("nat", "nft");
    assert!(kinds.len() >= 13, "{kinds:?}");
    hold(kinds.into_iter().chain(ADDED.map(PathBuf::from))).await;
}

async fn every_venue_has_the_nat_its_file_says() {
    let venues = files("venues", "toml");
    assert!(venues.len() >= 3, "{venues:?}");
    hold(venues.into_iter()).await;
}

async fn a_kind_that_is_not_what_it_says_is_found_out() {
    let (mut full_cone, restricted) = (find("full-cone"), find("port-restricted-strict"));
    full_cone.nat.template = restricted.nat.template;
    let stated = full_cone.nat.behaviour;
    let measured = measure(full_cone).await;
    assert_eq!(measured.filtering, Filtering::AddressAndPortDependent);
    let told: Vec<String> = stated
        .differences(&measured)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "filtering is stated as EIF and was measured as APDF",
            "leak is stated as yes and was measured as no"
        ]
    );
}

async fn a_run_probes_a_kind_once_and_believes_nothing() {
    let proofs = Proofs::default();
    let bench = |kind| Scenario::bench(kind).unwrap();
    let begun = Instant::now();
    proofs.hold(&bench(find("cgnat-fixed"))).await.unwrap();
    let first = begun.elapsed();
    proofs.hold(&bench(find("port-block"))).await.unwrap();
    let again = begun.elapsed() - first;
    println!("two kinds probed in {first:?}, one that was known in {again:?}");
    assert!(again < first / 4, "the carrier's was probed again");
    let mut lying = find("home-default");
    lying.nat.name = "lying".to_owned();
    lying.nat.behaviour.mapping = Mapping::AddressDependent;
    let error = proofs.hold(&bench(lying)).await.unwrap_err().to_string();
    assert!(error.contains("lying is not what its file says"), "{error}");
    assert!(
        error.contains("mapping is stated as ADM and was measured as EIM"),
        "{error}"
    );
}

async fn the_same_seed_gives_the_same_ports() {
    for kind in ["eim-hash", "symmetric-addr", "symmetric-seq"] {
        let mut sources = Vec::new();
        for _ in 0..2 {
            sources.push(seen(find(kind)).await.sources);
        }
        assert_eq!(sources[0], sources[1], "{kind}");
    }
    // What has no seed must differ, or the above proves nothing.
    let (one, other) = (seen(find("symmetric")).await, seen(find("symmetric")).await);
    assert_ne!(one.sources, other.sources);
}

async fn mappings_live_as_long_as_stated() {
    let stated = |replied| UdpTimeout {
        unreplied: 3,
        replied,
    };
    // What the router is set to, and what is asked for; the last one is to be found out.
    let cases = [
        ("port-restricted", 5, 5),
        ("full-cone", 5, 5),
        ("address-restricted", 5, 5),
        ("port-restricted+outbound-refresh", 5, 5),
        ("port-restricted", 9, 5),
    ];
    let probes = cases.map(|(name, set, asked)| async move {
        let kind = VenueKind {
            udp_timeout: Some(stated(set)),
            ..find(name)
        };
        let nat = kind.nat.clone();
        let lab = Lab::up(&probe::plan(kind).unwrap()).await.unwrap();
        let seen = probe::lifetimes(&lab, stated(asked)).await;
        lab.down().await.unwrap();
        let seen = seen.unwrap_or_else(|error| panic!("{name}: {error}"));
        let differences = seen.differences(&nat, stated(asked));
        differences
            .iter()
            .map(|differs| format!("{name}: {differs}"))
            .collect()
    });
    let mut told: Vec<Vec<String>> = join_all(probes).await;
    let longer = told.pop().unwrap().join("\n");
    assert!(
        longer.contains("replied is stated as 5 s and was measured as more than 6."),
        "{longer}"
    );
    assert!(told.concat().is_empty(), "{}", told.concat().join("\n"));
}

/// A sharer's port-restricted NAT behind the venue's. Every lab holds its passages to what the plan says of them.
async fn the_stricter_of_two_nats_in_a_row_decides() {
    for (outer, endpoint_independent, preserves_ports) in [
        ("full-cone", true, true),
        ("port-restricted", true, true),
        ("port-block", true, false),
        ("symmetric", false, false),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/laptop-sharing.toml");
        let mut scenario = Scenario::load(&path).unwrap();
        scenario.venues[0].kind = find(outer);
        let mut plan = Plan::new(&scenario);
        let promise = Promise {
            endpoint_independent,
            preserves_ports,
            filters_by_port: true,
        };
        assert_eq!(plan.passages[0].promise, promise, "{outer}");
        let lab = Lab::up(&plan)
            .await
            .unwrap_or_else(|error| panic!("{outer}: {error}"));
        lab.down().await.unwrap();
        plan.passages[0].promise.filters_by_port = false;
        let error = Lab::up(&plan).await.unwrap_err().to_string();
        assert!(error.contains("a stranger was kept out"), "{error}");
    }
}

/// Probes all of them and fails with everything that is not as stated.
async fn hold(all: impl Iterator<Item = PathBuf>) {
    let probes = all.map(|path| async move {
        let kind = VenueKind::find(&path).unwrap_or_else(|error| panic!("{error}"));
        let stated = kind.nat.behaviour;
        let differences = stated.differences(&measure(kind).await);
        let told = differences.iter().map(ToString::to_string);
        told.map(|difference| format!("{}: {difference}", path.display()))
            .collect::<Vec<_>>()
    });
    let wrong: Vec<String> = stream::iter(probes)
        .buffer_unordered(AT_ONCE)
        .concat()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn measure(kind: VenueKind) -> Behaviour {
    let name = kind.nat.name.clone();
    let behaviour = seen(kind).await.behaviour();
    behaviour.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is seen of a venue in a lab of its own.
async fn seen(kind: VenueKind) -> Sighting {
    let name = kind.nat.name.clone();
    let lab = Lab::up(&probe::plan(kind).unwrap()).await.unwrap();
    let sighting = probe::probe(&lab).await;
    lab.down().await.unwrap();
    sighting.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn find(name: &str) -> VenueKind {
    VenueKind::find(Path::new(name)).unwrap()
}
