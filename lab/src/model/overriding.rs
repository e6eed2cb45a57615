//! What a scenario says of one venue in place of its file: the same fields, each of which may be left out.

use toml::Spanned;

use super::ModelError;
use super::error::Source;

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

/// What the nearest of those says who speak of a field of a table.
pub(super) fn field<'a, 'b, T, F>(
    tables: &[Said<'a, &'b Spanned<T>>],
    of: impl Fn(&'b T) -> Option<&'b F>,
) -> Option<Said<'a, &'b F>> {
    tables
        .iter()
        .find_map(|table| table.part(|table| of(table.get_ref())))
}
