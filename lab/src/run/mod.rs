//! Runs features: finds and reads them, chooses scenarios, and has them played, several at a time.

mod args;
mod logs;
mod play;
mod suite;

pub use args::{RunArgs, default_jobs};
pub use play::{Options, Summary, play};
pub use suite::{Select, Suite, SuiteError};

use anyhow::Context;

use crate::{actors, session};
use logs::Logs;

/// Exit code after Ctrl-C, as shells have it: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

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

/// Plays a suite once for each of `runs`; the exit code is 0 if every scenario of every run passed.
///
/// # Errors
/// As [`main`], and under the same condition.
pub fn runs(suite: &Suite, runs: &[Options]) -> anyhow::Result<i32> {
    for options in runs {
        // Here, and again when playing, so that nobody waits for half a run to be told.
        actors::Programs::locate(options.daemons)?;
    }
    let logs = Logs::create().context("cannot make a directory for logs")?;
    session::enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = play_all(suite, runs, &logs) => outcome.map(Some),
            interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| None).map_err(Into::into),
        }
    });
    // Leaving here ends the session, and with it whatever a run that was interrupted had built.
    match outcome? {
        Some(true) => logs.remove().map(|()| 0).context("cannot remove the logs"),
        Some(false) => Ok(1),
        None => {
            println!("\ninterrupted");
            logs.remove()
                .map(|()| INTERRUPTED)
                .context("cannot remove the logs")
        }
    }
}

async fn play_all(suite: &Suite, runs: &[Options], logs: &Logs) -> anyhow::Result<bool> {
    let mut all_passed = true;
    for options in runs {
        all_passed &= play(suite, options, logs.path()).await?.failed == 0;
    }
    Ok(all_passed)
}
