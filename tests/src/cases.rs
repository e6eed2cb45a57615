//! Plays generated cases inside a session, several at a time, with a line for each, in the manner of libtest.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use futures::StreamExt as _;
use futures::stream;
use v6lab::actors::{Daemons, KeyRing, Programs};
use v6lab::run::Logs;
use v6lab::session;

use crate::libtest::{Asked, Choice};

/// What the cases of one run have in common.
#[derive(Debug)]
pub struct Setting {
    /// The daemons' programs; one that is not there fails the cases that need it.
    pub programs: Programs,
    /// Keys for the machines.
    pub keys: KeyRing,
    /// Where logs go that are read after a failure.
    pub logs: PathBuf,
}

/// Does what the command line says with the cases that it means, whose names are how they are displayed: `play` says
/// what is worth telling of one that passed. `jobs` at a time, if the command line does not say otherwise.
pub fn main<C: Display>(
    cases: Vec<C>,
    jobs: usize,
    play: impl AsyncFn(&Setting, &C) -> anyhow::Result<String>,
) -> ExitCode {
    match try_main(cases, jobs, play) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_main<C: Display>(
    mut cases: Vec<C>,
    jobs: usize,
    play: impl AsyncFn(&Setting, &C) -> anyhow::Result<String>,
) -> anyhow::Result<bool> {
    let choice = Choice::parse(std::env::args().skip(1)).map_err(anyhow::Error::msg)?;
    cases.retain(|case| choice.takes(&case.to_string()));
    if choice.asked == Asked::List {
        cases.iter().for_each(|case| println!("{case}: test"));
        return Ok(true);
    }
    if cases.is_empty() {
        // A filter that is meant for other tests.
        return Ok(true);
    }
    let programs = Programs::locate(Daemons::Mixed)?;
    let logs = Logs::create().context("cannot make a directory for logs")?;
    session::enter()?;
    let setting = Setting {
        keys: KeyRing::new(programs.clone(), session::path()),
        programs,
        logs: logs.path().to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let failed = runtime.block_on(play_all(
        &setting,
        &cases,
        choice.jobs.unwrap_or(jobs),
        play,
    ));
    let passed = cases.len() - failed;
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed");
    if failed == 0 {
        logs.remove().context("cannot remove the logs")?;
    } else {
        println!("logs: {}", logs.path().display());
    }
    Ok(failed == 0)
}

/// How many failed.
async fn play_all<C: Display>(
    setting: &Setting,
    cases: &[C],
    jobs: usize,
    play: impl AsyncFn(&Setting, &C) -> anyhow::Result<String>,
) -> usize {
    println!("\nrunning {} tests, {jobs} at a time", cases.len());
    let play = &play;
    let all = stream::iter(cases).map(async |case| {
        let started = Instant::now();
        let ended = play(setting, case).await;
        let seconds = started.elapsed().as_secs_f64();
        match &ended {
            Ok(told) => println!("test {case} ... ok  {seconds:.2} s  {told}"),
            Err(error) => println!("test {case} ... FAILED  {seconds:.2} s\n    {error:#}"),
        }
        usize::from(ended.is_err())
    });
    all.buffer_unordered(jobs)
        .fold(0, async |sum, failed| sum + failed)
        .await
}

impl Setting {
    /// The directory for the logs of a case, made.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn logs_of(&self, case: &impl Display) -> anyhow::Result<PathBuf> {
        let name = case.to_string().replace("::", "-").replace('/', "-");
        let path = self.logs.join(Path::new(&name));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}
