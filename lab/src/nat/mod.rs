//! What a venue's router does to packets, as nft rulesets.
//!
//! The kinds are files (`scenarios/nat/*.nft`) that speak of `$wan` and `$lan`; here those words get their meaning.
//! What a kind promises is in the head of its file, in the terms of RFC 4787, and is proven by probe.

use serde::Serialize;

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

/// What a NAT does to UDP, in the terms of RFC 4787.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// One external port for all destinations (endpoint-independent mapping, section 4.1).
    pub endpoint_independent: bool,
    /// The external port is the inner one (port preservation, section 4.2.1).
    pub preserves_ports: bool,
    /// Only an endpoint that was sent to may answer (address and port-dependent filtering, section 5).
    pub filters_by_port: bool,
}

/// What a kind promises to a single host behind it; `None` for kinds that are not probed.
#[must_use]
pub fn promise(kind: &str) -> Option<Promise> {
    let (endpoint_independent, preserves_ports) = match kind {
        SHARED => (true, true),
        "port-block" => (true, false),
        "symmetric" => (false, false),
        _ => return None,
    };
    Some(Promise {
        endpoint_independent,
        preserves_ports,
        filters_by_port: true,
    })
}
