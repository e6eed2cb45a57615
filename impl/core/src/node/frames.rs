//! Frames that pass through the control side: PACKETs of meta connections and what we have to
//! say about our own device.

use std::net::Ipv6Addr;
use std::time::Instant;

use rand_core::CryptoRng;

use super::{ConnId, Node, Output, SealedDatagram};
use crate::dataplane::{Mode, Origin, Up, frame_len};
use crate::graph::NodeId;
use crate::options::Options;
use crate::subnet::Mac;
use crate::tunnel::probe;
use crate::wire::ndp;

/// Bytes of frames that leave by meta connections together; ours.
pub(super) const AT_ONCE: usize = 16 << 10;

/// Outputs that may wait when a frame is passed on, which is dropped otherwise; ours.
pub(super) const MOST_WAITING: usize = 16_384;

impl Node {
    /// A frame came by a meta connection.
    pub(super) fn packet_arrived(
        &mut self,
        conn: ConnId,
        mut frame: Vec<u8>,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let Some(active) = self.links.get(&conn).and_then(|link| link.active.as_ref()) else {
            return;
        };
        // One small frame for everybody is many datagrams, and nothing leaves before all that has come is handled.
        if self.outputs.len() > MOST_WAITING {
            return;
        }
        // A node without a key for us pushes its probe replies through here; they are no frames.
        if let Some(kind) = probe::kind(&frame) {
            if kind == probe::Kind::Reply {
                let (node, len) = (active.node, frame_len(&frame));
                self.probe_answered_by_tcp(node, len, now, rng);
            }
            return;
        }
        let origin = Origin::Meta {
            peer: active.node,
            tcp_bound: !active.options.contains(Options::TCP_ONLY),
        };
        // Earlier requests of the same connection may have changed the picture. One that nobody has got yet is new
        // enough, or a neighbour could have one drawn for each frame.
        if !self.is_unpublished {
            self.settle(now, rng);
            self.redraw();
        }
        let picture = self.forwarding();
        let for_device =
            self.outbound
                .forwarder()
                .forward(&mut frame, origin, &picture, now, &mut self.egress);
        if for_device {
            self.outputs.push_back(Output::Device(frame));
        }
        self.drain_egress(now, rng);
    }

    /// Tells the mesh where the addresses of our device are, so that nobody waits for a
    /// neighbour entry to go stale after a restart (RFC 4861 section 7.2.6). `router` is whether
    /// the device's kernel forwards.
    pub fn announce(
        &mut self,
        mac: Mac,
        addresses: &[Ipv6Addr],
        router: bool,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        if self.settings.policy.mode == Mode::Router {
            return;
        }
        // Learned here rather than from the first advertisement, so that the neighbours know
        // the MAC address before they need it.
        self.learn(mac, now, rng);
        self.redraw();
        let picture = self.forwarding();
        for address in addresses {
            let mut frame = ndp::unsolicited_neighbour_advertisement(mac, *address, router);
            self.outbound
                .seal(&mut frame, &picture, now, &mut self.egress);
        }
        self.drain_egress(now, rng);
    }

    /// Turns what the data plane wants into outputs.
    fn drain_egress(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        let mut egress = std::mem::take(&mut self.egress);
        for (datagram, bytes) in egress.datagrams() {
            self.outputs.push_back(Output::Datagram(SealedDatagram {
                path: datagram.path,
                handling: datagram.handling,
                bytes: bytes.to_vec(),
                too_big: datagram.too_big(),
            }));
        }
        for frame in egress.device_frames() {
            self.outputs.push_back(Output::Device(frame.to_vec()));
        }
        let reports: Vec<Up> = egress.reports().collect();
        egress.clear();
        self.egress = egress;
        for up in reports {
            self.reported(up, now, rng);
        }
    }

    /// Sends a frame by the meta connection to a neighbour, or drops it: the fuller the queue,
    /// the likelier (random early drop as in tinc 1.0, from half of `MaxOutputBufferSize` on).
    pub(super) fn send_packet(&mut self, neighbour: NodeId, frame: &[u8], rng: &mut dyn CryptoRng) {
        let most = self.settings.max_output_buffer.max(1);
        let Some(conn) = self.peers.get(neighbour).and_then(|peer| peer.link) else {
            return;
        };
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let (left, new) = (link.backlog.bytes(), link.meta.output_len());
        // Where nothing is left nobody has tried yet whether there is room for what is new.
        let waiting = match left {
            0 => new.saturating_sub(AT_ONCE),
            _ => left + new,
        };
        if waiting > most / 2 {
            let chance = (2 * waiting - most) as f64 / most as f64;
            let drawn = f64::from(rng.next_u32()) / f64::from(u32::MAX);
            if drawn < chance {
                return;
            }
        }
        link.meta.send_packet(frame);
        self.frames_to_send += frame.len();
        self.flush(conn);
    }
}
