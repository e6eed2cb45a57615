//! Switch and hub mode: frames find their way by their destination MAC address.

use std::time::Instant;

use super::forwarder::{Forwarder, Origin};
use super::send::{broadcast, clamp_mss, next_stop};
use super::{Egress, Forwarding, Mode, Owner, Transit};
use crate::graph::NodeId;
use crate::subnet::Mac;
use crate::wire::ethernet::Frame;

impl Forwarder {
    /// Forwards one frame as a switch does; says whether it is (also) for the device.
    ///
    /// Unknown, broadcast and multicast destinations go to everybody (tinc 1.0, switch mode).
    pub(super) fn switch(
        &mut self,
        frame: &mut [u8],
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) -> bool {
        let Some(header) = Frame::new(frame) else {
            return false;
        };
        let source = origin.node(forwarding.me);
        match owner(header.destination(), forwarding) {
            None => {
                broadcast(frame, origin, forwarding, egress);
                origin != Origin::Device
            }
            Some(Owner::Device(_)) => {
                clamp_mss(frame, source, forwarding.me, forwarding);
                origin != Origin::Device
            }
            Some(Owner::Node(owner)) => {
                let transit = source != forwarding.me;
                let forbidden = transit && forwarding.policy.transit == Transit::Off
                    || forwarding.policy.direct_only && !is_direct(*owner, forwarding);
                if *owner != source && !forbidden {
                    self.pass_on(frame, origin, *owner, forwarding, now, egress);
                }
                false
            }
        }
    }
}

fn owner(destination: Mac, forwarding: &Forwarding) -> Option<&Owner> {
    if forwarding.policy.mode == Mode::Hub || destination.is_multicast() {
        return None;
    }
    forwarding.owners.macs.get(&destination)
}

/// Whether what goes to a node is sealed for nobody else (`DirectOnly`).
pub(super) fn is_direct(node: NodeId, forwarding: &Forwarding) -> bool {
    next_stop(node, false, forwarding).is_some_and(|(via, _)| via == node)
}
