//! Reports by cucumber's own writers, for those who ask for them, and what these writers count on: a clock that never
//! goes back, and text of which nothing means anything in XML.

use std::fmt;
use std::io::{self, Write};
use std::time::SystemTime;

use cucumber::event::{Cucumber, Feature, Rule, Scenario};
use cucumber::writer::{JUnit, Json};
use cucumber::{Event, Writer, parser};

/// A writer, if its report was asked for. Expects events in order, as normalised, and passes them on with times that do
/// not go back within a scenario: the writers panic over a clock that was set back.
#[derive(Debug)]
pub(crate) struct Asked<Wr> {
    writer: Option<Wr>,
    /// The time of the event before, of the same scenario.
    last: SystemTime,
}

impl<W: fmt::Debug, Out: Write> Asked<JUnit<W, Xml<Out>>> {
    pub(crate) fn junit(out: Option<Out>) -> Self {
        Self::new(out.map(|out| JUnit::raw(Xml(out), 0)))
    }
}

impl<Out: Write> Asked<Json<Out>> {
    pub(crate) fn json(out: Option<Out>) -> Self {
        Self::new(out.map(Json::raw))
    }
}

impl<Wr> Asked<Wr> {
    fn new(writer: Option<Wr>) -> Self {
        Self {
            writer,
            last: SystemTime::UNIX_EPOCH,
        }
    }
}

impl<W, Wr: Writer<W>> Writer<W> for Asked<Wr> {
    type Cli = Wr::Cli;

    async fn handle_event(&mut self, event: parser::Result<Event<Cucumber<W>>>, cli: &Self::Cli) {
        let Some(writer) = &mut self.writer else {
            return;
        };
        let event = event.map(|mut event| {
            if let Cucumber::Feature(_, told) = &event.value
                && let Feature::Scenario(_, told) | Feature::Rule(_, Rule::Scenario(_, told)) = told
            {
                // One that was played beside the one before has begun before that ended.
                let begins = matches!(told.event, Scenario::Started);
                let earliest = if begins { event.at } else { self.last };
                self.last = earliest.max(event.at);
                event.at = self.last;
            }
            event
        });
        writer.handle_event(event, cli).await;
    }
}

/// Hands on what quick-xml writes, by which JUnit reports are written, so that it is well-formed whatever is said in
/// it.
#[derive(Debug)]
pub(crate) struct Xml<Out>(Out);

impl<Out: Write> Write for Xml<Out> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = String::from_utf8_lossy(bytes).replace(|c| !is_xml(c), "\u{fffd}");
        // A text comes in one piece and the end of its section in another, so that an end within a piece is text. The
        // section is ended amid that, and another begun.
        if text != CDATA_END {
            text = text.replace(CDATA_END, "]]]]><![CDATA[>");
        }
        self.0.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What ends a section of character data (<https://www.w3.org/TR/xml/#sec-cdata-sect>).
const CDATA_END: &str = "]]>";

/// Whether XML has room for a character, escaped or not (<https://www.w3.org/TR/xml/#charsets>).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use cucumber::event::{Source, Step, StepError};
    use cucumber::gherkin::{self, GherkinEnv};

    use super::*;

    #[derive(Debug, Default, cucumber::World)]
    struct Nothing;

    /// Tells of a scenario whose only step fails, once for each of `times`: the seconds at which the scenario and the
    /// step begin, and at which the step and the scenario end.
    async fn tell<Wr>(mut writer: Wr, step: &str, reason: &str, times: &[[u64; 4]])
    where
        Wr: Writer<Nothing, Cli: Default>,
    {
        let text = format!("Feature: Moods\n\n  Scenario: Bad\n    Given {step}\n");
        let mut feature = gherkin::Feature::parse(text, GherkinEnv::default()).unwrap();
        feature.path = Some("moods.feature".into());
        let scenario = Source::new(feature.scenarios[0].clone());
        let step = Source::new(feature.scenarios[0].steps[0].clone());
        let feature = Source::new(feature);
        let mut events: Vec<(u64, Cucumber<Nothing>)> =
            vec![(0, Cucumber::feature_started(feature.clone()))];
        for &[began, step_began, step_ended, ended] in times {
            let error = StepError::Panic(Arc::new(reason.to_owned()));
            let failed = Step::Failed(None, None, None, error);
            for (at, event) in [
                (began, Scenario::Started),
                (step_began, Scenario::Step(step.clone(), Step::Started)),
                (step_ended, Scenario::Step(step.clone(), failed)),
                (ended, Scenario::Finished),
            ] {
                let told = Feature::Scenario(scenario.clone(), event.with_retries(None));
                events.push((at, Cucumber::Feature(feature.clone(), told)));
            }
        }
        events.push((0, Cucumber::feature_finished(feature)));
        events.push((0, Cucumber::Finished));
        for (at, event) in events {
            let mut event = Event::new(event);
            event.at = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            writer.handle_event(Ok(event), &Wr::Cli::default()).await;
        }
    }

    /// What a reader finds outside of sections of character data, and within them.
    fn read(xml: &str) -> (String, String) {
        let mut sections = xml.split("<![CDATA[");
        let mut markup = sections.next().unwrap().to_owned();
        let mut data = String::new();
        for section in sections {
            let (text, rest) = section.split_once(CDATA_END).unwrap();
            data.push_str(text);
            markup.push_str(rest);
        }
        (markup, data)
    }

    /// In the first the clock is set back, the second was played beside it.
    const TIMES: [[u64; 4]; 2] = [[100, 101, 50, 51], [10, 11, 14, 15]];

    #[tokio::test]
    async fn a_clock_that_was_set_back_costs_no_junit_report() {
        let mut xml = Vec::<u8>::new();
        tell(Asked::junit(Some(&mut xml)), "rain", "it rained", &TIMES).await;
        let xml = String::from_utf8(xml).unwrap();
        let times: Vec<&str> = xml
            .split("<testcase ")
            .skip(1)
            .filter_map(|case| case.split(" time=\"").nth(1)?.split('"').next())
            .collect();
        assert_eq!(times, ["1", "5"], "{xml}");
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_costs_no_json_report() {
        let mut json = Vec::<u8>::new();
        tell(Asked::json(Some(&mut json)), "rain", "it rained", &TIMES).await;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let steps = json[0]["elements"][0]["steps"].as_array().unwrap();
        let took = steps.iter().map(|step| &step["result"]["duration"]);
        let took: Vec<u64> = took.filter_map(serde_json::Value::as_u64).collect();
        assert_eq!(took, [0, 3_000_000_000], "{json}");
    }

    #[tokio::test]
    async fn a_junit_report_is_xml_whatever_is_said_in_it() {
        let mut xml = Vec::<u8>::new();
        let step = "rain]]></system-out></testcase>";
        let reason = "\x1b[31mit said ]]]]> & ]]>\0\u{ffff}";
        tell(Asked::junit(Some(&mut xml)), step, reason, &[[0; 4]]).await;
        let xml = String::from_utf8(xml).unwrap();
        assert!(!xml.contains(['\x1b', '\0', '\u{ffff}']), "{xml:?}");
        let (markup, data) = read(&xml);
        assert!(data.contains(step), "{data:?}");
        let told = "\u{fffd}[31mit said ]]]]> & ]]>\u{fffd}\u{fffd}";
        assert!(data.contains(told), "{data:?}");
        let attribute = "\u{fffd}[31mit said ]]]]&gt; &amp; ]]&gt;\u{fffd}\u{fffd}\"";
        assert!(markup.contains(attribute), "{markup:?}");
        let end = "<system-out></system-out></testcase></testsuite></testsuites>";
        assert!(markup.ends_with(end), "{markup:?}");
    }
}
