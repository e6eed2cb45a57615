//! `v6lab bench`: tunnels side by side, stars of many nodes, and how long labs take.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use v6lab::bench::{Catalogue, Labs, Machine, Stars, Subject, Tunnels, svg};
use v6lab::fabric;

use super::Json;
use v6lab::say;

/// Whom `--subjects` measures if nobody says.
const TUNNELS: &str = "v6router,v6router-router,tincd,tincd-router,tinc11,wireguard-go,\
v6router+tincd,tincd+v6router,veth";
const STARS: &str = "v6router,tincd,tinc11";

pub(super) const EXAMPLES: &str = "Examples:
  v6lab bench --subjects v6router,tincd,veth --rounds 3
  v6lab bench --program old=../old/v6router --subjects v6router,old,old-router,tincd --plot old.svg
  v6lab bench --scale --sizes 200,1000 --subjects v6router --patience 120
  v6lab bench --labs";

#[derive(Args)]
pub(super) struct Bench {
    /// Measure stars: a server, and leaves that are all started at once, twice
    #[arg(long, conflicts_with = "labs")]
    scale: bool,
    /// Measure how long labs take to come, to be pinged and to go, and their memory
    #[arg(long)]
    labs: bool,
    /// Whom to measure
    ///
    /// v6router, tincd and tinc11 are daemons in switch mode; with -router or -hub behind in another; with :KEY=VALUE
    /// behind, also several times, with more lines in tinc.conf; two joined by + stand left, where is sent, and right,
    /// or are server and leaves. wireguard-go and veth (no tunnel) make tunnels only. Without this, all of interest.
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        conflicts_with = "labs"
    )]
    subjects: Vec<String>,
    /// Give another program of v6router a name to be measured by, or that of v6router
    #[arg(long, value_name = "NAME=PATH", value_parser = program, conflicts_with = "labs")]
    program: Vec<(String, PathBuf)>,
    /// Rounds of each tunnel or lab; subjects take turns in each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with = "scale")]
    rounds: u16,
    /// Seconds of each measurement of a tunnel by TCP
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=3600),
        conflicts_with_all = ["scale", "labs"])]
    seconds: u16,
    /// Draw tunnels' results into this file
    #[arg(long, value_name = "FILE.svg", value_hint = clap::ValueHint::FilePath,
        conflicts_with_all = ["scale", "labs"])]
    plot: Option<PathBuf>,
    /// How many leaves stars have
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [10, 50, 100, 200],
        requires = "scale")]
    sizes: Vec<usize>,
    /// Seconds a star has to come together
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86400),
        requires = "scale")]
    patience: u64,
    /// Measure labs of this many venues instead, each with a Pi
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200), requires = "labs")]
    venues: Option<u16>,
    #[command(flatten)]
    output: Json,
}

impl Bench {
    pub(super) fn main(self) -> Result<i32> {
        if self.labs {
            self.labs()
        } else if self.scale {
            self.scale()
        } else {
            self.tunnels()
        }
    }

    fn tunnels(self) -> Result<i32> {
        let subjects = self.subjects(TUNNELS)?;
        let tunnels = Tunnels::prepare(subjects, self.rounds, self.seconds)?;
        let machine = Machine::look()?;
        fabric::enter(&[])?;
        let report = super::runtime()?.block_on(tunnels.measure(machine, told))?;
        self.tell(&report)?;
        if let Some(file) = &self.plot {
            let written = std::fs::write(file, svg(&report));
            written.with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(i32::from(!report.is_whole()))
    }

    fn scale(self) -> Result<i32> {
        let subjects = self.subjects(STARS)?;
        let patience = Duration::from_secs(self.patience);
        let stars = Stars::prepare(subjects, self.sizes.clone(), patience)?;
        let machine = Machine::look()?;
        fabric::enter(&[])?;
        let report = super::runtime()?.block_on(stars.measure(machine, told))?;
        self.tell(&report)?;
        Ok(i32::from(!report.is_whole()))
    }

    fn labs(self) -> Result<i32> {
        let labs = Labs::prepare(self.venues, self.rounds)?;
        let machine = Machine::look()?;
        fabric::enter(&[])?;
        let report = super::runtime()?.block_on(labs.measure(machine))?;
        self.tell(&report)?;
        Ok(0)
    }

    fn subjects(&self, default: &str) -> Result<Vec<Subject>> {
        let catalogue = Catalogue::new(&self.program);
        let default: Vec<String> = default.split(',').map(str::to_owned).collect();
        let words = if self.subjects.is_empty() {
            &default
        } else {
            &self.subjects
        };
        let subjects = words.iter().map(|word| catalogue.subject(word));
        Ok(subjects.collect::<Result<_, _>>()?)
    }

    fn tell(&self, report: &(impl Serialize + Display)) -> Result<()> {
        if self.output.json {
            say!("{}", serde_json::to_string_pretty(report)?);
        } else {
            say!("{report}");
        }
        Ok(())
    }
}

/// A name and where its program is, from wherever the lab stands.
fn program(word: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = word
        .split_once('=')
        .ok_or("a name and a path are wanted, e.g. old=../v6router-1.0")?;
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), path))
}

/// Progress goes where results do not.
fn told(what: &str) {
    eprintln!("{what}");
}
