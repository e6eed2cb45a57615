//! The recordings of the vectors: their records are written alike, and what a real Linux sent in
//! one of them arrives.

#[path = "support/pcap.rs"]
mod pcap;

use std::collections::BTreeMap;
use std::time::Duration;

use sixlowpan::capture::{Capture, Connection, Direction, Reason, Role};
use sixlowpan::coc::{Channel, Event, Settings};
use sixlowpan::context::Contexts;
use sixlowpan::iid::{DeviceAddress, IidMode};
use sixlowpan::iphc;
use sixlowpan::link::Link;

const ROUTER: DeviceAddress = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);
const NODE: DeviceAddress = DeviceAddress::public([0x00, 0x1b, 0xdc, 0, 0, 2]);
const OTHER_NODE: DeviceAddress = DeviceAddress::random([0xc0, 0x11, 0x22, 0x33, 0x44, 0x55]);
const LINUX: &[u8] = include_bytes!("vectors/linux-bt0-h4.pcap");

#[test]
fn recordings_are_written_as_those_of_the_vectors() {
    let now = Duration::from_secs(1_700_000_000);
    let files = [
        &include_bytes!("vectors/ipsp-h4.pcap")[..],
        include_bytes!("vectors/nd-h4.pcap"),
    ];
    for file in files {
        let mut capture = Capture::new(ROUTER);
        let mut written = capture.begin(now);
        let link = Connection::new(Role::Central);
        let (handle, octets) = capture.connected(now, NODE, link).unwrap();
        written.extend(octets);
        for frame in pcap::records(file).into_iter().filter_map(pcap::frame) {
            let direction = match frame.received {
                true => Direction::Received,
                false => Direction::Sent,
            };
            written.extend(capture.frame(now, &handle, direction, frame.octets));
        }
        assert_eq!(written[..24], file[..24], "the header");
        assert_eq!(pcap::records(&written), pcap::records(file));
    }
}

#[test]
fn links_of_a_real_controller_come_and_go_by_the_same_events() {
    let now = Duration::ZERO;
    let mut capture = Capture::new(ROUTER);
    let link = Connection::new(Role::Central);
    let ours = [NODE, OTHER_NODE].map(|node| capture.connected(now, node, link).unwrap());
    let [(_, first), (second, other)] = ours;
    let lost = capture.disconnected(now, second, Reason::Host);
    let theirs = pcap::records(LINUX);
    for event in [&first, &other, &lost] {
        assert!(theirs.contains(&&event[16..]), "{event:02x?}");
    }
}

/// The ends of both nodes' channels, fed with what the router sent: credits suffice, SDUs are
/// whole, and each holds a packet of the router.
#[test]
fn what_linux_sent_to_its_nodes_arrives() {
    let devices = BTreeMap::from([(0x40, NODE), (0x41, OTHER_NODE), (0x42, NODE)]);
    let mut nodes = BTreeMap::new();
    let mut packets = 0;
    for record in pcap::records(LINUX) {
        let Some(frame) = pcap::frame(record).filter(|frame| !frame.received) else {
            continue;
        };
        // As those of the recording answered.
        let settings = Settings::new(0x40, 247, 10).unwrap();
        let node = nodes
            .entry(frame.handle)
            .or_insert_with(|| Channel::listen(settings));
        node.receive(frame.octets).unwrap();
        while node.poll_frame().is_some() {}
        while let Some(event) = node.poll_event() {
            let Event::Received(sdu) = event else {
                continue;
            };
            let link = Link::new(devices[&frame.handle], ROUTER, IidMode::Rfc7668);
            let packet = iphc::decompress(&sdu, &link, &Contexts::default()).unwrap();
            assert_eq!(packet[0] >> 4, 6);
            packets += 1;
        }
    }
    // As many as tshark finds.
    assert_eq!((nodes.len(), packets), (3, 62));
}
