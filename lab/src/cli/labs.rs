//! `v6lab ps`, `down` and `gc`: the labs that are up, and those that no longer are.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use v6lab::run::Logs;

use super::keeper::{self, Note};
use v6lab::say;

/// How long a lab may take to end in its own order before it is killed: longer than it takes to find out that it
/// cannot, and to say why.
const DOWN_LIMIT: Duration = Duration::from_secs(10);

/// How long a keeper may take to be killed.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(2);

#[derive(Args)]
pub(super) struct Down {
    /// The lab, if several are up
    name: Option<String>,
    /// End every lab
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

impl Down {
    pub(super) fn main(self) -> Result<i32> {
        let notes = if self.all {
            Note::all()?.into_iter().filter(Note::is_true).collect()
        } else {
            vec![Note::find(self.name.as_deref())?]
        };
        let mut code = 0;
        // One that cannot be ended in order is no reason to keep the others.
        for note in notes {
            match end(&note) {
                Ok(()) => say!("{} is down", note.name),
                Err(error) => {
                    eprintln!("v6lab: {error:#}");
                    code = 1;
                }
            }
        }
        Ok(code)
    }
}

/// Ends a lab: as its keeper would, or at once if that does not happen, which is an error even if it is down then.
fn end(note: &Note) -> Result<()> {
    for (signal, limit) in [(Signal::SIGTERM, DOWN_LIMIT), (Signal::SIGKILL, KILL_LIMIT)] {
        let deadline = Instant::now() + limit;
        match kill(Pid::from_raw(note.keeper), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot end {}", note.name)),
        }
        while note.is_true() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        if note.is_true() {
            continue;
        }
        let left = note.now()?;
        note.remove()?;
        return match left.and_then(|note| note.failure) {
            Some(reason) => Err(anyhow!("{} did not end as it should: {reason}", note.name)),
            None if signal == Signal::SIGKILL => Err(anyhow!(
                "{} did not end within {} s and was killed",
                note.name,
                DOWN_LIMIT.as_secs()
            )),
            None => Ok(()),
        };
    }
    bail!("{}: process {} does not end", note.name, note.keeper)
}

/// Lists the labs that are up.
pub(super) fn ps(json: bool) -> Result<i32> {
    let up: Vec<Note> = Note::all()?.into_iter().filter(Note::is_true).collect();
    if json {
        say!("{}", serde_json::to_string_pretty(&up)?);
        return Ok(0);
    }
    if up.is_empty() {
        say!("no lab is up; `v6lab up SCENARIO` builds one");
    }
    for note in up {
        say!(
            "{}\t{}\tprocess {}\t{}",
            note.name,
            note.scenario,
            note.keeper,
            note.nodes.join(" ")
        );
    }
    Ok(0)
}

/// Removes notes of labs that are gone, what those left that never came up, and the logs of runs that have ended.
pub(super) fn gc() -> Result<i32> {
    for note in Note::all()?.into_iter().filter(|note| !note.is_true()) {
        note.remove()?;
        let end = match &note.failure {
            Some(reason) => format!("did not end as it should: {reason}"),
            None => "was killed".to_owned(),
        };
        say!("{} {end}; its note is removed", note.name);
    }
    for path in keeper::sweep()? {
        say!(
            "{} was of a lab that did not come up; removed",
            path.display()
        );
    }
    for path in Logs::sweep() {
        say!("{} was of a run that has ended; removed", path.display());
    }
    Ok(0)
}
