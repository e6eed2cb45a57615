//! `v6lab explain`: a scenario's plan, in words, as JSON, or to be drawn.

use anyhow::Result;
use clap::Args;
use v6lab::model::Scenario;
use v6lab::plan::Plan;

use super::{Json, ScenarioArg};
use v6lab::say;

#[derive(Args)]
pub(super) struct Explain {
    #[command(flatten)]
    scenario: ScenarioArg,
    #[command(flatten)]
    output: Json,
    /// Print a flowchart for Mermaid
    #[arg(long, conflicts_with = "json")]
    mermaid: bool,
    /// Print a graph for Graphviz, as in: v6lab explain how-to --graphviz | dot -Tsvg
    #[arg(long, conflicts_with_all = ["json", "mermaid"])]
    graphviz: bool,
}

impl Explain {
    pub(super) fn main(self) -> Result<i32> {
        let plan = plan(&self.scenario)?;
        if self.output.json {
            say!("{}", serde_json::to_string_pretty(&plan)?);
        } else if self.mermaid {
            say!("{}", plan.mermaid().trim_end());
        } else if self.graphviz {
            say!("{}", plan.graphviz().trim_end());
        } else {
            say!("{}", plan.to_string().trim_end());
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
