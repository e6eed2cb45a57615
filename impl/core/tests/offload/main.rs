//! What the kernel leaves to us to cut, and what we join for it: frames come out as if nobody had
//! saved any work.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

mod given;
#[path = "../routing/mod.rs"]
mod routing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::tcp::{self, TcpPacket};
use pnet_packet::udp::{self, UdpPacket};
use pnet_packet::{Packet as _, ipv4};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use v6router_core::crypto::algorithm::PacketSpec;
use v6router_core::crypto::packet::PacketKey;
use v6router_core::dataplane::{
    Egress, Forwarding, Lease, Mode, OutKey, Outbound, Owner, Owners, PeerPath, Policy, UdpPath,
};
use v6router_core::offload::{Burst, Header, Kind};
use v6router_core::options::Options;
use v6router_core::subnet::Mac;

use given::{Given, cut, given, joined};
use routing::Net;

/// A switch with the station to which everything goes behind a neighbour: by UDP as far as frames
/// have at most `proven` bytes. Who sends it may be known to be behind the device.
fn switch(proven: u16, fits: u16, leased: bool) -> Forwarding {
    let policy = Policy {
        mode: Mode::Switch,
        ..Policy::default()
    };
    let Net {
        mut forwarding, a, ..
    } = Net::new(policy);
    let key = PacketKey::generate(PacketSpec::default(), &mut StdRng::seed_from_u64(1));
    let path = PeerPath {
        via: a,
        nexthop: a,
        options: Options::PMTU_DISCOVERY,
        mtu: fits,
        min_mtu: proven,
        udp: Some(UdpPath {
            address: ([192, 0, 2, 1], 655).into(),
            socket: 0,
        }),
        out_key: Some(Arc::new(OutKey::new(&key))),
        in_keys: Vec::new(),
        known_at: Vec::new(),
    };
    forwarding.peers.insert(a, Arc::new(path));
    let mut macs = HashMap::from([(Mac([2, 0, 0, 0, 0, 2]), Owner::Node(a))]);
    if leased {
        let lease = Arc::new(Lease::new(Instant::now()));
        macs.insert(Mac([2, 0, 0, 0, 0, 1]), Owner::Device(lease));
    }
    let ips = Default::default();
    forwarding.owners = Arc::new(Owners { macs, ips });
    forwarding
}

/// Whether every checksum of a frame is right, as somebody else computes it.
fn is_intact(given: &Given, frame: &[u8]) -> bool {
    let packet = &frame[given.network()..];
    let udp = given.kind == Kind::Udp;
    if given.v6 {
        let ip = Ipv6Packet::new(packet).unwrap();
        let (from, to) = (ip.get_source(), ip.get_destination());
        if udp {
            let udp = UdpPacket::new(ip.payload()).unwrap();
            udp.get_checksum() == udp::ipv6_checksum(&udp, &from, &to)
        } else {
            let tcp = TcpPacket::new(ip.payload()).unwrap();
            tcp.get_checksum() == tcp::ipv6_checksum(&tcp, &from, &to)
        }
    } else {
        let ip = Ipv4Packet::new(packet).unwrap();
        let (from, to) = (ip.get_source(), ip.get_destination());
        let transport = if udp {
            let udp = UdpPacket::new(ip.payload()).unwrap();
            udp.get_checksum() == udp::ipv4_checksum(&udp, &from, &to)
        } else {
            let tcp = TcpPacket::new(ip.payload()).unwrap();
            tcp.get_checksum() == tcp::ipv4_checksum(&tcp, &from, &to)
        };
        transport && ip.get_checksum() == ipv4::checksum(&ip)
    }
}

#[test]
fn the_last_frame_of_a_burst_is_sent_though_the_others_are_too_long() {
    let given = Given {
        kind: Kind::Udp,
        v6: true,
        tagged: false,
        size: 1400,
        flags: 0,
        payload: vec![7; 4 * 1400 + 100],
        from: 1,
    };
    let (header, frame) = given.frame();
    let burst = Burst::parse(header, &frame).unwrap().unwrap();
    let mut egress = Egress::default();
    let picture = switch(1294, 1294, true);
    Outbound::default().seal_burst(&burst, &picture, Instant::now(), &mut egress);
    let lengths: Vec<_> = egress
        .datagrams()
        .map(|(datagram, _)| usize::from(datagram.frame_len))
        .collect();
    assert_eq!(lengths, [given.headers() + 100]);
    assert_eq!(egress.device_frames().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_frame_of_a_burst_is_intact_and_together_they_carry_the_payload(given in given()) {
        let (header, frame) = given.frame();
        let frames = cut(header, &frame);
        let mut payload: Vec<u8> = Vec::new();
        for frame in &frames {
            prop_assert!(is_intact(&given, frame));
            payload.extend(&frame[given.headers()..]);
        }
        prop_assert_eq!(payload, given.payload.clone());
        let bytes: usize = frames.iter().map(Vec::len).sum();
        prop_assert_eq!(header.stands_for(frame.len()), bytes);
    }

    #[test]
    fn what_is_joined_is_cut_into_the_same_again(given in given()) {
        let (header, frame) = given.frame();
        let frames = cut(header, &frame);
        let joined = joined(&frames);
        if given.is_ordinary() {
            prop_assert_eq!(&joined, &[(header, frame)]);
        }
        let again: Vec<_> = joined.iter().flat_map(|(header, frame)| cut(*header, frame)).collect();
        prop_assert_eq!(again, frames);
    }

    #[test]
    fn a_frame_that_differs_is_not_joined_and_none_is_lost_or_overtaken(
        given in given(), at: prop::sample::Index, byte: prop::sample::Index, bit in 0..8_u32,
    ) {
        let (header, frame) = given.frame();
        let mut frames = cut(header, &frame);
        let at = at.index(frames.len());
        let byte = byte.index(frames[at].len());
        frames[at][byte] ^= 1_u8 << bit;
        let again: Vec<_> =
            joined(&frames).iter().flat_map(|(header, frame)| cut(*header, frame)).collect();
        prop_assert_eq!(again, frames);
    }

    #[test]
    fn no_header_fits_any_bytes_so_that_they_panic(
        header: [u8; Header::LEN], given in given(), len: prop::sample::Index, bytes: Vec<u8>,
    ) {
        let (_, mut frame) = given.frame();
        frame.truncate(len.index(frame.len() + 1));
        for frame in [frame, bytes] {
            let Ok(header) = Header::parse(header) else { continue };
            if let Ok(Some(burst)) = Burst::parse(header, &frame) {
                let mut room = vec![0; burst.frame_len(0)];
                burst.write(0, &mut room);
            }
            joined(&[frame]);
        }
    }

    #[test]
    fn a_burst_is_sealed_to_the_bytes_of_its_frames(
        given in given(), proven in 0..1500_u16, fits in 1294..1500_u16, leased: bool,
    ) {
        let (header, frame) = given.frame();
        let burst = Burst::parse(header, &frame).unwrap().unwrap();
        let (one, other) = (switch(proven, fits, leased), switch(proven, fits, leased));
        let now = Instant::now();
        let (mut at_once, mut singly) = (Egress::default(), Egress::default());
        Outbound::default().seal_burst(&burst, &one, now, &mut at_once);
        let mut outbound = Outbound::default();
        for mut frame in cut(header, &frame) {
            outbound.seal(&mut frame, &other, now, &mut singly);
        }
        let datagrams = |egress: &mut Egress| -> Vec<_> {
            let each = egress.datagrams();
            each.map(|(datagram, bytes)| (datagram.frame_len, datagram.path, bytes.to_vec())).collect()
        };
        let both = (datagrams(&mut at_once), datagrams(&mut singly));
        prop_assert_eq!(both.0, both.1);
        // That frames of a length are too long may be said once of all of them.
        let told = |egress: &Egress| {
            let mut told: Vec<_> = egress.device_frames().map(<[u8]>::to_vec).collect();
            told.dedup_by_key(|answer| given.quoted_length(answer));
            told
        };
        prop_assert_eq!(told(&at_once), told(&singly));
        prop_assert!(!leased || at_once.device_frames().count() <= 2);
        // That something flows is said once of all of them.
        let distinct = |egress: &mut Egress| {
            let mut reports: Vec<_> = egress.reports().collect();
            reports.dedup();
            reports
        };
        prop_assert_eq!(distinct(&mut at_once), distinct(&mut singly));
    }
}
