//! `v6router check`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::print;
use crate::check::{self, Look, Severity};

/// Where networks are.
const LIVE: &str = "/etc/tinc";
/// Exit status if warnings are the worst of what was found; 2 means that the command line was not understood.
const WARNINGS_ONLY: u8 = 3;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 nothing worse than a note, 1 errors, 2 not understood, 3 warnings and no errors.\n\n\
    Examples: v6router check\n          v6router check -n vpn --json\n          v6router check copy/of/etc/tinc"
)]
pub(super) struct CheckArgs {
    /// A network's directory, or a directory of such
    ///
    /// Whatever machine it is of: only what the files say is judged. Of /etc/tinc it counts, too,
    /// whether this machine forwards already.
    #[arg(value_name = "DIR", default_value = LIVE)]
    dir: PathBuf,
    /// Only the network in the directory of this name
    #[arg(short, long, value_name = "NET")]
    net: Option<String>,
    /// Also this machine itself: its settings, and services that know IPv4 only
    #[arg(long)]
    host: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks and reports.
pub(super) fn check(args: &CheckArgs) -> ExitCode {
    let dir = args.dir.canonicalize().unwrap_or_else(|_| args.dir.clone());
    let live = dir == Path::new(LIVE) || dir.parent() == Some(Path::new(LIVE));
    let look = match (args.host, live) {
        (true, _) => Look::Machine,
        (false, true) => Look::Ours,
        (false, false) => Look::Files,
    };
    let report = match check::examine(&args.dir, args.net.as_deref(), look) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("v6router check: {error}");
            return ExitCode::FAILURE;
        }
    };
    let text = match args.json {
        true => serde_json::to_string_pretty(&report).map(|json| json + "\n"),
        false => Ok(report.to_string()),
    };
    let printed = match text {
        Ok(text) => print(text.as_bytes()),
        Err(error) => {
            eprintln!("v6router check: {error}");
            return ExitCode::FAILURE;
        }
    };
    match report.worst() {
        Some(Severity::Error) => ExitCode::FAILURE,
        Some(Severity::Warning) => ExitCode::from(WARNINGS_ONLY),
        Some(Severity::Note) | None => printed,
    }
}
