//! The network in which a venue is probed.

use super::error::Source;
use super::{ModelError, Scenario, VenueKind};

/// Two servers, so that there are two addresses to send to, and two hosts in the venue, so that there is a neighbour.
const BENCH: &str = r#"
title = "bench"

[[server]]
name      = "ten"
addresses = ["198.51.100.10/24"]

[[server]]
name      = "twenty"
addresses = ["198.51.100.20/24"]

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

impl Scenario {
    /// The bench of a venue: servers `ten` and `twenty`, the venue's router `gw`, and `a` and `b` inside.
    ///
    /// # Errors
    /// When the venue does not fit in.
    pub fn bench(kind: VenueKind) -> Result<Self, ModelError> {
        let source = Source::from_text("bench", BENCH.to_owned());
        let mut scenario: Self = source.parse()?;
        scenario.source = source;
        for venue in &mut scenario.venues {
            venue.kind = kind.clone();
        }
        super::check::check(&scenario)?;
        Ok(scenario)
    }
}
