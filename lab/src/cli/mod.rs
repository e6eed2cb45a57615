//! The command line: what there is to say, and who does it.

mod bench;
mod daemons;
mod doctor;
mod exec;
mod explain;
mod keeper;
mod labs;
mod matrix;
mod probe;
mod radio;
mod report;
mod schema;
mod steps;
mod up;
mod watch;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use v6lab::actors::ActorError;
use v6lab::say;
use v6lab::session::{CANNOT_RUN, SessionError};

/// Exit code of a command line that is not understood (`EX_USAGE` of sysexits.h), since clap's own, 2, is taken.
const USAGE: u8 = 64;

/// Networks of servers, venues, Pis and clients out of Linux namespaces, in which daemons are tried.
///
/// Everything a lab consists of lives in namespaces that end with it, so that nothing is left on this machine, however
/// it ends. Neither root nor a virtual machine is needed.
#[derive(Parser)]
#[command(name = "v6lab", version, after_help = EXIT_CODES)]
struct Cli {
    /// Tell more of what is done (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 this machine cannot run a lab (see `v6lab doctor`), 64 not \
understood; `exec` and `shell` end with the command's own.\n\nExample: v6lab up scenarios/how-to.toml && v6lab exec \
node_one -- ip address && v6lab down";

#[derive(Subcommand)]
enum Command {
    /// Play features and say which of their scenarios hold
    Run(v6lab::run::RunArgs),
    /// Build a scenario and keep it until `v6lab down`
    Up(up::Up),
    /// Run a command inside a node, without a shell
    ///
    /// It has the node's network, files, host name and process numbers, and dies with the lab.
    Exec(exec::Exec),
    /// Open a shell inside a node
    Shell(exec::Shell),
    /// List the labs that are up
    Ps(Json),
    /// Show what a lab is doing, again and again until it ends
    Watch(watch::Watch),
    /// End a lab
    Down(labs::Down),
    /// List the sentences that features are made of
    Steps(Json),
    /// Print what a scenario comes to: machines, addresses, routes, rulesets
    Explain(explain::Explain),
    /// Say what a venue does to UDP, and whether that is what its file says
    ///
    /// Two servers outside and two hosts inside ask as RFC 5780 does: how external ports are chosen (mapping), whether they
    /// are the inner ones (preserved), who may send in (filtering), whether a neighbour's peer may too (leak), whether
    /// two hosts with the same inner port each keep one (contention), whether a peer's packet that comes first costs the
    /// port (early), how neighbours see each other at external addresses (hairpin), and whether a host has one external
    /// address (paired). A carrier's router in front of the venue's own is asked by itself.
    Probe(probe::Probe),
    /// Punch UDP holes between every two NAT kinds, and say whether that is what theory has
    ///
    /// Three labs are built, which must agree. Ends with 1 where they do not, or differ from theory (RFC 5128 section 3.3).
    Matrix(Json),
    /// Measure tunnels of several daemons side by side, stars of many nodes, or the lab itself
    ///
    /// Subjects take turns in each round, so that what else the machine does meets all of them alike; medians, ratios to
    /// tincd and the way they were measured are told. Ends with 1 where something could not be measured.
    #[command(after_long_help = bench::EXAMPLES)]
    Bench(bench::Bench),
    /// Make a page of what runs have left, to be read in a browser
    ///
    /// One file that needs nothing else: what failed and why, each scenario with each cast of daemons and in each sort of
    /// place, and of every one its network, its steps and what passed on its links. Several runs stand side by side:
    /// v6lab run features --output ours && v6lab run features --daemon tincd --output theirs && v6lab report ours theirs
    Report(report::Report),
    /// Say whether this machine can run a lab, and what to do if not
    Doctor(Json),
    /// Remove what killed labs and runs left
    ///
    /// Of a lab itself nothing can be left; this removes the note that it was there, and the logs of runs that have ended.
    Gc,
    /// Print the JSON Schema of scenarios or venues, for editors
    ///
    /// Tombi and Even Better TOML, among others, complete and check by it: a first line `#:schema scenario.json` in the file
    /// names what this has printed.
    Schema(schema::Schema),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Be one end of Bluetooth links; for labs
    #[command(hide = true, subcommand)]
    Radio(radio::Radio),
    /// Try what a lab needs of the kernel; for `doctor`
    #[command(hide = true)]
    TryKernel {
        /// Lines with conditions too
        #[arg(long)]
        lines: bool,
    },
}

/// Output for programs.
#[derive(Args)]
struct Json {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which lab is meant.
#[derive(Args)]
struct Which {
    /// The lab, if several are up
    #[arg(long, value_name = "NAME")]
    lab: Option<String>,
}

/// Where a scenario is.
#[derive(Args)]
struct ScenarioArg {
    /// A file, or the name of one in `scenarios/`
    #[arg(value_name = "SCENARIO", value_hint = clap::ValueHint::FilePath)]
    scenario: PathBuf,
    /// Exchange a venue of the scenario for one like another in `scenarios/venues/`, e.g. `cafe=hotel-portal`
    #[arg(long, value_name = "VENUE=KIND", value_parser = likeness)]
    like: Vec<(String, String)>,
}

/// A venue's name and the kind it is to be.
fn likeness(word: &str) -> Result<(String, String), String> {
    let (venue, kind) = word
        .split_once('=')
        .ok_or("a venue's name and a kind are wanted, e.g. cafe=hotel-portal")?;
    Ok((venue.to_owned(), kind.to_owned()))
}

/// Understands the command line and does what it says. No thread is started before this decides to.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    log(cli.verbose);
    let done = match cli.command {
        Command::Run(args) => v6lab::run::main(&args),
        Command::Up(up) => up.main(),
        Command::Exec(exec) => exec.main(),
        Command::Shell(shell) => shell.main(),
        Command::Ps(Json { json }) => labs::ps(json),
        Command::Watch(watch) => watch.main(),
        Command::Down(down) => down.main(),
        Command::Steps(Json { json }) => steps::main(json),
        Command::Explain(explain) => explain.main(),
        Command::Probe(probe) => probe.main(),
        Command::Matrix(Json { json }) => matrix::main(json),
        Command::Bench(bench) => bench.main(),
        Command::Report(report) => report.main(),
        Command::Doctor(Json { json }) => doctor::main(json),
        Command::Schema(schema) => schema.main(),
        Command::Gc => labs::gc(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "v6lab", &mut script);
            say!("{}", String::from_utf8_lossy(&script).trim_end());
            Ok(0)
        }
        Command::Radio(radio) => radio.main(),
        Command::TryKernel { lines } => doctor::try_kernel(lines),
    };
    match done {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Err(error) => {
            eprintln!("v6lab: {error:#}");
            ExitCode::from(u8::try_from(code(&error)).unwrap_or(1))
        }
    }
}

/// The exit code of what came to nothing: whether this machine lacks something.
fn code(error: &anyhow::Error) -> i32 {
    let lacks = error.chain().any(|cause| {
        let missing = matches!(
            cause.downcast_ref::<ActorError>(),
            Some(ActorError::Missing { .. })
        );
        missing || cause.is::<SessionError>()
    });
    if lacks { CANNOT_RUN } else { 1 }
}

/// Logs to standard error; `V6LAB_LOG` takes the filters of `tracing`.
fn log(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info,v6lab=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("V6LAB_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}

/// A runtime for what a command does inside a session.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_no_failure_of_a_lab() {
        let missing = ActorError::Missing {
            product: "tincd".to_owned(),
            searched: "looked for /usr/sbin/tincd".to_owned(),
            remedy: "install it",
        };
        let node = "node_one".to_owned();
        assert_eq!(code(&missing.into()), CANNOT_RUN);
        assert_eq!(code(&ActorError::NoPlace { node }.into()), 1);
    }
}
