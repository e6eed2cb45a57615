//! Packets of tincd 1.0.36 open, and ours are the same bytes. How the vectors were taken is told
//! beside them.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use v6router_core::crypto::algorithm::{Digest, PacketCipher, PacketSpec};
use v6router_core::crypto::packet::{KeyError, Opener, PacketKey, Sealer};
use v6router_core::wire::request::{AnsKey, Request};

#[derive(Deserialize)]
struct Case {
    case: String,
    ans_key_from_daemon: String,
    ans_key_to_daemon: String,
    packets_from_daemon: Vec<Packet>,
    packets_to_daemon: Vec<Packet>,
}

#[derive(Deserialize)]
struct Packet {
    label: String,
    datagram_hex: String,
    seqno: u32,
    frame_hex: String,
}

#[derive(Deserialize)]
struct Algorithms {
    frames: Vec<String>,
    cases: Vec<Algorithm>,
}

#[derive(Deserialize)]
struct Algorithm {
    case: String,
    ans_key: String,
    datagrams: Vec<String>,
}

#[derive(Deserialize)]
struct Unsupported {
    keys: Vec<UnsupportedKey>,
}

#[derive(Deserialize)]
struct UnsupportedKey {
    case: String,
    ans_key: String,
}

fn cases() -> Vec<Case> {
    [
        include_str!("vectors/udp-default-aes256cbc-sha256-mac4.json"),
        include_str!("vectors/udp-aes128cbc-sha256-mac4.json"),
        include_str!("vectors/udp-aes192cbc-sha512-mac64.json"),
        include_str!("vectors/udp-aes256cbc-none.json"),
        include_str!("vectors/udp-aes256cbc-sha256-mac0.json"),
        include_str!("vectors/udp-aes256cbc-sha256-mac10.json"),
        include_str!("vectors/udp-aes256cbc-sha256-mac32.json"),
        include_str!("vectors/udp-blowfish-sha1-mac4.json"),
        include_str!("vectors/udp-blowfish-sha1-mac20.json"),
        include_str!("vectors/udp-compression-1.json"),
        include_str!("vectors/udp-compression-9.json"),
        include_str!("vectors/udp-compression-10.json"),
        include_str!("vectors/udp-compression-11.json"),
        include_str!("vectors/udp-none-none.json"),
        include_str!("vectors/udp-none-sha256-mac4.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the vector file is well-formed"))
    .into()
}

fn answer(line: &str) -> AnsKey {
    match Request::parse(line.as_bytes()) {
        Ok(Request::AnsKey(answer)) => answer,
        other => panic!("{line}: {other:?}"),
    }
}

/// The key as somebody takes it who does not mind packets that anybody can read and forge.
fn taken(answer: &AnsKey) -> Result<PacketKey, KeyError> {
    let open = PacketSpec::new(PacketCipher::None, Digest::None, 0, 0).expect("a choice");
    PacketKey::from_ans_key(answer, open)
}

/// Each datagram with the key that its receiver chose.
fn datagrams(case: &Case) -> Vec<(PacketKey, &Packet)> {
    let key = |line: &str| taken(&answer(line)).expect("a key we support");
    let from = case.packets_from_daemon.iter();
    let to = case.packets_to_daemon.iter();
    from.map(|packet| (key(&case.ans_key_to_daemon), packet))
        .chain(to.map(|packet| (key(&case.ans_key_from_daemon), packet)))
        .collect()
}

fn opened(key: &PacketKey, datagram: &mut [u8]) -> (u32, Vec<u8>) {
    let opener = Opener::new(key);
    let (seqno, body) = opener.open(datagram).expect("an authentic datagram");
    let mut room = Vec::new();
    let frame = opener.expand(body, &mut room).expect("a whole frame");
    (seqno, frame.to_vec())
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).expect("hex")
}

#[test]
fn every_datagram_opens_to_its_number_and_frame() {
    for case in cases() {
        for (key, packet) in datagrams(&case) {
            let mut datagram = bytes(&packet.datagram_hex);
            let (seqno, frame) = opened(&key, &mut datagram);
            assert_eq!(seqno, packet.seqno, "{} {}", case.case, packet.label);
            assert_eq!(frame, bytes(&packet.frame_hex), "{}", case.case);
        }
    }
}

#[test]
fn every_frame_seals_to_the_same_datagram() {
    for case in cases() {
        for (key, packet) in datagrams(&case) {
            let mut datagram = Vec::new();
            let frame = bytes(&packet.frame_hex);
            Sealer::new(&key).seal(packet.seqno, &frame, &mut datagram);
            if key.spec().compression().level() > 0 {
                // Encoders may choose differently; what comes out must be the same.
                assert_eq!(opened(&key, &mut datagram), (packet.seqno, frame));
                continue;
            }
            assert_eq!(
                HEXLOWER.encode(&datagram),
                packet.datagram_hex,
                "{} {}",
                case.case,
                packet.label
            );
        }
    }
}

#[test]
fn a_key_is_announced_in_the_line_it_was_read_from() {
    for case in cases() {
        for line in [&case.ans_key_from_daemon, &case.ans_key_to_daemon] {
            let heard = answer(line);
            let key = taken(&heard).expect("a key we support");
            let told = Request::AnsKey(key.announce(heard.from, heard.to));
            assert_eq!(told.to_string(), *line);
        }
    }
}

/// Every cipher and digest that tincd carries packets with, and we too.
#[test]
fn every_algorithm_seals_to_the_bytes_of_tincd() {
    let file = include_str!("vectors/udp-algorithms.json");
    let algorithms: Algorithms = serde_json::from_str(file).expect("well-formed");
    let mut seen = BTreeSet::new();
    for case in &algorithms.cases {
        let key = taken(&answer(&case.ans_key)).expect("a key we support");
        seen.insert(key.spec().cipher().to_string());
        seen.insert(key.spec().digest().to_string());
        assert_eq!(case.datagrams.len(), algorithms.frames.len());
        for (datagram, frame) in case.datagrams.iter().zip(&algorithms.frames) {
            let (seqno, got) = opened(&key, &mut bytes(datagram));
            assert_eq!(HEXLOWER.encode(&got), *frame, "{}", case.case);
            let mut ours = Vec::new();
            Sealer::new(&key).seal(seqno, &got, &mut ours);
            assert_eq!(HEXLOWER.encode(&ours), *datagram, "{}", case.case);
        }
    }
    // tincd has Blowfish only with OpenSSL's legacy provider; it has vectors of its own.
    let ciphers = PacketCipher::all().map(|cipher| cipher.to_string());
    let digests = Digest::all().map(|digest| digest.to_string());
    let missing: Vec<String> = ciphers
        .chain(digests)
        .filter(|name| !seen.contains(name) && !name.starts_with("bf-") && name != "none")
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn algorithms_we_do_not_have_are_refused_by_name() {
    let file = include_str!("vectors/ans-key-unsupported.json");
    let unsupported: Unsupported = serde_json::from_str(file).expect("well-formed");
    assert_eq!(unsupported.keys.len(), 10);
    for UnsupportedKey { case, ans_key } in unsupported.keys {
        let Err(error) = taken(&answer(&ans_key)) else {
            panic!("{case} is taken");
        };
        let (cipher, digest) = (answer(&ans_key).cipher, answer(&ans_key).digest);
        let expected = match cipher {
            427 => KeyError::Digest { found: digest },
            _ => KeyError::Cipher { found: cipher },
        };
        assert_eq!(error, expected, "{case}");
    }
}

/// A man in the middle can flip bits of the meta stream (CVE-2018-16758).
#[test]
fn a_real_key_whose_numbers_were_tampered_with_is_refused() {
    let line = cases().remove(0).ans_key_from_daemon;
    for (from, to) in [
        (" 427 672 4 0", " 0 672 4 0"),
        (" 427 672 4 0", " 419 672 4 0"),
        (" 427 672 4 0", " 427 257 4 0"),
        (" 427 672 4 0", " 427 672 33 0"),
        (" 427 672 4 0", " 427 672 -1 0"),
        (" 427 672 4 0", " 427 672 4 12"),
        (" 427 672 4 0", " 427 672 4 -1"),
    ] {
        let tampered = line.replace(from, to);
        assert_ne!(tampered, line);
        assert!(taken(&answer(&tampered)).is_err(), "{tampered}");
    }
}
