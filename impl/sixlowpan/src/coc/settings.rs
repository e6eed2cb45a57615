//! What an end chooses, and what it may choose.

use super::signal::Terms;
use crate::MTU;

/// Octets of the longest packet, as the two ends tell it.
const LINK_MTU: u16 = {
    assert!(MTU == 1280);
    1280
};
/// Channels have numbers from here (volume 3, part A, section 2.1, table 2.3).
const FIRST_CID: u16 = 0x0040;
/// They have numbers up to here.
const LAST_CID: u16 = 0x007f;
/// The least that an end may take as payload of a frame (volume 3, part A, section 4.22).
const LEAST_MPS: u16 = 23;
/// The most.
const GREATEST_MPS: u16 = 65_533;
/// With fewer credits none could be given back before the last is spent.
const LEAST_CREDITS: u16 = 2;

/// What one end chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub(super) cid: u16,
    pub(super) terms: Terms,
}

impl Settings {
    /// The end numbers its channel `cid` and takes payloads of up to `mps` octets, `credits` of them
    /// at once; `None` if there is no channel of that number or no such payload, or if no credit
    /// could be given back before the last is spent.
    #[must_use]
    pub const fn new(cid: u16, mps: u16, credits: u16) -> Option<Self> {
        let is_channel = FIRST_CID <= cid && cid <= LAST_CID;
        let is_payload = LEAST_MPS <= mps && mps <= GREATEST_MPS;
        if !is_channel || !is_payload || credits < LEAST_CREDITS {
            return None;
        }
        let mtu = LINK_MTU;
        Some(Self {
            cid,
            terms: Terms { mtu, mps, credits },
        })
    }
}

impl Default for Settings {
    /// What Linux 6.12 asks.
    fn default() -> Self {
        Self {
            cid: FIRST_CID,
            terms: Terms {
                mtu: LINK_MTU,
                mps: 247,
                credits: 6,
            },
        }
    }
}

/// Whether channels have such numbers.
pub(super) const fn is_dynamic(cid: u16) -> bool {
    FIRST_CID <= cid && cid <= LAST_CID
}

/// Whether IPv6 fits through (RFC 7668 section 3.2.2).
pub(super) const fn suffices(terms: Terms) -> bool {
    terms.mtu >= LINK_MTU && LEAST_MPS <= terms.mps && terms.mps <= GREATEST_MPS
}
