//! The same words to both daemons: generated meta scripts, said to v6router and to tincd 1.0 over real meta connections,
//! and compared in what is answered, forwarded, closed, and known in the end.
//!
//! A script family is a case; its scripts have seeds. A difference that is not one of the documented ones fails the
//! family and is told with its seed, which `V6_SEED` plays alone. `V6_LONG=1` plays many more seeds.

mod families;
mod fixes;
mod outcome;
mod script;
mod stranger;
mod subject;

use std::process::ExitCode;

use v6lab::run::default_jobs;
use v6tests::cases;

fn main() -> ExitCode {
    cases::main(families::ALL.to_vec(), default_jobs(), subject::play)
}
