//! Plays the features with each cast of daemons, and behaves like a test of libtest's to whoever calls it.
//!
//! A scenario's name is `CAST::file_stem::scenario_name:line`. `--list --format terse`, `--exact`, `--skip`, `--ignored`
//! and filters work as usual; options that only make sense for libtest are taken and do nothing. `--jobs N` says how many
//! scenarios are played at a time.

use std::path::Path;
use std::process::ExitCode;

use v6lab::actors::Daemons;
use v6lab::conditioner::any_seed;
use v6lab::run::{self, Options, Select, Suite};
use v6tests::libtest::{Asked, Choice};

const CASTS: [Daemons; 3] = [Daemons::V6router, Daemons::Tincd, Daemons::Mixed];

fn main() -> ExitCode {
    let played = Choice::parse(std::env::args().skip(1))
        .map_err(anyhow::Error::msg)
        .and_then(|choice| play(&choice));
    match played {
        Ok(0) => ExitCode::SUCCESS,
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("features: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(choice: &Choice) -> anyhow::Result<i32> {
    let features = Path::new(env!("CARGO_MANIFEST_DIR")).join("../features");
    let suite = Suite::load(&[features])?;
    let mut runs = Vec::new();
    for daemons in CASTS {
        let chosen: Vec<String> = suite
            .chosen(daemons, &Select::default())
            .ids()
            .into_iter()
            .filter(|id| choice.takes(&format!("{daemons}::{id}")))
            .collect();
        if choice.asked == Asked::List {
            chosen
                .iter()
                .for_each(|id| println!("{daemons}::{id}: test"));
        } else if !chosen.is_empty() {
            let select = Select {
                ids: Some(chosen),
                ..Select::default()
            };
            runs.push(Options {
                daemons,
                select,
                fail_fast: false,
                seed: any_seed(),
                jobs: choice.jobs.unwrap_or_else(run::default_jobs),
                junit: None,
                json: None,
                keep: None,
            });
        }
    }
    if runs.is_empty() {
        // Only listed, or a filter that is meant for other tests.
        return Ok(0);
    }
    run::runs(&suite, &runs)
}
