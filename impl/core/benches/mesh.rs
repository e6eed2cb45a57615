//! What it costs when a node comes and goes in meshes of growing size: a node that only hears of it, and the server that
//! it connects to, which tells everybody. Ten servers have a tenth of the nodes each; no packet is encrypted, so that
//! what grows with the mesh is seen.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark takes the time from the clock"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use v6router_core::addr::Port;
use v6router_core::crypto::algorithm::PacketSpec;
use v6router_core::crypto::rsa::PrivateKey;
use v6router_core::dataplane::Mode;
use v6router_core::meta::{Connection, Event, Identity, PeerTerms};
use v6router_core::node::{Backlog, ConnId, HostConfig, Input, Node, Output, Settings};
use v6router_core::options::Options;

const SIZES: [usize; 4] = [100, 1000, 3000, 10_000];
const SERVERS: usize = 10;

/// So much later everything happens than what was before: nobody exceeds what neighbours may say.
const STEP: Duration = Duration::from_secs(1);

/// Bytes that a connection takes at once.
const CHUNK: usize = 16 << 10;

/// A real node, and its neighbours as the other ends of their connections.
struct Mesh {
    node: Node,
    key: PrivateKey,
    neighbours: Vec<Connection>,
    now: Instant,
    rng: StdRng,
    /// Of the lines that were said, none is like another.
    nonce: u32,
}

impl Mesh {
    fn new(name: &str) -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let key = PrivateKey::generate(&mut rng, 1024).expect("a key can be made");
        let now = Instant::now();
        let mut settings = Settings::plain(name.parse().expect("it is a name"), key.clone());
        settings.policy.mode = Mode::Switch;
        settings.options = Options::NONE;
        settings.bypass_security = true;
        Self {
            node: Node::new(settings, now, &mut rng),
            key,
            neighbours: Vec::new(),
            now,
            rng,
            nonce: 0,
        }
    }

    /// A node connects; what it says then is up to [`Mesh::say`].
    fn connect(&mut self, name: &str, to: &str) -> usize {
        self.now += STEP;
        let identity = Arc::new(Identity {
            name: name.parse().expect("it is a name"),
            private_key: self.key.clone(),
            packet: PacketSpec::default(),
            bypass_security: true,
        });
        let expected = to.parse().expect("it is a name");
        self.neighbours
            .push(Connection::new_initiator(&identity, expected, self.now));
        let index = self.neighbours.len() - 1;
        let input = Input::Accepted {
            conn: ConnId(index as u64),
            peer: SocketAddr::from(([192, 0, 2, 1], 655)),
            backlog: Arc::new(Backlog::default()),
        };
        self.node.handle(input, self.now, &mut self.rng);
        while self.exchange(index) {}
        index
    }

    /// Carries what one neighbour and the node have to say to each other; what others are told goes nowhere. Says
    /// whether there was anything.
    fn exchange(&mut self, index: usize) -> bool {
        let conn = ConnId(index as u64);
        let said = self.neighbours[index].take_output();
        if let Some(bytes) = &said {
            let input = Input::Meta { conn, bytes };
            self.node.handle(input, self.now, &mut self.rng);
        }
        let mut heard = false;
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { conn: to, bytes } if to == conn => {
                    heard = true;
                    bytes.chunks(CHUNK).for_each(|some| self.hear(index, some));
                }
                Output::LoadHost { conn, .. } => {
                    let host = HostConfig::new(self.key.public().clone());
                    let host = Some(Box::new(host));
                    let input = Input::HostLoaded { conn, host };
                    self.node.handle(input, self.now, &mut self.rng);
                    heard = true;
                }
                _ => {}
            }
        }
        said.is_some() || heard
    }

    /// A neighbour takes what the node says.
    fn hear(&mut self, index: usize, bytes: &[u8]) {
        let neighbour = &mut self.neighbours[index];
        neighbour.receive(bytes).expect("the node speaks well");
        while let Some(event) = neighbour
            .poll(self.now, &mut self.rng)
            .expect("the node speaks well")
        {
            if let Event::Identified(_) = event {
                neighbour.accept(PeerTerms {
                    public_key: self.key.public().clone(),
                    options: Options::NONE,
                    weight: Some(1),
                    port: Port::Number(655),
                });
            }
        }
    }

    fn say(&mut self, index: usize, line: &str) {
        self.neighbours[index].send_line(line.as_bytes());
    }

    /// A neighbour tells of an edge both ways, or takes it back.
    fn edge(&mut self, index: usize, [from, to]: [&str; 2], is_there: bool) {
        for (from, to) in [(from, to), (to, from)] {
            self.nonce += 1;
            let line = match is_there {
                true => format!("12 {:x} {from} {to} 192.0.2.1 655 0 1", self.nonce),
                false => format!("13 {:x} {from} {to}", self.nonce),
            };
            self.say(index, &line);
        }
    }

    /// The edge by which a neighbour sees the node.
    fn see(&mut self, index: usize, [from, to]: [&str; 2]) {
        self.nonce += 1;
        let line = format!("12 {:x} {from} {to} 192.0.2.1 655 0 1", self.nonce);
        self.say(index, &line);
        self.exchange(index);
    }

    /// Has every server but the first, and its share of the nodes, told by a neighbour; `hub` is the server that the
    /// others are connected to.
    fn others(&mut self, teller: usize, hub: &str, size: usize) {
        let servers = (1..SERVERS).map(|server| format!("server{server}"));
        for server in servers.filter(|server| server != hub) {
            self.edge(teller, [hub, &server], true);
        }
        for n in (0..size).filter(|n| n % SERVERS != 0) {
            let server = format!("server{}", n % SERVERS);
            self.edge(teller, [&server, &format!("node{n}")], true);
            self.now += STEP;
            self.exchange(teller);
        }
    }
}

/// A node of a mesh hears that another one comes, far away, and goes.
fn hear(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a node comes and goes, far away");
    for size in SIZES {
        let mut mesh = Mesh::new("listener");
        let server = mesh.connect("server0", "listener");
        mesh.see(server, ["server0", "listener"]);
        mesh.others(server, "server0", size);
        for n in (0..size).step_by(SERVERS) {
            mesh.edge(server, ["server0", &format!("node{n}")], true);
            mesh.now += STEP;
            mesh.exchange(server);
        }
        let reached = mesh.node.forwarding().peers.iter().count();
        assert_eq!(reached, size + SERVERS, "everybody is reached");
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                for is_there in [true, false] {
                    mesh.now += STEP;
                    mesh.edge(server, ["server0", "newcomer"], is_there);
                    mesh.exchange(server);
                }
            });
        });
    }
}

/// A node connects to a server, which tells all its neighbours, and leaves.
fn serve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a node comes to a server and goes");
    for size in SIZES {
        let mut mesh = Mesh::new("server0");
        let other = mesh.connect("server1", "server0");
        mesh.see(other, ["server1", "server0"]);
        mesh.others(other, "server1", size);
        for n in (0..size).step_by(SERVERS) {
            let name = format!("node{n}");
            let index = mesh.connect(&name, "server0");
            mesh.see(index, [&name, "server0"]);
        }
        let reached = mesh.node.forwarding().peers.iter().count();
        assert!(reached >= size, "{reached} of {size} are reached");
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let index = mesh.connect("newcomer", "server0");
                mesh.see(index, ["newcomer", "server0"]);
                let conn = ConnId(index as u64);
                mesh.node
                    .handle(Input::Closed { conn }, mesh.now, &mut mesh.rng);
                while mesh.node.poll_output().is_some() {}
            });
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    hear(&mut criterion);
    serve(&mut criterion);
    criterion.final_summary();
}
