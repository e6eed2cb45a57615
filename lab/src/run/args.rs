//! The command line of `v6lab run`.

use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::Context;
use regex::Regex;

use cucumber::gherkin::tagexpr::TagOperation;

use super::select::tags;
use super::{Options, Select, Shard};
use crate::actors::Daemons;

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
    /// How many scenarios to play at a time [default: two for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Write a JUnit report as well
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
    /// Write a JSON report (cucumber's) as well
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub json: Option<PathBuf>,
}

impl RunArgs {
    pub(super) fn options(&self) -> anyhow::Result<Options> {
        let absolute = |path: &Option<PathBuf>| {
            let made = path.as_ref().map(std::path::absolute);
            made.transpose().context("cannot tell where this is")
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
            jobs: self.jobs.map_or_else(default_jobs, usize::from),
            junit: absolute(&self.junit)?,
            json: absolute(&self.json)?,
        })
    }
}

/// How many scenarios are played at a time if nobody says: they wait more than they work, but what measures times must not wait for others.
#[must_use]
pub fn default_jobs() -> usize {
    available_parallelism()
        .map_or(1, usize::from)
        .saturating_mul(2)
}
