//! Which way frames take to a node, for those who ask.

use std::net::SocketAddr;

use super::send::{is_probed, next_stop};
use super::{Forwarding, PeerPath};
use crate::graph::NodeId;
use crate::options::Options;

/// How frames of any length that is known to pass go to a node now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whom they are sent to: the node itself, or another that passes them on.
    pub stop: NodeId,
    /// Where, if they go by UDP; `None` if they go by the meta connection with that node.
    pub udp: Option<SocketAddr>,
    /// Why they do not go to the node itself by UDP, unless they do.
    pub obstacle: Option<Obstacle>,
}

/// Why frames do not go to a node itself by UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It takes packets from its neighbours only (`IndirectData`).
    Indirect,
    /// Either end wants TCP (`TCPOnly`).
    TcpOnly,
    /// It has not given us a key.
    NoKey,
    /// It has answered no probe lately.
    Unproven,
    /// We do not know where it is, or have no socket of that family.
    NoAddress,
}

impl Forwarding {
    /// The way to a node other than ourselves; `None` if it is not reachable.
    #[must_use]
    pub fn way_to(&self, node: NodeId) -> Option<Way> {
        let (mut stop, mut path) = next_stop(node, false, self)?;
        let mut obstacle = (stop != node).then_some(Obstacle::Indirect);
        loop {
            let found = match self.obstacle(path) {
                Ok(address) => {
                    return Some(Way {
                        stop,
                        udp: Some(address),
                        obstacle,
                    });
                }
                Err(found) => found,
            };
            obstacle = obstacle.or(Some(found));
            if found == Obstacle::Unproven && path.nexthop != stop {
                let (hop, hop_path) = next_stop(path.nexthop, false, self)?;
                if hop != stop {
                    (stop, path) = (hop, hop_path);
                    continue;
                }
            }
            return Some(Way {
                stop: path.nexthop,
                udp: None,
                obstacle,
            });
        }
    }

    /// Where packets to a node go by UDP, or why they do not.
    fn obstacle(&self, path: &PeerPath) -> Result<SocketAddr, Obstacle> {
        if self.options.with(path.options).contains(Options::TCP_ONLY) {
            return Err(Obstacle::TcpOnly);
        }
        if path.out_key.is_none() {
            return Err(Obstacle::NoKey);
        }
        if is_probed(path) && path.min_mtu == 0 {
            return Err(Obstacle::Unproven);
        }
        let udp = path.udp.ok_or(Obstacle::NoAddress)?;
        Ok(udp.address)
    }
}
