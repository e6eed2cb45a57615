//! What a NAT does to UDP, in the terms of RFC 4787, whether stated in a file or measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// On what the external port of an inner endpoint depends (RFC 4787 section 4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mapping {
    /// Nothing is translated.
    #[default]
    #[serde(rename = "none")]
    None,
    /// On the inner endpoint alone.
    #[serde(rename = "EIM")]
    EndpointIndependent,
    /// Also on the address sent to.
    #[serde(rename = "ADM")]
    AddressDependent,
    /// On address and port sent to.
    #[serde(rename = "APDM")]
    AddressAndPortDependent,
}

/// Who may send in to a mapping (RFC 4787 section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filtering {
    /// Everybody.
    #[default]
    #[serde(rename = "EIF")]
    EndpointIndependent,
    /// Addresses that were sent to, from any port.
    #[serde(rename = "ADF")]
    AddressDependent,
    /// Endpoints that were sent to.
    #[serde(rename = "APDF")]
    AddressAndPortDependent,
}

/// As whom an inner host is seen by a neighbour whose external address it sends to (RFC 4787 section 6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hairpin {
    /// Nothing arrives.
    #[default]
    None,
    /// At its external address, as REQ-9 demands.
    External,
    /// At its inner address.
    Internal,
}

/// Which packets keep a mapping alive (RFC 4787 section 4.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refresh {
    /// Those of both directions, as Linux has it.
    #[default]
    Both,
    /// Those from inside alone.
    Outbound,
}

/// What a router does to the UDP of two hosts behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Behaviour {
    /// How external ports are chosen.
    pub mapping: Mapping,
    /// The external port is the inner one (section 4.2.1).
    pub preserved: bool,
    /// Who may send in.
    pub filtering: Filtering,
    /// A neighbour's packet to somebody lets that one in to this host too.
    pub leak: bool,
    /// Two hosts with the same inner port have one external endpoint each for all destinations.
    pub contention: bool,
    /// A host keeps its external port when the peer's packet comes before its own.
    pub early: bool,
    /// What becomes of packets to a neighbour's external address.
    pub hairpin: Hairpin,
    /// All of a host's flows have the same external address (REQ-2).
    pub paired: bool,
}

impl Behaviour {
    /// Each property's name and value.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, String); 8] {
        let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
        [
            ("mapping", self.mapping.to_string()),
            ("preserved", yes(self.preserved)),
            ("filtering", self.filtering.to_string()),
            ("leak", yes(self.leak)),
            ("contention", yes(self.contention)),
            ("early", yes(self.early)),
            ("hairpin", self.hairpin.to_string()),
            ("paired", yes(self.paired)),
        ]
    }

    /// In what `measured` is not as stated here.
    #[must_use]
    pub fn differences(&self, measured: &Self) -> Vec<Difference> {
        let pairs = self.rows().into_iter().zip(measured.rows());
        pairs
            .filter(|(stated, measured)| stated != measured)
            .map(|((what, stated), (_, measured))| Difference {
                what,
                stated,
                measured,
            })
            .collect()
    }
}

/// A property that is not what was stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name.
    pub what: &'static str,
    /// Its value according to the file.
    pub stated: String,
    /// Its value as seen.
    pub measured: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            stated,
            measured,
        } = self;
        write!(
            f,
            "{what} is stated as {stated} and was measured as {measured}"
        )
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::EndpointIndependent => "EIM",
            Self::AddressDependent => "ADM",
            Self::AddressAndPortDependent => "APDM",
        })
    }
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "EIF",
            Self::AddressDependent => "ADF",
            Self::AddressAndPortDependent => "APDF",
        })
    }
}

impl fmt::Display for Hairpin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::External => "external",
            Self::Internal => "internal",
        })
    }
}

impl fmt::Display for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "both",
            Self::Outbound => "outbound",
        })
    }
}
