//! What happens in a run, one event a line of JSON, from which every later report is made.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Role};

/// Name of the file in a run's directory.
pub const EVENTS: &str = "events.jsonl";

/// One event of a run, and when and where it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since the run began.
    pub at: f64,
    /// The identity of the scenario it belongs to, `file_stem::scenario_name:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// When, in seconds since 1970.
        time: f64,
        /// Version of the lab.
        version: String,
        /// Which daemons play.
        daemons: String,
        /// How many scenarios are played at a time.
        jobs: usize,
        /// What decided whatever is left to chance.
        seed: u64,
        /// The command line.
        argv: Vec<String>,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Its feature's name.
        feature: String,
        /// Its own name.
        name: String,
        /// The feature's file, seen from where the run was started.
        file: String,
        /// Line in which it begins.
        line: usize,
        /// Its directory, seen from the run's: logs, and what else was kept of it.
        dir: String,
    },
    /// A step begins.
    StepStarted {
        /// The step as written, with its keyword.
        text: String,
    },
    /// A step has ended.
    StepEnded {
        /// The step as written, with its keyword.
        text: String,
        /// Whether it came to what it says.
        passed: bool,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A network stands.
    Network(Drawing),
    /// A daemon has changed its state.
    Daemon {
        /// The machine it runs on.
        node: String,
        /// Which one it is.
        product: String,
        /// What has become of it.
        state: DaemonState,
    },
    /// What has passed on links since the network stood; links without anything new are left out.
    Traffic {
        /// By name of the link.
        links: Vec<LinkTraffic>,
    },
    /// Something to be told of the scenario: what was measured, or a daemon's last words.
    Remark {
        /// In words.
        text: String,
    },
    /// A scenario has ended, its network taken down.
    ScenarioEnded {
        /// Whether it passed.
        passed: bool,
    },
    /// The run has ended.
    RunEnded {
        /// How many scenarios passed.
        passed: usize,
        /// How many failed.
        failed: usize,
    },
}

/// A daemon's state, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonState {
    /// It runs.
    Up,
    /// It was stopped and may go on (SIGSTOP).
    Frozen,
    /// It has ended, with an exit code or by a signal.
    Down,
}

/// What is to be drawn of a network.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Drawing {
    /// What its scenario calls itself.
    pub title: String,
    /// Its machines.
    pub nodes: Vec<DrawnNode>,
    /// Its cables.
    pub links: Vec<DrawnLink>,
    /// The venues, by the name of their router, and what each is like (`venues/`).
    pub venues: Vec<(String, String)>,
}

/// A machine to be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DrawnNode {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its kind of NAT, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<String>,
    /// Whether it is to run a daemon.
    #[serde(default)]
    pub member: bool,
}

/// A cable to be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DrawnLink {
    /// Its name.
    pub name: String,
    /// The machines at its ends, the one nearer to the internet's core first.
    pub ends: [String; 2],
}

/// What has passed on a link, in bytes with Ethernet's headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTraffic {
    /// Name of the link.
    pub link: String,
    /// Away from the internet's core.
    pub down: u64,
    /// Towards it.
    pub up: u64,
}

impl Drawing {
    /// What is to be drawn of a plan whose venues are like these.
    #[must_use]
    pub fn new(plan: &Plan, venues: Vec<(String, String)>) -> Self {
        let members = plan.overlay.as_ref().map(|overlay| {
            let sites = overlay.sites.iter().map(|site| site.node.as_str());
            sites.chain([overlay.server.as_str()]).collect::<Vec<_>>()
        });
        let members = members.unwrap_or_default();
        Self {
            title: plan.title.clone(),
            nodes: plan
                .nodes
                .iter()
                .map(|node| DrawnNode {
                    name: node.name.clone(),
                    role: node.role,
                    nat: node.ruleset.as_ref().map(|ruleset| ruleset.kind.clone()),
                    member: members.contains(&node.name.as_str()),
                })
                .collect(),
            links: plan
                .links
                .iter()
                .map(|link| DrawnLink {
                    name: link.name.clone(),
                    ends: link.ends.each_ref().map(|end| end.node.clone()),
                })
                .chain(plan.radio_links().map(|[router, kit]| DrawnLink {
                    name: format!("{router}--{kit}"),
                    ends: [router.to_owned(), kit.to_owned()],
                }))
                .collect(),
            venues,
        }
    }
}

/// Why the events of a run could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// There is no such file, or it cannot be read.
    #[error("{path}: {reason}; `v6lab run --output DIR` leaves such a directory", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        reason: io::Error,
    },
    /// A line is no event.
    #[error("{path}:{line}: no event of this v6lab: {reason}", path = path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: serde_json::Error,
    },
}

/// The events in a run's directory, in the order in which they were written. A last line without an end, as of a run that
/// was killed, is left out.
///
/// # Errors
/// Names the file and the line.
pub fn read(dir: &Path) -> Result<Vec<Record>, EventsError> {
    let path = dir.join(EVENTS);
    let failed = |reason| EventsError::Read {
        path: path.clone(),
        reason,
    };
    let mut lines = BufReader::new(File::open(&path).map_err(failed)?);
    let mut records = Vec::new();
    for line in 1.. {
        let mut text = String::new();
        lines.read_line(&mut text).map_err(failed)?;
        if !text.ends_with('\n') {
            break;
        }
        let record = serde_json::from_str(&text).map_err(|reason| EventsError::Syntax {
            path: path.clone(),
            line,
            reason,
        })?;
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> Result<Vec<Record>, EventsError> {
        let dir = std::env::temp_dir().join(format!("v6lab-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(EVENTS), text).unwrap();
        let read = read(&dir);
        std::fs::remove_dir_all(&dir).unwrap();
        read
    }

    #[test]
    fn an_event_reads_as_it_was_written() {
        let record = Record {
            at: 1.25,
            scenario: Some("works::A Pi:6".to_owned()),
            event: Event::Daemon {
                node: "node_one".to_owned(),
                product: "tincd".to_owned(),
                state: DaemonState::Frozen,
            },
        };
        let line = serde_json::to_string(&record).unwrap();
        assert!(line.contains(r#""event":"daemon""#), "{line}");
        assert_eq!(written("one", &format!("{line}\n")).unwrap(), [record]);
    }

    #[test]
    fn half_a_line_at_the_end_is_of_a_run_that_was_killed() {
        let text = "{\"at\":0.5,\"event\":\"run-ended\",\"passed\":1,\"failed\":0}\n{\"at\":0.";
        assert_eq!(written("half", text).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_event_is_named_with_its_line() {
        let text = "{\"at\":0.5,\"event\":\"run-ended\",\"passed\":1,\"failed\":0}\n{}\n";
        let error = written("other", text).unwrap_err().to_string();
        assert!(error.contains("events.jsonl:2: "), "{error}");
    }
}
