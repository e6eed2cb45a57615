//! What a venue's router does to packets, as nft rulesets.
//!
//! The kinds are files (`scenarios/nat/*.nft`) that speak of `$wan` and `$lan`; here those words get their meaning.
//! What a kind promises is stated in the head of its file, in the terms of RFC 4787, and is proven by probe
//! ([`crate::probe`]).

mod behaviour;
mod holes;
mod template;

use serde::Serialize;

pub use behaviour::{Behaviour, Difference, Filtering, Hairpin, Mapping, Refresh};
pub use holes::can_be_punched;
pub use template::{Sides, ruleset};

/// The NAT kind of a computer that shares its own uplink.
pub const SHARED: &str = "port-restricted";

/// A NAT kind: a ruleset's template and what it is said to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kind {
    /// Name of its file and of the additions to it, e.g. `full-cone+hairpin`.
    pub name: String,
    /// The ruleset, in which words with a `$` are still to be given a meaning.
    pub template: String,
    /// What it does, according to the file.
    pub behaviour: Behaviour,
    /// What keeps its mappings alive, according to the file.
    pub refresh: Refresh,
    /// How many external addresses it needs.
    pub addresses: u8,
}

impl Kind {
    /// What to expect of a single host's packets; `None` where that takes more than one address and two ports to see.
    #[must_use]
    pub fn promise(&self) -> Option<Promise> {
        let endpoint_independent = match self.behaviour.mapping {
            Mapping::EndpointIndependent => true,
            Mapping::AddressAndPortDependent => false,
            Mapping::None | Mapping::AddressDependent => return None,
        };
        (self.addresses == 1).then_some(Promise {
            endpoint_independent,
            preserves_ports: self.behaviour.preserved,
            filters_by_port: self.behaviour.filtering == Filtering::AddressAndPortDependent,
        })
    }
}

/// What a NAT does to the UDP of a single host that speaks to a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// One external port for all destinations (endpoint-independent mapping, section 4.1).
    pub endpoint_independent: bool,
    /// The external port is the inner one (port preservation, section 4.2.1).
    pub preserves_ports: bool,
    /// Only an endpoint that was sent to may answer (address and port-dependent filtering, section 5).
    pub filters_by_port: bool,
}

impl Promise {
    /// What to expect where packets pass another NAT after this one: in each respect the stricter of the two decides.
    #[must_use]
    pub fn behind(self, outer: Self) -> Self {
        Self {
            endpoint_independent: self.endpoint_independent && outer.endpoint_independent,
            preserves_ports: self.preserves_ports && outer.preserves_ports,
            filters_by_port: self.filters_by_port || outer.filters_by_port,
        }
    }
}
