//! `v6lab steps`: the sentences features are made of.

use anyhow::Result;
use v6lab::say;
use v6lab::steps::vocabulary;

pub(super) fn main(json: bool) -> Result<i32> {
    let all = vocabulary();
    if json {
        say!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(0);
    }
    for sentence in all {
        say!("{sentence}");
    }
    Ok(0)
}
