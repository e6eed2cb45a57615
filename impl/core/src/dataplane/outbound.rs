//! Device to network: one value for the thread that reads the device.

use std::time::{Duration, Instant};

use super::{Egress, Forwarder, Forwarding, Mode, Origin, Owner, Up};
use crate::offload::Burst;
use crate::subnet::Mac;
use crate::tunnel::probe;
use crate::wire::ethernet;

/// How long the control loop may take to publish what it was told; ours.
const SOON: Duration = Duration::from_secs(1);

/// Learns who is behind the device and sends frames on their way.
#[derive(Debug, Default)]
pub struct Outbound {
    forwarder: Forwarder,
    last_learned: Option<(Mac, Instant)>,
    /// One frame of a burst.
    frame: Vec<u8>,
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

    /// Sends the frames of a burst, with the outcome of sending one after the other, except that a sender who is told
    /// that the first one is too long is not told so of the others of its length.
    ///
    /// What makes them differ makes no difference to where they go, but that the last one is
    /// shorter: if the first one simply left by UDP, so do the others.
    pub fn seal_burst(
        &mut self,
        burst: &Burst<'_>,
        forwarding: &Forwarding,
        now: Instant,
        egress: &mut Egress,
    ) {
        let mut frame = std::mem::take(&mut self.frame);
        let mark = egress.mark();
        let mut as_the_first = None;
        let mut told_of = None;
        for index in 0..burst.count() {
            let len = burst.frame_len(index);
            if told_of == Some(len) {
                continue;
            }
            let is_sealed = as_the_first.as_ref().is_some_and(|(key, first)| {
                egress.push_alike(key, first, len, |room| burst.write(index, room))
            });
            if is_sealed {
                continue;
            }
            frame.clear();
            frame.resize(len, 0);
            burst.write(index, &mut frame);
            self.seal(&mut frame, forwarding, now, egress);
            if index == 0 {
                as_the_first = egress.sole_since(mark);
                // Told to be shorter, once: what else may be told would be used up by the others.
                told_of = egress.is_only_answered_since(mark).then_some(len);
            }
        }
        self.frame = frame;
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
        } else if self.last_learned.is_none_or(|(last, told)| {
            last != source || now.saturating_duration_since(told) >= SOON
        }) {
            // Not once a frame until the next picture is published; but a report can be lost, and who was elsewhere
            // meanwhile comes back.
            self.last_learned = Some((source, now));
            egress.report(Up::Learned(source));
        }
    }
}
