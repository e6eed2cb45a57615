//! Device to network: one value for the thread that reads the device.

use std::time::Instant;

use super::{Egress, Forwarder, Forwarding, Mode, Origin, Owner, Up};
use crate::subnet::Mac;
use crate::tunnel::probe;
use crate::wire::ethernet;

/// Learns who is behind the device and sends frames on their way.
#[derive(Debug, Default)]
pub struct Outbound {
    forwarder: Forwarder,
    last_learned: Option<Mac>,
}

impl Outbound {
    /// Sends one frame that the device gave us.
    ///
    /// The frame may be changed in place (MSS clamping). What follows from it is appended to
    /// `egress`; answers to the device itself are there too.
    pub fn seal(
        &mut self,
        frame: &mut [u8],
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) {
        let Some(header) = ethernet::Frame::new(frame) else {
            return;
        };
        // What looks like a probe would be answered instead of delivered.
        if probe::kind(frame).is_some() {
            return;
        }
        if forwarding.policy.mode != Mode::Router {
            self.learn(header.source(), forwarding, now, egress);
        }
        self.forwarder
            .forward(frame, Origin::Device, forwarding, now, egress);
    }

    /// What forwards frames that did not come from the device.
    pub(crate) fn forwarder(&mut self) -> &mut Forwarder {
        &mut self.forwarder
    }

    fn learn(&mut self, source: Mac, forwarding: &Forwarding, now: Instant, egress: &mut Egress) {
        if source.is_multicast() {
            return;
        }
        if let Some(Owner::Device(lease)) = forwarding.owners.macs.get(&source) {
            lease.renew(now);
            self.last_learned = None;
        } else if self.last_learned != Some(source) {
            // Reported once, not once a frame until the next picture is published.
            self.last_learned = Some(source);
            egress.report(Up::Learned(source));
        }
    }
}
