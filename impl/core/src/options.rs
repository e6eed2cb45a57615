//! Option bits of nodes and edges.

use std::fmt;

/// Options of a connection, an edge or a node: flag bits in the low bytes, the minor version
/// of the protocol in the highest one (legacy protocol, ACK and ADD_EDGE).
///
/// Bits we do not know are carried unchanged: tinc 1.1 nodes find each other by them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Options(pub u32);

impl Options {
    /// No option.
    pub const NONE: Self = Self(0);
    /// The node must not be spoken to directly by others (`IndirectData`).
    pub const INDIRECT: Self = Self(0x1);
    /// Packets travel by the meta connection only (`TCPOnly`).
    pub const TCP_ONLY: Self = Self(0x2);
    /// The path MTU is probed; until a probe was answered packets travel by TCP (`PMTUDiscovery`).
    pub const PMTU_DISCOVERY: Self = Self(0x4);
    /// The TCP maximum segment size is clamped to the path MTU (`ClampMSS`).
    pub const CLAMP_MSS: Self = Self(0x8);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These options and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These options without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Minor protocol version; 0 for tinc 1.0.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// The options of the edge between us and a peer, from the two ACKs.
    ///
    /// Path MTU discovery needs both sides, every other bit needs one; `clamp_override`
    /// (`ClampMSS` of the peer's host file, where present) decides about that bit alone.
    #[must_use]
    pub const fn negotiate(ours: Self, theirs: Self, clamp_override: Option<bool>) -> Self {
        let both = Self(ours.0 & theirs.0 & Self::PMTU_DISCOVERY.0);
        let any = ours.with(theirs).without(Self::PMTU_DISCOVERY).with(both);
        match clamp_override {
            Some(true) => any.with(Self::CLAMP_MSS),
            Some(false) => any.without(Self::CLAMP_MSS),
            None => any,
        }
    }
}

impl fmt::LowerHex for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row was seen with tincd 1.0.36 or tinc 1.1pre18: own ACK, received ACK, edge.
    #[test]
    fn the_edge_gets_what_both_acks_agree_on() {
        for (ours, theirs, edge) in [
            (0xc, 0x0, 0x8),
            (0xc, 0x1, 0x9),
            (0xc, 0x3, 0xb),
            (0xc, 0x4, 0xc),
            (0xc, 0x0700_000c, 0x0700_000c),
            (0xb, 0x0700_000c, 0x0700_000b),
            (0x1, 0x0700_000c, 0x0700_0009),
        ] {
            assert_eq!(
                Options::negotiate(Options(ours), Options(theirs), None),
                Options(edge),
                "{ours:x} + {theirs:x}"
            );
        }
    }

    #[test]
    fn the_peers_host_file_has_the_last_word_on_clamping() {
        let both = Options(0xc);
        assert_eq!(
            Options::negotiate(both, both, Some(false)),
            Options::PMTU_DISCOVERY
        );
        assert_eq!(
            Options::negotiate(Options::NONE, Options::NONE, Some(true)),
            Options::CLAMP_MSS
        );
    }

    #[test]
    fn the_minor_version_is_the_top_byte() {
        assert_eq!(Options(0x0700_000c).minor(), 7);
        assert_eq!(Options(0xc).minor(), 0);
    }

    #[test]
    fn options_print_as_short_lowercase_hex() {
        assert_eq!(format!("{:x}", Options(0x0700_000c)), "700000c");
    }
}
