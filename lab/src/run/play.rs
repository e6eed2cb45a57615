//! Has cucumber play a suite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use cucumber::event::ScenarioFinished;
use cucumber::gherkin::{Feature, Scenario};
use cucumber::{World as _, WriterExt as _};
use futures::FutureExt as _;

use super::suite::Read;
use super::{Select, Suite};
use crate::actors::{Daemons, KeyRing, Programs};
use crate::probe::Proofs;
use crate::report::{Asked, Journal, Notes, Sheet, Stream, Terminal, events, folder, id, stem};
use crate::say;
use crate::session;
use crate::steps::{Captures, Record, Setting, Stage, World};

/// How a suite is played.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which daemons play.
    pub daemons: Daemons,
    /// Which scenarios are played.
    pub select: Select,
    /// Whether to end with the first that fails.
    pub fail_fast: bool,
    /// Decides whatever is left to chance, so that a run can be had again.
    pub seed: u64,
    /// How many at a time; those tagged `@serial` have the machine to themselves.
    pub jobs: usize,
    /// Where to write a JUnit report.
    pub junit: Option<PathBuf>,
    /// Where to write cucumber's JSON report.
    pub json: Option<PathBuf>,
    /// What to keep of the run.
    pub keep: Option<Keep>,
}

/// What is kept of a run, for reports and for those who look for reasons.
#[derive(Debug, Clone)]
pub struct Keep {
    /// A directory that is made for it.
    pub dir: PathBuf,
    /// Of which scenarios recordings of the links are kept.
    pub captures: Captures,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Scenarios that passed.
    pub passed: usize,
    /// Scenarios that failed, each with its place, the step and the reason.
    pub failures: Vec<String>,
}

impl Summary {
    /// Tells which failed, and how many did not, as the last that is said of a run: whoever looks at the end of a long
    /// output finds the reasons there.
    pub(super) fn tell(&self) {
        if !self.failures.is_empty() {
            say!("\nFailed:\n");
            self.failures.iter().for_each(|failure| say!("{failure}"));
        }
        say!("{} passed, {} failed", self.passed, self.failures.len());
    }
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
        seed: options.seed,
        notes: Arc::clone(&notes),
    });
    let (junit, json) = (Sheet::default(), Sheet::default());
    let reports = [(&junit, &options.junit), (&json, &options.json)];
    for path in reports.iter().filter_map(|(_, path)| path.as_deref()) {
        Sheet::check(path).with_context(|| no_report(path))?;
    }
    let keep = options.keep.as_ref();
    let journal = keep.map(|keep| journal(keep, options)).transpose()?;
    let record = keep.map(|keep| keep.captures).zip(journal.clone());
    let logs = match &journal {
        Some(journal) => journal.dir().to_owned(),
        None => logs.join(options.daemons.to_string()),
    };
    say!(
        "Daemons: {}; {} scenarios at a time; seed {}",
        options.daemons,
        options.jobs,
        options.seed
    );
    let writer = Terminal::stdout(Arc::clone(&notes))
        .tee::<World, _>(Asked::junit(options.junit.as_ref().map(|_| junit.clone())))
        .tee::<World, _>(Asked::json(options.json.as_ref().map(|_| json.clone())))
        .normalized::<World>()
        .tee::<World, _>(Stream::new(journal.clone()))
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
            world.enter(stage(&setting, &logs, record.as_ref(), feature, scenario));
            async {}.boxed_local()
        })
        .after(move |feature, _, scenario, finished, world| {
            let remarks = Arc::clone(&remarks);
            async move {
                let Some(world) = world else {
                    return;
                };
                let failed = !matches!(finished, ScenarioFinished::StepPassed);
                let remark = world.remark(failed).await;
                let (kept, ended) = world.end(failed).await;
                let told: Vec<_> = remark.into_iter().chain(kept).collect();
                if let Some(file) = feature.path.as_ref().filter(|_| !told.is_empty()) {
                    remarks.remark(file, scenario.position.line, told.join("\n"));
                }
                // A hook has no other way to fail.
                ended.unwrap_or_else(|error| panic!("{error:#}"));
            }
            .boxed_local()
        })
        .with_default_cli()
        .run(())
        .await;
    let (passed, failed) = notes.counts();
    let failures = notes.failures();
    say!("");
    if !failures.is_empty() {
        say!("Once more with the same luck: --seed {}", options.seed);
    }
    let summary = Summary { passed, failures };
    // Before anything that may fail.
    summary.tell();
    if let Some(journal) = journal {
        journal.write(None, events::Event::RunEnded { passed, failed });
        let cannot = || format!("cannot write to {}", journal.dir().display());
        journal.end().with_context(cannot)?;
    }
    for (sheet, path) in reports {
        if let Some(path) = path {
            sheet.save(path).with_context(|| no_report(path))?;
        }
    }
    Ok(summary)
}

fn no_report(path: &Path) -> String {
    format!("cannot write the report {}", path.display())
}

/// The journal of a run that begins.
fn journal(keep: &Keep, options: &Options) -> anyhow::Result<Arc<Journal>> {
    let journal = Journal::create(&keep.dir).with_context(|| {
        let dir = keep.dir.display();
        format!("cannot begin a journal in {dir}, which has to be a directory without one")
    })?;
    let since = journal.began().duration_since(SystemTime::UNIX_EPOCH);
    let event = events::Event::RunStarted {
        time: since.unwrap_or_default().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        daemons: options.daemons.to_string(),
        jobs: options.jobs,
        seed: options.seed,
        argv: std::env::args().collect(),
    };
    journal.write(None, event);
    Ok(Arc::new(journal))
}

/// Where a scenario plays; its logs' directory is named by the feature's file and the line.
fn stage(
    setting: &Arc<Setting>,
    logs: &Path,
    record: Option<&(Captures, Arc<Journal>)>,
    feature: &Feature,
    scenario: &Scenario,
) -> Stage {
    let stem = stem(feature);
    let path = feature.path.clone().unwrap_or_default();
    let record = record.map(|(captures, journal)| Record {
        journal: Arc::clone(journal),
        id: id(&stem, scenario),
        name: scenario.name.clone(),
        captures: *captures,
        replay: replay(&path, &scenario.name, setting),
    });
    Stage {
        setting: Arc::clone(setting),
        logs: logs.join(folder(&stem, scenario)),
        feature: path,
        record,
    }
}

/// The command line, for a shell, that plays one scenario with the same luck.
fn replay(feature: &Path, name: &str, setting: &Setting) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    format!(
        "v6lab run {} --daemon {} --seed {} --name {}",
        quoted(&feature.to_string_lossy()),
        setting.daemons,
        setting.seed,
        quoted(&format!("^{}$", regex::escape(name))),
    )
}
