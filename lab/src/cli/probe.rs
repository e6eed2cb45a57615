//! `v6lab probe`: what a venue really does to UDP, held against what its file says.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use v6lab::fabric::Lab;
use v6lab::model::VenueKind;
use v6lab::nat::{Behaviour, Difference};
use v6lab::plan::Place;
use v6lab::probe::{self, Lifetimes, ROUTER, Sighting};
use v6lab::session;

use super::Json;
use v6lab::say;

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
struct Report<'a> {
    venue: String,
    /// Name of its NAT kind.
    nat: &'a str,
    /// Whether it is as stated.
    ok: bool,
    stated: Behaviour,
    measured: Behaviour,
    differences: &'a [Difference],
    /// What it does not let its guests do, each tried.
    rules: Vec<String>,
    /// How long mappings live, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetimes: Option<Lifetimes>,
    /// What `measured` was told from.
    seen: &'a Sighting,
}

impl Probe {
    /// Ends with 1 if the venue is not what its file says.
    pub(super) fn main(self) -> Result<i32> {
        let kind = VenueKind::find(&self.venue)?;
        let (nat, timeout) = (kind.nat.clone(), kind.udp_timeout);
        let ruled = probe::ruled(kind.clone())?;
        let plan = probe::plan(kind)?;
        if self.ruleset {
            let router = plan.node(ROUTER).and_then(|node| node.ruleset.as_ref());
            say!("{}", router.map_or("", |ruleset| ruleset.text.trim_end()));
            return Ok(0);
        }
        let timeout = match (self.timeouts, timeout) {
            (true, None) => bail!(
                "{}: no [udp-timeout] is stated, so there is nothing to hold it to",
                self.venue.display()
            ),
            (asked, timeout) => timeout.filter(|_| asked),
        };
        session::enter()?;
        let (sighting, lifetimes) = super::runtime()?.block_on(async {
            let lab = Lab::bare(&plan).await?;
            let sighting = probe::probe(&lab).await?;
            let lifetimes = match timeout {
                Some(stated) => Some(probe::lifetimes(&lab, stated).await?),
                None => None,
            };
            lab.down().await?;
            // It comes up only if every rule does what is stated.
            if !ruled.places.is_empty() {
                Lab::up(&ruled).await?.down().await?;
            }
            anyhow::Ok((sighting, lifetimes))
        })?;
        let measured = sighting.behaviour()?;
        let mut differences = nat.behaviour.differences(&measured);
        if let (Some(lifetimes), Some(stated)) = (&lifetimes, timeout) {
            differences.extend(lifetimes.differences(&nat, stated));
        }
        let report = Report {
            venue: self.venue.display().to_string(),
            nat: &nat.name,
            ok: differences.is_empty(),
            stated: nat.behaviour,
            measured,
            differences: &differences,
            rules: ruled.places.iter().flat_map(Place::rules).collect(),
            lifetimes,
            seen: &sighting,
        };
        if self.output.json {
            say!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.tell();
        }
        for difference in &differences {
            eprintln!("v6lab: {}: {difference}", report.venue);
        }
        Ok(i32::from(!report.ok))
    }
}

impl Report<'_> {
    fn tell(&self) {
        say!("{} (NAT {})\n", self.venue, self.nat);
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
        if !self.rules.is_empty() {
            say!("\nrules of the house, as stated and as tried from inside");
        }
        for rule in &self.rules {
            say!("  {rule}");
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
