//! What is known of one node beside its edges.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::ConnId;
use crate::budget::Budget;
use crate::crypto::algorithm::PacketSpec;
use crate::crypto::packet::KeyError;
use crate::dataplane::{InKey, OutKey, UdpPath};
use crate::gossip::{CONSEQUENCES, KEYS};
use crate::graph::Path;
use crate::subnet::Subnet;
use crate::tunnel::pmtu::Pmtu;
use crate::tunnel::round_trip::RoundTrip;
use crate::tunnel::watch::Watch;

/// One node; ourselves included, for our subnets.
pub(super) struct Peer {
    /// How it is reached; `None` while it is not.
    pub(super) path: Option<Path>,
    /// What it owns, whether it is reachable or not.
    pub(super) subnets: BTreeSet<Subnet>,
    /// Its active meta connection to us.
    pub(super) link: Option<ConnId>,
    /// Where UDP packets go.
    pub(super) udp: Option<UdpPath>,
    /// What it chose for packets to it.
    pub(super) out_key: Option<SendKey>,
    /// What we chose for packets from it, the newest first.
    pub(super) in_keys: Vec<ReceiveKey>,
    /// It is to send nothing by UDP, because what it sends is lost.
    pub(super) withheld: Option<Withheld>,
    /// When it was asked for a key last.
    pub(super) key_asked: Option<Instant>,
    /// Why the key it sent last cannot be used.
    pub(super) key_refused: Option<KeyError>,
    /// Path MTU discovery.
    pub(super) pmtu: Pmtu,
    /// The watch over the path while packets flow.
    pub(super) watch: Watch,
    /// How long probes by UDP take there and back.
    pub(super) round_trip: RoundTrip,
    /// When UDP to it began or ceased to work last.
    pub(super) udp_turned: Option<Instant>,
    /// What may still follow from what it says as a neighbour.
    pub(super) consequences: Budget,
    /// What it may still say of keys as a neighbour.
    pub(super) keys: Budget,
}

pub(super) struct SendKey {
    pub(super) key: Arc<OutKey>,
    pub(super) spec: PacketSpec,
}

/// A key that is kept from a node while UDP between us does not work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Withheld {
    /// When it may be given at the latest.
    pub(super) until: Instant,
    /// Length in bytes of the frames that were lost.
    pub(super) len: u16,
}

pub(super) struct ReceiveKey {
    pub(super) key: Arc<InKey>,
    /// Since when it is no longer the one in force.
    pub(super) retired: Option<Instant>,
}

impl Peer {
    pub(super) fn new(pmtu: Pmtu) -> Self {
        Self {
            path: None,
            subnets: BTreeSet::new(),
            link: None,
            udp: None,
            out_key: None,
            in_keys: Vec::new(),
            withheld: None,
            key_asked: None,
            key_refused: None,
            pmtu,
            watch: Watch::default(),
            round_trip: RoundTrip::default(),
            udp_turned: None,
            consequences: CONSEQUENCES,
            keys: KEYS,
        }
    }

    /// Forgets everything that was agreed on with the node while it was reachable.
    pub(super) fn forget_agreements(&mut self) {
        self.out_key = None;
        self.withheld = None;
        self.key_asked = None;
        self.pmtu.reset();
        self.watch = Watch::default();
        self.round_trip = RoundTrip::default();
        self.udp_turned = None;
    }
}
