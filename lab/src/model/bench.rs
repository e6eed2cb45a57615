//! The networks in which venues are probed.

use super::error::Source;
use super::{ModelError, Scenario, VenueKind};

/// Two servers, so that there are two addresses to send to.
const SERVERS: &str = r#"
title = "bench"

[[server]]
name      = "ten"
addresses = ["198.51.100.10/24"]

[[server]]
name      = "twenty"
addresses = ["198.51.100.20/24"]
"#;

/// A venue with two hosts, so that there is a neighbour.
const VENUE: &str = r#"
[[venue]]
name = "gw"
like = "probed"
wan  = "203.0.113.50/24"
lan  = "192.168.7.0/24"

[[pi]]
name = "a"
at   = "gw"

[[pi]]
name = "b"
at   = "gw"
"#;

/// How many external addresses there are for each of several venues; no NAT kind needs more.
const ADDRESSES: usize = 4;

impl Scenario {
    /// The bench of a venue: servers `ten` and `twenty`, the venue's router `gw`, and `a` and `b` inside.
    ///
    /// # Errors
    /// When the venue does not fit in.
    pub fn bench(kind: VenueKind) -> Result<Self, ModelError> {
        Self::with_kinds(format!("{SERVERS}{VENUE}"), &[kind])
    }

    /// The same servers and, for each of these kinds, a router `gw0` and so on with one host `host0` inside.
    ///
    /// # Errors
    /// When there are more than fit in.
    pub fn homes(kinds: &[VenueKind]) -> Result<Self, ModelError> {
        let mut text = SERVERS.to_owned();
        for n in 0..kinds.len() {
            let wan = ADDRESSES * (n + 1);
            text.push_str(&format!(
                "[[venue]]\nname = \"gw{n}\"\nlike = \"probed\"\nwan = \"203.0.113.{wan}/24\"\n\
                 lan = \"10.{n}.0.0/16\"\n[[pi]]\nname = \"host{n}\"\nat = \"gw{n}\"\n"
            ));
        }
        Self::with_kinds(text, kinds)
    }

    /// A scenario whose venues, in order, are of these kinds.
    fn with_kinds(text: String, kinds: &[VenueKind]) -> Result<Self, ModelError> {
        let source = Source::from_text("bench", text);
        let mut scenario: Self = source.parse()?;
        scenario.source = source;
        for (venue, kind) in scenario.venues.iter_mut().zip(kinds) {
            venue.kind = kind.clone();
        }
        super::check::check(&scenario)?;
        Ok(scenario)
    }
}
