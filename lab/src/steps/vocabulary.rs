//! The sentences that features are made of, and which of them somebody meant who wrote another.

use std::collections::BTreeSet;
use std::fmt;

use cucumber::World as _;
use cucumber::codegen::{StepConstructor, WorldInventory, inventory};
use cucumber::gherkin::{Step, StepType};
use serde::Serialize;

use super::World;

/// How many sentences are suggested at most.
const SUGGESTED: usize = 3;

/// A sentence that begins a step, with `{word}`, `{string}`, `{int}` and `{float}` where it leaves something open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Sentence {
    /// `Given`, `When` or `Then`.
    pub keyword: &'static str,
    /// What follows it.
    pub text: String,
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.keyword, self.text)
    }
}

/// Every sentence there is, by keyword and then by text.
#[must_use]
pub fn vocabulary() -> Vec<Sentence> {
    let mut all = sentences::<<World as WorldInventory>::Given>("Given");
    all.extend(sentences::<<World as WorldInventory>::When>("When"));
    all.extend(sentences::<<World as WorldInventory>::Then>("Then"));
    all
}

fn sentences<Kind>(keyword: &'static str) -> Vec<Sentence>
where
    Kind: inventory::Collect + StepConstructor<World>,
{
    let texts: BTreeSet<String> = inventory::iter::<Kind>
        .into_iter()
        .map(|step| {
            let (_, pattern, _) = step.inner();
            readable(pattern().as_str())
        })
        .collect();
    texts
        .into_iter()
        .map(|text| Sentence { keyword, text })
        .collect()
}

/// What was written of an expression that has become a pattern.
fn readable(pattern: &str) -> String {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    let (mut text, mut rest) = (String::new(), pattern);
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '(' => {
                let group = group(rest);
                text.push_str(match group {
                    _ if group.contains('"') => "{string}",
                    _ if group.contains("inf") => "{float}",
                    r"((?:-?\d+)|(?:\d+))" => "{int}",
                    r"(.*)" | r"(.+)" => "{…}",
                    _ => "{word}",
                });
                group.len()
            }
            '\\' => {
                text.extend(rest.chars().nth(1));
                1 + rest.chars().nth(1).map_or(0, char::len_utf8)
            }
            _ => {
                text.push(next);
                next.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or("");
    }
    text
}

/// The group that a pattern begins with, to the bracket that closes it.
fn group(pattern: &str) -> &str {
    let (mut depth, mut escaped) = (0, false);
    for (at, next) in pattern.char_indices() {
        match next {
            _ if escaped => {
                escaped = false;
                continue;
            }
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return pattern.get(..=at).unwrap_or(pattern);
        }
    }
    pattern
}

/// What is wrong with a step that is no sentence of ours, or more than one.
pub(crate) fn mistake(step: &Step) -> Option<String> {
    match World::collection().find(step) {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!(
            "nobody has written the step \"{}\"{}",
            step.value,
            suggestions(step)
        )),
        Err(ambiguous) => Some(ambiguous.to_string()),
    }
}

/// The closest sentences, those of its own keyword first where several are as close.
fn suggestions(step: &Step) -> String {
    let keyword = match step.ty {
        StepType::Given => "Given",
        StepType::When => "When",
        StepType::Then => "Then",
    };
    let mut close: Vec<_> = vocabulary()
        .into_iter()
        .map(|sentence| {
            let other = sentence.keyword != keyword;
            (likeness(&step.value, &sentence.text), other, sentence)
        })
        .filter(|(likeness, ..)| *likeness > 0)
        .collect();
    close.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    // What is much further away than the closest was not meant.
    let best = close.first().map_or(0, |(likeness, ..)| *likeness);
    close.retain(|(likeness, ..)| 2 * likeness > best);
    let lines = close.iter().take(SUGGESTED);
    let lines: Vec<_> = lines
        .map(|(.., sentence)| format!("\n  {sentence}"))
        .collect();
    if lines.is_empty() {
        return "; `v6lab steps` lists those there are".to_owned();
    }
    format!("; the closest are{}", lines.concat())
}

/// How much of two sentences is in common, in per mille of both: words count by their letters, and those that both
/// begin with alike count in part, since `start` may have been meant for `started`.
fn likeness(written: &str, sentence: &str) -> usize {
    let words = |text: &str| -> Vec<String> {
        let words = text
            .split_whitespace()
            .filter(|word| !word.starts_with(['{', '"']));
        words.map(str::to_lowercase).collect()
    };
    let (written, mut known) = (words(written), words(sentence));
    let all: usize = written.iter().chain(&known).map(String::len).sum();
    let mut common = 0;
    for word in &written {
        let alike = |other: &String| {
            let same = word.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
            let same = same.count();
            if same >= 4 || same == word.len().max(other.len()) {
                same
            } else {
                0
            }
        };
        let best = (0..known.len()).max_by_key(|at| known.get(*at).map_or(0, alike));
        if let Some(best) = best.filter(|at| known.get(*at).map_or(0, alike) > 0) {
            common += alike(&known.swap_remove(best));
        }
    }
    2000 * common / all.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(ty: StepType, value: &str) -> Step {
        Step {
            keyword: String::new(),
            ty,
            value: value.to_owned(),
            docstring: None,
            table: None,
            span: Default::default(),
            position: Default::default(),
        }
    }

    #[test]
    fn every_sentence_is_told_as_it_was_written() {
        let all = vocabulary();
        assert!(all.len() > 50, "{}", all.len());
        for sentence in &all {
            let odd = sentence.text.contains(['\\', '(', '[', '^', '$', '*']);
            assert!(!odd, "{sentence}");
        }
        let is_there = |text: &str| all.iter().any(|sentence| sentence.to_string() == text);
        assert!(is_there("Given the network {string}"));
        assert!(is_there("Then {word} reaches {word} within {float} s"));
    }

    #[test]
    fn a_known_sentence_is_no_mistake() {
        let known = step(StepType::Then, "laptop reaches www within 5 s");
        assert_eq!(mistake(&known), None);
    }

    #[test]
    fn a_slip_is_told_what_was_meant() {
        for (ty, slip, meant) in [
            (
                StepType::Then,
                "laptop reach www within 5 s",
                "Then {word} reaches {word} within {float} s",
            ),
            (
                StepType::When,
                "all the daemons are start",
                "When all daemons are started",
            ),
            (
                StepType::Given,
                "network \"how-to\"",
                "Given the network {string}",
            ),
        ] {
            let told = mistake(&step(ty, slip)).unwrap();
            let first = told.lines().nth(1).unwrap_or_default();
            assert_eq!(first.trim(), meant, "{told}");
        }
    }

    #[test]
    fn what_is_like_nothing_gets_no_odd_suggestion() {
        let told = mistake(&step(StepType::When, "xyzzy")).unwrap();
        assert!(
            told.ends_with("`v6lab steps` lists those there are"),
            "{told}"
        );
    }
}
