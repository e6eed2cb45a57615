//! The option grammar of tincd, which is that of GNU `getopt_long` with one addition: an
//! optional argument may also be the next word.
//!
//! `-d5`, `-d 5`, `--debug=5` and `--debug 5` mean the same; long names may be abbreviated as
//! long as they stay unique; options and other words may be mixed. One table of [`Flag`]s feeds
//! both the parser and the help text. The grammar knows no option's meaning.

use std::fmt::Write as _;

/// Whether an option takes an argument, and what the help text calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// No argument.
    Nothing,
    /// An argument, attached or as the next word.
    Value(&'static str),
    /// Perhaps an argument: attached, or the next word unless that begins with a dash.
    Maybe(&'static str),
}

/// One option of the table; `Id` is what the caller matches on.
#[derive(Debug)]
pub(crate) struct Flag<Id> {
    pub(crate) id: Id,
    pub(crate) short: Option<char>,
    pub(crate) long: &'static str,
    pub(crate) takes: Takes,
    /// One line for `--help`.
    pub(crate) help: &'static str,
}

/// What is wrong with a command line. The texts are those of `getopt_long`, since scripts show them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrammarError {
    #[error("unrecognized argument '{0}'")]
    Operand(String),
    #[error("unrecognized option '--{0}'")]
    UnknownLong(String),
    #[error("invalid option -- '{0}'")]
    UnknownShort(char),
    #[error("option '--{given}' is ambiguous; possibilities: {candidates}")]
    Ambiguous { given: String, candidates: String },
    #[error("option '--{0}' requires an argument")]
    MissingLong(&'static str),
    #[error("option requires an argument -- '{0}'")]
    MissingShort(char),
    #[error("option '--{0}' doesn't allow an argument")]
    Unwanted(&'static str),
    #[error("an argument is not valid UTF-8")]
    NotText,
}

/// Reads `words` (without the program's name) by `table`, in order.
///
/// # Errors
/// The first word that does not fit the table.
pub(crate) fn parse<Id: Copy>(
    table: &[Flag<Id>],
    words: impl IntoIterator<Item = String>,
) -> Result<Vec<(Id, Option<String>)>, GrammarError> {
    let mut words = words.into_iter().peekable();
    let mut found = Vec::new();
    let mut operand = None;
    while let Some(word) = words.next() {
        if word == "--" {
            operand = operand.or_else(|| words.next());
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let flag = find_long(table, name)?;
            let value = match (flag.takes, attached) {
                (Takes::Nothing, Some(_)) => return Err(GrammarError::Unwanted(flag.long)),
                (Takes::Nothing, None) => None,
                (_, Some(value)) => Some(value),
                (Takes::Value(_), None) => {
                    Some(words.next().ok_or(GrammarError::MissingLong(flag.long))?)
                }
                (Takes::Maybe(_), None) => words.next_if(|next| !next.starts_with('-')),
            };
            found.push((flag.id, value));
        } else if let Some(shorts) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            let mut rest = shorts.chars();
            while let Some(letter) = rest.next() {
                let flag = table
                    .iter()
                    .find(|flag| flag.short == Some(letter))
                    .ok_or(GrammarError::UnknownShort(letter))?;
                let value = match flag.takes {
                    Takes::Nothing => None,
                    _ if !rest.as_str().is_empty() => {
                        let attached = rest.as_str().to_owned();
                        rest = "".chars();
                        Some(attached)
                    }
                    Takes::Value(_) => {
                        Some(words.next().ok_or(GrammarError::MissingShort(letter))?)
                    }
                    Takes::Maybe(_) => words.next_if(|next| !next.starts_with('-')),
                };
                found.push((flag.id, value));
            }
        } else {
            operand.get_or_insert(word);
        }
    }
    match operand {
        Some(word) => Err(GrammarError::Operand(word)),
        None => Ok(found),
    }
}

fn find_long<'t, Id>(table: &'t [Flag<Id>], name: &str) -> Result<&'t Flag<Id>, GrammarError> {
    if let Some(exact) = table.iter().find(|flag| flag.long == name) {
        return Ok(exact);
    }
    let mut candidates = table.iter().filter(|flag| flag.long.starts_with(name));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(GrammarError::UnknownLong(name.to_owned())),
        (Some(first), Some(second)) => Err(GrammarError::Ambiguous {
            given: name.to_owned(),
            candidates: [first, second]
                .into_iter()
                .chain(candidates)
                .map(|flag| format!("'--{}'", flag.long))
                .collect::<Vec<_>>()
                .join(" "),
        }),
    }
}

/// The option list of `--help`, one aligned line an option.
pub(crate) fn help<Id>(table: &[Flag<Id>]) -> String {
    let mut text = String::new();
    for flag in table {
        let short = flag
            .short
            .map_or_else(|| "   ".to_owned(), |letter| format!("-{letter},"));
        let value = match flag.takes {
            Takes::Nothing => String::new(),
            Takes::Value(name) => format!("={name}"),
            Takes::Maybe(name) => format!("[={name}]"),
        };
        let left = format!("{short} --{}{value}", flag.long);
        let _ = writeln!(text, "  {left:<31}{}", flag.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag<char>] = &[
        flag('D', Some('D'), "no-detach", Takes::Nothing),
        flag('d', Some('d'), "debug", Takes::Maybe("LEVEL")),
        flag('n', Some('n'), "net", Takes::Value("NETNAME")),
        flag('l', None, "logfile", Takes::Maybe("FILENAME")),
    ];

    const fn flag(id: char, short: Option<char>, long: &'static str, takes: Takes) -> Flag<char> {
        Flag {
            id,
            short,
            long,
            takes,
            help: "",
        }
    }

    fn read(words: &[&str]) -> Result<Vec<(char, Option<String>)>, GrammarError> {
        parse(TABLE, words.iter().map(|w| (*w).to_owned()))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn an_optional_argument_is_attached_or_the_next_word() {
        for words in [
            &["-d5"][..],
            &["-d", "5"],
            &["--debug=5"],
            &["--debug", "5"],
        ] {
            assert_eq!(read(words), Ok(vec![('d', some("5"))]), "{words:?}");
        }
        assert_eq!(read(&["-d", "-D"]), Ok(vec![('d', None), ('D', None)]));
        assert_eq!(read(&["--logfile"]), Ok(vec![('l', None)]));
    }

    #[test]
    fn short_options_may_be_joined() {
        assert_eq!(
            read(&["-Dd3", "-Dnvpn"]),
            Ok(vec![
                ('D', None),
                ('d', some("3")),
                ('D', None),
                ('n', some("vpn"))
            ])
        );
    }

    #[test]
    fn long_names_may_be_abbreviated_while_unique() {
        assert_eq!(read(&["--no"]), Ok(vec![('D', None)]));
        assert_eq!(read(&["--net=x"]), Ok(vec![('n', some("x"))]));
        assert!(matches!(
            read(&["--n"]),
            Err(GrammarError::Ambiguous { .. })
        ));
    }

    #[test]
    fn misuse_is_named_as_getopt_names_it() {
        let cases: &[(&[&str], &str)] = &[
            (&["foo"], "unrecognized argument 'foo'"),
            (&["-D", "--", "foo"], "unrecognized argument 'foo'"),
            (&["--bogus"], "unrecognized option '--bogus'"),
            (&["-x"], "invalid option -- 'x'"),
            (&["-n"], "option requires an argument -- 'n'"),
            (&["--net"], "option '--net' requires an argument"),
            (
                &["--no-detach=3"],
                "option '--no-detach' doesn't allow an argument",
            ),
        ];
        for (words, text) in cases {
            assert_eq!(read(words).unwrap_err().to_string(), *text);
        }
    }
}
