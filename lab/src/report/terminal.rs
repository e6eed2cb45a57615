//! A run as it is read on a terminal: each step with its time, reasons where it failed, and the count at the end.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cucumber::event::{
    Cucumber, Feature, Hook, RetryableScenario, Rule, Scenario, Step, StepError,
};
use cucumber::gherkin;
use cucumber::writer::{NonTransforming, Stats};
use cucumber::{Event, Writer, cli, parser};

use super::Notes;

/// What is told of a hook that failed, there being only one that can.
pub(super) const TAKING_DOWN: &str = "taking the network down";

/// The step that names a network, whose drawing is shown below it.
const NETWORK: &str = "the network \"";

/// Width of a step's text; times stand in a column behind it.
const COLUMN: usize = 88;

/// Writes to the terminal, and counts. Expects events in order, as normalised.
#[derive(Debug)]
pub(crate) struct Terminal<Out> {
    out: Out,
    colour: bool,
    notes: Arc<Notes>,
    began: Option<SystemTime>,
    step_began: Option<SystemTime>,
    /// The step that failed in the scenario that is told, and why.
    failed_here: Option<String>,
    passed_steps: usize,
    failed_steps: usize,
    parsing_errors: usize,
    hook_errors: usize,
}

impl Terminal<io::Stdout> {
    /// On standard output, in colour if somebody sees it and does not object (<https://no-color.org>).
    pub(crate) fn stdout(notes: Arc<Notes>) -> Self {
        let out = io::stdout();
        let colour =
            out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
        Self::new(out, colour, notes)
    }
}

impl<Out: Write> Terminal<Out> {
    fn new(out: Out, colour: bool, notes: Arc<Notes>) -> Self {
        Self {
            out,
            colour,
            notes,
            began: None,
            step_began: None,
            failed_here: None,
            passed_steps: 0,
            failed_steps: 0,
            parsing_errors: 0,
            hook_errors: 0,
        }
    }

    fn told<W>(&mut self, at: SystemTime, event: &Cucumber<W>) -> io::Result<()> {
        match event {
            Cucumber::Feature(feature, Feature::Started) => {
                let path = feature.path.as_deref().map(shown).unwrap_or_default();
                writeln!(self.out, "\n{}: {}   {path}", feature.keyword, feature.name)
            }
            Cucumber::Feature(feature, Feature::Scenario(scenario, event))
            | Cucumber::Feature(feature, Feature::Rule(_, Rule::Scenario(scenario, event))) => {
                self.scenario(at, feature, scenario, event)
            }
            Cucumber::Feature(_, Feature::Rule(rule, Rule::Started)) => {
                writeln!(self.out, "\n  {}: {}", rule.keyword, rule.name)
            }
            _ => Ok(()),
        }
    }

    fn scenario<W>(
        &mut self,
        at: SystemTime,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        event: &RetryableScenario<W>,
    ) -> io::Result<()> {
        match &event.event {
            Scenario::Started => {
                self.began = Some(at);
                self.failed_here = None;
                writeln!(
                    self.out,
                    "\n  {}: {}   line {}",
                    scenario.keyword, scenario.name, scenario.position.line
                )
            }
            Scenario::Background(step, event) | Scenario::Step(step, event) => {
                self.step(at, step, event)
            }
            Scenario::Hook(_, Hook::Failed(_, reason)) => {
                self.hook_errors += 1;
                self.failure(TAKING_DOWN, TAKING_DOWN, &text_of(reason))
            }
            Scenario::Finished => self.finished(at, feature, scenario),
            Scenario::Log(text) => self.indented(text),
            Scenario::Hook(..) => Ok(()),
        }
    }

    fn step<W>(&mut self, at: SystemTime, step: &gherkin::Step, event: &Step<W>) -> io::Result<()> {
        let text = format!("{}{}", step.keyword, step.value);
        let line = format!("{text:COLUMN$} {}", time(since(self.step_began, at)));
        match event {
            Step::Started => {
                self.step_began = Some(at);
                Ok(())
            }
            Step::Passed(..) => {
                self.passed_steps += 1;
                self.mark("ok", GREEN, &line)?;
                let title = step
                    .value
                    .strip_prefix(NETWORK)
                    .and_then(|rest| rest.split('"').next());
                match title.and_then(|title| self.notes.take_drawing(title)) {
                    Some(drawing) => self.indented(&drawing),
                    None => Ok(()),
                }
            }
            Step::Skipped => self.mark("skip", RED, &text),
            Step::Failed(_, _, _, reason) => {
                self.failed_steps += 1;
                self.failure(&line, &text, &reason_of(reason))
            }
        }
    }

    /// Tells that something failed, and keeps the first of a scenario's failures for the end.
    fn failure(&mut self, line: &str, what: &str, why: &str) -> io::Result<()> {
        self.failed_here
            .get_or_insert_with(|| format!("    {what}\n{}", indented(why)));
        self.mark("FAIL", RED, line)?;
        self.indented(why)
    }

    fn finished(
        &mut self,
        at: SystemTime,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
    ) -> io::Result<()> {
        let took = time(since(self.began, at));
        let file = feature.path.as_deref().unwrap_or_else(|| Path::new(""));
        let line = scenario.position.line;
        let remark = self.notes.take_remark(file, line).unwrap_or_default();
        let failure = self.failed_here.take();
        // Counted before anything is written, which may fail.
        match &failure {
            None => self.notes.passed(),
            Some(failure) => {
                let (name, file) = (&scenario.name, shown(file));
                self.notes
                    .failed(format!("  {name}   {file}:{line}\n{failure}"));
            }
        }
        self.indented(&remark)?;
        let how = failure.map_or("passed in", |_| "FAILED after");
        writeln!(self.out, "    {how} {}", took.trim_start())
    }

    fn mark(&mut self, mark: &str, colour: &str, text: &str) -> io::Result<()> {
        if self.colour {
            writeln!(self.out, "    {colour}{mark:4}{RESET} {text}")
        } else {
            writeln!(self.out, "    {mark:4} {text}")
        }
    }

    fn indented(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "{}", indented(text))
    }
}

impl<W: cucumber::World, Out: Write> Writer<W> for Terminal<Out> {
    type Cli = cli::Empty;

    async fn handle_event(&mut self, event: parser::Result<Event<Cucumber<W>>>, _: &Self::Cli) {
        // A terminal that has gone away is no reason to end differently.
        let _ = match event {
            Ok(event) => self.told(event.at, &event.value),
            Err(error) => {
                self.parsing_errors += 1;
                writeln!(self.out, "{error}")
            }
        };
        let _ = self.out.flush();
    }
}

impl<Out> NonTransforming for Terminal<Out> {}

impl<W: cucumber::World, Out: Write> Stats<W> for Terminal<Out> {
    fn passed_steps(&self) -> usize {
        self.passed_steps
    }

    fn skipped_steps(&self) -> usize {
        0
    }

    fn failed_steps(&self) -> usize {
        self.failed_steps
    }

    fn retried_steps(&self) -> usize {
        0
    }

    fn parsing_errors(&self) -> usize {
        self.parsing_errors
    }

    fn hook_errors(&self) -> usize {
        self.hook_errors
    }
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

/// What belongs to the line above it.
fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("         {line}\n"))
        .collect()
}

fn since(began: Option<SystemTime>, at: SystemTime) -> Duration {
    began
        .and_then(|began| at.duration_since(began).ok())
        .unwrap_or_default()
}

fn time(took: Duration) -> String {
    format!("{:6.2} s", took.as_secs_f64())
}

/// A path as short as it can be said from here.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Why a step failed.
pub(super) fn reason_of(error: &StepError) -> String {
    match error {
        StepError::NotFound => "nobody has written this step".to_owned(),
        StepError::AmbiguousMatch(error) => error.to_string(),
        StepError::Panic(reason) => text_of(reason),
    }
}

/// What a panic says.
pub(super) fn text_of(reason: &cucumber::event::Info) -> String {
    let text = reason.downcast_ref::<String>().cloned();
    text.or_else(|| reason.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "it panicked without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use cucumber::{World as _, WriterExt as _, given};

    use super::*;

    #[derive(Debug, Default, cucumber::World)]
    struct Mood;

    #[given("the network \"tiny\"")]
    fn network(_: &mut Mood) {}

    #[given("a bad mood")]
    fn bad(_: &mut Mood) -> Result<(), String> {
        Err("it rained".to_owned())
    }

    #[derive(Debug, Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const FEATURE: &str = "Feature: Moods

  Scenario: Good
    Given the network \"tiny\"

  Scenario: Again
    Given the network \"tiny\"

  Scenario: Bad
    Given a bad mood

  Scenario: New
    Given a mood nobody thought of
";

    /// What a run of `FEATURE` leaves on the terminal, and what it notes.
    async fn told() -> (String, Arc<Notes>) {
        let file = std::env::temp_dir().join(format!("v6lab-moods-{}.feature", std::process::id()));
        std::fs::write(&file, FEATURE).unwrap();
        let (page, notes) = (Page::default(), Arc::new(Notes::default()));
        notes.network("tiny", "a -- b".to_owned());
        // In the line of "Bad".
        notes.remark(&file, 9, "logs: somewhere".to_owned());
        let terminal = Terminal::new(page.clone(), false, Arc::clone(&notes));
        Mood::cucumber()
            .with_writer(terminal.normalized::<Mood>().fail_on_skipped())
            .with_default_cli()
            .run(file.clone())
            .await;
        std::fs::remove_file(&file).unwrap();
        let bytes = page
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        (String::from_utf8(bytes).unwrap(), notes)
    }

    #[tokio::test]
    async fn a_run_reads_as_a_story() {
        let (text, notes) = told().await;
        assert_eq!(notes.counts(), (2, 2), "{text}");
        assert_eq!(text.matches("a -- b").count(), 1, "drawn once: {text}");
        assert!(text.contains("    ok   Given the network"), "{text}");
        assert!(
            text.contains("it rained\n         logs: somewhere\n    FAILED after"),
            "{text}"
        );
        assert!(text.contains("nobody has written this step"), "{text}");
        let [bad, new] = &notes.failures()[..] else {
            panic!("{:?}", notes.failures());
        };
        assert!(bad.starts_with("  Bad   "), "{bad}");
        assert!(
            bad.ends_with(".feature:9\n    Given a bad mood\n         it rained\n"),
            "{bad}"
        );
        assert!(new.contains("Given a mood nobody thought of"), "{new}");
    }
}
