//! `v6lab schema`: what editors want to know of the files people write.

use anyhow::Result;
use clap::{Args, ValueEnum};
use v6lab::model::{scenario_schema, venue_schema};
use v6lab::say;

#[derive(Args)]
pub(super) struct Schema {
    /// Which files
    #[arg(value_enum, default_value_t = Of::Scenario)]
    of: Of,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    /// `scenarios/NAME.toml`
    Scenario,
    /// `scenarios/venues/NAME.toml`
    Venue,
}

impl Schema {
    pub(super) fn main(self) -> Result<i32> {
        let schema = match self.of {
            Of::Scenario => scenario_schema(),
            Of::Venue => venue_schema(),
        };
        say!("{}", serde_json::to_string_pretty(&schema)?);
        Ok(0)
    }
}
