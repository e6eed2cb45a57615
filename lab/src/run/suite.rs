//! The features of a run, read and checked before anything is built.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use cucumber::feature::Ext as _;
use cucumber::gherkin::{EnvError, Feature, GherkinEnv, ParseFileError, Scenario, Step};
use futures::stream;

use super::Select;
use super::prose::unplayed_line;
use crate::actors::Daemons;
use crate::plan::Plan;
use crate::report::{id, stem};
use crate::steps;

/// Why features could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// A file or directory could not be read.
    #[error("{path}: {reason}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        reason: std::io::Error,
    },
    /// A directory without a feature.
    #[error("{path}: no *.feature in it", path = path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A file that is no feature.
    #[error("{path}:{line}: {reason}", path = path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong there and what would be right.
        reason: String,
    },
}

/// Features, with their outlines already made into scenarios.
#[derive(Debug, Clone)]
pub struct Suite {
    features: Vec<Feature>,
}

impl Suite {
    /// Reads feature files, and those in directories and below, in the order of their names.
    ///
    /// # Errors
    /// The file, the line, and what is wrong there.
    pub fn load(paths: &[PathBuf]) -> Result<Self, SuiteError> {
        let mut features = Vec::new();
        for path in paths {
            let files = files(path)?;
            if files.is_empty() {
                return Err(SuiteError::Empty { path: path.clone() });
            }
            for file in files {
                // What is named twice is played once.
                let known = |feature: &Feature| feature.path.as_ref() == Some(&file);
                if !features.iter().any(known) {
                    features.push(read(&file)?);
                }
            }
        }
        Ok(Self { features })
    }

    /// What `select` chooses of the scenarios that these daemons play.
    #[must_use]
    pub fn chosen(&self, daemons: Daemons, select: &Select) -> Self {
        let (mut features, mut candidates) = (self.features.clone(), 0);
        for feature in &mut features {
            let stem = stem(feature);
            let mut choose = |around: &[&[String]], scenarios: &mut Vec<Scenario>| {
                scenarios.retain(|scenario| {
                    let tags = around.iter().copied().chain([scenario.tags.as_slice()]);
                    let tags: Vec<&str> = tags.flatten().map(String::as_str).collect();
                    let id = id(&stem, scenario);
                    let takes = plays(daemons, &tags) && select.takes(&scenario.name, &tags, &id);
                    candidates += usize::from(takes);
                    takes && select.is_here(candidates - 1)
                });
            };
            choose(&[&feature.tags], &mut feature.scenarios);
            for rule in &mut feature.rules {
                choose(&[&feature.tags, &rule.tags], &mut rule.scenarios);
            }
            feature.rules.retain(|rule| !rule.scenarios.is_empty());
        }
        features.retain(|feature| !feature.scenarios.is_empty() || !feature.rules.is_empty());
        Self { features }
    }

    /// The identities of its scenarios: `directory/file_stem::scenario_name:line`.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let all = self.features.iter().flat_map(|feature| {
            let stem = stem(feature);
            scenarios(feature).map(move |scenario| id(&stem, scenario))
        });
        all.collect()
    }

    /// The networks that its steps ask for, if each step is a sentence of ours.
    ///
    /// # Errors
    /// The first that is not, with the closest that are, or that asks for a network there is not.
    pub fn understood(&self) -> Result<Vec<Plan>, SuiteError> {
        let mut networks = Vec::new();
        for (path, step) in self.steps() {
            let mistaken = |reason| SuiteError::Syntax {
                path: path.to_owned(),
                line: step.position.line,
                reason,
            };
            if let Some(reason) = steps::mistake(step) {
                return Err(mistaken(reason));
            }
            if let Some(network) = steps::network_of(path, step) {
                networks.push(network.map_err(|error| mistaken(error.to_string()))?);
            }
        }
        Ok(networks)
    }

    /// Each of its steps with the file it is in.
    fn steps(&self) -> impl Iterator<Item = (&Path, &Step)> {
        self.features.iter().flat_map(|feature| {
            let in_rules = feature
                .rules
                .iter()
                .filter_map(|rule| rule.background.as_ref());
            let backgrounds = feature.background.iter().chain(in_rules);
            let steps = backgrounds.flat_map(|background| &background.steps);
            let steps = steps.chain(scenarios(feature).flat_map(|scenario| &scenario.steps));
            steps.map(|step| {
                (
                    feature.path.as_deref().unwrap_or_else(|| Path::new("")),
                    step,
                )
            })
        })
    }
}

/// Every scenario of a feature, those in its rules included.
pub(super) fn scenarios(feature: &Feature) -> impl Iterator<Item = &Scenario> {
    let in_rules = feature.rules.iter().flat_map(|rule| &rule.scenarios);
    feature.scenarios.iter().chain(in_rules)
}

/// Whether these daemons play what has these tags. A scenario that is about a certain cast has its name as tag.
fn plays(daemons: Daemons, tags: &[&str]) -> bool {
    let mut named = Daemons::value_variants()
        .iter()
        .filter(|cast| tags.contains(&cast.to_string().as_str()))
        .peekable();
    named.peek().is_none() || named.any(|cast| *cast == daemons)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, SuiteError> {
    let failed = |reason| SuiteError::Read {
        path: path.to_owned(),
        reason,
    };
    // Absolute, since scenarios are looked for in the directories above.
    let path = path.canonicalize().map_err(failed)?;
    if !path.is_dir() {
        return Ok(vec![path]);
    }
    let mut entries = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "feature")
        {
            found.push(entry);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Feature, SuiteError> {
    let syntax = |line, reason: String| SuiteError::Syntax {
        path: path.to_owned(),
        line,
        reason,
    };
    if let Some(line) = headless(path) {
        return Err(syntax(
            line,
            "a feature begins with `Feature: NAME'".to_owned(),
        ));
    }
    let feature =
        Feature::parse_path(path, GherkinEnv::default()).map_err(|error| match error {
            ParseFileError::Reading { path, source } => SuiteError::Read {
                path,
                reason: source,
            },
            ParseFileError::Parsing {
                error: Some(EnvError::UnknownKeyword(word)),
                source,
                ..
            } => {
                // The parser has already gone on when it notices.
                let (line, _) = position(&source.to_string());
                let line = line_beginning_with(path, &word).unwrap_or(line);
                syntax(
                    line,
                    "steps begin with Given, When, Then, And or But".to_owned(),
                )
            }
            ParseFileError::Parsing { error, source, .. } => {
                let (line, expected) = position(&source.to_string());
                syntax(line, error.map_or(expected, |error| error.to_string()))
            }
        })?;
    if let Some((line, reason)) = unplayed(&feature) {
        return Err(syntax(line, reason.to_owned()));
    }
    if let Some((said, reason)) = unplayed_line(&feature) {
        let line = line_beginning_with(path, said).unwrap_or(feature.position.line);
        return Err(syntax(line, format!("{said:?} is not played: {reason}")));
    }
    let feature = feature.expand_examples().map_err(|error| {
        syntax(
            error.pos.line,
            format!("there is no column <{}> in the examples", error.name),
        )
    })?;
    let idle = scenarios(&feature).find(|scenario| scenario.steps.is_empty());
    match idle {
        Some(idle) => Err(syntax(
            idle.position.line,
            format!(
                "{:?} has no step: steps begin with Given, When, Then, And or But",
                idle.name
            ),
        )),
        None => Ok(feature),
    }
}

/// Something of a feature that nobody would ever play: where, and why.
fn unplayed(feature: &Feature) -> Option<(usize, &'static str)> {
    if scenarios(feature).next().is_none() {
        let reason = "nothing is played of a feature without a scenario";
        return Some((feature.position.line, reason));
    }
    let mut outlines = scenarios(feature).flat_map(|scenario| &scenario.examples);
    let rowless = outlines.find(|examples| {
        let table = examples.table.as_ref();
        table.is_none_or(|table| table.rows.len() < 2)
    });
    let reason = "an outline without a row is never played: add one below the names of its columns";
    rowless.map(|rowless| (rowless.position.line, reason))
}

/// Where the head of a feature should stand and does not: at its first line that is no comment and no tag.
fn headless(path: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let lines = text.lines().map(str::trim_start).enumerate();
    let mut said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '@']));
    match said.next() {
        Some((_, line)) if line.starts_with("Feature:") => None,
        Some((before, _)) => Some(before + 1),
        None => Some(1),
    }
}

/// Line and reason of a parser's error, which says them in words only: `Error at LINE:COLUMN: {"EXPECTED", …}`.
fn position(error: &str) -> (usize, String) {
    let parts = error
        .strip_prefix("Error at ")
        .and_then(|rest| rest.split_once(": "));
    let line = parts.and_then(|(position, _)| position.split(':').next()?.parse().ok());
    let expected = parts.map_or(error, |(_, expected)| expected);
    let mut words: Vec<&str> = expected.trim_matches(['{', '}']).split(", ").collect();
    words.sort_unstable();
    (
        line.unwrap_or(1),
        format!("expected {}", words.join(" or ")),
    )
}

fn line_beginning_with(path: &Path, word: &str) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let begins = |line: &str| line.trim_start().starts_with(word);
    text.lines().position(begins).map(|before| before + 1)
}

/// Hands a suite to cucumber.
pub(super) struct Read(pub(super) Suite);

impl cucumber::Parser<()> for Read {
    type Cli = cucumber::cli::Empty;
    type Output = stream::Iter<std::vec::IntoIter<cucumber::parser::Result<Feature>>>;

    fn parse(self, (): (), _: Self::Cli) -> Self::Output {
        let features: Vec<_> = self.0.features.into_iter().map(Ok).collect();
        stream::iter(features)
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    const TEXT: &str = "Feature: Visits

  Scenario: By day
    Given the sun

  @tincd
  Scenario Outline: By night
    Given a <thing>

    Examples:
      | thing |
      | moon  |
      | lamp  |
";

    fn suite(text: &str) -> Suite {
        let mut feature = Feature::parse(text, GherkinEnv::default())
            .unwrap()
            .expand_examples()
            .unwrap();
        feature.path = Some("visits.feature".into());
        Suite {
            features: vec![feature],
        }
    }

    fn ids(daemons: Daemons, select: &Select) -> Vec<String> {
        suite(TEXT).chosen(daemons, select).ids()
    }

    #[test]
    fn each_row_of_an_outline_is_a_scenario_with_the_rows_line() {
        assert_eq!(
            ids(Daemons::Tincd, &Select::default()),
            [
                "visits::By day:3",
                "visits::By night:12",
                "visits::By night:13"
            ]
        );
    }

    #[test]
    fn a_scenario_about_one_cast_is_played_by_that_one_only() {
        assert_eq!(
            ids(Daemons::V6router, &Select::default()),
            ["visits::By day:3"]
        );
    }

    #[test]
    fn names_are_chosen_by_expression_and_identities_whole() {
        let named = Select {
            name: Some(Regex::new("night$").unwrap()),
            ..Select::default()
        };
        assert_eq!(ids(Daemons::Tincd, &named).len(), 2);
        let one = Select {
            ids: Some(vec!["visits::By night:13".to_owned()]),
            ..Select::default()
        };
        assert_eq!(ids(Daemons::Tincd, &one), ["visits::By night:13"]);
    }

    #[test]
    fn shards_are_parts_of_what_is_chosen() {
        let shard = |text: &str| Select {
            name: Some(Regex::new("^By").unwrap()),
            shard: Some(text.parse().unwrap()),
            ..Select::default()
        };
        let [first, second] = ["1/2", "2/2"].map(|text| ids(Daemons::Tincd, &shard(text)));
        assert_eq!(first, ["visits::By day:3", "visits::By night:13"]);
        assert_eq!(second, ["visits::By night:12"]);
    }

    fn error_of(name: &str, text: &str) -> String {
        let file =
            std::env::temp_dir().join(format!("v6lab-suite-{}-{name}.feature", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let error = Suite::load(std::slice::from_ref(&file))
            .unwrap_err()
            .to_string();
        std::fs::remove_file(&file).unwrap();
        error.replace(&file.display().to_string(), name)
    }

    #[test]
    fn a_syntax_error_names_file_and_line() {
        let text = "Feature: Broken\n\n  Scenario: One\n    Given a lamp\n    Nonsense here\n";
        assert!(
            error_of("nonsense", text).starts_with("nonsense:5: steps begin with"),
            "{}",
            error_of("nonsense", text)
        );
        let text = "Feature: Broken\n\n  Scenario Outline: One\n    Given a <lamp>\n\n    Examples:\n      | moon |\n      | full |\n";
        assert!(error_of("column", text).contains("no column <lamp>"));
    }

    #[test]
    fn what_is_no_feature_at_all_is_told_how_one_begins() {
        for (text, line) in [("", 1), ("\n# nothing\n", 1), ("@tag\nFxature: One\n", 2)] {
            let error = error_of("headless", text);
            let begins = format!("headless:{line}: a feature begins with `Feature: NAME'");
            assert_eq!(error, begins);
        }
    }

    #[test]
    fn a_scenario_that_only_looks_as_if_it_had_steps_is_refused() {
        let idle = "Feature: Idle\n\n  Scenario: One\n";
        let error = error_of("idle", idle);
        assert!(error.starts_with("idle:3: \"One\" has no step"), "{error}");
        let error = error_of("slip", &format!("{idle}    Gven a lamp\n"));
        assert!(
            error.starts_with("slip:4: \"Gven a lamp\" is not played: steps begin"),
            "{error}"
        );
    }

    #[test]
    fn what_would_never_be_played_is_refused() {
        let outline = "Feature: Idle\n\n  Scenario Outline: One\n    Given a <lamp>\n\n    Examples:\n      | lamp |\n";
        let error = error_of("rowless", outline);
        assert!(
            error.starts_with("rowless:6: an outline without"),
            "{error}"
        );
        let slip = "Feature: Slip\n\n  Scenaro: One\n    Given a lamp\n\n  Scenario: Two\n    Given a lamp\n";
        let error = error_of("slip", slip);
        assert!(
            error.starts_with("slip:3: \"Scenaro: One\" is not played"),
            "{error}"
        );
        let error = error_of("empty", "\nFeature: Empty\n");
        assert!(error.starts_with("empty:2: nothing is played"), "{error}");
    }

    #[test]
    fn a_file_that_is_named_twice_is_read_once() {
        let file = std::env::temp_dir().join(format!("v6lab-twice-{}.feature", std::process::id()));
        std::fs::write(&file, TEXT).unwrap();
        let suite = Suite::load(&[file.clone(), file.clone()]).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(suite.ids().len(), 3);
    }

    #[test]
    fn a_network_that_is_not_there_is_told_with_its_line_and_the_nearest() {
        let text = "Feature: A\n\n  Scenario: One\n    Given the network \"howto\"\n";
        let mut suite = suite(text);
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../features/a.feature");
        suite.features[0].path = Some(here.clone());
        let error = suite.understood().unwrap_err().to_string();
        let told = "howto: there is no such scenario; did you mean `how-to`?";
        assert_eq!(error, format!("{}:4: {told}", here.display()));
    }

    #[test]
    fn a_missing_feature_is_named() {
        let error = Suite::load(&["nowhere.feature".into()])
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("nowhere.feature: "), "{error}");
    }
}
