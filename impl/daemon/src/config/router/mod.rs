//! `router.toml`: what of an IPv6 router this node is. Without the file it is none.

mod check;
mod file;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use v6router_core::router::RouterConfig;

use super::layout::Layout;
use super::syntax::describe;
use check::Checker;
use file::Source;

/// What is wrong with a `router.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouterError {
    pub(crate) file: PathBuf,
    /// Counted from 1; `None` if it is about the file as a whole.
    pub(crate) line: Option<usize>,
    pub(crate) reason: String,
}

impl std::error::Error for RouterError {}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, reason } = self;
        write!(f, "{}", file.display())?;
        if let Some(line) = line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {reason}")
    }
}

/// Reads and checks the file of a network whole, and touches nothing; `None` if there is none.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines as far as they can be told.
pub(crate) fn read(layout: &Layout) -> Result<Option<RouterConfig>, Vec<RouterError>> {
    let path = layout.router_toml();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(vec![unreadable(&path, &error)]),
    };
    parse(layout, text).map(Some)
}

/// Checks a text as if it were the file of a network.
///
/// # Errors
/// As for [`read`].
pub(crate) fn parse(layout: &Layout, text: String) -> Result<RouterConfig, Vec<RouterError>> {
    let source = Source::new(layout.router_toml(), text);
    let file = source.parse().map_err(|error| vec![error])?;
    Checker::check(&source, layout, file)
}

fn unreadable(path: &Path, error: &io::Error) -> RouterError {
    RouterError {
        file: path.to_owned(),
        line: None,
        reason: format!("cannot be read: {}", describe(error)),
    }
}
