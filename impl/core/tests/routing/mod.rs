//! One forwarder and a picture made by hand: what became of a frame.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use pnet_packet::Packet as _;
use pnet_packet::icmp::IcmpPacket;
use pnet_packet::icmpv6::Icmpv6Packet;
use pnet_packet::ip::IpNextHeaderProtocols::Udp;
use pnet_packet::ipv4::{Ipv4Packet, MutableIpv4Packet, checksum};
use pnet_packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use v6router_core::dataplane::{
    Egress, Forwarder, Forwarding, Origin, Owners, PeerPath, Policy, Up,
};
use v6router_core::graph::{Graph, NodeId};
use v6router_core::options::Options;
use v6router_core::subnet::{Claim, IpTable};

/// Our neighbours `a` and `b`; `far` behind `a`, by a relay; `gone`, which nobody reaches.
pub(crate) struct Net {
    pub(crate) forwarding: Forwarding,
    pub(crate) me: NodeId,
    pub(crate) a: NodeId,
    pub(crate) b: NodeId,
    pub(crate) far: NodeId,
}

impl Net {
    pub(crate) fn new(policy: Policy) -> Self {
        let mut graph = Graph::new("me".parse().unwrap());
        let me = graph.me();
        let [a, b, far, gone] =
            ["a", "b", "far", "gone"].map(|name| graph.intern(&name.parse().unwrap()));
        let mut forwarding = Forwarding::alone(me, policy);
        let path = |via, nexthop| {
            Arc::new(PeerPath {
                via,
                nexthop,
                options: Options::PMTU_DISCOVERY,
                mtu: 1451,
                min_mtu: 0,
                udp: None,
                out_key: None,
                in_keys: Vec::new(),
                known_at: Vec::new(),
            })
        };
        forwarding.peers.insert(a, path(a, a));
        forwarding.peers.insert(b, path(b, b));
        forwarding.peers.insert(far, path(a, a));
        forwarding.broadcast = vec![a, b];
        let claims = [
            (me, "10.0.0.0/24"),
            (me, "fd00:0::/32"),
            (a, "10.1.0.0/16"),
            (a, "fd00:1::/32"),
            (b, "10.2.0.0/16"),
            (b, "fd00:2::/32"),
            (far, "10.3.0.0/16"),
            (far, "fd00:3::/32"),
            (gone, "10.4.0.0/16"),
            (gone, "fd00:4::/32"),
        ];
        let ips = IpTable::new(claims.map(|(owner, subnet)| Claim {
            subnet: subnet.parse().unwrap(),
            owner,
            reachable: owner != gone,
        }));
        let macs = Default::default();
        forwarding.owners = Arc::new(Owners { macs, ips });
        Self {
            forwarding,
            me,
            a,
            b,
            far,
        }
    }

    pub(crate) fn forward(&self, frame: &mut [u8], origin: Origin) -> Outcome {
        let mut egress = Egress::default();
        let for_device = Forwarder::default().forward(
            frame,
            origin,
            &self.forwarding,
            Instant::now(),
            &mut egress,
        );
        let to_device = egress.device_frames().map(<[u8]>::to_vec).collect();
        let sent = egress.reports().filter_map(|up| match up {
            Up::Frame { neighbour, frame } => Some((neighbour, frame)),
            _ => None,
        });
        Outcome {
            for_device,
            sent: sent.collect(),
            to_device,
        }
    }
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) for_device: bool,
    pub(crate) sent: Vec<(NodeId, Vec<u8>)>,
    pub(crate) to_device: Vec<Vec<u8>>,
}

impl Outcome {
    pub(crate) fn is_nothing(&self) -> bool {
        !self.for_device && self.sent.is_empty() && self.to_device.is_empty()
    }

    pub(crate) fn neighbours(&self) -> Vec<NodeId> {
        self.sent.iter().map(|(neighbour, _)| *neighbour).collect()
    }

    /// Type and code of the one ICMP error in it.
    pub(crate) fn refusal(&self) -> (u8, u8) {
        assert!(!self.for_device, "{self:?}");
        let sent = self.sent.iter().map(|(_, frame)| frame);
        let all: Vec<_> = self.to_device.iter().chain(sent).collect();
        let [answer] = all.as_slice() else {
            panic!("not one answer: {self:?}");
        };
        match Ipv4Packet::new(&answer[14..]).unwrap() {
            ip if ip.get_version() == 4 => {
                let message = IcmpPacket::new(ip.payload()).unwrap();
                (message.get_icmp_type().0, message.get_icmp_code().0)
            }
            _ => {
                let ip = Ipv6Packet::new(&answer[14..]).unwrap();
                let message = Icmpv6Packet::new(ip.payload()).unwrap();
                (message.get_icmpv6_type().0, message.get_icmpv6_code().0)
            }
        }
    }
}

/// The time to live or hop limit of the packet in a frame.
pub(crate) fn hops(frame: &[u8]) -> u8 {
    if frame[12] == 8 { frame[22] } else { frame[21] }
}

pub(crate) fn packet(from: &str, to: &str) -> Vec<u8> {
    sized(from, to, 100, 64)
}

/// A frame of `len` bytes with zero MAC addresses, as a TUN device's are.
pub(crate) fn sized(from: &str, to: &str, len: usize, ttl: u8) -> Vec<u8> {
    let mut frame = vec![0; len];
    match (from.parse().unwrap(), to.parse().unwrap()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            frame[12] = 8;
            let mut ip = MutableIpv4Packet::new(&mut frame[14..]).unwrap();
            ip.set_version(4);
            ip.set_header_length(5);
            ip.set_total_length(u16::try_from(len - 14).unwrap());
            // Don't fragment.
            ip.set_flags(2);
            ip.set_ttl(ttl);
            ip.set_next_level_protocol(Udp);
            ip.set_source(from);
            ip.set_destination(to);
            ip.set_checksum(checksum(&ip.to_immutable()));
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            frame[12..14].copy_from_slice(&[0x86, 0xdd]);
            let mut ip = MutableIpv6Packet::new(&mut frame[14..]).unwrap();
            ip.set_version(6);
            ip.set_payload_length(u16::try_from(len - 54).unwrap());
            ip.set_next_header(Udp);
            ip.set_hop_limit(ttl);
            ip.set_source(from);
            ip.set_destination(to);
        }
        _ => panic!("{from} and {to} are of two families"),
    }
    frame
}

/// The same packet in both families, between hosts of the numbered subnets.
pub(crate) fn both(from: u8, to: u8, len: usize, ttl: u8) -> [Vec<u8>; 2] {
    let v4 = |n| Ipv4Addr::new(10, n, 0, 7).to_string();
    let v6 = |n| Ipv6Addr::new(0xfd00, u16::from(n), 0, 0, 0, 0, 0, 7).to_string();
    [
        sized(&v4(from), &v4(to), len, ttl),
        sized(&v6(from), &v6(to), len, ttl),
    ]
}
