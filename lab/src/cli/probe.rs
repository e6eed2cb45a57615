//! `v6lab probe`: what a venue really does to UDP, held against what its file says.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use v6lab::fabric::{self, Lab};
use v6lab::model::VenueKind;
use v6lab::nat::{Behaviour, Difference};
use v6lab::plan::Place;
use v6lab::probe::{self, Lifetimes, ROUTER, Sighting};

use super::Json;
use v6lab::say;

/// What the router in front of a venue's own is called.
const IN_FRONT: &str = "the router in front";

#[derive(Args)]
pub(super) struct Probe {
    /// A venue or NAT kind: a file, or the name of one in `scenarios/venues/` or `scenarios/nat/`
    ///
    /// `full-cone+hairpin` is the NAT kind `full-cone` with the addition `hairpin` of `scenarios/nat/with/`.
    #[arg(value_name = "VENUE", value_hint = clap::ValueHint::FilePath)]
    venue: PathBuf,
    /// Print the router's ruleset as `nft -f` takes it, and probe nothing
    #[arg(long, conflicts_with = "json")]
    ruleset: bool,
    /// Also ask how long mappings live and what keeps them alive, which takes as long as they do
    #[arg(long, conflicts_with = "ruleset")]
    timeouts: bool,
    #[command(flatten)]
    output: Json,
}

/// All that was found out.
#[derive(Serialize)]
struct Report {
    venue: String,
    /// Whether it is as stated.
    ok: bool,
    #[serde(flatten)]
    own: Router,
    /// The router in front of its own, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<Router>,
    /// What it does not let its guests do, each tried.
    rules: Vec<String>,
}

/// What was found out of a router.
#[derive(Serialize)]
struct Router {
    /// Name of its NAT kind.
    nat: String,
    stated: Behaviour,
    measured: Behaviour,
    differences: Vec<Difference>,
    /// How long mappings live, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetimes: Option<Lifetimes>,
    /// What `measured` was told from.
    seen: Sighting,
}

impl Probe {
    /// Ends with 1 if the venue is not what its file says.
    pub(super) fn main(self) -> Result<i32> {
        let kind = VenueKind::find(&self.venue)?;
        let (plan, ruled) = (probe::plan(kind.clone())?, probe::ruled(kind.clone())?);
        if self.ruleset {
            let router = plan.node(ROUTER).and_then(|node| node.ruleset.as_ref());
            say!("{}", router.map_or("", |ruleset| ruleset.text.trim_end()));
            return Ok(0);
        }
        if self.timeouts && kind.udp_timeout.is_none() {
            bail!(
                "{}: no [udp-timeout] is stated, so there is nothing to hold it to",
                self.venue.display()
            );
        }
        fabric::enter(&[&plan, &ruled])?;
        let (own, behind) = super::runtime()?.block_on(async {
            let in_front = probe::in_front(&kind);
            let own = Router::probe(kind, self.timeouts).await?;
            let behind = match in_front {
                Some(kind) => Some(Router::probe(kind, self.timeouts).await?),
                None => None,
            };
            // It comes up only if every rule does what is stated.
            if !ruled.places.is_empty() {
                Lab::up(&ruled).await?.down().await?;
            }
            anyhow::Ok((own, behind))
        })?;
        let mut routers = std::iter::once(&own).chain(&behind);
        let report = Report {
            venue: self.venue.display().to_string(),
            ok: routers.all(|router| router.differences.is_empty()),
            own,
            behind,
            rules: ruled.places.iter().flat_map(Place::rules).collect(),
        };
        if self.output.json {
            say!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.tell();
        }
        for difference in &report.own.differences {
            eprintln!("v6lab: {}: {difference}", report.venue);
        }
        for difference in report.behind.iter().flat_map(|behind| &behind.differences) {
            eprintln!("v6lab: {}, {IN_FRONT}: {difference}", report.venue);
        }
        Ok(i32::from(!report.ok))
    }
}

impl Router {
    async fn probe(kind: VenueKind, timeouts: bool) -> Result<Self> {
        let (nat, stated) = (kind.nat.clone(), kind.udp_timeout.filter(|_| timeouts));
        let lab = Lab::bare(&probe::plan(kind)?).await?;
        let seen = probe::probe(&lab).await?;
        let lifetimes = match stated {
            Some(stated) => Some(probe::lifetimes(&lab, stated).await?),
            None => None,
        };
        lab.down().await?;
        let measured = seen.behaviour()?;
        let mut differences = nat.behaviour.differences(&measured);
        if let (Some(lifetimes), Some(stated)) = (&lifetimes, stated) {
            differences.extend(lifetimes.differences(&nat, stated));
        }
        Ok(Self {
            nat: nat.name,
            stated: nat.behaviour,
            measured,
            differences,
            lifetimes,
            seen,
        })
    }

    fn tell(&self, name: &str) {
        say!("{name} (NAT {})\n", self.nat);
        say!("{:12}{:10}measured", "", "stated");
        let rows = self.stated.rows().into_iter().zip(self.measured.rows());
        for ((what, stated), (_, measured)) in rows {
            let mark = if stated == measured {
                ""
            } else {
                "  <- differs"
            };
            say!("{what:12}{stated:10}{measured}{mark}");
        }
        if let Some(lifetimes) = &self.lifetimes {
            say!("\na mapping without replies lives {}", lifetimes.unreplied);
            say!("one with replies lives {}", lifetimes.replied);
            match lifetimes.refresh {
                Some(refresh) => say!("it is kept alive by packets: {refresh}"),
                None => say!("what keeps it alive could not be told on this busy machine"),
            }
        }
    }
}

impl Report {
    fn tell(&self) {
        self.own.tell(&self.venue);
        if let Some(behind) = &self.behind {
            say!("");
            behind.tell(IN_FRONT);
        }
        if !self.rules.is_empty() {
            say!("\nrules of the house, as stated and as tried from inside");
        }
        for rule in &self.rules {
            say!("  {rule}");
        }
    }
}
