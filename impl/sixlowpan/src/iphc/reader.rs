//! Takes fields from the front of a payload.

use super::error::{DecompressError, Field};

/// What is left of a payload.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// The next `N` octets.
    pub(super) fn take<const N: usize>(
        &mut self,
        field: Field,
    ) -> Result<[u8; N], DecompressError> {
        let missing = DecompressError::Truncated(field);
        let (taken, rest) = self.0.split_first_chunk().ok_or(missing)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next octet.
    pub(super) fn octet(&mut self, field: Field) -> Result<u8, DecompressError> {
        self.take(field).map(|[octet]| octet)
    }

    /// The next `count` octets.
    pub(super) fn slice(
        &mut self,
        count: usize,
        field: Field,
    ) -> Result<&'a [u8], DecompressError> {
        let missing = DecompressError::Truncated(field);
        let (taken, rest) = self.0.split_at_checked(count).ok_or(missing)?;
        self.0 = rest;
        Ok(taken)
    }

    /// All that nobody took.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}
