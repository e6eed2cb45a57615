//! `v6lab report`: a page about runs that were kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use v6lab::report;
use v6lab::say;

#[derive(Args)]
pub(super) struct Report {
    /// What `v6lab run --output DIR` has left; several stand side by side
    #[arg(value_name = "DIR", required = true, value_hint = clap::ValueHint::DirPath)]
    runs: Vec<PathBuf>,
    /// Where to write the page
    #[arg(short, long, value_name = "FILE", default_value = "report.html", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
}

impl Report {
    pub(super) fn main(self) -> Result<i32> {
        let whole = |path: &Path| {
            let whole = path.canonicalize();
            whole.with_context(|| format!("cannot find {}", path.display()))
        };
        let runs: Vec<PathBuf> = self
            .runs
            .iter()
            .map(|run| whole(run))
            .collect::<Result<_>>()?;
        let output = std::path::absolute(&self.output)?;
        let home = output.parent().map_or_else(|| Ok(PathBuf::new()), whole)?;
        let page = report::page(&runs, &home)?;
        fs::write(&output, page).with_context(|| format!("cannot write {}", output.display()))?;
        say!("{}", self.output.display());
        Ok(0)
    }
}
