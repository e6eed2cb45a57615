//! Mistakes in a scenario, told with file, line and remedy.

use std::ops::Range;
use std::panic::Location;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use strsim::levenshtein;

/// A mistake in a scenario or in a file it refers to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {reason}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ModelError {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1, where the mistake has one.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// A file's text, kept so that a position can be told as a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    path: PathBuf,
    pub(super) text: String,
    /// Of each line, the place in somebody's code that asked for it, if it is in no file.
    asked_for: Vec<&'static Location<'static>>,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(path).map_err(|error| ModelError {
            file: path.to_owned(),
            line: None,
            reason: format!("cannot read this file: {error}"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            asked_for: Vec::new(),
        })
    }

    pub(super) fn from_text(path: &str, text: String) -> Self {
        Self {
            path: PathBuf::from(path),
            text,
            asked_for: Vec::new(),
        }
    }

    /// Lines that code asked for.
    pub(super) fn from_code(lines: &[(String, &'static Location<'static>)]) -> Self {
        let file = lines.first().map_or("", |(_, first)| first.file());
        Self {
            path: PathBuf::from(file),
            text: lines.iter().map(|(line, _)| format!("{line}\n")).collect(),
            asked_for: lines.iter().map(|(_, asked_for)| *asked_for).collect(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        toml::from_str(&self.text).map_err(|error| match error.span() {
            Some(span) => {
                let key = self.key_before(span.start);
                self.error_at(span, plain(error.message(), key))
            }
            None => self.error(plain(error.message(), None)),
        })
    }

    /// The key of the value that begins there, if it has one.
    fn key_before(&self, value: usize) -> Option<&str> {
        let before = self.text.get(..value)?.trim_end().strip_suffix('=')?;
        let ends = |c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c));
        let key = before.trim_end().rsplit(ends).next();
        key.filter(|key| !key.is_empty())
    }

    /// An error about the file as a whole.
    pub(super) fn error(&self, reason: impl Into<String>) -> ModelError {
        ModelError {
            file: self.path.clone(),
            line: None,
            reason: reason.into(),
        }
    }

    pub(super) fn error_at(&self, span: Range<usize>, reason: impl Into<String>) -> ModelError {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count();
        let (file, line) = match self.asked_for.get(line) {
            Some(place) => (
                PathBuf::from(place.file()),
                usize::try_from(place.line()).ok(),
            ),
            None => (self.path.clone(), Some(line + 1)),
        };
        ModelError {
            file,
            line,
            reason: reason.into(),
        }
    }
}

/// Serde's words for an unknown word list all the known ones; the nearest one is what the author meant. `key` is what a
/// value stands behind.
fn plain(message: &str, key: Option<&str>) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
    let (what, of) = if message.starts_with("unknown field") {
        ("key", String::new())
    } else if message.starts_with("unknown variant") {
        let of = key.map(|key| format!(" of `{key}`"));
        ("value", of.unwrap_or_default())
    } else {
        return message.trim().replace('\n', ", ");
    };
    let found = quoted.next().unwrap_or_default();
    let known: Vec<String> = quoted.collect();
    format!("unknown {what} `{found}`{of}{}", nearest(&found, &known))
}

/// A remark to end an error about an unknown word with: the known word nearest to it, or all of them.
pub(super) fn nearest(found: &str, known: &[String]) -> String {
    let closest = known
        .iter()
        .map(|word| (levenshtein(found, word), word))
        .min();
    match closest {
        None => String::new(),
        Some((distance, word)) if distance <= word.len() / 2 => format!("; did you mean `{word}`?"),
        Some(_) => format!("; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_fetched_word_lists_all_known_ones() {
        let known = vec!["name".to_owned(), "at".to_owned()];
        assert_eq!(nearest("nmae", &known), "; did you mean `name`?");
        assert_eq!(nearest("colour", &known), "; known here: name, at");
    }
}
