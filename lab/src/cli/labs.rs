//! `v6lab ps`, `down` and `gc`: the labs that are up, and those that no longer are.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use v6lab::run::Logs;

use super::keeper::Note;

/// How long a lab may take to end in its own order before it is killed.
const DOWN_LIMIT: Duration = Duration::from_secs(5);

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
        for note in notes {
            end(&note)?;
            println!("{} is down", note.name);
        }
        Ok(0)
    }
}

/// Ends a lab: as its keeper would, or at once if that does not happen.
fn end(note: &Note) -> Result<()> {
    for (signal, limit) in [(Signal::SIGTERM, DOWN_LIMIT), (Signal::SIGKILL, DOWN_LIMIT)] {
        let deadline = Instant::now() + limit;
        match kill(Pid::from_raw(note.keeper), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot end {}", note.name)),
        }
        while note.is_true() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        if !note.is_true() {
            return Note::remove(&note.name);
        }
    }
    bail!("{}: process {} does not end", note.name, note.keeper)
}

/// Lists the labs that are up.
pub(super) fn ps(json: bool) -> Result<i32> {
    let up: Vec<Note> = Note::all()?.into_iter().filter(Note::is_true).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&up)?);
        return Ok(0);
    }
    if up.is_empty() {
        println!("no lab is up; `v6lab up SCENARIO` builds one");
    }
    for note in up {
        println!(
            "{}\t{}\tprocess {}\t{}",
            note.name,
            note.scenario,
            note.keeper,
            note.nodes.join(" ")
        );
    }
    Ok(0)
}

/// Removes notes of labs that are gone, and the logs of runs that have ended.
pub(super) fn gc() -> Result<i32> {
    for note in Note::all()?.into_iter().filter(|note| !note.is_true()) {
        Note::remove(&note.name)?;
        println!("{} was killed; its note is removed", note.name);
    }
    for path in Logs::sweep() {
        println!("{} was of a run that has ended; removed", path.display());
    }
    Ok(0)
}
