//! What came of a script, without what differs from run to run.

use std::collections::BTreeSet;

use v6tests::dump::Dump;

use crate::script::{FAR_MAC, Script};
use crate::stranger::SUBJECT;

/// What one daemon made of one script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the one who spoke heard.
    pub(crate) answered: Vec<String>,
    /// What the other neighbour heard.
    pub(crate) forwarded: Vec<String>,
    /// What ended: the connection of the one who spoke, or the daemon.
    pub(crate) ended: &'static str,
    /// What the daemon knows in the end: nodes, edges and subnets.
    pub(crate) known: Vec<String>,
}

/// One thing in which two outcomes differ.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// `answered`, `forwarded`, `ended` or `known`.
    pub(crate) what: &'static str,
    /// What ours has and the reference has not.
    pub(crate) ours: Vec<String>,
    /// The other way round.
    pub(crate) theirs: Vec<String>,
    /// What ended of ours and of the reference.
    pub(crate) ends: [&'static str; 2],
}

impl Outcome {
    /// In what two outcomes differ.
    pub(crate) fn differences(&self, reference: &Self) -> Vec<Difference> {
        let ended = |outcome: &Self| vec![outcome.ended.to_owned()];
        let pairs = [
            ("ended", ended(self), ended(reference)),
            (
                "answered",
                self.answered.clone(),
                reference.answered.clone(),
            ),
            (
                "forwarded",
                self.forwarded.clone(),
                reference.forwarded.clone(),
            ),
            ("known", self.known.clone(), reference.known.clone()),
        ];
        let differing = pairs.into_iter().filter(|(_, ours, theirs)| ours != theirs);
        differing
            .map(|(what, ours, theirs)| Difference {
                what,
                ours: without(&ours, &theirs),
                theirs: without(&theirs, &ours),
                ends: [self.ended, reference.ended],
            })
            .collect()
    }
}

/// The lines of `one` that `other` lacks; all, if only the order differs.
fn without(one: &[String], other: &[String]) -> Vec<String> {
    let lacking: Vec<String> = one
        .iter()
        .filter(|line| !other.contains(line))
        .cloned()
        .collect();
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    if sorted(one) == sorted(other) {
        return one.to_vec();
    }
    lacking
}

/// A line as heard, without nonces and keys that the daemon made up. Nothing for what it says on its own account.
pub(crate) fn line(script: &Script, heard: &str) -> Option<String> {
    let mut words: Vec<&str> = heard.split_whitespace().collect();
    match words.as_mut_slice() {
        ["8" | "9"] => return None,
        ["10" | "11" | "12" | "13" | "14", nonce, ..] if !script.nonces.contains(*nonce) => {
            *nonce = "*";
        }
        ["16", from, _, key, ..] if *from == SUBJECT => *key = "KEY",
        // Forwarded as it came.
        _ => return Some(heard.to_owned()),
    }
    Some(words.join(" "))
}

/// A line of the handshake, without what is made up for each.
pub(crate) fn without_secrets(heard: &str) -> String {
    let words = heard.split(' ');
    let words = words.map(|word| if word.len() > 32 { "SECRET" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What is known of those whom the script is about, and their neighbours.
pub(crate) fn known(script: &Script, dump: &Dump) -> Vec<String> {
    let nodes = dump.nodes.iter().map(|(name, state)| {
        if state.reachable {
            format!(
                "node {name} at {} options {} nexthop {} via {}",
                state.at, state.options, state.nexthop, state.via
            )
        } else {
            format!("node {name} unreachable")
        }
    });
    let edges = dump.edges.iter().map(|line| format!("edge {line}"));
    let subnets = dump.subnets.iter().map(|line| format!("subnet {line}"));
    let all: BTreeSet<String> = nodes
        .chain(edges)
        .chain(subnets)
        .filter(|line| is_of_script(script, line))
        .collect();
    all.into_iter().collect()
}

/// Not of a script before, which a daemon may still remember, nor of what its machine's kernel has sent.
fn is_of_script(script: &Script, line: &str) -> bool {
    let mut words = line.split(' ');
    let elsewhere = |word: &str| {
        let rest = word.strip_prefix('n');
        let number = rest.and_then(|rest| rest.get(..rest.len().saturating_sub(1)));
        number.is_some_and(|number| number.parse().is_ok_and(|seed: u64| seed != script.seed))
    };
    let own_mac = line.matches(':').count() == 5
        && line.ends_with(&format!(" owner {SUBJECT}"))
        && !line.contains(FAR_MAC);
    !own_mac && !words.any(elsewhere)
}
