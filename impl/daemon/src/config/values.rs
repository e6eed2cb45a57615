//! Values of configuration variables as types (tincd manual: yes|no, integer, enumerations).
//!
//! A malformed `yes`/`no` or integer leaves the default in force with one line of complaint, as in
//! tincd; a malformed enumeration ends the start.

use std::fmt;

use super::set::ConfigSet;
use super::syntax::{Assignment, FileError, Span};

/// Reads typed values and keeps the complaints that do not stop the start.
pub(crate) struct Reader<'s> {
    set: &'s ConfigSet,
    complaints: Vec<BadValue>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(set: &'s ConfigSet) -> Self {
        Self {
            set,
            complaints: Vec::new(),
        }
    }

    /// The entry of `key` that counts.
    pub(crate) fn text(&self, key: &str) -> Option<&'s Assignment> {
        self.set.first(key)
    }

    /// All entries of `key`, in order.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &'s Assignment> + use<'s> {
        let set = self.set;
        let key = key.to_owned();
        set.iter()
            .filter(move |entry| entry.key.eq_ignore_ascii_case(&key))
    }

    /// `yes` or `no`.
    pub(crate) fn yes_no(&mut self, key: &str) -> Option<bool> {
        let entry = self.text(key)?;
        let value = yes_no(&entry.value);
        if value.is_none() {
            self.complain(entry, "\"yes\" or \"no\" expected; the default stays");
        }
        value
    }

    /// A decimal integer; text after it is ignored with a complaint.
    pub(crate) fn integer(&mut self, key: &str) -> Option<i32> {
        let entry = self.text(key)?;
        let value = leading_integer(&entry.value);
        match value {
            None => self.complain(entry, "integer expected; the default stays"),
            Some(number) if number.to_string() != entry.value.trim_start_matches('+') => self
                .complain(
                    entry,
                    format_args!("taken as {number}; a comment needs a line of its own"),
                ),
            Some(_) => {}
        }
        value
    }

    /// One of several words, compared without case.
    ///
    /// # Errors
    /// If it is none of them.
    pub(crate) fn one_of<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, BadValue> {
        let Some(entry) = self.text(key) else {
            return Ok(None);
        };
        words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(&entry.value))
            .map(|(_, value)| Some(*value))
            .ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                BadValue::new(entry, format!("expected one of {}", known.join(", ")))
            })
    }

    /// Notes a complaint about `entry`.
    pub(crate) fn complain(&mut self, entry: &Assignment, why: impl fmt::Display) {
        self.complaints.push(BadValue::new(entry, why.to_string()));
    }

    /// The complaints so far.
    pub(crate) fn into_complaints(self) -> Vec<BadValue> {
        self.complaints
    }
}

/// A value that cannot be used, or a remark about one that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadValue {
    key: String,
    value: String,
    at: Span,
    want: String,
}

impl BadValue {
    pub(crate) fn new(entry: &Assignment, want: impl Into<String>) -> Self {
        Self {
            key: entry.key.clone(),
            value: entry.value.clone(),
            at: entry.at.clone(),
            want: want.into(),
        }
    }

    /// Where the value is written.
    pub(crate) fn at(&self) -> &Span {
        &self.at
    }

    /// The variable, its value and what is wrong, without the place.
    pub(crate) fn what(&self) -> String {
        let Self {
            key, value, want, ..
        } = self;
        format!("{key} = {}: {want}", Shown(value))
    }
}

impl std::error::Error for BadValue {}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what())
    }
}

/// What is wrong without stopping the start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Complaint {
    /// A value.
    #[error(transparent)]
    Value(#[from] BadValue),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A host file, or all of them, where only files tell who owns what.
    #[error("{0}; not all subnets are known")]
    Owner(FileError),
}

impl Complaint {
    /// Whether a `Subnet` may be missing for it: one that is skipped, or lost with its file.
    pub(crate) fn hides_subnets(&self) -> bool {
        match self {
            Self::Value(value) => value.key.eq_ignore_ascii_case("Subnet"),
            Self::File(_) | Self::Owner(_) => true,
        }
    }
}

/// Where an entry is written, and what is written there.
pub(crate) fn place(entry: &Assignment) -> String {
    let Assignment { key, value, at } = entry;
    format!("{at}: {key} = {}", Shown(value))
}

/// A value as remarks show it: its beginning is enough to find it again.
struct Shown<'v>(&'v str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => write!(f, "{}...", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}

/// Characters of a value in a remark; ours.
const MAX_SHOWN: usize = 200;

/// `yes` or `no`, whatever the case.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("yes") => Some(true),
        _ if text.eq_ignore_ascii_case("no") => Some(false),
        _ => None,
    }
}

/// The decimal integer at the start of `text`; what follows it does not matter.
pub(crate) fn leading_integer(text: &str) -> Option<i32> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.len()
        - unsigned
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    let end = text.len() - unsigned.len() + digits;
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_what_stands_at_the_start() {
        for (text, number) in [
            ("3", Some(3)),
            ("3 x", Some(3)),
            ("-7", Some(-7)),
            ("+7", Some(7)),
            (" 4", Some(4)),
            ("x", None),
            ("-", None),
            ("", None),
            ("99999999999", None),
        ] {
            assert_eq!(leading_integer(text), number, "{text:?}");
        }
    }

    #[test]
    fn a_malformed_value_keeps_the_default_and_says_where() {
        let set = ConfigSet::from_text("PingTimeout = xx\nTCPOnly = maybe\nKeyExpire = 10 # s\n");
        let mut reader = Reader::new(&set);
        assert_eq!(reader.integer("PingTimeout"), None);
        assert_eq!(reader.yes_no("TCPOnly"), None);
        assert_eq!(reader.integer("KeyExpire"), Some(10));
        assert_eq!(
            reader
                .into_complaints()
                .iter()
                .map(BadValue::to_string)
                .collect::<Vec<_>>(),
            [
                "tinc.conf line 1: PingTimeout = xx: integer expected; the default stays",
                "tinc.conf line 2: TCPOnly = maybe: \"yes\" or \"no\" expected; the default stays",
                "tinc.conf line 3: KeyExpire = 10 # s: taken as 10; a comment needs a line of its own",
            ]
        );
    }

    #[test]
    fn of_an_endless_value_only_the_beginning_is_shown() {
        let set = ConfigSet::from_text(&format!("Name = {}\n", "\u{e9}".repeat(10_000)));
        let entry = set.first("Name").unwrap();
        let said = BadValue::new(entry, "too long").to_string();
        assert!(said.chars().count() < 250, "{said}");
        assert!(said.ends_with("\u{e9}...: too long"), "{said}");
    }

    #[test]
    fn a_malformed_enumeration_lists_what_would_do() {
        let set = ConfigSet::from_text("Broadcast = mts\n");
        let error = Reader::new(&set)
            .one_of("broadcast", &[("no", 0), ("mst", 1)])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "tinc.conf line 1: Broadcast = mts: expected one of no, mst"
        );
    }
}
