//! Ends of meta connections: ours, wired to one another or to a peer played by hand.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use data_encoding::HEXUPPER;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use v6router_core::crypto::algorithm::{PacketCipher, PacketSpec, StreamCipher};
use v6router_core::crypto::rsa::PrivateKey;
use v6router_core::crypto::stream::MetaCipher;
use v6router_core::meta::{Connection, Event, Identity, MetaError, PeerTerms};
use v6router_core::name::NodeName;
use v6router_core::options::Options;
use v6router_core::wire::request::Request;

use crate::cuts::pieces;

/// How long after it began a handshake of these tests is looked at; becomes the weight.
pub(crate) const TAKES: Duration = Duration::from_millis(40);

pub(crate) fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

pub(crate) fn ping(line: &[u8]) -> Event {
    Event::Request {
        request: Request::Ping,
        line: line.to_vec().into(),
    }
}

/// A key of that size; the same for the same number, so that few have to be made.
pub(crate) fn key(bits: usize, number: usize) -> PrivateKey {
    static KEYS: OnceLock<Vec<(usize, usize, PrivateKey)>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let mut rng = StdRng::seed_from_u64(11);
        [
            (512, 0),
            (512, 1),
            (1024, 0),
            (1024, 1),
            (2048, 0),
            (2048, 1),
        ]
        .map(|(bits, number)| {
            let key = PrivateKey::generate(&mut rng, bits).expect("a key");
            (bits, number, key)
        })
        .into()
    });
    let found = keys.iter().find(|(b, n, _)| (*b, *n) == (bits, number));
    found.expect("a size in the table").2.clone()
}

pub(crate) fn identity(own: &str, key: PrivateKey) -> Identity {
    Identity {
        name: name(own),
        private_key: key,
        packet: PacketSpec::default(),
        bypass_security: false,
    }
}

fn terms(peer: &PrivateKey) -> PeerTerms {
    PeerTerms {
        public_key: peer.public().clone(),
        options: Options(0xc),
        weight: None,
        port: 655.into(),
    }
}

/// One of our connections, whose owner accepts whoever it is and notes what happens.
pub(crate) struct End {
    pub(crate) conn: Connection,
    peer: PrivateKey,
    /// The only node there is a host file of; `None` for one of everybody.
    pub(crate) knows: Option<NodeName>,
    pub(crate) started: Instant,
    pub(crate) rng: StdRng,
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<MetaError>,
}

impl End {
    /// We dial `expect`.
    pub(crate) fn initiator(ours: Identity, expect: &str, peer: PrivateKey) -> Self {
        let started = Instant::now();
        let conn = Connection::new_initiator(&Arc::new(ours), name(expect), started);
        Self::new(conn, peer, started, 1)
    }

    /// We are dialled.
    pub(crate) fn responder(ours: Identity, peer: PrivateKey) -> Self {
        let started = Instant::now();
        let conn = Connection::new_responder(&Arc::new(ours), started);
        Self::new(conn, peer, started, 2)
    }

    fn new(conn: Connection, peer: PrivateKey, started: Instant, seed: u64) -> Self {
        Self {
            conn,
            peer,
            knows: None,
            started,
            rng: StdRng::seed_from_u64(seed),
            events: Vec::new(),
            error: None,
        }
    }

    /// Takes bytes and notes what follows, up to the first error.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.try_take(bytes).err();
        }
    }

    pub(crate) fn try_take(&mut self, bytes: &[u8]) -> Result<(), MetaError> {
        self.conn.receive(bytes)?;
        while let Some(event) = self.conn.poll(self.started + TAKES, &mut self.rng)? {
            if let Event::Identified(name) = &event
                && self.knows.as_ref().is_none_or(|known| known == name)
            {
                self.conn.accept(terms(&self.peer));
            }
            self.events.push(event);
        }
        Ok(())
    }

    pub(crate) fn output(&mut self) -> Vec<u8> {
        self.conn.take_output().unwrap_or_default()
    }

    pub(crate) fn is_active(&self) -> bool {
        let active = |event: &Event| matches!(event, Event::Active { .. });
        self.events.iter().any(active)
    }
}

/// Carries bytes between two ends until nothing moves; returns what the first and the second
/// sent.
pub(crate) fn wire(one: &mut End, other: &mut End, cuts: &[usize]) -> [Vec<u8>; 2] {
    let mut sent = [Vec::new(), Vec::new()];
    loop {
        let (there, back) = (one.output(), other.output());
        if there.is_empty() && back.is_empty() {
            return sent;
        }
        for piece in pieces(there.len(), cuts) {
            other.take(&there[piece]);
        }
        for piece in pieces(back.len(), cuts) {
            one.take(&back[piece]);
        }
        sent[0].extend(there);
        sent[1].extend(back);
    }
}

/// What is due from a peer during the handshake, in this order.
pub(crate) const HANDSHAKE: [u8; 5] = [0, 1, 2, 3, 4];

/// A peer named `hand` that says what a test wants it to say to `our` end.
pub(crate) struct Hand {
    pub(crate) our: End,
    key: PrivateKey,
    our_key: PrivateKey,
    encrypt: Option<MetaCipher>,
    decrypt: Option<MetaCipher>,
    heard: Vec<u8>,
    /// The numbers of all requests that our end said.
    pub(crate) numbers: Vec<u8>,
    /// The challenge of our end.
    challenge: Option<Vec<u8>>,
    rng: StdRng,
}

impl Hand {
    /// The hand dials us.
    pub(crate) fn dials() -> Self {
        let (our_key, key) = (key(1024, 0), key(1024, 1));
        let our = End::responder(identity("alice", our_key.clone()), key.clone());
        Self::new(our, our_key, key)
    }

    /// We dial the hand.
    pub(crate) fn is_dialled() -> Self {
        let (our_key, key) = (key(1024, 0), key(1024, 1));
        let our = End::initiator(identity("alice", our_key.clone()), "hand", key.clone());
        Self::new(our, our_key, key)
    }

    fn new(our: End, our_key: PrivateKey, key: PrivateKey) -> Self {
        Self {
            our,
            key,
            our_key,
            encrypt: None,
            decrypt: None,
            heard: Vec::new(),
            numbers: Vec::new(),
            challenge: None,
            rng: StdRng::seed_from_u64(3),
        }
    }

    /// Both kinds of connection, each with the handshake done up to where `due` is due; 5 is
    /// beyond its end.
    pub(crate) fn both(due: u8) -> [Self; 2] {
        [Self::dials(), Self::is_dialled()].map(|mut hand| {
            for number in 0..due {
                hand.say_right(number).expect("a right handshake goes on");
            }
            assert_eq!(hand.our.is_active(), due == 5);
            hand
        })
    }

    /// Says bytes, encrypted if the hand has told its key.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) -> Result<(), MetaError> {
        let mut bytes = bytes.to_vec();
        if let Some(cipher) = &mut self.encrypt {
            cipher.apply(&mut bytes).expect("within its budget");
        }
        let result = self.our.try_take(&bytes);
        self.hear();
        result
    }

    pub(crate) fn say(&mut self, line: &str) -> Result<(), MetaError> {
        self.say_bytes(format!("{line}\n").as_bytes())
    }

    /// Says a METAKEY with these numbers and a key that fits our modulus, and encrypts from
    /// then on as if the cipher were the usual one.
    pub(crate) fn say_meta_key(&mut self, numbers: &str) -> Result<(), MetaError> {
        let mut block = vec![0; self.our_key.public().size()];
        self.rng.fill_bytes(&mut block);
        block[0] &= 0x7f;
        let secret = self
            .our_key
            .public()
            .encrypt_block(&block)
            .expect("a block");
        let result = self.say(&format!("1 {numbers} {}", HEXUPPER.encode(&secret)));
        self.encrypt = MetaCipher::encryptor(usual(), &block).ok();
        result
    }

    /// Says the right thing where request `number` is due.
    pub(crate) fn say_right(&mut self, number: u8) -> Result<(), MetaError> {
        match number {
            1 => self.say_meta_key("429 672 0 0"),
            _ => self.say(&self.right(number)),
        }
    }

    /// A line of that number which would be right in its place, METAKEY excepted.
    pub(crate) fn right(&self, number: u8) -> String {
        match number {
            0 => "0 hand 17".to_owned(),
            1 | 2 => {
                let numbers = if number == 1 { " 429 672 0 0" } else { "" };
                format!(
                    "{number}{numbers} {}",
                    "5A".repeat(self.our_key.public().size())
                )
            }
            3 => {
                let challenge = self.challenge.clone().unwrap_or_default();
                format!("3 {}", HEXUPPER.encode(&Sha256::digest(challenge)))
            }
            4 => "4 655 1 c".to_owned(),
            8 | 9 => number.to_string(),
            10 | 11 => format!("{number} 1 hand 10.0.0.0/8"),
            12 => "12 1 hand alice 192.0.2.1 655 c 5".to_owned(),
            13 => "13 1 hand alice".to_owned(),
            14 => "14 1 hand".to_owned(),
            15 => "15 hand alice".to_owned(),
            16 => "16 hand alice 00 0 0 0 0".to_owned(),
            17 => "17 0".to_owned(),
            _ => format!("{number} what"),
        }
    }

    fn hear(&mut self) {
        let mut bytes = self.our.output();
        if let Some(cipher) = &mut self.decrypt {
            cipher.apply(&mut bytes).expect("within its budget");
        }
        self.heard.extend(bytes);
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let request = Request::parse(&line[..end]).expect("our end says requests");
            self.numbers.push(request.number());
            match request {
                Request::MetaKey(told) => {
                    let block = self.key.decrypt_block(&told.key, &mut self.rng);
                    let cipher = StreamCipher::from_number(told.cipher).expect("a cipher");
                    let block = block.expect("a block for our key");
                    let mut cipher = MetaCipher::decryptor(cipher, &block).expect("enough of it");
                    cipher.apply(&mut self.heard).expect("within its budget");
                    self.decrypt = Some(cipher);
                }
                Request::Challenge(challenge) => self.challenge = Some(challenge),
                _ => {}
            }
        }
    }
}

/// The meta cipher that goes with the default of packets.
fn usual() -> StreamCipher {
    StreamCipher::matching(PacketCipher::default())
}
