//! What goes wrong between nodes.

use std::time::Duration;

use super::{ConnId, Event, Mesh, Told, Wire};

impl Mesh {
    /// Lets nothing pass between two nodes any more; neither is told.
    pub(crate) fn cut(&mut self, one: usize, other: usize) {
        self.cut.insert(pair(one, other));
        self.wires
            .retain(|(near, _), wire| pair(*near, wire.far.0) != pair(one, other));
    }

    /// Lets everything pass again. Connections that were cut stay dead, which their ends find out.
    pub(crate) fn mend(&mut self) {
        self.cut.clear();
    }

    pub(super) fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&pair(one, other))
    }

    /// Lays both directions of a connection.
    pub(super) fn lay(&mut self, near: (usize, ConnId), far: (usize, ConnId), latency: Duration) {
        self.wires.insert(near, Wire { far, latency });
        self.wires.insert(far, Wire { far: near, latency });
    }

    /// One end closes; the other hears of it when everything sent before has arrived.
    pub(super) fn hang_up(&mut self, near: (usize, ConnId)) {
        if let Some(Wire { far, latency }) = self.wires.remove(&near) {
            self.wires.remove(&far);
            self.later(latency, Event::Input(far.0, Told::Closed(far.1)));
        }
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
