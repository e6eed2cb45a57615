//! Our own name: the `Name` variable and what stands for it (tinc manual, `Name`).

use v6router_core::name::{NameError, NodeName};

use super::set::ConfigSet;
use super::syntax::Assignment;
use super::values::BadValue;

/// Why we have no name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnNameError {
    /// No `Name` anywhere.
    #[error(
        "Name for tinc daemon required! Write `Name = NAME' (letters, digits, underscores) into {0}"
    )]
    Missing(String),
    /// A `Name` that cannot be one.
    #[error("Invalid name for myself: {0}")]
    Bad(BadValue),
}

/// Bytes of the host name that `$HOST` uses (tincd: a buffer of 32 bytes).
const MAX_HOST_NAME: usize = 31;

/// Reads `Name`; `tinc_conf` is the file to mention if there is none.
///
/// # Errors
/// If it is missing or not a node name.
pub(crate) fn own_name(set: &ConfigSet, tinc_conf: &str) -> Result<NodeName, OwnNameError> {
    let entry = set
        .first("Name")
        .ok_or_else(|| OwnNameError::Missing(tinc_conf.to_owned()))?;
    let text = match entry.value.strip_prefix('$') {
        Some(variable) => {
            let value = from_environment(entry, variable).map_err(OwnNameError::Bad)?;
            substitute(&value)
        }
        None => entry.value.clone(),
    };
    text.parse()
        .map_err(|error| OwnNameError::Bad(BadValue::new(entry, rule(&text, error))))
}

/// The rule a text breaks and, where there is one, a name close to it.
pub(crate) fn rule(text: &str, error: NameError) -> String {
    match mended(text) {
        Some(name) => format!("{error}; {name} would do"),
        None => error.to_string(),
    }
}

/// The name close to a text that is none.
pub(crate) fn mended(text: &str) -> Option<NodeName> {
    substitute(text).parse().ok()
}

fn from_environment(entry: &Assignment, variable: &str) -> Result<String, BadValue> {
    match std::env::var(variable) {
        Ok(value) => Ok(value),
        Err(_) if variable == "HOST" => host_name()
            .ok_or_else(|| BadValue::new(entry, "this machine's host name cannot be read")),
        Err(_) => Err(BadValue::new(
            entry,
            format!("environment variable {variable} does not exist; $HOST always does"),
        )),
    }
}

fn host_name() -> Option<String> {
    let mut name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    let end = (0..=MAX_HOST_NAME.min(name.len()))
        .rev()
        .find(|end| name.is_char_boundary(*end))?;
    name.truncate(end);
    Some(name)
}

/// Every byte that no name may have becomes an underscore.
fn substitute(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            _ if byte.is_ascii_alphanumeric() => char::from(byte),
            _ => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NodeName, OwnNameError> {
        own_name(&ConfigSet::from_text(text), "tinc.conf")
    }

    #[test]
    fn a_name_with_a_dash_is_refused_with_rule_place_and_remedy() {
        let text = read("Mode = switch\nName = node-one\n")
            .unwrap_err()
            .to_string();
        for part in [
            "Invalid name for myself",
            "tinc.conf line 2",
            "letters, digits and underscores",
            "'-'",
            "node_one would do",
        ] {
            assert!(text.contains(part), "{part:?} in {text:?}");
        }
    }

    #[test]
    fn the_environment_may_name_us() {
        // The test runner's own variable: no need to change the environment of the process.
        let expected = substitute(env!("CARGO_PKG_VERSION"));
        if std::env::var("CARGO_PKG_VERSION").is_ok() {
            assert_eq!(
                read("Name = $CARGO_PKG_VERSION\n").unwrap().as_str(),
                expected
            );
        }
        assert!(read("Name = $HOST\n").is_ok());
        let error = read("Name = $V6ROUTER_NO_SUCH\n").unwrap_err().to_string();
        assert!(error.contains("environment variable V6ROUTER_NO_SUCH does not exist"));
    }

    #[test]
    fn a_missing_name_says_where_to_put_it() {
        let error = read("Mode = switch\n").unwrap_err().to_string();
        assert!(error.starts_with("Name for tinc daemon required!"));
        assert!(error.contains("tinc.conf"));
    }
}
