//! What labs need of the machine, found out before one is built: their programs, and that the kernel takes rulesets.

use std::path::PathBuf;

use super::thread::nft;
use super::{installed, lines, translator};
use crate::plan::{Plan, Ruleset};
use crate::session::{self, SessionError};

/// Told when something is missing that the doctor looks for as well.
const ASK_THE_DOCTOR: &str = "`v6lab doctor` tells what to change";

/// The interface that every network has, and what tables are called that are tried on it.
const LOOPBACK: &str = "lo";

/// Enters a session in which labs of these plans can be built. As [`session::enter`], before the first thread is started.
///
/// # Errors
/// What this machine lacks.
pub fn enter(plans: &[&Plan]) -> Result<(), SessionError> {
    equipped(plans)?;
    session::enter()?;
    take_rulesets(plans)
}

/// Whether there is every program that labs of these plans run.
///
/// # Errors
/// The first that is not installed.
pub fn equipped(plans: &[&Plan]) -> Result<(), SessionError> {
    lacking(plans, installed).map_or(Ok(()), Err)
}

/// What is lacking where `find` looks for programs.
fn lacking(plans: &[&Plan], find: impl Fn(&str) -> Option<PathBuf>) -> Option<SessionError> {
    let nodes = || plans.iter().flat_map(|plan| &plan.nodes);
    let serves = nodes().any(|node| node.service.is_some());
    let asks = nodes().any(|node| node.guest.asks_on.is_some());
    let mut told = nodes().filter_map(|node| node.advertisement.as_ref());
    let translates = told.any(|told| told.ipv6.nat64.is_some()) && !translator::is_unpacked();
    let needed = [
        ("nft", true, ASK_THE_DOCTOR),
        ("ip", true, ASK_THE_DOCTOR),
        ("dnsmasq", serves, ASK_THE_DOCTOR),
        ("dhcpcd", asks, ASK_THE_DOCTOR),
        ("tayga", translates, "`./prepare` unpacks it"),
    ];
    let missing = needed
        .into_iter()
        .find(|(program, needed, _)| *needed && find(program).is_none());
    missing.map(|(program, _, hint)| {
        SessionError::new(format!("run {program}"), "it is not installed").hint(hint)
    })
}

/// Has the kernel take what rulesets of these labs are made of, in the session's own network.
///
/// # Errors
/// What it does not take.
pub fn take_rulesets(plans: &[&Plan]) -> Result<(), SessionError> {
    let nat = Ruleset {
        kind: "of a NAT".to_owned(),
        text: format!(
            "table ip {LOOPBACK} {{\n  chain post {{\n    type nat hook postrouting priority srcnat; policy accept;\n    \
             masquerade\n  }}\n}}\n"
        ),
    };
    let mut links = plans.iter().flat_map(|plan| &plan.links);
    let conditioned = links.any(|link| link.line.is_some());
    let line = conditioned.then(|| lines::egress(LOOPBACK, LOOPBACK));
    for (family, ruleset) in [("ip", Some(nat)), ("netdev", line)] {
        let Some(ruleset) = ruleset else {
            continue;
        };
        let gone = Ruleset {
            kind: ruleset.kind.clone(),
            text: format!("delete table {family} {LOOPBACK}\n"),
        };
        nft(&ruleset)
            .and_then(|()| nft(&gone))
            .map_err(|(what, reason)| SessionError::new(what, reason).hint(ASK_THE_DOCTOR))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Scenario;

    #[test]
    fn a_program_is_lacking_only_where_a_lab_runs_it() {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let how_to = || Scenario::load(&scenarios.join("how-to.toml")).unwrap();
        let lacking_in = |venue: &str, program: &str| {
            let scenario = how_to().with_venue_like("cafe", venue).unwrap();
            let but = |name: &str| (name != program).then(PathBuf::new);
            lacking(&[&Plan::new(&scenario)], but).map(|error| error.to_string())
        };
        assert_eq!(lacking_in("home-good", "dhcpcd"), None);
        for program in ["nft", "ip", "dnsmasq", "dhcpcd"] {
            let told = format!("cannot run {program}: it is not installed; {ASK_THE_DOCTOR}");
            assert_eq!(lacking_in("cafe-dhcp", program), Some(told));
        }
    }
}
