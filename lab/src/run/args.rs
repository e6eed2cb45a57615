//! The command line of `v6lab run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::{Context, bail};
use regex::Regex;

use cucumber::gherkin::tagexpr::TagOperation;

use super::logs::is_of_session;
use super::select::tags;
use super::{Keep, Options, Select, Shard};
use crate::actors::Daemons;
use crate::conditioner::any_seed;
use crate::steps::Captures;

/// What `v6lab run` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Feature files, or directories with some
    #[arg(value_name = "FEATURE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub features: Vec<PathBuf>,
    /// Which daemons play
    #[arg(long, value_enum, value_name = "DAEMON", default_value_t = Daemons::V6router)]
    pub daemon: Daemons,
    /// Play only scenarios whose name matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub name: Option<Regex>,
    /// Play only scenarios with such tags, like "@serial and not @long"
    #[arg(long, value_name = "EXPRESSION", value_parser = tags)]
    pub tags: Option<TagOperation>,
    /// Play only the I-th of N parts, so that several machines can share the whole
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// End with the first scenario that fails
    #[arg(long)]
    pub fail_fast: bool,
    /// Decides what lines lose and the like; the same seed again, the same losses [default: another each time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many scenarios to play at a time [default: two for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Write a JUnit report as well
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
    /// Write a JSON report (cucumber's) as well
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub json: Option<PathBuf>,
    /// Keep what happens, and all that can be had of scenarios that fail, in a new directory, for `v6lab report`
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Whose links are recorded for Wireshark, into that directory
    #[arg(long, value_enum, value_name = "WHEN", requires = "output", default_value_t, num_args = 0..=1,
        require_equals = true, default_missing_value = "always")]
    pub capture: Captures,
}

impl RunArgs {
    pub(super) fn options(&self) -> anyhow::Result<Options> {
        let absolute = |path: &Option<PathBuf>| {
            let made = path.as_ref().map(std::path::absolute);
            let made = made.transpose().context("cannot tell where this is")?;
            made.iter().try_for_each(|path| elsewhere(path))?;
            anyhow::Ok(made)
        };
        Ok(Options {
            daemons: self.daemon,
            select: Select {
                name: self.name.clone(),
                tags: self.tags.clone(),
                ids: None,
                shard: self.shard,
            },
            fail_fast: self.fail_fast,
            seed: self.seed.unwrap_or_else(any_seed),
            jobs: self.jobs.map_or_else(default_jobs, usize::from),
            junit: absolute(&self.junit)?,
            json: absolute(&self.json)?,
            keep: self.keep()?,
        })
    }

    fn keep(&self) -> anyhow::Result<Option<Keep>> {
        let Some(dir) = &self.output else {
            return Ok(None);
        };
        let made = fs::create_dir_all(dir).and_then(|()| dir.canonicalize());
        let dir = made.with_context(|| format!("cannot make {}", dir.display()))?;
        elsewhere(&dir)?;
        Ok(Some(Keep {
            dir,
            captures: self.capture,
        }))
    }
}

/// Whether something is still there when the run has ended.
fn elsewhere(path: &Path) -> anyhow::Result<()> {
    if is_of_session(path) {
        bail!(
            "what a run leaves in {} goes with it: choose a place elsewhere",
            path.display()
        );
    }
    Ok(())
}

/// How many scenarios are played at a time if nobody says: they wait more than they work, but what measures times must not wait for others.
#[must_use]
pub fn default_jobs() -> usize {
    available_parallelism()
        .map_or(1, usize::from)
        .saturating_mul(2)
}
