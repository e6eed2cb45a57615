//! A node and a neighbour who says what a test wants her to.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use v6router_core::dataplane::Mode;
use v6router_core::meta::Event;
use v6router_core::node::{Backlog, ConnId, HostConfig, Input, Node, Output, Script, Settings};
use v6router_core::options::Options;

use crate::ends::{End, identity, key, name};

/// How an [`End`] of ours introduces itself as mallory.
const ID: &[u8] = b"0 mallory 17\n";

pub(crate) const CONN: ConnId = ConnId(1);
/// Of the second neighbour, if there is one.
pub(crate) const BYSTANDER: ConnId = ConnId(2);
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A node with one neighbour, mallory, who says what a test wants her to.
pub(crate) struct Siege {
    pub(crate) node: Node,
    pub(crate) mallory: End,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) now: Instant,
    pub(crate) rng: StdRng,
    /// The version in mallory's ID.
    version: &'static str,
    /// What the node wanted, except to write to her or to the bystander.
    pub(crate) outputs: Vec<Output>,
    /// A second neighbour, bob, and the bytes that wait for him.
    bystander: Option<(End, Arc<Backlog>)>,
    /// `Weight` in its host file of her, milliseconds.
    weight: Option<i32>,
}

impl Siege {
    pub(crate) fn new(options: Options) -> Self {
        Self::with(options, |_| {})
    }

    /// The same with changes to the settings of the node.
    pub(crate) fn with(options: Options, change: impl FnOnce(&mut Settings)) -> Self {
        Self::begin("17", options, None, change)
    }

    /// Mallory says in her ID that she speaks this version of the protocol.
    pub(crate) fn by(version: &'static str, options: Options) -> Self {
        Self::begin(version, options, None, |_| {})
    }

    /// The same with a weight in the node's host file of mallory, in milliseconds.
    pub(crate) fn weighed(options: Options, weight: Option<i32>) -> Self {
        Self::begin("17", options, weight, |_| {})
    }

    fn begin(
        version: &'static str,
        options: Options,
        weight: Option<i32>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (ours, theirs) = (key(1024, 0), key(1024, 1));
        let mallory = End::initiator(identity("mallory", theirs.clone()), "alice", ours.clone());
        let mut settings = Settings::plain(name("alice"), ours);
        settings.policy.mode = Mode::Switch;
        settings.options = options;
        settings.ping_timeout = PING_TIMEOUT;
        change(&mut settings);
        let mut rng = StdRng::seed_from_u64(5);
        let now = mallory.started;
        let mut siege = Self {
            node: Node::new(settings, now, &mut rng),
            mallory,
            backlog: Arc::default(),
            now,
            rng,
            version,
            outputs: Vec::new(),
            bystander: None,
            weight,
        };
        let peer = SocketAddr::from(([192, 0, 2, 66], 40_000));
        let backlog = Arc::clone(&siege.backlog);
        siege.tell(Input::Accepted {
            conn: CONN,
            peer,
            backlog,
        });
        siege.listen();
        siege.say(&["12 1 mallory alice 192.0.2.1 655 c 1"]);
        assert!(siege.mallory.is_active());
        siege.outputs.clear();
        siege
    }

    pub(crate) fn tell(&mut self, input: Input<'_>) {
        self.node.handle(input, self.now, &mut self.rng);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { conn, bytes } if conn == CONN => self.mallory.take(&bytes),
                Output::Send { bytes, .. } => {
                    if let Some((bob, waiting)) = &mut self.bystander {
                        waiting.add(bytes.len());
                        if !bob.is_active() {
                            bob.take(&bytes);
                        }
                    }
                }
                Output::LoadHost { conn, .. } => {
                    let host = HostConfig {
                        weight: self.weight,
                        ..HostConfig::new(key(1024, 1).public().clone())
                    };
                    let host = Some(Box::new(host));
                    self.node
                        .handle(Input::HostLoaded { conn, host }, self.now, &mut self.rng);
                }
                other => self.outputs.push(other),
            }
        }
    }

    /// Another neighbour, bob, takes part: he reads nothing after the handshake unless a test has it so.
    pub(crate) fn joined(mut self) -> Self {
        let bob = End::initiator(identity("bob", key(1024, 1)), "alice", key(1024, 0));
        let backlog = Arc::<Backlog>::default();
        self.bystander = Some((bob, Arc::clone(&backlog)));
        self.tell(Input::Accepted {
            conn: BYSTANDER,
            peer: SocketAddr::from(([192, 0, 2, 2], 40_000)),
            backlog,
        });
        while let Some((bob, _)) = &mut self.bystander {
            let bytes = bob.output();
            if bytes.is_empty() {
                break;
            }
            self.tell(Input::Meta {
                conn: BYSTANDER,
                bytes: &bytes,
            });
        }
        self.say(&["12 2 bob alice 192.0.2.1 655 c 1"]);
        assert!(self.came_up().contains(&"bob".to_owned()));
        self.outputs.clear();
        self.read_by_bystander();
        self
    }

    /// Bob reads all that waits for him; how many bytes that was.
    pub(crate) fn read_by_bystander(&self) -> usize {
        let waiting = self.bystander.as_ref().map(|(_, waiting)| waiting);
        waiting.map_or(0, |waiting| {
            let bytes = waiting.bytes();
            waiting.sub(bytes);
            bytes
        })
    }

    /// Lets the node hear what mallory has to say.
    pub(crate) fn listen(&mut self) {
        loop {
            let mut bytes = self.mallory.output();
            if bytes.is_empty() {
                return;
            }
            if let Some(rest) = bytes.strip_prefix(ID) {
                bytes = [b"0 mallory ", self.version.as_bytes(), b"\n", rest].concat();
            }
            for bytes in bytes.chunks(16_384) {
                self.tell(Input::Meta { conn: CONN, bytes });
            }
        }
    }

    pub(crate) fn say<T: AsRef<str>>(&mut self, lines: &[T]) {
        for line in lines {
            self.mallory.conn.send_line(line.as_ref().as_bytes());
        }
        self.listen();
    }

    /// Takes what mallory was told of since the last look, without the nonces.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let told = self.mallory.events.drain(..);
        told.filter_map(|event| match event {
            Event::Request { line, .. } => Some(without_nonce(&String::from_utf8_lossy(&line))),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn closed(&self) -> bool {
        !self.ended().is_empty()
    }

    /// The connections that the node has closed.
    pub(crate) fn ended(&self) -> Vec<ConnId> {
        let ended = |output: &Output| match output {
            Output::Close { conn, .. } => Some(*conn),
            _ => None,
        };
        self.outputs.iter().filter_map(ended).collect()
    }

    /// How many pictures were published.
    pub(crate) fn pictures(&self) -> usize {
        let picture = |output: &&Output| matches!(output, Output::Publish(_));
        self.outputs.iter().filter(picture).count()
    }

    pub(crate) fn came_up(&self) -> Vec<String> {
        let up = |output: &Output| match output {
            Output::Script(Script::Host { up: true, node, .. }) => Some(node.to_string()),
            _ => None,
        };
        self.outputs.iter().filter_map(up).collect()
    }

    pub(crate) fn datagrams(&self) -> usize {
        let datagram = |output: &&Output| matches!(output, Output::Datagram(_));
        self.outputs.iter().filter(datagram).count()
    }

    pub(crate) fn edges_of(&self, node: &str) -> usize {
        let lines = self.node.dump_mesh();
        let edge = format!(" {node} to ");
        lines.iter().filter(|line| line.starts_with(&edge)).count()
    }

    pub(crate) fn subnets_known(&self) -> usize {
        let lines = self.node.dump_mesh();
        lines.iter().filter(|line| line.contains(" owner ")).count()
    }
}

fn without_nonce(line: &str) -> String {
    let mut words: Vec<_> = line.split(' ').collect();
    if matches!(words.first(), Some(&("10" | "11" | "12" | "13" | "14"))) {
        words.remove(1);
    }
    words.join(" ")
}

/// Both directions of an edge to mallory.
pub(crate) fn edges(node: &str, address: &str) -> [String; 2] {
    [
        format!("12 1 mallory {node} {address} 655 c 1"),
        format!("12 1 {node} mallory 192.0.2.66 655 c 1"),
    ]
}
