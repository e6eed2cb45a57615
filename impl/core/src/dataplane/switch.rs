//! Switch and hub mode: frames find their way by their destination MAC address.

use std::time::Instant;

use super::forwarder::{Forwarder, Origin};
use super::send::{broadcast, clamp_mss, next_stop};
use super::{Egress, Forwarding, Mode, Owner, Transit};
use crate::forward::refusal::Reason;
use crate::forward::ttl;
use crate::graph::NodeId;
use crate::subnet::Mac;
use crate::wire::ethernet::Frame;
use crate::wire::ndp;

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
                if !self.counted(frame, origin, forwarding, now, egress) {
                    return false;
                }
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
                let may_pass = *owner != source && !forbidden;
                if may_pass && self.counted(frame, origin, forwarding, now, egress) {
                    self.pass_on(frame, origin, *owner, forwarding, now, egress);
                }
                false
            }
        }
    }

    /// Takes a hop from a packet that others sent if `DecrementTTL` says so, from one to
    /// everybody for our own device too (tinc 1.0); `false` if it has none left, of which its
    /// sender is told.
    ///
    /// Neighbour discovery keeps its hop limit, without which it would be void: the reference
    /// lowers it, and then nobody finds anybody by IPv6.
    fn counted(
        &mut self,
        frame: &mut [u8],
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) -> bool {
        let counts_hops = forwarding.policy.decrement_ttl && origin != Origin::Device;
        let is_exempt = || Frame::new(frame).is_some_and(|frame| ndp::is_valid_in(&frame));
        if !counts_hops || is_exempt() || ttl::decrement(frame) {
            return true;
        }
        let source = origin.node(forwarding.me);
        self.refuse(frame, Reason::TimeExceeded, source, forwarding, now, egress);
        false
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
