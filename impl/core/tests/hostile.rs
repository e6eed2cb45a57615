//! A node among neighbours that mean no good, or more than it can take.

mod cuts;
mod ends;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ends::{End, identity, key, name};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use v6router_core::addr::Port;
use v6router_core::crypto::algorithm::PacketSpec;
use v6router_core::dataplane::{Mode, Policy};
use v6router_core::node::{
    Backlog, ConnId, HostConfig, Input, Node, Output, Script, Settings, SocketFamily,
};
use v6router_core::options::Options;

const CONN: ConnId = ConnId(1);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A node with one neighbour, mallory, who says what a test wants her to.
struct Siege {
    node: Node,
    mallory: End,
    backlog: Arc<Backlog>,
    now: Instant,
    rng: StdRng,
    /// What the node wanted, except to write to mallory.
    outputs: Vec<Output>,
}

impl Siege {
    fn new(options: Options) -> Self {
        let (ours, theirs) = (key(1024, 0), key(1024, 1));
        let mallory = End::initiator(identity("mallory", theirs.clone()), "alice", ours.clone());
        let settings = Settings {
            name: name("alice"),
            private_key: ours,
            policy: Policy {
                mode: Mode::Switch,
                ..Policy::default()
            },
            port: Port::Number(655),
            subnets: Vec::new(),
            connect_to: Vec::new(),
            packet: PacketSpec::default(),
            options,
            ping_interval: Duration::from_secs(60),
            ping_timeout: PING_TIMEOUT,
            key_expire: Duration::from_secs(3600),
            mac_expire: Duration::from_secs(600),
            min_timeout: Duration::ZERO,
            max_timeout: Duration::from_secs(900),
            replay_window: 16,
            max_output_buffer: 15_180,
            pmtu: None,
            bypass_security: false,
            sockets: vec![SocketFamily::V4],
        };
        let mut rng = StdRng::seed_from_u64(5);
        let now = mallory.started;
        let mut siege = Self {
            node: Node::new(settings, now, &mut rng),
            mallory,
            backlog: Arc::default(),
            now,
            rng,
            outputs: Vec::new(),
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

    fn tell(&mut self, input: Input<'_>) {
        self.node.handle(input, self.now, &mut self.rng);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.mallory.take(&bytes),
                Output::LoadHost { conn, .. } => {
                    let host = HostConfig {
                        public_key: key(1024, 1).public().clone(),
                        indirect: None,
                        tcp_only: None,
                        clamp_mss: None,
                        weight: None,
                        pmtu: None,
                    };
                    let host = Some(Box::new(host));
                    self.node
                        .handle(Input::HostLoaded { conn, host }, self.now, &mut self.rng);
                }
                other => self.outputs.push(other),
            }
        }
    }

    /// Lets the node hear what mallory has to say.
    fn listen(&mut self) {
        loop {
            let bytes = self.mallory.output();
            if bytes.is_empty() {
                return;
            }
            for bytes in bytes.chunks(16_384) {
                self.tell(Input::Meta { conn: CONN, bytes });
            }
        }
    }

    fn say<T: AsRef<str>>(&mut self, lines: &[T]) {
        for line in lines {
            self.mallory.conn.send_line(line.as_ref().as_bytes());
        }
        self.listen();
    }

    fn closed(&self) -> bool {
        let close = |output: &Output| matches!(output, Output::Close { .. });
        self.outputs.iter().any(close)
    }

    fn came_up(&self) -> Vec<String> {
        let up = |output: &Output| match output {
            Output::Script(Script::Host { up: true, node, .. }) => Some(node.to_string()),
            _ => None,
        };
        self.outputs.iter().filter_map(up).collect()
    }

    fn datagrams(&self) -> usize {
        let datagram = |output: &&Output| matches!(output, Output::Datagram(_));
        self.outputs.iter().filter(datagram).count()
    }

    fn subnets_known(&self) -> usize {
        let lines = self.node.dump_mesh();
        lines.iter().filter(|line| line.contains(" owner ")).count()
    }
}

/// Both directions of an edge to mallory.
fn edges(node: &str, address: &str) -> [String; 2] {
    [
        format!("12 1 mallory {node} {address} 655 c 1"),
        format!("12 1 {node} mallory 192.0.2.66 655 c 1"),
    ]
}

#[test]
fn nodes_told_of_at_once_come_up_together_in_the_order_of_their_names() {
    let mut siege = Siege::new(Options(0xc));
    let told = [
        edges("zoe", "192.0.2.3"),
        edges("bob", "192.0.2.4"),
        edges("kim", "192.0.2.5"),
    ];
    siege.say(&told.concat());
    assert_eq!(siege.came_up(), ["bob", "kim", "zoe"]);
}

#[test]
fn a_node_whose_address_is_a_name_comes_up_with_that_name_and_is_never_sent_to() {
    let mut siege = Siege::new(Options(0xc));
    siege.say(&edges("ghost", "some.host.name"));
    let endpoint = siege.outputs.iter().find_map(|output| match output {
        Output::Script(Script::Host { endpoint, .. }) => endpoint.clone(),
        _ => None,
    });
    assert_eq!(endpoint.unwrap().to_string(), "some.host.name port 655");
    siege.say(&[format!("16 ghost alice {} 427 672 4 0", "AB".repeat(48))]);
    assert_eq!(siege.datagrams(), 0);
    assert!(!siege.closed());
}

#[test]
fn a_node_that_wants_tcp_only_probes_nobody() {
    for (options, probes) in [(Options(0xc), true), (Options(0xb), false)] {
        let mut siege = Siege::new(options);
        siege.say(&edges("far", "192.0.2.7"));
        siege.say(&[format!("16 far alice {} 427 672 4 0", "AB".repeat(48))]);
        assert_eq!(siege.datagrams() > 0, probes);
    }
}

#[test]
fn a_connection_that_is_always_busy_is_no_dead_one() {
    let mut siege = Siege::new(Options(0xc));
    siege.backlog.add(10_000);
    for _ in 0..10 {
        siege.now += PING_TIMEOUT;
        siege.tell(Input::Timer);
        // Bytes leave and others come.
        siege.backlog.add(5_000);
        siege.backlog.sub(5_000);
    }
    assert!(!siege.closed());
    siege.backlog.add(8 << 20);
    siege.now += PING_TIMEOUT;
    siege.tell(Input::Timer);
    assert!(siege.closed());
}

#[test]
fn what_a_neighbour_can_make_us_remember_is_bounded() {
    let mut siege = Siege::new(Options(0xc));
    for owner in 0..20 {
        let lines: Vec<_> = (0..5_000)
            .map(|station| {
                format!(
                    "10 1 n{owner} 2:0:0:0:{:x}:{:x}#{owner}",
                    station / 256,
                    station % 256
                )
            })
            .collect();
        siege.say(&lines);
        assert!(siege.subnets_known() <= 4096 * (owner + 1));
    }
    assert_eq!(siege.subnets_known(), 65_536);
    assert!(!siege.closed());
    // There is room again for what is taken back.
    siege.say(&["11 2 n0 2:0:0:0:0:0#0", "10 3 n19 2:0:0:0:99:99#0"]);
    assert_eq!(siege.subnets_known(), 65_536);
}

#[test]
fn keys_given_up_again_and_again_cost_no_picture_each() {
    let mut siege = Siege::new(Options(0xc));
    let lines: Vec<_> = (0..500)
        .map(|nonce| format!("14 {nonce:x} mallory"))
        .collect();
    siege.say(&lines);
    let picture = |output: &&Output| matches!(output, Output::Publish(_));
    assert!(siege.outputs.iter().filter(picture).count() <= 1);
}
