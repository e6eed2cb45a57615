//! The text form of tinc's configuration files (tincd manual, "Configuration file syntax").
//!
//! Turns bytes into [`Assignment`]s that remember where they stand. Knows no variable's meaning.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Span {
    /// Line of a file, counted from 1.
    File(Arc<Path>, usize),
    /// `-o` option, counted from 1.
    CommandLine(usize),
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::CommandLine(nth) => write!(f, "command line option {nth}"),
        }
    }
}

/// One `Variable = Value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The variable as written; variables compare without case.
    pub(crate) key: String,
    /// The value without surrounding blanks, otherwise verbatim; never empty.
    pub(crate) value: String,
    pub(crate) at: Span,
}

impl Assignment {
    /// The same as it may be printed: the value may be a secret, or is long.
    pub(crate) fn hidden(&self) -> Self {
        let value = "...".to_owned();
        Self {
            value,
            ..self.clone()
        }
    }
}

/// A `-o` option: an assignment to our own set, or to that of the host it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Override {
    /// Compared with case, as node names are.
    pub(crate) host: Option<String>,
    pub(crate) assignment: Assignment,
}

impl Override {
    /// Reads the argument of the `nth` option `-o`, counted from 1.
    ///
    /// # Errors
    /// If there is no value.
    pub(crate) fn parse(text: &str, nth: usize) -> Result<Self, NoValue> {
        let at = Span::CommandLine(nth);
        let (key, value) = split(text);
        if value.is_empty() {
            return Err(NoValue {
                key: key.to_owned(),
                at,
            });
        }
        let (host, key) = match key.split_once('.') {
            Some((host, key)) => (Some(host.to_owned()), key),
            None => (None, key),
        };
        Ok(Self {
            host,
            assignment: Assignment {
                key: key.to_owned(),
                value: value.to_owned(),
                at,
            },
        })
    }
}

/// A variable without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoValue {
    key: String,
    at: Span,
}

impl NoValue {
    /// Where it is written.
    pub(crate) fn at(&self) -> &Span {
        &self.at
    }
}

impl std::error::Error for NoValue {}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, at } = self;
        match at {
            Span::CommandLine(_) => write!(f, "No value for variable `{key}' in {at}"),
            Span::File(path, line) => write!(
                f,
                "No value for variable `{key}' on line {line} while reading config file {}; \
                 a line is `Variable = Value'",
                path.display()
            ),
        }
    }
}

/// Why a configuration file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Not there, not readable, too large.
    #[error("Cannot open config file {}: {}", .0.display(), describe(.1))]
    Open(Arc<Path>, io::Error),
    /// One line is wrong, and what follows it is lost.
    #[error(transparent)]
    NoValue(#[from] NoValue),
}

impl FileError {
    /// Whether the file does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Open(_, error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// The system's reason, if it is this file that could not be opened.
    pub(crate) fn reason(&self, path: &Path) -> Option<String> {
        match self {
            Self::Open(failed, error) if **failed == *path => Some(describe(error)),
            Self::Open(..) | Self::NoValue(_) => None,
        }
    }
}

/// The system's words for an error, without Rust's ` (os error 2)`.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

/// Largest configuration file read, bytes; ours.
const MAX_FILE: u64 = 4 << 20;

/// Reads one configuration file, and adds to `found` what it says.
///
/// # Errors
/// If it cannot be read, or at its first line without a value; what stands before that is found.
pub(crate) fn read_file(path: &Path, found: &mut Vec<Assignment>) -> Result<(), FileError> {
    let path: Arc<Path> = path.into();
    match read_capped(&path) {
        Ok(bytes) => parse(&bytes, &path, found).map_err(FileError::from),
        Err(error) => Err(FileError::Open(path, error)),
    }
}

fn read_capped(path: &Path) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::other("it is a directory"));
    }
    if meta.len() > MAX_FILE {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    std::fs::read(path)
}

/// Adds to `found` what the text of a configuration file says that is, or could be, at `path`.
///
/// # Errors
/// At the first line without a value; what stands before it is found.
pub(crate) fn parse(
    bytes: &[u8],
    path: &Arc<Path>,
    found: &mut Vec<Assignment>,
) -> Result<(), NoValue> {
    let mut in_pem = false;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if in_pem {
            in_pem = !line.starts_with(b"-----END");
            continue;
        }
        if line.starts_with(b"-----BEGIN") {
            in_pem = true;
            continue;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        // tincd takes blanks at the start of a line for an empty variable name, and so ignores
        // the line: never what its author meant.
        let text = text.trim_start_matches(BLANK);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let at = Span::File(path.clone(), index + 1);
        let (key, value) = split(text);
        if value.is_empty() {
            return Err(NoValue {
                key: key.to_owned(),
                at,
            });
        }
        found.push(Assignment {
            key: key.to_owned(),
            value: value.to_owned(),
            at,
        });
    }
    Ok(())
}

const BLANK: [char; 2] = [' ', '\t'];

/// Splits at the first run of blanks and at most one equals sign.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim_end_matches(BLANK);
    let end = text.find([' ', '\t', '=']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    let rest = rest.trim_start_matches(BLANK);
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    (key, rest.trim_start_matches(BLANK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, String)> {
        let mut found = Vec::new();
        parse(text.as_bytes(), &Path::new("f").into(), &mut found).unwrap();
        found
            .into_iter()
            .map(|a| {
                let Span::File(_, line) = a.at else { panic!() };
                (line, a.key, a.value)
            })
            .collect()
    }

    fn one(text: &str) -> (String, String) {
        let (_, key, value) = read(text).remove(0);
        (key, value)
    }

    #[test]
    fn the_equals_sign_is_optional_and_only_the_first_separates() {
        for text in [
            "Port=655",
            "Port = 655",
            "Port 655",
            "Port\t=  655 \t",
            "Port =655\r",
        ] {
            assert_eq!(one(text), ("Port".into(), "655".into()), "{text:?}");
        }
        assert_eq!(one("A = b = c"), ("A".into(), "b = c".into()));
        assert_eq!(one("A ==b"), ("A".into(), "=b".into()));
    }

    #[test]
    fn a_comment_takes_a_whole_line_and_never_its_end() {
        assert_eq!(
            read("# Port = 1\n\n  \nPort = 655 # x\n"),
            [(4, "Port".into(), "655 # x".into())]
        );
    }

    #[test]
    fn keys_inside_the_file_are_not_configuration() {
        let text = "A=1\n-----BEGIN RSA PUBLIC KEY-----\nMIGJ\n-----END RSA PUBLIC KEY-----\nB=2\n";
        assert_eq!(
            read(text),
            [(1, "A".into(), "1".into()), (5, "B".into(), "2".into())]
        );
    }

    #[test]
    fn leading_blanks_do_not_hide_a_line() {
        assert_eq!(one("  Port = 1"), ("Port".into(), "1".into()));
    }

    #[test]
    fn a_variable_without_value_names_file_and_line() {
        let path = Path::new("/etc/tinc/tinc.conf").into();
        let mut found = Vec::new();
        let error = parse(b"A=1\nName\nB=2\n", &path, &mut found).unwrap_err();
        assert!(error.to_string().starts_with(
            "No value for variable `Name' on line 2 while reading config file /etc/tinc/tinc.conf"
        ));
        let keys: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["A"]);
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(read("A = \u{fffd}").len(), 1);
        let path = Path::new("f").into();
        assert!(parse(b"\xff\xfe = \x80\n", &path, &mut Vec::new()).is_ok());
    }

    #[test]
    fn an_override_may_name_a_host() {
        let ours = Override::parse("Port = 1", 1).unwrap();
        assert_eq!((ours.host, ours.assignment.key), (None, "Port".into()));
        let theirs = Override::parse("node_one.Port=1", 2).unwrap();
        assert_eq!(theirs.host.as_deref(), Some("node_one"));
        assert_eq!(theirs.assignment.value, "1");
    }
}
