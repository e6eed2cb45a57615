//! The events of a run, put together by scenario.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::events::{self, DaemonState, Drawing, Event, EventsError};

/// A run as its journal tells it.
#[derive(Debug)]
pub(super) struct Run {
    /// Its directory.
    pub(super) dir: PathBuf,
    /// Which daemons played.
    pub(super) daemons: String,
    /// When it began, in seconds since 1970.
    pub(super) time: f64,
    /// Version of the lab.
    pub(super) version: String,
    /// The command line.
    pub(super) argv: Vec<String>,
    /// In the order in which they began.
    pub(super) scenarios: Vec<Scenario>,
    /// Whether it came to its end.
    pub(super) complete: bool,
    /// Seconds from its first to its last event.
    pub(super) took: f64,
}

/// A scenario of a run. Times are seconds since the run began.
#[derive(Debug, Default)]
pub(super) struct Scenario {
    pub(super) id: String,
    pub(super) feature: String,
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: usize,
    /// Within the run's directory.
    pub(super) dir: String,
    pub(super) began: f64,
    pub(super) ended: f64,
    /// Nothing, if the run was ended before.
    pub(super) passed: Option<bool>,
    pub(super) steps: Vec<Step>,
    pub(super) network: Option<Drawing>,
    pub(super) daemons: Vec<Turn>,
    /// By link: when, and how much had passed away from the core and towards it.
    pub(super) traffic: BTreeMap<String, Vec<(f64, u64, u64)>>,
    pub(super) remarks: Vec<String>,
}

/// A step of a scenario.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) began: f64,
    pub(super) ended: Option<f64>,
    pub(super) failure: Option<String>,
}

/// A daemon that changes its state.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) at: f64,
    pub(super) node: String,
    pub(super) product: String,
    pub(super) state: DaemonState,
}

impl Run {
    /// Reads what a run has left in its directory.
    pub(super) fn read(dir: &Path) -> Result<Self, EventsError> {
        Ok(Self::from_records(dir, events::read(dir)?))
    }

    fn from_records(dir: &Path, records: Vec<events::Record>) -> Self {
        let mut run = Self {
            dir: dir.to_owned(),
            daemons: String::new(),
            time: 0.0,
            version: String::new(),
            argv: Vec::new(),
            scenarios: Vec::new(),
            complete: false,
            took: records.last().map_or(0.0, |record| record.at),
        };
        for record in records {
            match (record.scenario, record.event) {
                (
                    None,
                    Event::RunStarted {
                        time,
                        version,
                        daemons,
                        argv,
                        ..
                    },
                ) => {
                    (run.time, run.version) = (time, version);
                    (run.daemons, run.argv) = (daemons, argv);
                }
                (None, Event::RunEnded { .. }) => run.complete = true,
                (Some(id), event) => run.scenario(id).tell(record.at, event),
                (None, _) => {}
            }
        }
        run
    }

    /// How many passed, and how many did not.
    pub(super) fn counts(&self) -> (usize, usize) {
        let passed = self.scenarios.iter();
        let passed = passed
            .filter(|scenario| scenario.passed == Some(true))
            .count();
        (passed, self.scenarios.len() - passed)
    }

    fn scenario(&mut self, id: String) -> &mut Scenario {
        let known = self.scenarios.iter().position(|known| known.id == id);
        let at = known.unwrap_or_else(|| {
            self.scenarios.push(Scenario {
                id,
                ..Scenario::default()
            });
            self.scenarios.len() - 1
        });
        &mut self.scenarios[at]
    }
}

impl Scenario {
    fn tell(&mut self, at: f64, event: Event) {
        self.ended = self.ended.max(at);
        match event {
            Event::ScenarioStarted {
                feature,
                name,
                file,
                line,
                dir,
            } => {
                (self.feature, self.name) = (feature, name);
                (self.file, self.line, self.dir) = (file, line, dir);
                self.began = at;
            }
            Event::StepStarted { text } => self.steps.push(Step {
                text,
                began: at,
                ended: None,
                failure: None,
            }),
            Event::StepEnded { text, reason, .. } => {
                let under_way = self.steps.last_mut();
                let under_way = under_way.filter(|step| step.ended.is_none() && step.text == text);
                match under_way {
                    Some(step) => (step.ended, step.failure) = (Some(at), reason),
                    // Of a hook, whose beginning nobody tells.
                    None => self.steps.push(Step {
                        text,
                        began: at,
                        ended: Some(at),
                        failure: reason,
                    }),
                }
            }
            Event::Network(drawing) => self.network = Some(drawing),
            Event::Daemon {
                node,
                product,
                state,
            } => self.daemons.push(Turn {
                at,
                node,
                product,
                state,
            }),
            Event::Traffic { links } => {
                for link in links {
                    let known = self.traffic.entry(link.link).or_default();
                    known.push((at, link.down, link.up));
                }
            }
            Event::Remark { text } => self.remarks.push(text),
            Event::ScenarioEnded { passed } => self.passed = Some(passed),
            Event::RunStarted { .. } | Event::RunEnded { .. } => {}
        }
    }

    /// Seconds from beginning to end.
    pub(super) fn took(&self) -> f64 {
        self.ended - self.began
    }

    /// What became of the daemon on a machine at last.
    pub(super) fn last_state(&self, node: &str) -> Option<DaemonState> {
        let turns = self.daemons.iter().rev();
        turns
            .into_iter()
            .find(|turn| turn.node == node)
            .map(|turn| turn.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: f64, event: Event) -> events::Record {
        events::Record {
            at,
            scenario: Some("works::One:3".to_owned()),
            event,
        }
    }

    #[test]
    fn a_step_under_way_when_the_run_was_killed_has_no_end() {
        let step = |text: &str| Event::StepStarted {
            text: text.to_owned(),
        };
        let first = Event::StepEnded {
            text: "Given a".to_owned(),
            passed: true,
            reason: None,
        };
        let run = Run::from_records(
            Path::new("run"),
            vec![
                record(0.5, step("Given a")),
                record(1.0, first),
                record(1.0, step("Then b")),
            ],
        );
        let scenario = &run.scenarios[0];
        assert!(!run.complete);
        assert_eq!((scenario.passed, run.counts()), (None, (0, 1)));
        assert_eq!(scenario.steps[0].ended, Some(1.0));
        assert_eq!(scenario.steps[1].ended, None);
    }
}
