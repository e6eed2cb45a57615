//! Scenarios and steps, as cucumber tells of them, into the journal.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use cucumber::event::{Cucumber, Feature, Hook, RetryableScenario, Rule, Scenario, Step};
use cucumber::writer::{Normalized, Stats};
use cucumber::{Event as Told, Writer, cli, gherkin, parser};

use super::events::Event;
use super::journal::Journal;
use super::names::{folder, id, stem};
use super::terminal::{TAKING_DOWN, reason_of, shown, text_of};

/// Writes into the journal, if there is one. Takes events as they come, several scenarios at a time, so that whoever
/// reads the journal of a run that goes on is told at once.
#[derive(Debug)]
pub(crate) struct Stream {
    journal: Option<Arc<Journal>>,
    /// Scenarios of which something has failed.
    failed: HashSet<String>,
}

impl Stream {
    pub(crate) fn new(journal: Option<Arc<Journal>>) -> Self {
        Self {
            journal,
            failed: HashSet::new(),
        }
    }

    fn scenario<W>(
        &mut self,
        at: SystemTime,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        event: &RetryableScenario<W>,
    ) {
        let Some(journal) = &self.journal else { return };
        let stem = stem(feature);
        let id = id(&stem, scenario);
        let event = match &event.event {
            Scenario::Started => Event::ScenarioStarted {
                feature: feature.name.clone(),
                name: scenario.name.clone(),
                file: feature.path.as_deref().map(shown).unwrap_or_default(),
                line: scenario.position.line,
                dir: folder(&stem, scenario),
            },
            Scenario::Background(step, event) | Scenario::Step(step, event) => {
                let text = format!("{}{}", step.keyword, step.value);
                match event {
                    Step::Started => Event::StepStarted { text },
                    Step::Passed(..) | Step::Skipped => ended(text, None),
                    Step::Failed(_, _, _, error) => ended(text, Some(reason_of(error))),
                }
            }
            Scenario::Hook(_, Hook::Failed(_, reason)) => {
                ended(TAKING_DOWN.to_owned(), Some(text_of(reason)))
            }
            Scenario::Finished => Event::ScenarioEnded {
                passed: !self.failed.contains(&id),
            },
            Scenario::Hook(..) | Scenario::Log(_) => return,
        };
        if matches!(event, Event::StepEnded { passed: false, .. }) {
            self.failed.insert(id.clone());
        }
        journal.write_at(at, Some(&id), event);
    }
}

fn ended(text: String, reason: Option<String>) -> Event {
    Event::StepEnded {
        text,
        passed: reason.is_none(),
        reason,
    }
}

impl<W: cucumber::World> Writer<W> for Stream {
    type Cli = cli::Empty;

    async fn handle_event(&mut self, event: parser::Result<Told<Cucumber<W>>>, _: &Self::Cli) {
        // A feature that cannot be read has been refused before anything was played.
        let Ok(event) = event else { return };
        if let Cucumber::Feature(feature, told) = &event.value
            && let Feature::Scenario(scenario, told)
            | Feature::Rule(_, Rule::Scenario(scenario, told)) = told
        {
            self.scenario(event.at, feature, scenario, told);
        }
    }
}

/// Each event says to which scenario it belongs, so that their order among scenarios is of no matter.
impl Normalized for Stream {}

/// Whoever tells on the terminal counts.
impl<W: cucumber::World> Stats<W> for Stream {
    fn passed_steps(&self) -> usize {
        0
    }

    fn skipped_steps(&self) -> usize {
        0
    }

    fn failed_steps(&self) -> usize {
        0
    }

    fn retried_steps(&self) -> usize {
        0
    }

    fn parsing_errors(&self) -> usize {
        0
    }

    fn hook_errors(&self) -> usize {
        0
    }
}
