//! The interop matrix: v6router and a real daemon as each other's peer, in every way they can be, with packets of every
//! size compared byte for byte at the other end.
//!
//! One case a combination, named after it; takes libtest's command line. Every case builds a network of its own.

mod combination;
mod play;
mod sizes;

use std::process::ExitCode;

use v6lab::run::default_jobs;
use v6tests::cases;

fn main() -> ExitCode {
    cases::main(combination::all(), default_jobs(), play::play)
}
