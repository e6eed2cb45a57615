//! Has cucumber play a suite.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use cucumber::event::ScenarioFinished;
use cucumber::gherkin::{Feature, Scenario};
use cucumber::writer::{JUnit, Json};
use cucumber::{World as _, WriterExt as _};
use futures::FutureExt as _;

use super::suite::Read;
use super::{Select, Suite};
use crate::actors::{Daemons, KeyRing, Programs};
use crate::probe::Proofs;
use crate::report::{Notes, Terminal};
use crate::session;
use crate::steps::{Setting, Stage, World};

/// How a suite is played.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which daemons play.
    pub daemons: Daemons,
    /// Which scenarios are played.
    pub select: Select,
    /// Whether to end with the first that fails.
    pub fail_fast: bool,
    /// How many at a time; those tagged `@serial` have the machine to themselves.
    pub jobs: usize,
    /// Where to write a JUnit report.
    pub junit: Option<PathBuf>,
    /// Where to write cucumber's JSON report.
    pub json: Option<PathBuf>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Scenarios that passed.
    pub passed: usize,
    /// Scenarios that failed.
    pub failed: usize,
}

/// Plays a suite's scenarios and tells on standard output how it goes, the last line being `N passed, N failed`.
/// Daemons' logs go below `logs`. Must be called inside a session.
///
/// # Errors
/// When a daemon is not there, or a report cannot be written.
pub async fn play(suite: &Suite, options: &Options, logs: &Path) -> anyhow::Result<Summary> {
    let programs = Programs::locate(options.daemons)?;
    let notes = Arc::new(Notes::default());
    let setting = Arc::new(Setting {
        daemons: options.daemons,
        keys: KeyRing::new(programs.clone(), session::dir().unwrap_or(logs)),
        programs,
        proofs: Proofs::default(),
        notes: Arc::clone(&notes),
    });
    let logs = logs.join(options.daemons.to_string());
    println!(
        "Daemons: {}; {} scenarios at a time",
        options.daemons, options.jobs
    );
    let writer = Terminal::stdout(Arc::clone(&notes))
        .tee::<World, _>(JUnit::for_tee(report(options.junit.as_deref())?, 0))
        .tee::<World, _>(Json::for_tee(report(options.json.as_deref())?))
        .normalized::<World>()
        .fail_on_skipped();
    let remarks = Arc::clone(&notes);
    let mut cucumber = World::cucumber::<&str>();
    if options.fail_fast {
        cucumber = cucumber.fail_fast();
    }
    cucumber
        .with_parser(Read(suite.clone()))
        .with_writer(writer)
        .max_concurrent_scenarios(options.jobs)
        .before(move |feature, _, scenario, world| {
            let stage = stage(&setting, &logs, feature, scenario);
            world.enter(stage);
            async {}.boxed_local()
        })
        .after(move |feature, _, scenario, finished, world| {
            let remarks = Arc::clone(&remarks);
            async move {
                let Some(world) = world else {
                    return;
                };
                let failed = !matches!(finished, ScenarioFinished::StepPassed);
                if let (Some(file), Some(remark)) = (&feature.path, world.remark(failed).await) {
                    remarks.remark(file, scenario.position.line, remark);
                }
                // A hook has no other way to fail.
                world
                    .leave()
                    .await
                    .unwrap_or_else(|error| panic!("{error:#}"));
            }
            .boxed_local()
        })
        .with_default_cli()
        .run(())
        .await;
    let (passed, failed) = notes.counts();
    println!("\n{passed} passed, {failed} failed");
    Ok(Summary { passed, failed })
}

/// Where a scenario plays; its logs' directory is named by the feature's file and the line.
fn stage(setting: &Arc<Setting>, logs: &Path, feature: &Feature, scenario: &Scenario) -> Stage {
    let feature = feature.path.clone().unwrap_or_default();
    let stem = feature.file_stem().unwrap_or_default().to_string_lossy();
    Stage {
        setting: Arc::clone(setting),
        logs: logs.join(format!("{stem}-{}", scenario.position.line)),
        feature,
    }
}

/// A file to write a report to, or nothing that takes anything.
fn report(path: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    let Some(path) = path else {
        return Ok(Box::new(io::sink()));
    };
    let file = File::create(path)
        .with_context(|| format!("cannot write the report {}", path.display()))?;
    Ok(Box::new(file))
}
