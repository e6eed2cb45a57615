//! Where a frame goes: to the device, to one node, or along the tree; and by which transport.

use std::time::{Duration, Instant};

use super::egress::frame_len;
use super::{Egress, Forwarding, Mode, Owner, PeerPath, Up};
use crate::forward::mss;
use crate::forward::too_big::{self, Verdict};
use crate::graph::NodeId;
use crate::options::Options;
use crate::subnet::Mac;
use crate::tunnel::pmtu;
use crate::wire::ethernet;

/// Most "too big" answers in a row, and how long one takes to be earned again. Our own figures:
/// each new flow of each client needs one answer, and tinc's three a second starve them.
const ANSWER_BURST: u32 = 50;
const ANSWER_INTERVAL: Duration = Duration::from_millis(10);

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
    fn node(self, me: NodeId) -> NodeId {
        match self {
            Self::Device => me,
            Self::Udp(peer) | Self::Meta { peer, .. } => peer,
        }
    }

    fn tcp_bound(self) -> bool {
        matches!(
            self,
            Self::Meta {
                tcp_bound: true,
                ..
            }
        )
    }
}

/// Decides and sends; its only state is the budget of ICMP answers.
#[derive(Debug, Default)]
pub struct Switch {
    answers: Budget,
}

impl Switch {
    /// Routes one frame; says whether it is (also) for the device.
    ///
    /// Unknown, broadcast and multicast destinations go to everybody (tinc 1.0, switch mode).
    pub fn route(
        &mut self,
        frame: &mut [u8],
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) -> bool {
        let Some(header) = ethernet::Frame::new(frame) else {
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
                if *owner != source && (forwarding.relays || !transit) {
                    self.unicast(frame, origin, *owner, forwarding, now, egress);
                }
                false
            }
        }
    }

    fn unicast(
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
            Verdict::Answer(sender) => {
                if self.answers.take(now) {
                    give_back(&sender.answer(), source, forwarding, egress);
                }
            }
            Verdict::Fragment(fragments) => {
                for fragment in fragments {
                    send(&fragment, owner, origin.tcp_bound(), forwarding, egress);
                }
            }
            Verdict::Drop => {}
        }
    }
}

fn owner(destination: Mac, forwarding: &Forwarding) -> Option<&Owner> {
    if forwarding.mode == Mode::Hub || destination.is_multicast() {
        return None;
    }
    forwarding.macs.get(&destination)
}

/// To every neighbour in the tree but the one it came by; each repeats it.
fn broadcast(frame: &[u8], origin: Origin, forwarding: &Forwarding, egress: &mut Egress) {
    let came_by = match origin {
        Origin::Device => None,
        Origin::Udp(peer) | Origin::Meta { peer, .. } => {
            forwarding.peer(peer).map(|path| path.nexthop)
        }
    };
    for neighbour in &forwarding.broadcast {
        if Some(*neighbour) != came_by {
            send(frame, *neighbour, origin.tcp_bound(), forwarding, egress);
        }
    }
}

/// Returns an answer of our own to where the frame came from.
fn give_back(answer: &[u8], source: NodeId, forwarding: &Forwarding, egress: &mut Egress) {
    if source == forwarding.me {
        egress.write_device(answer);
    } else {
        send(answer, source, false, forwarding, egress);
    }
}

/// The node a frame is sealed for on its way to `target`, which may be a relay.
fn next_stop(
    target: NodeId,
    tcp_bound: bool,
    forwarding: &Forwarding,
) -> Option<(NodeId, &PeerPath)> {
    let path = forwarding.peer(target)?;
    let via = if tcp_bound || path.via == forwarding.me {
        path.nexthop
    } else {
        path.via
    };
    Some((via, forwarding.peer(via)?))
}

/// Sends a frame to a node by UDP where that is proven to work, else by meta connections.
fn send(frame: &[u8], to: NodeId, tcp_bound: bool, forwarding: &Forwarding, egress: &mut Egress) {
    let Some((mut via, mut path)) = next_stop(to, tcp_bound, forwarding) else {
        return;
    };
    loop {
        if tcp_bound || (forwarding.options.with(path.options)).contains(Options::TCP_ONLY) {
            break;
        }
        let Some(key) = &path.out_key else {
            egress.report(Up::KeyWanted(via));
            break;
        };
        let proven = !path.options.contains(Options::PMTU_DISCOVERY)
            || frame.len() <= usize::from(path.min_mtu);
        if !proven && path.nexthop != via {
            // Sealed for the next hop instead, which routes the frame again.
            let Some((hop, hop_path)) = next_stop(path.nexthop, false, forwarding) else {
                return;
            };
            if hop == via {
                break;
            }
            (via, path) = (hop, hop_path);
            continue;
        }
        let Some(udp) = path.udp.filter(|_| proven) else {
            break;
        };
        if egress.push_datagram(via, udp, frame_len(frame), |out| key.seal(frame, out)) {
            return;
        }
        egress.report(Up::KeyWanted(via));
        break;
    }
    egress.report(Up::Frame {
        neighbour: path.nexthop,
        frame: frame.to_vec(),
    });
}

/// Lowers the MSS option of TCP segments to what fits both halves of the way (tinc 1.0,
/// `ClampMSS`).
fn clamp_mss(frame: &mut [u8], source: NodeId, via: NodeId, forwarding: &Forwarding) {
    let options = match forwarding.peer(via) {
        Some(path) => path.options,
        None => forwarding.options,
    };
    if !options.contains(Options::CLAMP_MSS) {
        return;
    }
    let mtu = |id| forwarding.peer(id).map_or(pmtu::MAX_LEN, |path| path.mtu);
    mss::clamp(frame, mtu(source).min(mtu(via)));
}

/// A budget that refills with time.
#[derive(Debug, Default)]
struct Budget {
    spent: u32,
    refilled: Option<Instant>,
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        let refilled = *self.refilled.get_or_insert(now);
        let earned =
            now.saturating_duration_since(refilled).as_millis() / ANSWER_INTERVAL.as_millis();
        if earned > 0 {
            self.spent = self
                .spent
                .saturating_sub(earned.try_into().unwrap_or(u32::MAX));
            self.refilled = Some(now);
        }
        if self.spent >= ANSWER_BURST {
            return false;
        }
        self.spent += 1;
        true
    }
}
