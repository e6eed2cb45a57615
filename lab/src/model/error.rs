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
        toml::from_str(&self.text).map_err(|error| {
            let reason = plain(error.message());
            match error.span() {
                Some(span) => self.error_at(span, reason),
                None => self.error(reason),
            }
        })
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

/// Serde's words for an unknown key list all the known ones; the nearest one is what the author meant.
fn plain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(found)) => {
            let known: Vec<String> = quoted.collect();
            format!("unknown key `{found}`{}", nearest(&found, &known))
        }
        _ => message.trim().replace('\n', ", "),
    }
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
