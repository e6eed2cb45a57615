//! `v6lab matrix`: between which NAT kinds holes can be punched.

use anyhow::{Result, bail};
use serde::Serialize;
use v6lab::fabric::{self, Lab};
use v6lab::model::VenueKind;
use v6lab::say;
use v6lab::{nat, probe};

/// Labs that must agree.
const RUNS: usize = 3;

/// One pair.
#[derive(Serialize)]
struct Cell<'a> {
    /// The kind that sends first,
    first: &'a str,
    /// and the other.
    second: &'a str,
    /// Whether it can be done by theory.
    theory: bool,
    /// Whether it could be done in each run.
    seen: Vec<bool>,
}

impl Cell<'_> {
    fn ok(&self) -> bool {
        self.seen.iter().all(|seen| *seen == self.theory)
    }

    fn word(&self) -> &'static str {
        match (self.ok(), self.seen.iter().all(|seen| *seen)) {
            (false, _) => "!!",
            (true, true) => "yes",
            (true, false) => "no",
        }
    }
}

/// Tries, tells, and ends with 1 if that is not what theory has.
pub(super) fn main(json: bool) -> Result<i32> {
    let kinds = VenueKind::every_nat()?;
    if kinds.is_empty() {
        bail!("there is no scenarios/nat/ above the working directory or the program");
    }
    let plan = probe::homes(&kinds)?;
    fabric::enter(&[&plan])?;
    let runs = super::runtime()?.block_on(async {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let lab = Lab::bare(&plan).await?;
            runs.push(probe::punch_all(&lab, kinds.len()).await?);
            lab.down().await?;
        }
        anyhow::Ok(runs)
    })?;
    let cell = |first: usize, second: usize| Cell {
        first: &kinds[first].nat.name,
        second: &kinds[second].nat.name,
        theory: nat::can_be_punched(&kinds[first].nat.behaviour, &kinds[second].nat.behaviour),
        seen: runs.iter().map(|run| run[first][second]).collect(),
    };
    let all = 0..kinds.len();
    let cells: Vec<Cell<'_>> = all
        .clone()
        .flat_map(|first| all.clone().map(move |second| (first, second)))
        .map(|(first, second)| cell(first, second))
        .collect();
    if json {
        say!("{}", serde_json::to_string_pretty(&cells)?);
    } else {
        tell(&cells, kinds.len());
    }
    let wrong: Vec<_> = cells.iter().filter(|cell| !cell.ok()).collect();
    for Cell {
        first,
        second,
        theory,
        seen,
    } in &wrong
    {
        eprintln!("v6lab: {first} before {second}: theory says {theory}, seen was {seen:?}");
    }
    Ok(i32::from(!wrong.is_empty()))
}

/// A row for each kind that sends first; columns by number.
fn tell(cells: &[Cell<'_>], kinds: usize) {
    let numbers: String = (1..=kinds).map(|n| format!("{n:>4}")).collect();
    say!("{:26}{numbers}", "first to send");
    for (n, row) in cells.chunks(kinds).enumerate() {
        let words: String = row
            .iter()
            .map(|cell| format!("{:>4}", cell.word()))
            .collect();
        say!("{:>2} {:23}{words}", n + 1, row[0].first);
    }
}
