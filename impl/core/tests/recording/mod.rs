//! Recorded meta connections, and one of our connections in the place of either end.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use data_encoding::HEXLOWER;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rand_core::{TryCryptoRng, TryRng};
use serde::Deserialize;
use v6router_core::crypto::algorithm::{Digest, PacketCipher, PacketSpec, StreamCipher};
use v6router_core::crypto::rsa::PrivateKey;
use v6router_core::meta::{Connection, Event, Identity, PeerTerms};
use v6router_core::options::Options;
use v6router_core::wire::request::Request;

use crate::cuts::pieces;

#[derive(Deserialize)]
pub(crate) struct Recording {
    role_of_client: String,
    client_name: String,
    daemon_name: String,
    client_rsa_private_key_pem: String,
    daemon_rsa_private_key_pem: String,
    pub(crate) metakey_received: MetaKey,
    pub(crate) metakey_sent: MetaKey,
    challenge_sent_hex: String,
    challenge_received_hex: String,
    ack_received: String,
    ack_sent: String,
    pub(crate) meta_log: Vec<Logged>,
    pub(crate) stream_from_daemon: Stream,
    pub(crate) stream_to_daemon: Stream,
    packet_frames: Frames,
}

#[derive(Deserialize)]
pub(crate) struct MetaKey {
    pub(crate) line: String,
    pub(crate) plaintext_hex: String,
    pub(crate) cipher_nid: i32,
    pub(crate) key_hex: String,
    pub(crate) iv_hex: String,
}

#[derive(Deserialize)]
pub(crate) struct Logged {
    direction: String,
    pub(crate) line: String,
}

#[derive(Deserialize)]
pub(crate) struct Stream {
    pub(crate) ciphertext_hex: String,
    pub(crate) plaintext_hex: String,
}

#[derive(Deserialize)]
struct Frames {
    to_daemon_hex: String,
    from_daemon_hex: String,
}

pub(crate) fn recordings() -> Vec<Recording> {
    [
        include_str!("../vectors/handshake-initiator-meta421-421.json"),
        include_str!("../vectors/handshake-initiator-meta425-425.json"),
        include_str!("../vectors/handshake-initiator-meta429-428.json"),
        include_str!("../vectors/handshake-initiator-meta429-429.json"),
        include_str!("../vectors/handshake-responder-default.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the vector file is well-formed"))
    .into()
}

/// Which end we play.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Daemon,
}

pub(crate) const CLIENT: End = End::Client;
pub(crate) const DAEMON: End = End::Daemon;

impl End {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Daemon,
            Self::Daemon => Self::Client,
        }
    }

    fn name(self, recording: &Recording) -> &str {
        match self {
            Self::Client => &recording.client_name,
            Self::Daemon => &recording.daemon_name,
        }
    }

    pub(crate) fn pem(self, recording: &Recording) -> &str {
        match self {
            Self::Client => &recording.client_rsa_private_key_pem,
            Self::Daemon => &recording.daemon_rsa_private_key_pem,
        }
    }

    /// The METAKEY that this end sent.
    pub(crate) fn meta_key(self, recording: &Recording) -> &MetaKey {
        match self {
            Self::Client => &recording.metakey_sent,
            Self::Daemon => &recording.metakey_received,
        }
    }

    fn challenge(self, recording: &Recording) -> &str {
        match self {
            Self::Client => &recording.challenge_sent_hex,
            Self::Daemon => &recording.challenge_received_hex,
        }
    }

    fn ack(self, recording: &Recording) -> &str {
        match self {
            Self::Client => &recording.ack_sent,
            Self::Daemon => &recording.ack_received,
        }
    }

    /// All lines that this end sent.
    fn lines(self, recording: &Recording) -> Vec<&str> {
        let direction = match self {
            Self::Client => "client->daemon",
            Self::Daemon => "daemon->client",
        };
        let log = recording.meta_log.iter();
        log.filter(|entry| entry.direction == direction)
            .map(|entry| entry.line.as_str())
            .collect()
    }

    /// The lines that this end sent once the handshake was over; of a PACKET the first line only.
    fn lines_when_active(self, recording: &Recording) -> Vec<&str> {
        let mut lines = self.lines(recording);
        let ack = lines.iter().position(|line| line.starts_with("4 "));
        lines.split_off(ack.expect("an ACK") + 1)
    }

    /// The requests that the other end sent once the handshake was over.
    pub(crate) fn lines_of_the_other(self, recording: &Recording) -> Vec<String> {
        let lines = self.other().lines_when_active(recording).into_iter();
        lines
            .filter(|line| !line.starts_with("17 "))
            .map(str::to_owned)
            .collect()
    }

    fn frame(self, recording: &Recording) -> Vec<u8> {
        decode(match self {
            Self::Client => &recording.packet_frames.to_daemon_hex,
            Self::Daemon => &recording.packet_frames.from_daemon_hex,
        })
    }

    /// The frame that the other end sent by PACKET.
    pub(crate) fn frame_from_the_other(self, recording: &Recording) -> Vec<u8> {
        self.other().frame(recording)
    }

    /// Everything that this end sent: ID and METAKEY in clear, the rest as the recorded stream.
    pub(crate) fn bytes_sent(self, recording: &Recording) -> Vec<u8> {
        let stream = match self {
            Self::Client => &recording.stream_to_daemon,
            Self::Daemon => &recording.stream_from_daemon,
        };
        let id = self.lines(recording)[0];
        let mut bytes = format!("{id}\n{}\n", self.meta_key(recording).line).into_bytes();
        bytes.extend(decode(&stream.ciphertext_hex));
        bytes
    }
}

/// Our connection in the place of one end.
pub(crate) struct Replay {
    connection: Connection,
    terms: Option<PeerTerms>,
    rng: Scripted,
    now: Instant,
    input: Vec<u8>,
    /// What to say once the handshake is over.
    to_say: Vec<Vec<u8>>,
    frame: Vec<u8>,
    /// Everything it sent.
    pub(crate) sent: Vec<u8>,
    /// Every request it was told once the handshake was over.
    pub(crate) lines: Vec<String>,
    /// Every frame it was told.
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Replay {
    pub(crate) fn new(recording: &Recording, end: End) -> Self {
        let key = PrivateKey::from_pem(end.pem(recording)).expect("a key");
        let peer = PrivateKey::from_pem(end.other().pem(recording)).expect("a key");
        let Ok(Request::Ack(ack)) = Request::parse(end.ack(recording).as_bytes()) else {
            panic!("{}", end.ack(recording));
        };
        let ours = Arc::new(Identity {
            name: end.name(recording).parse().expect("a name"),
            private_key: key,
            packet: packet_spec(end.meta_key(recording).cipher_nid),
            bypass_security: false,
        });
        let now = Instant::now();
        let we_dialled = (recording.role_of_client == "initiator") == (end == End::Client);
        let connection = if we_dialled {
            let expect = end.other().name(recording).parse().expect("a name");
            Connection::new_initiator(&ours, expect, now)
        } else {
            Connection::new_responder(&ours, now)
        };
        let blocks = [
            &end.meta_key(recording).plaintext_hex,
            end.challenge(recording),
        ];
        Self {
            connection,
            rng: Scripted {
                len: peer.public().size(),
                blocks: blocks.map(decode).into(),
                other: StdRng::seed_from_u64(0),
            },
            terms: Some(PeerTerms {
                public_key: peer.public().clone(),
                options: Options(ack.options.0),
                weight: Some(ack.weight),
                port: ack.port,
            }),
            now,
            input: end.other().bytes_sent(recording),
            to_say: end
                .lines_when_active(recording)
                .into_iter()
                .map(|line| line.as_bytes().to_vec())
                .collect(),
            frame: end.frame(recording),
            sent: Vec::new(),
            lines: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// Takes what the other end sent in pieces, and then says what our end said.
    pub(crate) fn receive_in_pieces(&mut self, cuts: &[usize]) {
        let input = std::mem::take(&mut self.input);
        for piece in pieces(input.len(), cuts) {
            self.connection.receive(&input[piece]).expect("room for it");
            self.poll();
        }
        for line in std::mem::take(&mut self.to_say) {
            if line.starts_with(b"17 ") {
                self.connection.send_packet(&self.frame);
            } else {
                self.connection.send_line(&line);
            }
        }
        self.sent
            .extend(self.connection.take_output().unwrap_or_default());
    }

    fn poll(&mut self) {
        loop {
            let event = self.connection.poll(self.now, &mut self.rng);
            self.sent
                .extend(self.connection.take_output().unwrap_or_default());
            match event.expect("the recording is taken") {
                Some(Event::Identified(_)) => {
                    self.connection.accept(self.terms.take().expect("one ID"));
                }
                Some(Event::Active { .. }) => {}
                Some(Event::Request { request, line }) => {
                    let line = String::from_utf8(line.to_vec()).expect("text");
                    assert_eq!(request.to_string(), line);
                    self.lines.push(line);
                }
                Some(Event::Packet(frame)) => self.frames.push(frame),
                None => return,
            }
        }
    }
}

/// The packet cipher that goes with a meta cipher; AES-256 for those that we would not announce.
fn packet_spec(meta_cipher: i32) -> PacketSpec {
    let announced = StreamCipher::from_number(meta_cipher);
    let cipher = ["aes-128-cbc", "aes-192-cbc"]
        .map(|name| PacketCipher::from_name(name).expect("a cipher we have"))
        .into_iter()
        .find(|cipher| Some(StreamCipher::matching(*cipher)) == announced)
        .unwrap_or_default();
    PacketSpec::new(cipher, Digest::default(), 4, 0).expect("a choice we have")
}

fn decode(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).expect("hex")
}

/// Random numbers as recorded: blocks as long as the peer's modulus are the session key and the
/// challenge. Everything else (blinding) does not show.
struct Scripted {
    len: usize,
    blocks: VecDeque<Vec<u8>>,
    other: StdRng,
}

impl TryRng for Scripted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.other.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.other.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        if bytes.len() == self.len {
            bytes.copy_from_slice(&self.blocks.pop_front().expect("two blocks are asked for"));
        } else {
            self.other.fill_bytes(bytes);
        }
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}
