//! A mesh held in memory: real nodes, one clock, wires with a latency and no kernel.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the time from the clock"
)]

mod faults;
mod frames;
mod keys;
mod view;

pub(crate) use frames::{broadcast, frame};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keys::{host, key};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use v6router_core::dataplane::{Datagrams, Egress, Forwarding, Inbound, Mode, Outbound, UdpPath};
use v6router_core::name::NodeName;
use v6router_core::node::{Backlog, ConnId, Input, Node, Order, Output, Script, Settings};

/// One way over any wire.
const LATENCY: Duration = Duration::from_millis(5);

/// One node with what a shell would hold for it.
pub(crate) struct Member {
    pub(crate) name: NodeName,
    pub(crate) address: SocketAddr,
    pub(crate) node: Option<Node>,
    /// When the node wants to be called at the latest.
    deadline: Option<Instant>,
    connect_to: Vec<NodeName>,
    inbound: Inbound,
    outbound: Outbound,
    picture: Option<Arc<Forwarding>>,
    /// Frames that its device got.
    pub(crate) device: Vec<Vec<u8>>,
    /// Scripts it ran.
    pub(crate) scripts: Vec<Script>,
    /// Datagrams it sent, delivered or not.
    pub(crate) datagrams_sent: usize,
    /// Bytes it wrote to meta connections.
    pub(crate) meta_sent: usize,
    /// When it dialled.
    pub(crate) dials: Vec<Instant>,
}

impl Member {
    /// The picture by which it forwards.
    pub(crate) fn picture(&self) -> Option<&Forwarding> {
        self.picture.as_deref()
    }
}

enum Event {
    Input(usize, Told),
    Datagram {
        to: SocketAddr,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
}

enum Told {
    Accepted(ConnId, SocketAddr),
    Connected(ConnId, NodeName, SocketAddr, Instant),
    DialFailed(NodeName),
    Meta(ConnId, Vec<u8>),
    Closed(ConnId),
}

/// One direction of a connection.
#[derive(Clone, Copy)]
struct Wire {
    far: (usize, ConnId),
    latency: Duration,
}

/// All nodes, all wires, one clock.
pub(crate) struct Mesh {
    pub(crate) now: Instant,
    pub(crate) rng: StdRng,
    pub(crate) members: Vec<Member>,
    /// Longest UDP payload that gets through, in bytes.
    pub(crate) path_mtu: usize,
    /// UDP gets through at all.
    pub(crate) udp: bool,
    /// All are on one network too, whatever happens to UDP elsewhere.
    pub(crate) one_lan: bool,
    /// Every datagram delivered, for replays.
    pub(crate) wiretap: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// How much longer than [`LATENCY`] a connection may take, drawn anew for each: news that
    /// travels by several overtakes itself.
    pub(crate) jitter: Duration,
    events: BTreeMap<(Instant, u64), Event>,
    wires: HashMap<(usize, ConnId), Wire>,
    /// Pairs of nodes between which nothing passes, the smaller index first.
    cut: BTreeSet<(usize, usize)>,
    sequence: u64,
    settings: fn(&mut Settings),
}

impl Mesh {
    /// Nodes by name, each with those it connects to.
    pub(crate) fn new(seed: u64, nodes: &[(&str, &[&str])]) -> Self {
        Self::with(seed, nodes, |_| {})
    }

    /// The same with changes to the settings of every node.
    pub(crate) fn with(seed: u64, nodes: &[(&str, &[&str])], settings: fn(&mut Settings)) -> Self {
        let mut mesh = Self {
            now: Instant::now(),
            rng: StdRng::seed_from_u64(seed),
            members: Vec::new(),
            path_mtu: 1472,
            udp: true,
            one_lan: false,
            wiretap: Vec::new(),
            jitter: Duration::ZERO,
            events: BTreeMap::new(),
            wires: HashMap::new(),
            cut: BTreeSet::new(),
            sequence: 0,
            settings,
        };
        for (index, (name, connect_to)) in nodes.iter().enumerate() {
            let host = u8::try_from(index + 1).unwrap();
            mesh.members.push(Member {
                name: name.parse().unwrap(),
                address: SocketAddr::from(([10, 0, 0, host], 655)),
                node: None,
                deadline: None,
                connect_to: connect_to
                    .iter()
                    .map(|name| name.parse().unwrap())
                    .collect(),
                inbound: Inbound::default(),
                outbound: Outbound::default(),
                picture: None,
                device: Vec::new(),
                scripts: Vec::new(),
                datagrams_sent: 0,
                meta_sent: 0,
                dials: Vec::new(),
            });
        }
        for index in 0..mesh.members.len() {
            mesh.start(index);
        }
        mesh
    }

    /// Starts a node from nothing.
    pub(crate) fn start(&mut self, index: usize) {
        let member = &mut self.members[index];
        let mut settings = Settings::plain(member.name.clone(), key(index));
        settings.policy.mode = Mode::Switch;
        settings.connect_to.clone_from(&member.connect_to);
        (self.settings)(&mut settings);
        member.inbound = Inbound::default();
        member.outbound = Outbound::default();
        member.node = Some(Node::new(settings, self.now, &mut self.rng));
        self.drain(index);
    }

    /// The process is gone without a word; the kernel closes its connections.
    pub(crate) fn kill(&mut self, index: usize) {
        self.members[index].node = None;
        self.members[index].deadline = None;
        let mut ends: Vec<_> = self
            .wires
            .keys()
            .filter(|(near, _)| *near == index)
            .copied()
            .collect();
        // The order of a hash table is nobody's seed.
        ends.sort_unstable();
        for near in ends {
            self.hang_up(near);
        }
    }

    /// An orderly end.
    pub(crate) fn stop(&mut self, index: usize) {
        self.tell(index, Input::Order(Order::Shutdown));
        self.kill(index);
    }

    pub(crate) fn tell(&mut self, index: usize, input: Input<'_>) {
        if let Some(node) = &mut self.members[index].node {
            node.handle(input, self.now, &mut self.rng);
            self.drain(index);
        }
    }

    /// The device of a node sends a frame.
    pub(crate) fn device_sends(&mut self, index: usize, frame: &[u8]) {
        let mut egress = Egress::default();
        let member = &mut self.members[index];
        let Some(picture) = member.picture.clone() else {
            return;
        };
        let mut frame = frame.to_vec();
        member
            .outbound
            .seal(&mut frame, &picture, self.now, &mut egress);
        self.deal_with(index, egress);
    }

    /// The datagrams in which a node would send a frame of its device; they go nowhere.
    pub(crate) fn sealed(&mut self, index: usize, frame: &[u8]) -> Vec<Vec<u8>> {
        let mut egress = Egress::default();
        let member = &mut self.members[index];
        if let Some(picture) = member.picture.clone() {
            let mut frame = frame.to_vec();
            member
                .outbound
                .seal(&mut frame, &picture, self.now, &mut egress);
        }
        egress
            .datagrams()
            .map(|(_, bytes)| bytes.to_vec())
            .collect()
    }

    /// A datagram arrives at a node, from wherever it claims.
    pub(crate) fn datagram_arrives(&mut self, index: usize, from: SocketAddr, bytes: &[u8]) {
        let member = &mut self.members[index];
        let (Some(picture), Some(_)) = (member.picture.clone(), &member.node) else {
            return;
        };
        let mut egress = Egress::default();
        let mut bytes = bytes.to_vec();
        let from = UdpPath {
            address: from,
            socket: 0,
        };
        let datagram = Datagrams::one(&mut bytes);
        let device = &mut member.device;
        member
            .inbound
            .open(datagram, from, &picture, self.now, &mut egress, |frame| {
                device.push(frame.to_vec());
            });
        self.deal_with(index, egress);
    }

    fn deal_with(&mut self, index: usize, mut egress: Egress) {
        for (datagram, bytes) in egress.datagrams() {
            self.transmit(index, datagram.path.address, bytes);
        }
        for frame in egress.device_frames() {
            self.members[index].device.push(frame.to_vec());
        }
        let reports: Vec<_> = egress.reports().collect();
        for up in reports {
            self.tell(index, Input::Up(up));
        }
    }

    fn transmit(&mut self, index: usize, to: SocketAddr, bytes: &[u8]) {
        self.members[index].datagrams_sent += 1;
        if self.one_lan {
            let everybody = to == (Ipv4Addr::BROADCAST, 655).into();
            let others = (0..self.members.len()).filter(|other| *other != index);
            let heard_by: Vec<_> = others
                .map(on_lan)
                .filter(|there| everybody || *there == to)
                .collect();
            for to in heard_by {
                let (from, bytes) = (on_lan(index), bytes.to_vec());
                self.later(LATENCY, Event::Datagram { to, from, bytes });
            }
        }
        if self.udp && bytes.len() <= self.path_mtu {
            let from = self.members[index].address;
            let bytes = bytes.to_vec();
            self.later(LATENCY, Event::Datagram { to, from, bytes });
        }
    }

    fn drain(&mut self, index: usize) {
        while let Some(output) = self.members[index]
            .node
            .as_mut()
            .and_then(Node::poll_output)
        {
            self.carry_out(index, output);
        }
        let member = &mut self.members[index];
        member.deadline = member.node.as_ref().and_then(Node::deadline);
    }

    fn carry_out(&mut self, index: usize, output: Output) {
        match output {
            Output::Send { conn, bytes } => {
                self.members[index].meta_sent += bytes.len();
                if let Some(wire) = self.wires.get(&(index, conn)).copied() {
                    let (far, far_conn) = wire.far;
                    self.later(wire.latency, Event::Input(far, Told::Meta(far_conn, bytes)));
                }
            }
            Output::Close { conn, .. } => self.hang_up((index, conn)),
            Output::LoadHost { conn, name } => {
                let known = self.members.iter().position(|member| member.name == name);
                let host = known.map(|other| Box::new(host(other)));
                self.tell(index, Input::HostLoaded { conn, host });
            }
            Output::Dial { node } => self.dial(index, node),
            Output::Script(script) => self.members[index].scripts.push(script),
            Output::Device(frame) => self.members[index].device.push(frame),
            Output::Datagram(datagram) => {
                self.transmit(index, datagram.path.address, &datagram.bytes);
            }
            Output::Publish(picture) => self.members[index].picture = Some(picture),
            Output::Announce | Output::CancelDial { .. } | Output::StationsGone(_) => {}
        }
    }

    fn dial(&mut self, index: usize, node: NodeName) {
        self.members[index].dials.push(self.now);
        if !self.members.iter().any(|member| member.name == node) {
            self.tell(index, Input::NoAddress { node });
            return;
        }
        let target = self
            .members
            .iter()
            .position(|member| member.name == node && member.node.is_some())
            .filter(|target| !self.is_cut(index, *target));
        let started = self.now;
        let Some(target) = target else {
            self.later(2 * LATENCY, Event::Input(index, Told::DialFailed(node)));
            return;
        };
        self.sequence += 2;
        let (near, far) = (ConnId(self.sequence), ConnId(self.sequence + 1));
        let latency = LATENCY + self.jitter.mul_f64(self.rng.random());
        self.lay((index, near), (target, far), latency);
        let mut from = self.members[index].address;
        from.set_port(40_000);
        let to = self.members[target].address;
        self.later(latency, Event::Input(target, Told::Accepted(far, from)));
        self.later(
            2 * latency,
            Event::Input(index, Told::Connected(near, node, to, started)),
        );
    }

    fn later(&mut self, wait: Duration, event: Event) {
        self.sequence += 2;
        self.events.insert((self.now + wait, self.sequence), event);
    }

    /// Lets time pass up to `limit` or until `done`; says whether it was done.
    pub(crate) fn run(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !done(self) {
            let timer = (0..self.members.len())
                .filter_map(|index| Some((self.members[index].deadline?, index)))
                .min();
            let event = self.events.first_key_value().map(|((due, _), _)| *due);
            match (event, timer) {
                (Some(due), timer) if due <= end && timer.is_none_or(|(at, _)| due <= at) => {
                    self.now = due.max(self.now);
                    if let Some((_, event)) = self.events.pop_first() {
                        self.happen(event);
                    }
                }
                (_, Some((due, index))) if due <= end => {
                    self.now = due.max(self.now);
                    self.tell(index, Input::Timer);
                }
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(index, told) => self.told(index, told),
            Event::Datagram { to, from, bytes } => {
                let at = |address| {
                    let is_there = |index: &usize| {
                        self.members[*index].address == address || on_lan(*index) == address
                    };
                    (0..self.members.len()).find(is_there)
                };
                let open = |target: &usize| {
                    at(from).is_none_or(|near| on_lan(near) == from || !self.is_cut(near, *target))
                };
                if let Some(target) = at(to).filter(open) {
                    self.wiretap.push((from, to, bytes.clone()));
                    self.datagram_arrives(target, from, &bytes);
                }
            }
        }
    }

    fn told(&mut self, index: usize, told: Told) {
        // News about a connection that has ended meanwhile reaches nobody.
        match told {
            Told::Accepted(conn, peer) if self.wires.contains_key(&(index, conn)) => {
                let backlog = Arc::<Backlog>::default();
                self.tell(
                    index,
                    Input::Accepted {
                        conn,
                        peer,
                        backlog,
                    },
                );
            }
            Told::Connected(conn, node, peer, started)
                if self.wires.contains_key(&(index, conn)) =>
            {
                let backlog = Arc::<Backlog>::default();
                self.tell(
                    index,
                    Input::Connected {
                        conn,
                        node,
                        peer,
                        started,
                        backlog,
                    },
                );
            }
            Told::Connected(_, node, _, _) | Told::DialFailed(node) => {
                self.tell(index, Input::DialFailed { node });
            }
            Told::Meta(conn, bytes) => self.tell(
                index,
                Input::Meta {
                    conn,
                    bytes: &bytes,
                },
            ),
            Told::Closed(conn) => self.tell(index, Input::Closed { conn }),
            Told::Accepted(..) => {}
        }
    }

    /// A random number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.rng.random_range(0..limit)
    }
}

/// The address of a member on the network they share.
fn on_lan(index: usize) -> SocketAddr {
    let host = u8::try_from(index + 1).unwrap();
    ([192, 168, 0, host], 655).into()
}
