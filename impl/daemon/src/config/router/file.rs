//! The text of `router.toml` as it is written, each value with its place.

use std::net::Ipv6Addr;
use std::ops::Range;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use v6router_core::router::{InterfaceAddress, Prefix};
use v6router_core::wire::ndp::DomainName;

use super::RouterError;
use crate::config::known::nearest_of;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) address: Spanned<InterfaceAddress>,
    pub(super) gateway: Option<Spanned<Ipv6Addr>>,
    pub(super) pool: Option<Spanned<Prefix>>,
    /// What was given to us, for downstream networks that name no prefix.
    pub(super) prefix: Option<Spanned<Prefix>>,
    #[serde(default)]
    pub(super) site: Vec<SiteTable>,
    #[serde(default)]
    pub(super) advertise: Vec<AdvertiseTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteTable {
    pub(super) node: Spanned<String>,
    pub(super) via: Spanned<Ipv6Addr>,
    pub(super) prefix: Spanned<Prefix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdvertiseTable {
    pub(super) interface: Spanned<String>,
    pub(super) hotplug: Option<bool>,
    pub(super) prefix: Option<Spanned<Prefix>>,
    pub(super) address: Option<Spanned<Ipv6Addr>>,
    #[serde(default)]
    pub(super) dns: Vec<Ipv6Addr>,
    #[serde(default)]
    #[serde(deserialize_with = "domains")]
    pub(super) search: Vec<DomainName>,
    pub(super) mtu: Option<u32>,
}

fn domains<'de, D: Deserializer<'de>>(names: D) -> Result<Vec<DomainName>, D::Error> {
    let names = Vec::<String>::deserialize(names)?.into_iter();
    let read = names.map(|name| name.parse().map_err(D::Error::custom));
    read.collect()
}

/// The text, kept so that a position can be told as a line.
pub(super) struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    pub(super) fn parse(&self) -> Result<File, RouterError> {
        toml::from_str(&self.text).map_err(|error| {
            let message = error.message();
            let reason = plain(message);
            // What the file as a whole lacks has no line; toml places it before the first byte.
            let lacks = message.starts_with("missing field");
            match error.span().filter(|span| span.end > 0 || !lacks) {
                Some(span) => self.error(span, reason),
                None => RouterError {
                    file: self.path.clone(),
                    line: None,
                    reason,
                },
            }
        })
    }

    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        before.matches('\n').count() + 1
    }

    pub(super) fn error(&self, span: Range<usize>, reason: impl Into<String>) -> RouterError {
        RouterError {
            file: self.path.clone(),
            line: Some(self.line(&span)),
            reason: reason.into(),
        }
    }
}

/// Of an unknown key serde tells all the known ones; the nearest one is what the author meant.
fn plain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let found = quoted
        .next()
        .filter(|_| message.starts_with("unknown field"));
    let Some(found) = found else {
        return message.trim().replace('\n', ", ");
    };
    let known: Vec<&str> = quoted.collect();
    match nearest_of(found, known.iter().copied()) {
        Some(word) => format!("unknown key `{found}'; did you mean `{word}'?"),
        None => format!("unknown key `{found}'; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_file_as_a_whole_lacks_has_no_line() {
        for (text, said) in [
            (
                "adress = \"2001:db8::1/64\"\n",
                "f line 1: unknown key `adress'; did you mean `address'?",
            ),
            ("}\n", "f line 1: "),
            ("[[site]]\n", "f line 1: missing field `node`"),
            ("", "f: missing field `address`"),
        ] {
            let error = Source::new("f".into(), text.to_owned()).parse();
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(said), "{text:?}: {error}");
        }
    }
}
