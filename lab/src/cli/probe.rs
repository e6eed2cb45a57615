//! `v6lab probe`: what a venue really does to UDP, held against what its file says.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use v6lab::fabric::Lab;
use v6lab::model::VenueKind;
use v6lab::nat::{Behaviour, Difference};
use v6lab::probe::{self, ROUTER, Sighting};
use v6lab::session;

use super::Json;

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
    /// What `measured` was told from.
    seen: &'a Sighting,
}

impl Probe {
    /// Ends with 1 if the venue is not what its file says.
    pub(super) fn main(self) -> Result<i32> {
        let kind = VenueKind::find(&self.venue)?;
        let nat = kind.nat.clone();
        let plan = probe::plan(kind)?;
        if self.ruleset {
            let router = plan.node(ROUTER).and_then(|node| node.ruleset.as_ref());
            print!("{}", router.map_or("", |ruleset| &ruleset.text));
            return Ok(0);
        }
        session::enter()?;
        let sighting = super::runtime()?.block_on(async {
            let lab = Lab::up(&plan).await?;
            let sighting = probe::probe(&lab).await?;
            lab.down().await?;
            anyhow::Ok(sighting)
        })?;
        let measured = sighting.behaviour()?;
        let differences = nat.behaviour.differences(&measured);
        let report = Report {
            venue: self.venue.display().to_string(),
            nat: &nat.name,
            ok: differences.is_empty(),
            stated: nat.behaviour,
            measured,
            differences: &differences,
            seen: &sighting,
        };
        if self.output.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
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
        println!("{} (NAT {})\n", self.venue, self.nat);
        println!("{:12}{:10}measured", "", "stated");
        let rows = self.stated.rows().into_iter().zip(self.measured.rows());
        for ((what, stated), (_, measured)) in rows {
            let mark = if stated == measured {
                ""
            } else {
                "  <- differs"
            };
            println!("{what:12}{stated:10}{measured}{mark}");
        }
    }
}
