//! What a neighbour says, and how it is made from a seed.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The neighbour who speaks, and the one who listens.
pub(crate) const TALKER: &str = "talker";
pub(crate) const WATCHER: &str = "watcher";

/// How hardware addresses in scripts begin.
pub(crate) const FAR_MAC: &str = "2:76:36:0:0";

/// What one neighbour says, in order.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Each with its line feed, and with a packet's bytes behind its line.
    pub(crate) says: Vec<Vec<u8>>,
    /// The nonces in it; all others are the daemon's.
    pub(crate) nonces: HashSet<String>,
    /// Where in the handshake it is said, in place of what is due; after it, if there is no such place.
    pub(crate) in_handshake: Option<u8>,
    /// The numbers of a METAKEY that is right otherwise.
    pub(crate) meta_key: Option<&'static str>,
    /// What it was made from.
    pub(crate) seed: u64,
}

/// A script in the making.
pub(crate) struct Writer {
    pub(crate) rng: StdRng,
    pub(crate) script: Script,
}

impl Writer {
    /// Nothing is said yet; the same seed says the same.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            script: Script {
                says: Vec::new(),
                nonces: HashSet::new(),
                in_handshake: None,
                meta_key: None,
                seed,
            },
        }
    }

    pub(crate) fn say(&mut self, line: impl AsRef<[u8]>) {
        self.script.says.push([line.as_ref(), b"\n"].concat());
    }

    pub(crate) fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.rng.random_range(0..all.len())]
    }

    pub(crate) fn nonce(&mut self) -> String {
        let nonce = format!("{:x}", self.rng.random::<u32>());
        self.script.nonces.insert(nonce.clone());
        nonce
    }

    /// A node beyond the one who speaks. Each script has its own, should a daemon remember any.
    pub(crate) fn far(&mut self) -> String {
        let letter = self.one_of(&["a", "b", "c", "d"]);
        format!("n{}{letter}", self.script.seed)
    }

    /// Any node but the daemon itself.
    pub(crate) fn other(&mut self) -> String {
        match self.rng.random_range(0..8) {
            0 => TALKER.to_owned(),
            1 => WATCHER.to_owned(),
            _ => self.far(),
        }
    }

    pub(crate) fn address(&mut self) -> String {
        let n: u8 = self.rng.random();
        match self.rng.random_range(0..4) {
            0 => format!("2001:db8:9::{n:x}"),
            _ => format!("192.0.2.{n}"),
        }
    }

    pub(crate) fn edge(&mut self, from: &str, to: &str) -> String {
        let options = self.one_of(&["c", "c", "d", "0", "8", "f", "700000c", "1000009"]);
        let port = self.one_of(&["655", "1655", "1"]);
        let weight = self.one_of(&["5", "0", "1000", "17", "-3"]);
        let address = self.address();
        let nonce = self.nonce();
        format!("12 {nonce} {from} {to} {address} {port} {options} {weight}")
    }

    pub(crate) fn subnet(&mut self) -> String {
        let n: u8 = self.rng.random();
        let weight = self.one_of(&["", "", "#5", "#10", "#-1"]);
        let subnet = match self.rng.random_range(0..5) {
            0 => format!("{FAR_MAC}:{n:x}"),
            1 => format!("2001:db8:{n:x}::/48"),
            2 => format!("10.{n}.0.0/16"),
            3 => format!("10.1.2.{n}"),
            // Host bits, which are forwarded as they are.
            _ => format!("10.{n}.3.4/8"),
        };
        format!("{subnet}{weight}")
    }

    /// Both edges between the one who speaks and a far node, which can be reached then.
    pub(crate) fn attach(&mut self, far: &str) {
        for (from, to) in [(TALKER, far), (far, TALKER)] {
            let edge = self.edge(from, to);
            self.say(edge);
        }
    }

    /// A line of each kind that a neighbour may say, about others.
    pub(crate) fn some_line(&mut self) -> String {
        let (from, to, nonce) = (self.far(), self.other(), self.nonce());
        match self.rng.random_range(0..7) {
            0 | 1 if from != to => self.edge(&from, &to),
            2 => format!("13 {nonce} {from} {to}"),
            3 => format!("11 {nonce} {from} {}", self.subnet()),
            4 => format!("14 {nonce} {from}"),
            5 => format!("15 {from} {to}"),
            _ => format!("10 {nonce} {from} {}", self.subnet()),
        }
    }
}
