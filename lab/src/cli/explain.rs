//! `v6lab explain`: a scenario's plan, in words or as JSON.

use anyhow::Result;
use clap::Args;
use v6lab::model::Scenario;
use v6lab::plan::Plan;

use super::{Json, ScenarioArg};

#[derive(Args)]
pub(super) struct Explain {
    #[command(flatten)]
    scenario: ScenarioArg,
    #[command(flatten)]
    output: Json,
}

impl Explain {
    pub(super) fn main(self) -> Result<i32> {
        let plan = plan(&self.scenario)?;
        if self.output.json {
            println!("{}", serde_json::to_string_pretty(&plan)?);
        } else {
            print!("{plan}");
        }
        Ok(0)
    }
}

/// The plan of the scenario named on the command line.
pub(super) fn plan(named: &ScenarioArg) -> Result<Plan> {
    let path = Scenario::find(&named.scenario)?;
    let mut scenario = Scenario::load(&path)?;
    for (venue, kind) in &named.like {
        scenario = scenario.with_venue_like(venue, kind)?;
    }
    Ok(Plan::new(&scenario))
}
