//! What a venue's router does to packets, as nft rulesets.
//!
//! The kinds are files (`scenarios/nat/*.nft`) that speak of `$wan` and `$lan`; here those words get their meaning.
//! What a kind promises is in the head of its file, in the terms of RFC 4787, and is proven by probe.

use crate::plan::Ruleset;

/// The NAT kind of a computer that shares its own uplink.
pub const SHARED: &str = "port-restricted";

/// The ruleset of a router of this kind whose outer and inner interface have these names.
#[must_use]
pub fn ruleset(kind: &str, template: &str, wan: &str, lan: &str) -> Ruleset {
    let text = format!("define wan = \"{wan}\"\ndefine lan = \"{lan}\"\n{template}");
    Ruleset {
        kind: kind.to_owned(),
        text,
    }
}
