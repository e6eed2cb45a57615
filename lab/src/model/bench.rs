//! The networks in which venues are probed.

use super::{Builder, ModelError, Scenario, VenueKind};

/// How many external addresses there are for each of several venues; no NAT kind needs more.
const ADDRESSES: usize = 4;

impl Scenario {
    /// The bench of a venue: servers `ten` and `twenty`, the venue's router `gw`, and `a` and `b` inside.
    ///
    /// # Errors
    /// When the venue does not fit in.
    pub fn bench(kind: VenueKind) -> Result<Self, ModelError> {
        // A neighbour is needed as well.
        servers()
            .venue_of("gw", kind, "203.0.113.50/24", "192.168.7.0/24")
            .pi("a", "gw")
            .pi("b", "gw")
            .build()
    }

    /// The same servers and, for each of these kinds, a router `gw0` and so on with one host `host0` inside.
    ///
    /// # Errors
    /// When there are more than fit in.
    pub fn homes(kinds: &[VenueKind]) -> Result<Self, ModelError> {
        let mut homes = servers();
        for (n, kind) in kinds.iter().enumerate() {
            let wan = format!("203.0.113.{}/24", ADDRESSES * (n + 1));
            let (gw, lan) = (format!("gw{n}"), format!("10.{n}.0.0/16"));
            homes = homes
                .venue_of(&gw, kind.clone(), wan, lan)
                .pi(&format!("host{n}"), &gw);
        }
        homes.build()
    }
}

/// Two servers, so that there are two addresses to send to.
fn servers() -> Builder {
    Scenario::builder("bench")
        .server("ten", ["198.51.100.10/24"])
        .server("twenty", ["198.51.100.20/24"])
}
