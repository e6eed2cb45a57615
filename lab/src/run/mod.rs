//! Runs features: finds and reads them, chooses scenarios, and has them played, several at a time.

mod args;
mod logs;
mod play;
mod prose;
mod select;
mod suite;

pub use args::{RunArgs, default_jobs};
pub use logs::Logs;
pub use play::{Keep, Options, Summary, play};
pub use select::{Select, Shard};
pub use suite::{Suite, SuiteError};

use std::fs::OpenOptions;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::plan::Plan;
use crate::say;
use crate::session::SessionError;
use crate::{actors, fabric};

/// Exit code after a signal, as shells have it: this and the signal's number.
const SIGNALLED: i32 = 128;

/// What every daemon opens.
const TUN: &str = "/dev/net/tun";

/// What `v6lab run` does. Returns the exit code: 0 if every scenario passed, 1 if not.
///
/// Must be called before the first thread is started, since it enters a session.
///
/// # Errors
/// What keeps a run from beginning: a feature that cannot be read, a daemon that is not there, a machine on which no
/// lab can be built.
pub fn main(args: &RunArgs) -> anyhow::Result<i32> {
    let suite = Suite::load(&args.features)?;
    let options = args.options()?;
    runs(&suite, &[options])
}

/// Plays what each of `runs` selects of a suite; the exit code is 0 if every scenario of every run passed.
///
/// # Errors
/// As [`main`], and under the same condition.
pub fn runs(suite: &Suite, runs: &[Options]) -> anyhow::Result<i32> {
    let (mut plays, mut networks) = (Vec::new(), Vec::new());
    for options in runs {
        // Here, and again when playing, so that nobody waits for half a run to be told.
        actors::Programs::locate(options.daemons)?;
        let whole = Select {
            shard: None,
            ..options.select.clone()
        };
        if suite.chosen(options.daemons, &whole).ids().is_empty() {
            bail!("{} play none of these scenarios", options.daemons);
        }
        // A part of few may be empty.
        let chosen = suite.chosen(options.daemons, &options.select);
        networks.extend(chosen.understood()?);
        plays.push((chosen, options));
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(TUN)
        .map_err(|error| {
            SessionError::new(format!("open {TUN}, as every daemon does"), error)
                .hint("`v6lab doctor` tells what to change")
        })?;
    let logs = Logs::create().context("cannot make a directory for logs")?;
    let networks: Vec<&Plan> = networks.iter().collect();
    fabric::enter(&networks)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            all_passed = play_all(&plays, &logs) => all_passed.map(Ended::Played),
            signal = interrupted() => signal.map(Ended::Interrupted).context("cannot wait for signals"),
        }
    });
    // Leaving here ends the session, and with it whatever a run that was interrupted had built.
    let code = match ended? {
        Ended::Played(true) => 0,
        // Somebody will want to read the logs.
        Ended::Played(false) => return Ok(1),
        Ended::Interrupted(signal) => {
            say!("\ninterrupted");
            SIGNALLED + signal.as_raw_value()
        }
    };
    logs.remove().context("cannot remove the logs")?;
    Ok(code)
}

enum Ended {
    /// To the end; whether all passed.
    Played(bool),
    Interrupted(SignalKind),
}

async fn interrupted() -> std::io::Result<SignalKind> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    Ok(tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    })
}

async fn play_all(plays: &[(Suite, &Options)], logs: &Logs) -> anyhow::Result<bool> {
    let mut all = Summary {
        passed: 0,
        failures: Vec::new(),
    };
    for (suite, options) in plays {
        let one = play(suite, options, logs.path()).await?;
        all.passed += one.passed;
        let of = |failure| format!("  {}:\n{failure}", options.daemons);
        all.failures.extend(one.failures.into_iter().map(of));
    }
    if plays.len() > 1 {
        say!("\nWith all casts:");
        all.tell();
    }
    Ok(all.failures.is_empty())
}
