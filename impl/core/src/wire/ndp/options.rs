//! The options of a message of neighbour discovery (RFC 4861 section 4.6).

use crate::subnet::Mac;

/// Options and their lengths count units of this many bytes (RFC 4861 section 4.6).
pub(super) const OPTION_UNIT: usize = 8;
/// Options in one message; ours. An advertisement of many prefixes has a third of it.
pub const MAX_OPTIONS: usize = 64;

/// Why options cannot be read; the whole message is void then (RFC 4861 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// An option of no length, behind which nothing would ever come.
    #[error("an option of type {0} without length")]
    Empty(u8),
    /// The message ends within an option.
    #[error("the message ends within an option")]
    Truncated,
    /// More than [`MAX_OPTIONS`].
    #[error("more than {MAX_OPTIONS} options")]
    TooMany,
}

/// Options whose lengths were checked once.
#[derive(Debug, Clone, Copy)]
pub struct OptionList<'a>(&'a [u8]);

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawOption<'a> {
    /// Its type.
    pub kind: u8,
    /// What stands behind type and length: 6 bytes, 14, 22 and so on.
    pub body: &'a [u8],
}

impl<'a> OptionList<'a> {
    /// Checks all lengths.
    ///
    /// # Errors
    /// If an option has no length, if the message ends within one, or if there are too many.
    pub fn new(bytes: &'a [u8]) -> Result<Self, OptionError> {
        let mut rest = bytes;
        for _ in 0..MAX_OPTIONS {
            if rest.is_empty() {
                return Ok(Self(bytes));
            }
            (_, rest) = split(rest)?;
        }
        if !rest.is_empty() {
            return Err(OptionError::TooMany);
        }
        Ok(Self(bytes))
    }

    /// The options in order.
    pub fn iter(self) -> impl Iterator<Item = RawOption<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (option, behind) = split(rest).ok()?;
            rest = behind;
            Some(option)
        })
    }

    /// The link-layer address in an option of this type, as long as on Ethernet and Bluetooth.
    pub(super) fn link_address(self, kind: u8) -> Option<Mac> {
        let told = self.iter().filter(|option| option.kind == kind);
        told.filter_map(|option| option.body.try_into().ok())
            .map(Mac)
            .next()
    }
}

/// The first option and what stands behind it.
fn split(bytes: &[u8]) -> Result<(RawOption<'_>, &[u8]), OptionError> {
    let &[kind, units, ..] = bytes else {
        return Err(OptionError::Truncated);
    };
    let len = usize::from(units) * OPTION_UNIT;
    if len == 0 {
        return Err(OptionError::Empty(kind));
    }
    let (option, rest) = bytes.split_at_checked(len).ok_or(OptionError::Truncated)?;
    let body = option.get(2..).unwrap_or_default();
    Ok((RawOption { kind, body }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_come_in_order_whatever_they_are() {
        let bytes = [[1, 1, 2, 0, 0, 0, 0, 7], [200, 1, 1, 2, 3, 4, 5, 6]].concat();
        let list = OptionList::new(&bytes).unwrap();
        let kinds: Vec<u8> = list.iter().map(|option| option.kind).collect();
        assert_eq!(kinds, [1, 200]);
        assert_eq!(list.link_address(1).unwrap().0, [2, 0, 0, 0, 0, 7]);
        assert_eq!(OptionList::new(&[]).unwrap().iter().count(), 0);
    }

    #[test]
    fn malformed_options_void_all_of_them() {
        let good = [5, 1, 0, 0, 0, 0, 5, 0];
        for (bad, error) in [
            (&[3, 0, 0, 0, 0, 0, 0, 0][..], OptionError::Empty(3)),
            (&[3, 4, 0, 0, 0, 0, 0, 0], OptionError::Truncated),
            (&[3], OptionError::Truncated),
        ] {
            let bytes = [&good, bad].concat();
            assert_eq!(OptionList::new(&bytes).unwrap_err(), error);
        }
        assert!(OptionList::new(&good.repeat(MAX_OPTIONS)).is_ok());
        let error = OptionList::new(&good.repeat(MAX_OPTIONS + 1)).unwrap_err();
        assert_eq!(error, OptionError::TooMany);
    }

    proptest! {
        #[test]
        fn the_options_are_the_whole_message(bytes in prop::collection::vec(0..4_u8, 0..80)) {
            if let Ok(list) = OptionList::new(&bytes) {
                let read: usize = list.iter().map(|option| option.body.len() + 2).sum();
                prop_assert_eq!(read, bytes.len());
            }
        }
    }
}
