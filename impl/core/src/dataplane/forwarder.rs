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
                // Only what is sealed can be lost when its key is given up.
                let sealed_by = send(frame, owner, origin.tcp_bound(), forwarding, egress);
                if let Some(key) = sealed_by {
                    key.keep(frame, now);
                }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::super::{OutKey, PeerPath, Policy, UdpPath};
    use super::*;
    use crate::crypto::algorithm::PacketSpec;
    use crate::crypto::packet::PacketKey;
    use crate::graph::Graph;
    use crate::options::Options;

    #[test]
    fn only_a_frame_that_was_sealed_is_kept_to_be_sent_again() {
        let mut graph = Graph::new("me".parse().unwrap());
        let [from, to] = ["from", "to"].map(|name| graph.intern(&name.parse().unwrap()));
        let key = PacketKey::generate(PacketSpec::default(), &mut StdRng::seed_from_u64(1));
        for (len, tcp_bound, is_kept) in [(60, false, true), (61, false, false), (60, true, false)]
        {
            let key = Arc::new(OutKey::new(&key));
            let path = PeerPath {
                via: to,
                nexthop: to,
                options: Options::PMTU_DISCOVERY,
                mtu: 1518,
                min_mtu: 60,
                udp: Some(UdpPath {
                    address: ([192, 0, 2, 1], 655).into(),
                    socket: 0,
                }),
                out_key: Some(Arc::clone(&key)),
                in_keys: Vec::new(),
                known_at: Vec::new(),
            };
            let mut forwarding = Forwarding::alone(graph.me(), Policy::default());
            forwarding.peers.insert(to, Arc::new(path));
            let origin = Origin::Meta {
                peer: from,
                tcp_bound,
            };
            let (now, mut egress) = (Instant::now(), Egress::default());
            let mut frame = vec![0; len];
            Forwarder::default().pass_on(&mut frame, origin, to, &forwarding, now, &mut egress);
            assert_eq!(egress.datagrams().count(), usize::from(is_kept));
            assert_eq!(key.take_kept(now).is_some(), is_kept);
        }
    }
}
