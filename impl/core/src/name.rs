//! Node names.
//!
//! A [`NodeName`] that exists is a legal name, so it alone may become a file name, an
//! environment value or a word of a request.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::constants::MAX_NAME_LEN;

/// The name of a node: one or more of `A-Z`, `a-z`, `0-9` and `_` (tinc manual, `Name`).
///
/// Names compare byte by byte, which is the order in which the mesh tells its state.
/// Cloning is cheap: the text is shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(found) = text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '_')
        {
            return Err(NameError::Character { found });
        }
        if text.len() > MAX_NAME_LEN {
            return Err(NameError::TooLong { found: text.len() });
        }
        Ok(Self(Arc::from(text)))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a node name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is no text at all.
    #[error("a node name needs at least one letter, digit or underscore")]
    Empty,
    /// A character outside the alphabet of names.
    #[error("a node name has only letters, digits and underscores, found {found:?}")]
    Character {
        /// The first such character.
        found: char,
    },
    /// Longer than we store. The protocol itself allows 2048 bytes.
    #[error("a node name has at most {MAX_NAME_LEN} bytes, found {found}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_underscores_make_a_name() {
        for good in ["a", "node_one", "Node2", "_", "0"] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn nothing_that_could_leave_its_directory_is_a_name() {
        for bad in ["", "node-one", "..", "a/b", "a b", "a\0", "naïve", "a\n"] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_fits_a_file_name_with_the_longest_script_suffix() {
        assert!("x".repeat(250).parse::<NodeName>().is_ok());
        assert_eq!(
            "x".repeat(251).parse::<NodeName>(),
            Err(NameError::TooLong { found: 251 })
        );
    }

    #[test]
    fn names_sort_by_bytes() {
        let mut names: Vec<NodeName> = ["b", "a_b", "aB", "B", "a"]
            .iter()
            .map(|n| n.parse().unwrap())
            .collect();
        names.sort();
        let sorted: Vec<&str> = names.iter().map(NodeName::as_str).collect();
        assert_eq!(sorted, ["B", "a", "aB", "a_b", "b"]);
    }
}
