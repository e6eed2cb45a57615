//! `v6router status`.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::which::Running;
use crate::config::Layout;
use crate::status::{self, AskError, JSON, METRICS, Status};

/// Moves to the first line of a terminal and clears it (ECMA-48, CUP and ED).
const CLEAR: &str = "\x1b[H\x1b[2J";

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 told, 1 no daemon answers, 2 not understood.\n\n\
    The socket is beside the pid file (/run/tinc.NET.status); root and the user of `tincd -U' may ask.\n\n\
    Examples: v6router status -n vpn --watch\n          \
    v6router status -n vpn --json | jq '.peers[].path'\n\n\
    For Prometheus, let a timer write a file for node_exporter's textfile collector:\n  \
    v6router status -n vpn --metrics > DIR/v6router.tmp && mv DIR/v6router.tmp DIR/v6router.prom"
)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    running: Running,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the text format of Prometheus
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    metrics: bool,
    /// Ask again every so many seconds, two unless said; on a terminal the screen is drawn anew
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    watch: Option<u64>,
}

/// Asks and shows.
pub(super) fn status(args: StatusArgs) -> ExitCode {
    let layout = match args.running.layout() {
        Ok(layout) => layout,
        Err(code) => return code,
    };
    let shape = match (args.json, args.metrics) {
        (true, _) => Shape::Json,
        (_, true) => Shape::Metrics,
        _ => Shape::Text,
    };
    let Some(seconds) = args.watch else {
        return match shape.ask(&layout) {
            Ok(text) => super::print(text.as_bytes()),
            Err(why) => {
                eprintln!("v6router status: {why}");
                ExitCode::FAILURE
            }
        };
    };
    watch(&layout, shape, Duration::from_secs(seconds))
}

/// Until somebody has seen enough. A daemon may come and go meanwhile.
fn watch(layout: &Layout, shape: Shape, every: Duration) -> ExitCode {
    let mut out = io::stdout();
    let redraws = out.is_terminal() && shape == Shape::Text;
    loop {
        let clear = if redraws { CLEAR } else { "" };
        let shown = match shape.ask(layout) {
            Ok(text) => write!(out, "{clear}{text}").and_then(|()| out.flush()),
            Err(why) if redraws => writeln!(out, "{clear}{why}"),
            Err(why) => writeln!(io::stderr(), "v6router status: {why}"),
        };
        match shown {
            Ok(()) => thread::sleep(every),
            // Whoever reads only the first lines has what he wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Json,
    Metrics,
}

impl Shape {
    /// What the daemon says, in this shape; or why it says nothing.
    fn ask(self, layout: &Layout) -> Result<String, String> {
        let request = match self {
            Self::Text | Self::Json => JSON,
            Self::Metrics => METRICS,
        };
        let answer = status::ask(&layout.status_socket(), request);
        let answer = answer.map_err(|error| explained(&error, layout))?;
        if self != Self::Text {
            return Ok(answer);
        }
        let status: Status = serde_json::from_str(&answer)
            .map_err(|error| format!("the daemon's answer is not understood: {error}"))?;
        Ok(status::text(&status))
    }
}

/// An error with what to try next.
fn explained(error: &AskError, layout: &Layout) -> String {
    let others = layout.neighbours();
    match error {
        AskError::NotRunning(_) if layout.netname().is_none() && !others.is_empty() => {
            format!("{error}; choose a network by -n: {}", others.join(", "))
        }
        AskError::NotRunning(_) => format!("{error}; is it running?"),
        _ => error.to_string(),
    }
}
