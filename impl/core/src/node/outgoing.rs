//! Whom we dial, and how long we wait before we dial again.

use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::{ConnId, Node, Output, Timer};
use crate::name::NodeName;

/// Waits after the first failures in a row. Our own: the reference starts at five seconds,
/// which is most of the time a restarted server is missed.
const FIRST_WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// What every further failure adds (tinc 1.0).
const WAIT_STEP: Duration = Duration::from_secs(5);

/// A node we were told to connect to.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    failures: u32,
    conn: Option<ConnId>,
    dialling: bool,
}

impl Outgoing {
    /// The connection was replaced by another one.
    pub(super) fn lost(&mut self, conn: ConnId) {
        if self.conn == Some(conn) {
            self.conn = None;
        }
    }
}

impl Node {
    /// Starts a connection to a node unless there is one.
    pub(super) fn dial(&mut self, node: NodeName) {
        if self.closing {
            return;
        }
        let linked = self
            .graph
            .find(&node)
            .and_then(|id| self.peers.get(id)?.link);
        if let Some(conn) = linked {
            self.adopt(node, conn);
            return;
        }
        let outgoing = self.outgoing.entry(node.clone()).or_default();
        if outgoing.dialling || outgoing.conn.is_some() {
            return;
        }
        outgoing.dialling = true;
        tracing::debug!("trying to connect to {node}");
        self.outputs.push_back(Output::Dial { node });
    }

    /// Takes an existing connection for the one we were to make.
    fn adopt(&mut self, node: NodeName, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.outgoing = Some(node.clone());
            let outgoing = self.outgoing.entry(node).or_default();
            outgoing.conn = Some(conn);
            outgoing.dialling = false;
        }
    }

    /// A dial succeeded; says whether it is still wanted.
    pub(super) fn dialled(&mut self, node: &NodeName, conn: ConnId) -> bool {
        let Some(outgoing) = self.outgoing.get_mut(node) else {
            return false;
        };
        outgoing.dialling = false;
        outgoing.conn = Some(conn);
        true
    }

    pub(super) fn dial_failed(&mut self, node: &NodeName, now: Instant, rng: &mut dyn CryptoRng) {
        if let Some(outgoing) = self.outgoing.get_mut(node) {
            outgoing.dialling = false;
            self.redial_later(node, now, rng);
        }
    }

    /// Nothing says where a node is: what its host file says may have changed by then.
    pub(super) fn nowhere_to_dial(&mut self, node: &NodeName, now: Instant) {
        if let Some(outgoing) = self.outgoing.get_mut(node) {
            outgoing.dialling = false;
            let longest = self.settings.max_timeout;
            tracing::debug!("next look for an address of {node} in {longest:?}");
            self.timers.set(Timer::Redial(node.clone()), now + longest);
        }
    }

    /// The next failure is the first again: what failed before did so under other circumstances.
    pub(super) fn forget_failures(&mut self) {
        for outgoing in self.outgoing.values_mut() {
            outgoing.failures = 0;
        }
    }

    /// The connection to a node we dial has ended.
    pub(super) fn outgoing_ended(
        &mut self,
        node: &NodeName,
        conn: ConnId,
        worked: bool,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(outgoing) = self.outgoing.get_mut(node) else {
            return;
        };
        if outgoing.conn != Some(conn) {
            return;
        }
        outgoing.conn = None;
        if worked {
            outgoing.failures = 0;
        }
        self.redial_later(node, now, rng);
    }

    fn redial_later(&mut self, node: &NodeName, now: Instant, rng: &mut dyn CryptoRng) {
        let suspension = self
            .suspended
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let (shortest, longest) = (self.settings.min_timeout, self.settings.max_timeout);
        let Some(outgoing) = self.outgoing.get_mut(node) else {
            return;
        };
        let wait = wait_after(outgoing.failures)
            .max(shortest)
            .min(longest)
            .max(suspension);
        outgoing.failures = outgoing.failures.saturating_add(1);
        // Up to a tenth more, so that many nodes that lost one server do not return as one.
        let jitter = wait / 1000 * (rng.next_u32() % 100);
        tracing::debug!("next attempt to connect to {node} in {wait:?}");
        self.timers
            .set(Timer::Redial(node.clone()), now + wait + jitter);
    }

    /// Dials these nodes from now on and no others.
    pub(super) fn set_outgoing(&mut self, wanted: Vec<NodeName>) {
        let dropped: Vec<_> = self
            .outgoing
            .keys()
            .filter(|node| !wanted.contains(node))
            .cloned()
            .collect();
        for node in dropped {
            self.timers.stop(&Timer::Redial(node.clone()));
            let Some(outgoing) = self.outgoing.remove(&node) else {
                continue;
            };
            if outgoing.dialling {
                self.outputs.push_back(Output::CancelDial { node });
            }
            if let Some(link) = outgoing.conn.and_then(|conn| self.links.get_mut(&conn)) {
                // The connection stays; it is just not made again when it ends.
                link.outgoing = None;
            }
        }
        for node in wanted {
            self.timers.stop(&Timer::Redial(node.clone()));
            if let Some(outgoing) = self.outgoing.get_mut(&node) {
                outgoing.failures = 0;
            }
            self.dial(node);
        }
    }
}

fn wait_after(failures: u32) -> Duration {
    let index = usize::try_from(failures).unwrap_or(usize::MAX);
    match FIRST_WAITS.get(index) {
        Some(wait) => *wait,
        None => WAIT_STEP.saturating_mul(failures.saturating_sub(2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_half_a_second_by_five_seconds_a_failure() {
        let waits: Vec<_> = (0..6).map(|n| wait_after(n).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 5000, 10_000, 15_000]);
        assert!(wait_after(u32::MAX) > Duration::from_secs(900));
    }
}
