//! Others' codecs and ours have the same idea of 1,000 packets in either direction.

#[path = "support/air.rs"]
mod air;
#[path = "support/arbitrary.rs"]
mod arbitrary;
#[path = "support/hex.rs"]
mod hex;
#[path = "support/tshark.rs"]
mod tshark;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::HEXLOWER;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;
use sixlowpan::MTU;
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iid::{DeviceAddress, Iid, IidMode};
use sixlowpan::iphc::{self, NextHeaders};
use sixlowpan::link::Link;

use air::{Air, End};
use arbitrary::{PREFIXES, content, packet_around};
use hex::Hex;
use tshark::tshark;

const ROUTER: DeviceAddress = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);
/// The devices of which packets are often made, and modes by which both are.
const NODES: [(DeviceAddress, IidMode); 2] = [
    (
        DeviceAddress::random([0, 0x1b, 0xdc, 0, 0, 2]),
        IidMode::Rfc7668,
    ),
    (
        DeviceAddress::public([0, 0x1b, 0xdc, 0, 0, 2]),
        IidMode::Legacy,
    ),
];
/// More octets than a packet has, so that each passes in one frame.
const MPS: u16 = 1400;

#[test]
fn tshark_restores_the_packets_that_we_compressed() {
    let packets = packets();
    for (half, (node, mode)) in packets.chunks(500).zip(NODES) {
        let restored = restored_by_tshark(half, node, mode);
        assert_eq!(restored.len(), half.len(), "{mode:?}");
        for (restored, packet) in restored.iter().zip(half) {
            assert_eq!(
                HEXLOWER.encode(restored),
                HEXLOWER.encode(packet),
                "{mode:?}"
            );
        }
    }
}

#[test]
fn we_restore_the_packets_that_scapy_compressed() {
    let packets = packets();
    let payloads = compressed_by_scapy(&packets);
    assert_eq!(payloads.len(), packets.len());
    let mut forms: BTreeSet<[u8; 2]> = BTreeSet::new();
    for (number, (packet, payload)) in packets.iter().zip(&payloads).enumerate() {
        let link = Link::new(ROUTER, NODES[0].0, NODES[0].1);
        let restored = iphc::decompress(payload, &link, &contexts());
        assert_eq!(
            restored.as_deref().map(|packet| HEXLOWER.encode(packet)),
            Ok(HEXLOWER.encode(packet)),
            "{number}: {}",
            HEXLOWER.encode(payload)
        );
        forms.extend(payload.first_chunk());
    }
    assert!(forms.len() > 300, "{} forms", forms.len());
}

/// 1,000 packets, always the same.
fn packets() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    // What is behind an extension header after which there is no next one is to be passed on
    // (RFC 8200 section 4.7); tshark 4.0 drops it.
    let content = content().prop_filter("no next header", |(protocol, _)| *protocol != 59);
    let packets = packet_around(content);
    std::iter::repeat_with(|| packets.new_tree(&mut runner).unwrap().current())
        .filter(|packet| packet.len() <= MTU)
        .take(1000)
        .collect()
}

/// All prefixes of which packets are often made.
fn contexts() -> Contexts {
    let mut contexts = Contexts::default();
    for (id, (prefix, length)) in (0..).zip(PREFIXES) {
        let context = Context::new(prefix.parse().unwrap(), length, true).unwrap();
        contexts.set(ContextId::new(id).unwrap(), context);
    }
    contexts
}

/// `packets` as they pass between a router and `node` by turns, and leave the air again.
fn restored_by_tshark(packets: &[Vec<u8>], node: DeviceAddress, mode: IidMode) -> Vec<Vec<u8>> {
    let contexts = contexts();
    let mut air = Air::open(ROUTER, node, MPS);
    for (number, packet) in packets.iter().enumerate() {
        let (from, own, peer) = match number % 2 {
            0 => (End::Router, ROUTER, node),
            _ => (End::Node, node, ROUTER),
        };
        let next_headers = NextHeaders {
            udp: number % 3 != 0,
            extensions: number % 5 != 0,
        };
        let link = Link::new(own, peer, mode);
        let payload = iphc::compress(packet, &link, &contexts, next_headers).unwrap();
        air.send(from, &payload);
    }
    let mut settings = vec![
        "ipv6.defragment:FALSE".to_owned(),
        format!(
            "6lowpan.iid_has_universal_local_bit:{}",
            mode == IidMode::Legacy
        ),
    ];
    for (id, context) in contexts.iter() {
        let (id, prefix, length) = (id.get(), context.prefix(), context.length());
        settings.push(format!("6lowpan.context{id}:{prefix}/{length}"));
    }
    let mut arguments = vec!["-Y", "6lowpan", "-x"];
    arguments.extend(settings.iter().flat_map(|setting| ["-o", setting]));
    let read = tshark("independent.pcap", &air.lost(), &arguments);
    read.split("\n\n")
        .filter(|frame| !frame.is_empty())
        .map(last_packet)
        .collect()
}

/// `packets` as scapy compressed them.
fn compressed_by_scapy(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let iid = |device| HEXLOWER.encode(&Iid::of_device(device, IidMode::Rfc7668).0);
    let contexts = contexts();
    let question = json!({
        "contexts": contexts
            .iter()
            .map(|(id, context)| json!([id.get(), context.prefix(), context.length()]))
            .collect::<Vec<_>>(),
        "source_iid": iid(NODES[0].0),
        "destination_iid": iid(ROUTER),
        "packets": packets.iter().map(|packet| HEXLOWER.encode(packet)).collect::<Vec<_>>(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent.py");
    // Debian's own has Debian's scapy, whatever other python3 comes first.
    let mut python = Command::new("/usr/bin/python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is not there; run ./prepare");
    // All is read before anything is written.
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(question.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "scapy is not there, or failed; run ./prepare"
    );
    let payloads: Vec<Hex> = serde_json::from_slice(&output.stdout).unwrap();
    payloads.into_iter().map(|Hex(payload)| payload).collect()
}

/// The last packet in the dumps of a frame; those that are in that one come before.
fn last_packet(frame: &str) -> Vec<u8> {
    let (_, dump) = frame
        .rsplit_once("Decompressed 6LoWPAN IPHC")
        .unwrap_or_else(|| panic!("no packet in {frame}"));
    dump.lines()
        .skip(1)
        .take_while(|line| line.get(4..6) == Some("  "))
        .flat_map(|line| line.get(6..53).unwrap_or_default().split_whitespace())
        .map(|octet| u8::from_str_radix(octet, 16).unwrap())
        .collect()
}
