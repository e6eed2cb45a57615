//! The path of a packet by UDP allocates nothing once its buffers have their size.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

mod counting;
#[path = "../offload/given.rs"]
mod given;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use v6router_core::crypto::algorithm::PacketSpec;
use v6router_core::crypto::packet::PacketKey;
use v6router_core::dataplane::{
    Datagrams, Egress, Forwarding, InKey, Inbound, KeyEpoch, Lease, Mode, OutKey, Outbound, Owner,
    Owners, PeerPath, Policy, UdpPath,
};
use v6router_core::graph::Graph;
use v6router_core::offload::{Burst, Joiner, Kind};
use v6router_core::options::Options;
use v6router_core::subnet::{IpTable, Mac};

use given::Given;

/// Whom all frames are for.
const STATION: Mac = Mac([2, 0, 0, 0, 0, 2]);

/// A switch with one neighbour, where the station is behind the neighbour or behind the device.
/// Both seal and open by one key, so that one opens what another seals.
fn switch(behind_device: bool) -> (Forwarding, UdpPath) {
    let mut graph = Graph::new("me".parse().unwrap());
    let peer = graph.intern(&"peer".parse().unwrap());
    let policy = Policy {
        mode: Mode::Switch,
        ..Policy::default()
    };
    let mut forwarding = Forwarding::alone(graph.me(), policy);
    forwarding.replay_window = 16;
    let key = PacketKey::generate(PacketSpec::default(), &mut StdRng::seed_from_u64(1));
    let udp = UdpPath {
        address: ([192, 0, 2, 1], 655).into(),
        socket: 0,
    };
    let path = PeerPath {
        via: peer,
        nexthop: peer,
        options: Options::PMTU_DISCOVERY,
        mtu: 1518,
        min_mtu: 1518,
        udp: Some(udp),
        out_key: Some(Arc::new(OutKey::new(&key))),
        in_keys: vec![Arc::new(InKey::new(&key, KeyEpoch(1)))],
        known_at: vec![udp.address.ip()],
    };
    forwarding.peers.insert(peer, Arc::new(path));
    forwarding.sources.insert_mut(udp.address, peer);
    let owner = if behind_device {
        Owner::Device(Arc::new(Lease::new(Instant::now())))
    } else {
        Owner::Node(peer)
    };
    let macs = HashMap::from([(STATION, owner)]);
    let ips = IpTable::default();
    forwarding.owners = Arc::new(Owners { macs, ips });
    (forwarding, udp)
}

#[test]
fn neither_bursts_nor_single_frames_nor_what_comes_back_allocate() {
    let ((here, udp), (there, _)) = (switch(false), switch(true));
    let given = Given {
        kind: Kind::Tcp6,
        v6: true,
        tagged: false,
        size: 1380,
        flags: 0x18,
        payload: vec![7; 45 * 1380],
        from: 1,
    };
    let (header, frame) = given.frame();
    let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
    let (mut egress, mut joiner) = (Egress::default(), Joiner::new(true));
    let mut room = vec![0; 1 << 17];
    let mut now = Instant::now();
    let mut round = || {
        let mut written = 0;
        now += Duration::from_millis(5);
        let burst = Burst::parse(header, &frame).unwrap().unwrap();
        outbound.seal_burst(&burst, &here, now, &mut egress);
        let mut single = [0; 200];
        single[..14].copy_from_slice(&frame[..14]);
        outbound.seal(&mut single, &here, now, &mut egress);
        for train in egress.trains() {
            let bytes = &mut room[..train.bytes.len()];
            bytes.copy_from_slice(train.bytes);
            let size = train.size;
            let mut back = Egress::default();
            let datagrams = Datagrams { bytes, size };
            inbound.open(datagrams, udp, &there, now, &mut back, |frame| {
                joiner.push(frame, |header, frame| {
                    written += header.stands_for(frame.len())
                });
            });
        }
        joiner.flush(|header, frame| written += header.stands_for(frame.len()));
        egress.reports().for_each(drop);
        egress.clear();
        written
    };
    let whole = header.stands_for(frame.len()) + 200;
    // Buffers find their size.
    (0..3).for_each(|_| assert_eq!(round(), whole));
    let before = counting::allocations();
    (0..50).for_each(|_| assert_eq!(round(), whole));
    assert_eq!(counting::allocations() - before, 0);
}
