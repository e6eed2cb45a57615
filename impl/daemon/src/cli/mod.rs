//! The command line: `v6router COMMAND`, and the same binary called as `tincd`.

mod check;
mod grammar;
mod setup;
mod status;
mod tincd;
mod which;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{ConfigSet, FileError, Layout, Override};
use crate::{keys, pidfile, run};
use grammar::GrammarError;
pub(crate) use tincd::Invocation;
use tincd::{Action, UsageError};

/// The name under which the binary is tincd.
const TINCD: &str = "tincd";

/// A node of a tinc mesh, and a drop-in for tincd.
#[derive(Debug, Parser)]
#[command(name = "v6router", version, arg_required_else_help = true)]
#[command(
    after_help = "Called by the name tincd (a link will do), it takes tincd's options.\n\
    Exit status: 0 done, 1 failed, 2 not understood (tincd: 1); of check: 3 warnings only.\n\n\
    Example: v6router tincd -n vpn -D -d2"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be tincd: run the daemon, signal it, or make its keys
    ///
    /// Takes the options of tincd 1.0.36 with their exact grammar; `v6router tincd --help`
    /// lists them. Example: `v6router tincd -n vpn -D -d2`.
    #[command(disable_help_flag = true)]
    Tincd {
        /// tincd's own options
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTION"
        )]
        options: Vec<OsString>,
    },
    /// Put addresses, routes and settings back that a killed daemon has left behind
    ///
    /// A daemon that is stopped does so itself, and one that is started does it for its
    /// predecessor. Example: `v6router down -n vpn`.
    Down(which::Running),
    /// Ask a running daemon what it knows: nodes and the ways to them, the way out, clients
    Status(status::StatusArgs),
    /// Say what is wrong with a network's files and scripts, and how to mend it
    ///
    /// Runs nothing and changes nothing. docs/CHECK.md explains each code.
    Check(check::CheckArgs),
    /// Make a network's directory, with keys and router.toml; never over one that is there
    Init {
        #[command(subcommand)]
        command: setup::InitCommand,
    },
    /// Give prefixes of a server's pool to sites
    Site {
        #[command(subcommand)]
        command: setup::SiteCommand,
    },
    /// Print a completion script for a shell
    ///
    /// Example: `v6router completions bash > /etc/bash_completion.d/v6router`.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Does what the words of the command line say; the first is the name we were called by.
pub(crate) fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let called = words.first().map(Path::new);
    if let Some(called) = called
        && called.file_name().is_some_and(|name| name == TINCD)
    {
        let command = called.display().to_string();
        return tincd(&command, words.into_iter().skip(1));
    }
    match Cli::parse_from(words).command {
        Command::Tincd { options } => tincd("v6router tincd", options),
        Command::Down(running) => down(&running),
        Command::Status(args) => status::status(args),
        Command::Check(args) => check::check(&args),
        Command::Init { command } => setup::init(command),
        Command::Site { command } => setup::site(command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "v6router", &mut script);
            print(&script)
        }
    }
}

fn down(running: &which::Running) -> ExitCode {
    let layout = match running.layout() {
        Ok(layout) => layout,
        Err(code) => return code,
    };
    match run::down(&layout) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("v6router down: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// tincd; `command` is what messages call us.
fn tincd(command: &str, words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Result<Vec<String>, OsString> =
        words.into_iter().map(OsString::into_string).collect();
    let invocation = words
        .map_err(|_| UsageError::from(GrammarError::NotText))
        .and_then(Invocation::parse);
    let invocation = match invocation {
        Ok(invocation) => invocation,
        Err(error) => {
            match &error {
                UsageError::Grammar(error) => eprintln!("{command}: {error}"),
                _ => eprintln!("{error}"),
            }
            if !matches!(error, UsageError::Override(_)) {
                eprintln!("Try `{command} --help' for more information.");
            }
            return ExitCode::FAILURE;
        }
    };
    let asks_only = matches!(invocation.action, Action::Help | Action::Version);
    if invocation.config_beats_net && !asks_only {
        eprintln!("Both netname and configuration directory given, using the latter...");
    }
    match invocation.action {
        Action::Help => print(tincd::help(command).as_bytes()),
        Action::Version => print(tincd::version().as_bytes()),
        Action::Kill(signal) => kill(&invocation.layout, signal),
        Action::GenerateKeys(bits) => {
            generate_keys(&invocation.layout, &invocation.overrides, bits)
        }
        Action::Run => run::run(invocation),
    }
}

fn kill(layout: &Layout, signal: i32) -> ExitCode {
    match pidfile::signal(layout.pidfile(), signal) {
        pidfile::Killed::Sent => ExitCode::SUCCESS,
        pidfile::Killed::Gone => {
            eprintln!("The tincd is no longer running. Removing stale lock file.");
            ExitCode::SUCCESS
        }
        // tincd ends with 0 here and says nothing; a word does no harm.
        pidfile::Killed::Refused(pid, errno) => {
            eprintln!(
                "Could not send signal {signal} to process {pid}: {}",
                errno.desc()
            );
            ExitCode::SUCCESS
        }
        pidfile::Killed::NotRunning => {
            eprintln!(
                "No other tincd is running{}.",
                pidfile::for_net(layout.netname())
            );
            ExitCode::FAILURE
        }
    }
}

fn generate_keys(layout: &Layout, overrides: &[Override], bits: usize) -> ExitCode {
    let mut set = ConfigSet::command_line(overrides);
    // There may be no tinc.conf yet; of one with a mistake the name may stand before it.
    if let Err(error) = set.add_server(layout) {
        for line in unreadable(layout, &error) {
            eprintln!("{line}");
        }
    }
    match keys::generate(&set, layout, bits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What to say about a configuration that cannot be read; scripts know tincd's two lines.
pub(crate) fn unreadable(layout: &Layout, error: &FileError) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let tinc_conf = layout.tinc_conf();
    let Some(reason) = error.reason(&tinc_conf) else {
        return lines;
    };
    let mut second = format!("Failed to read `{}': {reason}", tinc_conf.display());
    if error.is_missing() {
        let others = layout.neighbours();
        match layout.netname() {
            Some(net) if !others.is_empty() => second.push_str(&format!(
                "; there is no network `{net}' here, but {}",
                others.join(", ")
            )),
            _ => second.push_str("; it holds at least `Name = NAME'"),
        }
    }
    lines.push(second);
    lines
}

fn print(text: &[u8]) -> ExitCode {
    match io::stdout().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads only the first lines has what he wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn tincds_options_pass_through_untouched() {
        let words = ["v6router", "tincd", "-n", "vpn", "--help", "-d5"];
        let Command::Tincd { options } = Cli::parse_from(words).command else {
            panic!()
        };
        assert_eq!(options, ["-n", "vpn", "--help", "-d5"]);
    }

    #[test]
    fn keys_go_where_the_name_says_though_a_later_line_is_wrong() {
        let dir = crate::testing::TempDir::new();
        dir.write("tinc.conf", "Name = me\nBroken\n");
        let host = dir.write("hosts/me", "");
        let layout = dir.layout();
        generate_keys(&layout, &[], 1024);
        let host = std::fs::read_to_string(host).unwrap();
        assert!(host.contains("RSA PUBLIC KEY"), "{host}");
        assert!(!layout.nameless_public_key().exists());
    }

    #[test]
    fn advice_about_tinc_conf_is_given_only_where_that_is_missing() {
        let dir = crate::testing::TempDir::new();
        let said = || {
            unreadable(
                &dir.layout(),
                &ConfigSet::server(&dir.layout(), &[]).unwrap_err(),
            )
        };
        let [_, advice] = &said()[..] else { panic!() };
        assert!(advice.contains("tinc.conf': No such file"), "{advice}");
        dir.write("tinc.conf", "Name = me\n");
        dir.write("conf.d/x.conf/file", "");
        let [line] = &said()[..] else { panic!() };
        assert!(line.contains("conf.d/x.conf: it is a directory"), "{line}");
    }
}
