//! v6router: a node of a tinc mesh, and a drop-in for `tincd`.
//!
//! The protocol lives in `v6router-core`, which does no I/O. Here are its command line,
//! configuration files, keys, scripts, logs, sockets and threads, and the loop that feeds it.

#[cfg(test)]
#[path = "../tests/support/alone.rs"]
mod alone;
mod check;
mod cli;
mod config;
mod io;
mod kernel;
mod keys;
mod logging;
#[cfg(test)]
#[path = "../tests/support/machine.rs"]
mod machine;
mod pidfile;
mod privilege;
mod ration;
mod run;
mod scripts;
mod setup;
mod signals;
mod status;
mod store;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
