//! Where a frame goes: to the device, to one node, or to everybody.

use std::time::{Duration, Instant};

use super::send::{clamp_mss, give_back, next_stop, send};
use super::{Egress, Forwarding, Mode, Transit};
use crate::budget::Budget;
use crate::forward::refusal::{Reason, Refusal};
use crate::forward::too_big::{self, Verdict};
use crate::graph::NodeId;
use crate::wire::ethernet::{Frame, HEADER_LEN};

/// Where a frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our own device.
    Device,
    /// A node, by UDP.
    Udp(NodeId),
    /// A neighbour, by its meta connection.
    Meta {
        /// The neighbour.
        peer: NodeId,
        /// It goes on by meta connections only, since the sender had no UDP path.
        tcp_bound: bool,
    },
}

impl Origin {
    pub(super) fn node(self, me: NodeId) -> NodeId {
        match self {
            Self::Device => me,
            Self::Udp(peer) | Self::Meta { peer, .. } => peer,
        }
    }

    pub(super) fn tcp_bound(self) -> bool {
        matches!(
            self,
            Self::Meta {
                tcp_bound: true,
                ..
            }
        )
    }
}

/// How many ICMP errors may be sent. Our own figures: each new flow of each client needs one answer,
/// and tinc's three a second starve them.
const ANSWERS: Budget = Budget::new(50, Duration::from_millis(10));

/// Decides and sends; its only state is the budget of ICMP answers.
#[derive(Debug)]
pub struct Forwarder {
    answers: Budget,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self { answers: ANSWERS }
    }
}

impl Forwarder {
    /// Forwards one frame; says whether it is (also) for the device.
    pub fn forward(
        &mut self,
        frame: &mut [u8],
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) -> bool {
        if frame.len() < HEADER_LEN {
            return false;
        }
        let border = forwarding.border.as_ref();
        if border.is_some_and(|border| !border.passes(frame, origin, forwarding, now)) {
            return false;
        }
        let policy = forwarding.policy;
        if policy.transit == Transit::Kernel && origin != Origin::Device {
            if policy.mode == Mode::Router {
                forwarding.station.take_in(frame);
            }
            return true;
        }
        match policy.mode {
            Mode::Switch | Mode::Hub => self.switch(frame, origin, forwarding, now, egress),
            Mode::Router => {
                let for_device = self.route(frame, origin, forwarding, now, egress);
                if for_device {
                    forwarding.station.take_in(frame);
                }
                for_device
            }
        }
    }

    /// Sends a frame on its way to another node, or tells its sender why not.
    pub(super) fn pass_on(
        &mut self,
        frame: &mut [u8],
        origin: Origin,
        owner: NodeId,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) {
        let source = origin.node(forwarding.me);
        let Some((via, path)) = next_stop(owner, false, forwarding) else {
            return;
        };
        match too_big::judge(frame, path.mtu) {
            Verdict::Send => {
                clamp_mss(frame, source, via, forwarding);
                if let Some(key) = &path.out_key {
                    key.keep(frame, now);
                }
                send(frame, owner, origin.tcp_bound(), forwarding, egress);
            }
            Verdict::Refuse(refusal) => self.tell(&refusal, source, forwarding, now, egress),
            Verdict::Fragment(fragments) => {
                for fragment in fragments {
                    send(&fragment, owner, origin.tcp_bound(), forwarding, egress);
                }
            }
            Verdict::Drop => {}
        }
    }

    /// Tells the sender of a frame why it goes no further, if it may be told.
    pub(super) fn refuse(
        &mut self,
        frame: &[u8],
        reason: Reason,
        source: NodeId,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) {
        let refusal = Frame::new(frame).and_then(|frame| Refusal::new(frame, reason));
        if let Some(refusal) = refusal {
            self.tell(&refusal, source, forwarding, now, egress);
        }
    }

    fn tell(
        &mut self,
        refusal: &Refusal<'_>,
        source: NodeId,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) {
        if !self.answers.take(now) {
            return;
        }
        // Who counts hops is a hop, with an address of its own (RFC 1812 section 4.3.2.4).
        let router = match refusal.reason() {
            Reason::TimeExceeded => forwarding.station.nearest_to(refusal.sender()),
            _ => None,
        };
        give_back(&refusal.answer(router), source, forwarding, egress);
    }
}
