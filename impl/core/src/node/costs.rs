//! What a neighbour may cost us, and through us the others.

use std::time::Instant;

use rand_core::CryptoRng;

use super::{ConnId, Node, limits};
use crate::gossip::{spend, units};

impl Node {
    /// Whether a neighbour may make one more request; whoever may not is cut off.
    pub(super) fn within_allowance(&mut self, conn: ConnId, now: Instant) -> bool {
        let link = self.links.get_mut(&conn);
        let active = link.and_then(|link| link.active.as_mut());
        active.is_some_and(|active| !active.has_overdone && active.allowance.take(now))
    }

    /// Whether a neighbour may say this line about keys, which goes unheard otherwise: it may come from afar, and its
    /// sender is not to blame the neighbour.
    pub(super) fn may_speak_of_keys(&mut self, conn: ConnId, line: &[u8], now: Instant) -> bool {
        let link = self.links.get(&conn);
        let active = link.and_then(|link| link.active.as_ref());
        let peer = active.and_then(|active| self.peers.get_mut(active.node));
        peer.is_some_and(|peer| spend(&mut peer.keys, units(line), now))
    }

    /// Whether a key may be added to what waits on a connection: nobody is given up for what others want of it.
    pub(super) fn has_room_for_keys(&self, conn: ConnId) -> bool {
        let link = self.links.get(&conn);
        let waiting = link.map(|link| link.backlog.bytes() + link.meta.output_len());
        waiting.is_some_and(|bytes| bytes < limits::BESIDE_KEYS)
    }

    /// Has a neighbour answer for what has followed from its words. Who has caused too much is cut off with the next.
    pub(super) fn charge(&mut self, conn: ConnId, units: usize, now: Instant) {
        let link = self.links.get_mut(&conn);
        let Some(active) = link.and_then(|link| link.active.as_mut()) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(active.node) {
            active.has_overdone |= !spend(&mut peer.consequences, units, now);
        }
    }

    /// The same for what was looked at because of the bytes that came last.
    pub(super) fn charge_effort(&mut self, conn: ConnId, now: Instant) {
        self.charge(conn, self.effort / limits::EDGES_A_UNIT, now);
    }

    /// Follows the graph for somebody who asks who is reachable before all that came at once is acted on. If that has
    /// cost too much already, the paths as they were have to do.
    pub(super) fn settle_early(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        if self.effort < limits::EFFORT {
            self.settle(now, rng);
        }
    }
}
