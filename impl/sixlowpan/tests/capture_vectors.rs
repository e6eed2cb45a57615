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

/// Ends of ours in the place of those of the recording, each fed with what the other sent: credits
/// suffice, SDUs are whole, and each holds a packet.
#[test]
fn what_linux_and_its_nodes_sent_to_each_other_arrives() {
    let nodes = BTreeMap::from([(0x40, NODE), (0x41, OTHER_NODE), (0x42, NODE)]);
    // By connection and receiver.
    let mut channels = BTreeMap::new();
    let mut packets = BTreeMap::from([(true, 0), (false, 0)]);
    for frame in pcap::records(LINUX).into_iter().filter_map(pcap::frame) {
        // The answer to a farewell, which these ends do not say.
        if let [_, _, 5, 0, 7, ..] = frame.octets {
            continue;
        }
        let by_router = frame.received;
        let channel = channels
            .entry((frame.handle, by_router))
            // As they asked and answered.
            .or_insert_with(|| match by_router {
                true => Channel::connect(Settings::default()),
                false => Channel::listen(Settings::new(0x40, 247, 10).unwrap()),
            });
        channel.receive(frame.octets).unwrap();
        while channel.poll_frame().is_some() {}
        let node = nodes[&frame.handle];
        let (own, peer) = match by_router {
            true => (ROUTER, node),
            false => (node, ROUTER),
        };
        let link = Link::new(own, peer, IidMode::Rfc7668);
        while let Some(event) = channel.poll_event() {
            if let Event::Received(sdu) = event {
                let packet = iphc::decompress(&sdu, &link, &Contexts::default()).unwrap();
                assert_eq!(packet[0] >> 4, 6);
                *packets.get_mut(&by_router).unwrap() += 1;
            }
        }
    }
    assert_eq!(channels.len(), 2 * nodes.len());
    // As many as tshark finds.
    assert_eq!(packets, BTreeMap::from([(true, 27), (false, 62)]));
}
