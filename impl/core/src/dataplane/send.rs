//! Which transport a frame takes to a node, and what happens to it on the way out.

use super::egress::frame_len;
use super::{Broadcast, Egress, Forwarding, Handling, Origin, OutKey, PeerPath, Up};
use crate::forward::mss;
use crate::graph::NodeId;
use crate::options::Options;
use crate::tunnel::pmtu;
use crate::wire::ethernet::Frame;
use crate::wire::ip;

/// The node a frame is sealed for on its way to `target`, which may be a relay.
pub(super) fn next_stop(
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

/// Sends a frame to a node by UDP where that is proven to work, else by meta connections; tells by which key it is
/// sealed, if by any.
pub(super) fn send<'a>(
    frame: &[u8],
    to: NodeId,
    tcp_bound: bool,
    forwarding: &'a Forwarding,
    egress: &mut Egress,
) -> Option<&'a OutKey> {
    let (mut via, mut path) = next_stop(to, tcp_bound, forwarding)?;
    loop {
        if tcp_bound || (forwarding.options.with(path.options)).contains(Options::TCP_ONLY) {
            break;
        }
        let Some(key) = &path.out_key else {
            egress.report(Up::KeyWanted(via));
            break;
        };
        let proven = is_proven(frame, path);
        if !proven && path.nexthop != via {
            // Sealed for the next hop instead, which routes the frame again.
            let (hop, hop_path) = next_stop(path.nexthop, false, forwarding)?;
            if hop == via {
                break;
            }
            (via, path) = (hop, hop_path);
            continue;
        }
        let Some(udp) = path.udp.filter(|_| proven) else {
            break;
        };
        let handling = handling(frame, path, forwarding);
        let len = frame_len(frame);
        let write = |room: &mut [u8]| room.copy_from_slice(frame);
        if egress.push_datagram((via, udp), handling, len, key, |key, out| {
            key.lay_out(frame.len(), write, out)
        }) {
            if is_probed(path) && key.used_unwatched(len) {
                egress.report(Up::Flowing(via));
            }
            return Some(key);
        }
        egress.report(Up::KeyWanted(via));
        break;
    }
    egress.report(Up::Frame {
        neighbour: path.nexthop,
        frame: frame.to_vec(),
    });
    None
}

/// What the outer packet of a frame says: its class of service if that is to be inherited, and
/// that it must not be cut if the path to its receiver is measured by that.
fn handling(frame: &[u8], path: &PeerPath, forwarding: &Forwarding) -> Handling {
    let inherited = forwarding.policy.priority_inheritance;
    let class = Frame::new(frame).filter(|_| inherited);
    Handling {
        traffic_class: class.map_or(0, |frame| ip::class_of_service(&frame)),
        may_fragment: !is_probed(path),
    }
}

/// Whether a frame of that length is known to arrive by UDP, or nobody measures that.
fn is_proven(frame: &[u8], path: &PeerPath) -> bool {
    !is_probed(path) || frame.len() <= usize::from(path.min_mtu)
}

pub(super) fn is_probed(path: &PeerPath) -> bool {
    path.options.contains(Options::PMTU_DISCOVERY)
}

/// Spreads a frame as `Broadcast` says, but not to where it came from.
pub(super) fn broadcast(
    frame: &[u8],
    origin: Origin,
    forwarding: &Forwarding,
    egress: &mut Egress,
) {
    match forwarding.policy.broadcast {
        Broadcast::No => {}
        Broadcast::Tree => along_the_tree(frame, origin, forwarding, egress),
        Broadcast::Direct => {
            if origin == Origin::Device {
                to_each(frame, forwarding, egress);
            }
        }
    }
}

/// To every neighbour in the tree but the one it came by; each repeats it.
fn along_the_tree(frame: &[u8], origin: Origin, forwarding: &Forwarding, egress: &mut Egress) {
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

/// To every node that can be spoken to directly.
///
/// A node behind another gets its copy only once UDP to it is proven: a neighbour that is handed
/// the copy cannot know for whom it is, and would take it for one of its own.
fn to_each(frame: &[u8], forwarding: &Forwarding, egress: &mut Egress) {
    for node in &forwarding.broadcast {
        let Some(path) = forwarding.peer(*node) else {
            continue;
        };
        if path.nexthop == *node || (path.out_key.is_some() && is_proven(frame, path)) {
            send(frame, *node, false, forwarding, egress);
        } else if path.out_key.is_none() {
            egress.report(Up::KeyWanted(*node));
        }
    }
}

/// Returns an answer of our own to where a frame came from.
pub(super) fn give_back(
    answer: &[u8],
    source: NodeId,
    forwarding: &Forwarding,
    egress: &mut Egress,
) {
    if source == forwarding.me {
        egress.write_device(answer);
    } else {
        send(answer, source, false, forwarding, egress);
    }
}

/// Lowers the MSS option of TCP segments to what fits both halves of the way (tinc 1.0,
/// `ClampMSS`).
pub(super) fn clamp_mss(frame: &mut [u8], source: NodeId, via: NodeId, forwarding: &Forwarding) {
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

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn only_who_asks_for_it_has_classes_inherited_and_only_measured_paths_are_not_cut() {
        let mut graph = Graph::new("me".parse().unwrap());
        let peer = graph.intern(&"peer".parse().unwrap());
        let mut frame = [0; 60];
        frame[12..16].copy_from_slice(&[8, 0, 0x45, 0xb9]);
        for (inherits, discovery) in [(false, true), (true, false)] {
            let policy = Policy {
                priority_inheritance: inherits,
                ..Policy::default()
            };
            let mut options = Options::CLAMP_MSS;
            if discovery {
                options = options.with(Options::PMTU_DISCOVERY);
            }
            let path = PeerPath {
                via: peer,
                nexthop: peer,
                options,
                mtu: 1518,
                min_mtu: 0,
                udp: None,
                out_key: None,
                in_keys: Vec::new(),
                known_at: Vec::new(),
            };
            let forwarding = Forwarding::alone(graph.me(), policy);
            let wanted = Handling {
                traffic_class: if inherits { 0xb8 } else { 0 },
                may_fragment: !discovery,
            };
            assert_eq!(handling(&frame, &path, &forwarding), wanted);
        }
    }
}
