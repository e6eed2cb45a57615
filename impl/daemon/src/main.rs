//! v6router: a node of a tinc mesh, and a drop-in for `tincd`.
//!
//! The protocol lives in `v6router-core`, which does no I/O. Here are its command line,
//! configuration files, keys, scripts, logs, sockets and threads, and the loop that feeds it.

mod check;
mod cli;
mod config;
mod io;
mod kernel;
mod keys;
mod logging;
mod pidfile;
mod privilege;
mod ration;
mod run;
mod scripts;
mod setup;
mod signals;
mod store;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
