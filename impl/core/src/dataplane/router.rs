//! Router mode: IP packets find their way by the subnets of their destinations.

use std::time::Instant;

use super::forwarder::{Forwarder, Origin};
use super::send::{broadcast, clamp_mss, next_stop};
use super::{Broadcast, Egress, Forwarding, Transit};
use crate::forward::refusal::Reason;
use crate::forward::ttl;
use crate::graph::NodeId;
use crate::subnet::Mac;
use crate::wire::arp;
use crate::wire::ethernet::{ETHERTYPE_ARP, Frame};
use crate::wire::ip::Ends;
use crate::wire::ndp::Solicitation;

/// What becomes of a packet for one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is for our own device.
    Device,
    /// It is for that node.
    Node(NodeId),
    /// It goes no further, and its sender may be told.
    Refused(Reason),
    /// It goes no further in silence.
    Nowhere,
}

impl Forwarder {
    /// Routes one frame; says whether it is (also) for the device.
    ///
    /// What is no IP packet goes nowhere, nor does one behind a VLAN tag (tinc 1.0, router mode).
    pub(super) fn route(
        &mut self,
        frame: &mut [u8],
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) -> bool {
        let Some(view) = Frame::new(frame).filter(|view| !view.is_tagged()) else {
            return false;
        };
        if view.ethertype() == ETHERTYPE_ARP || Solicitation::is_in(&view) {
            // A link ends at its router: what others ask on theirs is none of our business.
            if origin == Origin::Device {
                answer_for_others(&view, forwarding, egress);
            }
            return false;
        }
        let Some(ends) = Ends::of(&view) else {
            return false;
        };
        let source = origin.node(forwarding.me);
        let counts_hops = forwarding.policy.decrement_ttl && origin != Origin::Device;
        if ends.is_for_group() && forwarding.policy.broadcast != Broadcast::No {
            // Nobody is told about packets to groups.
            if counts_hops && !ttl::decrement(frame) {
                return false;
            }
            broadcast(frame, origin, forwarding, egress);
            return origin != Origin::Device;
        }
        let way = way(ends, source, forwarding);
        let way = match way {
            Way::Node(_) if counts_hops && !ttl::decrement(frame) => {
                Way::Refused(Reason::TimeExceeded)
            }
            Way::Node(owner) => relayed(owner, source, forwarding),
            other => other,
        };
        match way {
            Way::Device => {
                clamp_mss(frame, source, forwarding.me, forwarding);
                return true;
            }
            Way::Node(owner) => self.pass_on(frame, origin, owner, forwarding, now, egress),
            Way::Refused(reason) => self.refuse(frame, reason, source, forwarding, now, egress),
            Way::Nowhere => {}
        }
        false
    }
}

/// Whose a packet is, and whether it may go there (the order of tinc 1.0).
fn way(ends: Ends, source: NodeId, forwarding: &Forwarding) -> Way {
    let owner = match ends {
        Ends::V4 { destination, .. } => forwarding.owners.ips.v4(destination),
        Ends::V6 { destination, .. } => forwarding.owners.ips.v6(destination),
    };
    match owner {
        None => Way::Refused(Reason::NoSubnet),
        Some(owner) if owner == source => Way::Nowhere,
        Some(owner) if owner == forwarding.me => Way::Device,
        Some(owner) if forwarding.peer(owner).is_none() => Way::Refused(Reason::OwnerUnreachable),
        Some(_) if source != forwarding.me && forwarding.policy.transit == Transit::Off => {
            Way::Refused(Reason::Prohibited)
        }
        Some(owner) => Way::Node(owner),
    }
}

/// Whether a packet may take the way to its owner that there is.
fn relayed(owner: NodeId, source: NodeId, forwarding: &Forwarding) -> Way {
    match next_stop(owner, false, forwarding) {
        // It would go round in circles.
        Some((via, _)) if via == source => Way::Nowhere,
        Some((via, _)) if forwarding.policy.direct_only && via != owner => {
            Way::Refused(Reason::Prohibited)
        }
        Some(_) => Way::Node(owner),
        None => Way::Nowhere,
    }
}

/// Answers the device's question who has an address, if that is in a subnet of another node: a
/// station that does not exist, made from the one that asks (tinc 1.0: its last byte inverted).
fn answer_for_others(frame: &Frame<'_>, forwarding: &Forwarding, egress: &mut Egress) {
    let is_of_others = |owner: Option<NodeId>| owner.is_some_and(|owner| owner != forwarding.me);
    let stand_in = |Mac([a, b, c, d, e, f]): Mac| Mac([a, b, c, d, e, !f]);
    if let Some(asked) = arp::Request::parse(frame) {
        forwarding.station.is_at(asked.sender);
        if is_of_others(forwarding.owners.ips.v4(asked.target)) {
            egress.write_device(&asked.reply(stand_in(asked.sender)));
        }
    } else if let Some(asked) = Solicitation::parse(frame) {
        forwarding.station.is_at(asked.sender);
        if is_of_others(forwarding.owners.ips.v6(asked.target)) {
            egress.write_device(&asked.advertisement(stand_in(asked.sender)));
        }
    }
}
