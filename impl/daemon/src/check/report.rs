//! Findings as text for people and as JSON for programs.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::finding::{Finding, Findings, Severity};
use super::place::Place;

/// Everything that was found. Field names are stable.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The directories of the networks looked at.
    networks: Vec<PathBuf>,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(place: &Place, found: Findings) -> Self {
        let findings = found.sorted();
        let count = |severity| {
            findings
                .iter()
                .filter(|one| one.severity == severity)
                .count()
        };
        Self {
            networks: place
                .networks
                .iter()
                .map(|network| network.dir.clone())
                .collect(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            findings,
        }
    }

    /// The worst there is, if there is anything.
    pub(crate) fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|one| one.severity).max()
    }

    #[cfg(test)]
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.findings {
            let Finding {
                code,
                severity,
                file,
                line,
                what,
                why,
                fix,
            } = one;
            let severity = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            write!(f, "{}", file.display())?;
            if let Some(line) = line {
                write!(f, " line {line}")?;
            }
            writeln!(f, ": {severity}: {what} [{}]", code.name())?;
            writeln!(f, "    why: {why}")?;
            writeln!(f, "    fix: {fix}\n")?;
        }
        let count = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        let networks = count(self.networks.len(), "network");
        match self.findings.is_empty() {
            true => writeln!(f, "{networks}: nothing to complain about"),
            false => {
                let errors = count(self.errors, "error");
                let warnings = count(self.warnings, "warning");
                writeln!(
                    f,
                    "{networks}: {errors}, {warnings}, {}",
                    count(self.notes, "note")
                )
            }
        }
    }
}
