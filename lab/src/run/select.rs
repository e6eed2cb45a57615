//! Which scenarios of a suite are played.

use std::str::FromStr;

use cucumber::gherkin::tagexpr::TagOperation;
use cucumber::tag::Ext as _;
use regex::Regex;

/// A choice among scenarios: what meets all that is given here; every scenario, if nothing is.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// What their name has to match.
    pub name: Option<Regex>,
    /// What their tags, the feature's included, have to fulfil.
    pub tags: Option<TagOperation>,
    /// Their identities, see [`super::Suite::ids`].
    pub ids: Option<Vec<String>>,
    /// The part of those so chosen that is played here.
    pub shard: Option<Shard>,
}

/// Every n-th of the chosen scenarios, beginning with the i-th: several machines share a suite that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 1.
    index: usize,
    of: usize,
}

impl Select {
    /// Whether a scenario is one of those from which shards are taken.
    pub(super) fn takes(&self, name: &str, tags: &[&str], id: &str) -> bool {
        self.name
            .as_ref()
            .is_none_or(|name_is| name_is.is_match(name))
            && self.tags.as_ref().is_none_or(|fulfil| fulfil.eval(tags))
            && self
                .ids
                .as_ref()
                .is_none_or(|ids| ids.iter().any(|one| one == id))
    }

    /// Whether the n-th of those, counted from 0, is played here.
    pub(super) fn is_here(&self, nth: usize) -> bool {
        self.shard
            .is_none_or(|shard| nth % shard.of == shard.index - 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').and_then(|(index, of)| {
            let (index, of) = (index.parse().ok()?, of.parse().ok()?);
            (1 <= index && index <= of).then_some(Self { index, of })
        });
        numbers.ok_or_else(|| "a shard is I/N with 1 <= I <= N, such as 2/3".to_owned())
    }
}

/// An expression on tags as Gherkin has them, `@serial and not @long`.
pub(super) fn tags(text: &str) -> Result<TagOperation, String> {
    let read = TagOperation::from_str(text);
    read.map_err(|error| format!("{error}; tags are chosen like this: \"@serial and not @long\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_meets_everything_that_is_asked() {
        let select = Select {
            name: Some(Regex::new("night$").unwrap()),
            tags: Some(tags("not @long").unwrap()),
            ..Select::default()
        };
        assert!(select.takes("By night", &["serial"], "visits::By night:12"));
        assert!(!select.takes("By night", &["serial", "long"], "visits::By night:12"));
        assert!(!select.takes("By day", &[], "visits::By day:3"));
        assert!(Select::default().takes("By day", &["long"], "visits::By day:3"));
    }

    #[test]
    fn shards_share_everything_and_have_nothing_in_common() {
        let shards = ["1/3", "2/3", "3/3"].map(|text| Select {
            shard: Some(text.parse().unwrap()),
            ..Select::default()
        });
        for nth in 0..10 {
            let takers = shards.iter().filter(|shard| shard.is_here(nth)).count();
            assert_eq!(takers, 1, "scenario {nth}");
        }
    }

    #[test]
    fn a_shard_that_does_not_exist_is_refused() {
        for text in ["0/3", "4/3", "1", "1/", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_how_one_looks() {
        let error = tags("@serial but not @long").unwrap_err();
        assert!(error.contains("and not"), "{error}");
    }
}
