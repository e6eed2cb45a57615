//! What the fuzz targets call: each function takes bytes that somebody we do not trust could have
//! written, and has to return. The core's tests replay `corpus/` through the same functions.
//!
//! One command fuzzes a target, for as long as one likes; `request` may be any of [`TARGETS`] or
//! of those of `lowpan`:
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir impl/fuzz -s none request
//! ```
//!
//! The variable lets a stable compiler do it; there is no unsafe code for a sanitizer to watch.
//! What falls stays in `artifacts/`; once mended, it belongs into `corpus/`.

mod checksum;
// The tests of the core replay what is here, and do not know that crate.
#[cfg(not(test))]
pub mod lowpan;

use std::net::Ipv6Addr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use v6router_core::addr::Port;
use v6router_core::crypto::algorithm::PacketSpec;
use v6router_core::crypto::packet::{PacketKey, Sealer};
use v6router_core::crypto::rsa::{PrivateKey, PublicKey};
use v6router_core::dataplane::{Datagrams, Egress, Forwarding, Inbound, Mode, Outbound, UdpPath};
use v6router_core::forward::too_big::{self, Verdict};
use v6router_core::forward::{guard, mss, ttl};
use v6router_core::meta::{Connection, Event, Identity, PeerTerms};
use v6router_core::name::NodeName;
use v6router_core::node::{Backlog, ConnId, HostConfig, Input, Node, Output, Settings};
use v6router_core::options::Options;
use v6router_core::subnet::Subnet;
use v6router_core::wire::ethernet::Frame;
use v6router_core::wire::ndp::{OptionList, Received, RouterAdvertisement, RouterSolicitation};
use v6router_core::wire::request::Request;

/// A target: its name, which is also that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 9] = [
    ("request", request),
    ("handshake", handshake),
    ("stream", stream),
    ("packet", packet),
    ("frame", frame),
    ("discovery", discovery),
    ("guard", guard),
    ("subnet", subnet),
    ("pem", pem),
];

/// A request line; what is legal prints as something that means the same.
pub fn request(data: &[u8]) {
    if let Ok(request) = Request::parse(data) {
        let line = request.to_string();
        assert_eq!(
            Request::parse(line.as_bytes()).ok(),
            Some(request),
            "{line}"
        );
    }
}

/// A meta connection with somebody who has no key: the first byte says who called whom and how
/// long the pieces are in which the rest arrives.
pub fn handshake(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else {
        return;
    };
    let ours = Arc::new(Identity {
        name: name("alice"),
        private_key: key().clone(),
        packet: PacketSpec::default(),
        bypass_security: false,
    });
    let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(1));
    let mut conn = match how & 1 {
        0 => Connection::new_responder(&ours, now),
        _ => Connection::new_initiator(&ours, name("mallory"), now),
    };
    for piece in bytes.chunks(usize::from(how >> 1) + 1) {
        if conn.receive(piece).is_err() {
            return;
        }
        loop {
            match conn.poll(now, &mut rng) {
                Ok(Some(Event::Identified(_))) => conn.accept(PeerTerms {
                    public_key: key().public().clone(),
                    options: Options(0xc),
                    weight: None,
                    port: Port::Number(655),
                }),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// A whole node hears what an authenticated neighbour says, then an hour passes.
pub fn stream(data: &[u8]) {
    let mut alice = Alice::new(Mode::Switch);
    alice.hear(data);
    for pause in [5, 60, 3600] {
        alice.now += Duration::from_secs(pause);
        alice.tell(Input::Timer);
    }
}

/// A packet: as it comes from the network, sealed by a key of ours, or from the device; each in
/// switch mode, then in router mode.
pub fn packet(data: &[u8]) {
    static PICTURES: OnceLock<[(Arc<Forwarding>, Sealer); 2]> = OnceLock::new();
    let pictures = PICTURES.get_or_init(|| {
        [Mode::Switch, Mode::Router].map(|mode| {
            let mut alice = Alice::new(mode);
            alice.hear(MESH.as_bytes());
            let sealer = alice.sealer.take().expect("alice made a key for mallory");
            (alice.node.forwarding(), sealer)
        })
    });
    for (picture, sealer) in pictures {
        pass(data, picture, sealer);
    }
}

fn pass(data: &[u8], picture: &Forwarding, sealer: &Sealer) {
    let Some((how, bytes)) = data.split_first() else {
        return;
    };
    let (now, mut egress) = (Instant::now(), Egress::default());
    let from = UdpPath {
        address: MALLORY.into(),
        socket: 0,
    };
    let mut open = |mut datagram: Vec<u8>| {
        let datagram = Datagrams::one(&mut datagram);
        Inbound::default().open(datagram, from, picture, now, &mut egress, |_| {});
    };
    match how % 3 {
        0 => open(bytes.to_vec()),
        1 => {
            let mut datagram = Vec::new();
            sealer.seal(1, bytes, &mut datagram);
            open(datagram);
        }
        _ => Outbound::default().seal(&mut bytes.to_vec(), picture, now, &mut egress),
    }
}

/// A frame that has to be judged, cut, answered, clamped or aged.
pub fn frame(data: &[u8]) {
    for mtu in [0, 64, 590, 1294, 1518, u16::MAX] {
        match too_big::judge(data, mtu) {
            Verdict::Refuse(refusal) => assert!(refusal.answer(None).len() <= 600),
            Verdict::Fragment(pieces) => {
                let pieces: Vec<_> = pieces.collect();
                assert!(pieces.len() < 200);
            }
            Verdict::Send | Verdict::Drop => {}
        }
        let mut frame = data.to_vec();
        mss::clamp(&mut frame, mtu);
        let _ = ttl::decrement(&mut frame);
        assert_eq!(frame.len(), data.len());
    }
}

/// A message of neighbour discovery; its checksum is made right, which a fuzzer would not guess. What
/// is legal is written as something that means the same.
pub fn discovery(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let sealed = |message: &[u8]| {
        let mut message = message.to_vec();
        message[2..4].fill(0);
        let sum = checksum::of_message(ROUTER, ROUTER, &message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
        message
    };
    let message = sealed(&[&[*kind, 0, 0, 0], rest].concat());
    if let Ok(read) = RouterAdvertisement::parse(&received(&message)) {
        let again = sealed(&read.message());
        assert_eq!(RouterAdvertisement::parse(&received(&again)), Ok(read));
    }
    let _ = RouterSolicitation::parse(&received(&message));
    if let Ok(options) = OptionList::new(rest) {
        let read: usize = options.iter().map(|option| option.body.len() + 2).sum();
        assert_eq!(read, rest.len());
    }
}

/// A message as [`ROUTER`] sends it to itself.
fn received(message: &[u8]) -> Received<'_> {
    Received {
        source: ROUTER,
        destination: ROUTER,
        hop_limit: 255,
        message,
    }
}

/// A link-local address: both ends of what [`discovery`] reads.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A frame at the border of a router. One that is let through has nothing in it, as plain as it
/// comes, that is to be held.
pub fn guard(data: &[u8]) {
    let seen = guard::look(data);
    let frame = Frame::new(data);
    let Some(received) = frame.and_then(|frame| Received::in_frame(&frame)) else {
        return;
    };
    if let (Some(seen), Some(134 | 137)) = (seen, received.message.first()) {
        assert!(seen.forbidden.is_some());
    }
}

/// A subnet of a request or of a host file; what is legal prints as something that means the same.
pub fn subnet(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(subnet) = text.parse::<Subnet>() {
        assert_eq!(subnet.to_string().parse(), Ok(subnet));
    }
    if let Ok(subnet) = Subnet::parse_config(text) {
        assert_eq!(Subnet::parse_config(&subnet.to_string()), Ok(subnet));
    }
}

/// The keys of a host file or of our own.
pub fn pem(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = PublicKey::from_pem(text);
        let _ = PrivateKey::from_pem(text);
    }
}

/// Where mallory is.
const MALLORY: ([u8; 4], u16) = ([192, 0, 2, 66], 655);

/// How mallory introduces herself where nothing is proven or encrypted.
const HELLO: &str = "0 mallory 17\n4 655 0 c\n";

/// A mesh of which mallory tells; she has a station and networks, and asks for a key.
const MESH: &str = "12 1 mallory alice 192.0.2.1 655 c 1\n\
    10 2 mallory 2:0:0:0:0:1#10\n\
    10 3 mallory 10.0.0.0/8#10\n\
    10 4 mallory 2001:db8:0:0:0:0:0:0/32#10\n\
    15 mallory alice\n";

/// A node with one neighbour, mallory.
struct Alice {
    node: Node,
    now: Instant,
    rng: StdRng,
    /// Seals as mallory would, once alice has told her the key.
    sealer: Option<Sealer>,
}

impl Alice {
    fn new(mode: Mode) -> Self {
        let mut settings = Settings::plain(name("alice"), key().clone());
        settings.policy.mode = mode;
        settings.bypass_security = true;
        let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(1));
        let mut alice = Self {
            node: Node::new(settings, now, &mut rng),
            now,
            rng,
            sealer: None,
        };
        alice.tell(Input::Accepted {
            conn: ConnId(1),
            peer: MALLORY.into(),
            backlog: Arc::new(Backlog::default()),
        });
        alice.hear(HELLO.as_bytes());
        assert!(alice.node.has_proven(ConnId(1)), "the greeting is refused");
        alice
    }

    fn hear(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(16_384) {
            let conn = ConnId(1);
            self.tell(Input::Meta { conn, bytes });
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        self.node.handle(input, self.now, &mut self.rng);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::LoadHost { conn, .. } => {
                    let host = Some(Box::new(HostConfig::new(key().public().clone())));
                    let input = Input::HostLoaded { conn, host };
                    self.node.handle(input, self.now, &mut self.rng);
                }
                Output::Send { bytes, .. } => self.told(&bytes),
                _ => {}
            }
        }
    }

    /// Keeps the key that alice tells mallory.
    fn told(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(Request::AnsKey(answer)) = Request::parse(line)
                && let Ok(key) = PacketKey::from_ans_key(&answer, PacketSpec::default())
            {
                self.sealer = Some(Sealer::new(&key));
            }
        }
    }
}

/// A key, always the same.
fn key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut rng = StdRng::seed_from_u64(11);
        PrivateKey::generate(&mut rng, 1024).expect("a key")
    })
}

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}
