//! What a scenario says of one venue in place of its file: the same fields, each of which may be left out.

use toml::Spanned;

use super::ModelError;
use super::error::Source;

/// A table that can be laid over another of its kind.
pub(super) trait Over: Sized {
    /// What is said here and, where nothing is, what `base` says.
    fn over(self, base: Self) -> Self;
}

impl<T: Over> Over for Option<T> {
    fn over(self, base: Self) -> Self {
        match (self, base) {
            (Some(here), Some(base)) => Some(here.over(base)),
            (here, base) => here.or(base),
        }
    }
}

/// A value that is to be looked into later, with the file it is from, so that a mistake is told where it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a, T> {
    pub(super) value: T,
    pub(super) by: &'a Source,
}

impl<'a, T> Said<'a, T> {
    pub(super) fn new(value: T, by: &'a Source) -> Self {
        Self { value, by }
    }

    pub(super) fn as_ref(&self) -> Said<'a, &T> {
        Said::new(&self.value, self.by)
    }
}

impl<'a, 'b, T> Said<'a, &'b T> {
    /// A part of it, if there is one.
    pub(super) fn part<U>(&self, part: impl FnOnce(&'b T) -> Option<U>) -> Option<Said<'a, U>> {
        part(self.value).map(|value| Said { value, by: self.by })
    }
}

impl<T> Said<'_, &Spanned<T>> {
    /// An error about it.
    pub(super) fn error(&self, reason: impl Into<String>) -> ModelError {
        self.by.error_at(self.value.span(), reason)
    }
}
