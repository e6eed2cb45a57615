//! The vectors of compressed packets: both directions, and payloads that have to be refused.

#[path = "support/hex.rs"]
mod hex;
#[path = "support/link.rs"]
mod link;

use std::net::Ipv6Addr;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iphc::{self, DecompressError, Field, NextHeaders};

use hex::Hex;
use link::link;

#[derive(Deserialize)]
struct File<V> {
    vectors: Vec<V>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    l2_src: String,
    l2_dst: String,
    contexts: Vec<FileContext>,
    iphc: Hex,
    ipv6: Hex,
    canonical: bool,
}

/// A context as the files have it.
#[derive(Deserialize)]
struct FileContext {
    cid: u8,
    prefix: String,
    compress: bool,
}

/// The contexts that a file lists.
fn contexts(listed: &[FileContext]) -> Contexts {
    let mut contexts = Contexts::default();
    for FileContext {
        cid,
        prefix,
        compress,
    } in listed
    {
        let (prefix, length) = prefix.split_once('/').unwrap();
        let prefix: Ipv6Addr = prefix.parse().unwrap();
        let context = Context::new(prefix, length.parse().unwrap(), *compress).unwrap();
        contexts.set(ContextId::new(*cid).unwrap(), context);
    }
    contexts
}

fn vectors() -> Vec<Vector> {
    let file: File<Vector> = serde_json::from_str(include_str!("vectors/iphc.json")).unwrap();
    assert_eq!(file.vectors.len(), 45);
    file.vectors
}

#[test]
fn every_payload_gives_its_packet() {
    for vector in vectors() {
        let link = link(&vector.l2_dst, &vector.l2_src);
        let packet = iphc::decompress(&vector.iphc.0, &link, &contexts(&vector.contexts));
        assert_eq!(packet, Ok(vector.ipv6.0), "{}", vector.name);
    }
}

#[test]
fn every_packet_gives_its_payload_where_that_is_the_only_right_one() {
    let mut canonical = 0;
    for vector in vectors().into_iter().filter(|vector| vector.canonical) {
        canonical += 1;
        let (link, contexts) = (
            link(&vector.l2_src, &vector.l2_dst),
            contexts(&vector.contexts),
        );
        let payload = iphc::compress(&vector.ipv6.0, &link, &contexts, NextHeaders::default());
        assert_eq!(payload, Ok(vector.iphc.0), "{}", vector.name);
    }
    assert_eq!(canonical, 39);
}

#[test]
fn extension_headers_are_compressed_on_request_and_lose_their_padding() {
    let next_headers = NextHeaders {
        extensions: true,
        ..NextHeaders::default()
    };
    for vector in vectors() {
        let expected = match vector.name.as_str() {
            "hop_by_hop_nhc_trailing_padn_elided" => vector.iphc,
            // Its options are padding and nothing else.
            "dest_opts_nhc_then_udp_nhc" => {
                Hex(HEXLOWER.decode(b"7e33e700f016331633e12c78").unwrap())
            }
            _ => continue,
        };
        let (there, back) = (
            link(&vector.l2_src, &vector.l2_dst),
            link(&vector.l2_dst, &vector.l2_src),
        );
        let contexts = contexts(&vector.contexts);
        let payload = iphc::compress(&vector.ipv6.0, &there, &contexts, next_headers).unwrap();
        assert_eq!(
            iphc::decompress(&payload, &back, &contexts),
            Ok(vector.ipv6.0)
        );
        assert_eq!(Hex(payload), expected, "{}", vector.name);
    }
}

#[derive(Deserialize)]
struct Invalid {
    l2_src: String,
    l2_dst: String,
    vectors: Vec<InvalidVector>,
}

#[derive(Deserialize)]
struct InvalidVector {
    name: String,
    iphc: Hex,
    contexts: Vec<FileContext>,
}

#[test]
fn every_invalid_payload_is_refused_for_what_is_wrong_with_it() {
    use DecompressError::*;
    let context = |id| UnknownContext(ContextId::new(id).unwrap());
    let reasons = [
        ("empty", Empty),
        ("one_octet", Truncated(Field::Base)),
        ("not_lowpan", Dispatch(0x3f)),
        ("mesh_dispatch", Dispatch(0xb1)),
        ("frag1_dispatch", Dispatch(0xc0)),
        ("hc1_dispatch", Dispatch(0x42)),
        ("esc", Truncated(Field::Source)),
        ("src_inline_truncated", Truncated(Field::Source)),
        ("ctx_unknown", context(3)),
        ("dac1_dam00_reserved", ReservedDestination(0b0100)),
        ("mcast_dac1_dam01_reserved", ReservedDestination(0b1101)),
        ("mcast_ctx_unknown", context(5)),
        ("nhc_unknown", UnknownNhc(0)),
        ("nhc_missing", Truncated(Field::Nhc)),
        ("nhc_udp_truncated", Truncated(Field::Udp)),
        ("nhc_ext_eid5_reserved", UnknownNhc(0xea)),
        ("nhc_ext_length_overrun", Truncated(Field::Extension)),
        ("tf00_truncated", Truncated(Field::TrafficClass)),
    ];
    let text = include_str!("vectors/iphc_invalid.json");
    let file: Invalid = serde_json::from_str(text).unwrap();
    let link = link(&file.l2_dst, &file.l2_src);
    let found: Vec<_> = file
        .vectors
        .iter()
        .map(|vector| {
            let contexts = contexts(&vector.contexts);
            let result = iphc::decompress(&vector.iphc.0, &link, &contexts);
            (vector.name.as_str(), result.unwrap_err())
        })
        .collect();
    assert_eq!(found, reasons);
}

#[derive(Deserialize)]
struct LinuxFile {
    l2_src: String,
    vectors: Vec<LinuxVector>,
}

#[derive(Deserialize)]
struct LinuxVector {
    peer: String,
    iphc: Hex,
    ipv6: Hex,
}

#[test]
fn what_linux_sends_gives_its_packets() {
    let file: LinuxFile = serde_json::from_str(include_str!("vectors/linux_bt0.json")).unwrap();
    assert_eq!(file.vectors.len(), 19);
    for vector in file.vectors {
        let link = link(&vector.peer, &file.l2_src);
        let packet = iphc::decompress(&vector.iphc.0, &link, &Contexts::default());
        assert_eq!(packet, Ok(vector.ipv6.0), "{:?}", vector.iphc);
    }
}
