//! `v6router check`: what is wrong with the networks in a directory, found without running anything.
//!
//! A directory is read once, as a whole; each topic looks at what was read and has its say, and
//! knows nothing of the others. What cannot be told from files is not guessed at.

mod config;
mod finding;
mod forwarding;
mod hosts;
mod keys;
mod machine;
mod network;
mod place;
mod places;
mod report;
mod routes;
mod script;
mod scripts;
mod subnets;

#[cfg(test)]
mod tests;

use std::path::{Component, Path, PathBuf};

use finding::Findings;
pub(crate) use finding::Severity;
use machine::Machine;
pub(crate) use place::NoNetwork;
use place::Place;
pub(crate) use report::Report;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The files of some machine.
    Files,
    /// The files of this machine, so that what is in force here can stand in for what they do not say.
    Ours,
    /// The machine itself as well.
    Machine,
}

/// Looks at the networks in `dir`, or at `net` below it.
///
/// # Errors
/// If there is no network to look at.
pub(crate) fn examine(dir: &Path, net: Option<&str>, look: Look) -> Result<Report, NoNetwork> {
    let place = Place::read(&whole(dir), net)?;
    let machine = (look != Look::Files).then(|| Machine::read(Path::new("/")));
    let mut found = findings(&place, machine.as_ref());
    if let Some(machine) = machine.filter(|_| look == Look::Machine) {
        machine::check(&machine, &mut found);
    }
    Ok(Report::new(&place, found))
}

/// A path that has the names of `dir` and of what it lies in, however it was written. Links stay:
/// what lies beside a network lies beside the link to it.
fn whole(dir: &Path) -> PathBuf {
    let climbs = dir.components().any(|part| part == Component::ParentDir);
    let whole = match climbs {
        true => dir.canonicalize(),
        false => std::path::absolute(dir),
    };
    whole.unwrap_or_else(|_| dir.to_owned())
}

fn findings(place: &Place, machine: Option<&Machine>) -> Findings {
    let mut found = Findings::default();
    places::check(place, &mut found);
    for network in &place.networks {
        config::check(network, &mut found);
        keys::check(network, &mut found);
        if network.shows_hosts() {
            hosts::check(network, &mut found);
            subnets::check(network, &mut found);
        }
        scripts::check(network, &mut found);
        routes::check(network, &mut found);
        forwarding::check(network, machine, &mut found);
    }
    found
}
