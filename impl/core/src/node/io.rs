//! The door: everything that goes into a node and everything that comes out.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::trust::Trust;
use crate::addr::{Endpoint, Port};
use crate::constants::DEFAULT_PORT;
use crate::crypto::algorithm::PacketSpec;
use crate::crypto::rsa::{PrivateKey, PublicKey};
use crate::dataplane::{Forwarding, Handling, Policy, UdpPath, Up};
use crate::name::NodeName;
use crate::options::Options;
use crate::router::BorderRules;
use crate::subnet::{Mac, Subnet};

/// A meta connection, numbered by the shell and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Bytes that wait to be written to a meta connection: the shell counts them, the core looks
/// before it adds packets. A peer that takes none of them for a while is the shell's to notice,
/// which sees every write.
#[derive(Debug, Default)]
pub struct Backlog(AtomicUsize);

impl Backlog {
    /// Bytes were queued.
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes were written.
    pub fn sub(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that wait now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a node is told.
pub enum Input<'a> {
    /// Somebody connected to us.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// Who connected.
        peer: SocketAddr,
        /// What waits to be written to it.
        backlog: Arc<Backlog>,
    },
    /// A connection asked for by [`Output::Dial`] stands.
    Connected {
        /// The new connection.
        conn: ConnId,
        /// Whom it was to reach.
        node: NodeName,
        /// The address that answered.
        peer: SocketAddr,
        /// When the attempt began, name resolution included.
        started: Instant,
        /// What waits to be written to it.
        backlog: Arc<Backlog>,
    },
    /// None of the addresses of a node answered.
    DialFailed {
        /// Whom it was to reach.
        node: NodeName,
    },
    /// A node cannot be dialled: nothing says where it is. Only an operator can change that,
    /// so it is looked at again after the longest wait.
    NoAddress {
        /// Whom it was to reach.
        node: NodeName,
    },
    /// Bytes arrived on a meta connection.
    Meta {
        /// Which.
        conn: ConnId,
        /// What arrived.
        bytes: &'a [u8],
    },
    /// A meta connection ended by itself.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// Answer to [`Output::LoadHost`]; `None` refuses the peer.
    HostLoaded {
        /// The connection it is for.
        conn: ConnId,
        /// What the host file says.
        host: Option<Box<HostConfig>>,
    },
    /// A report of the data plane.
    Up(Up),
    /// What the kernel knows of our device, at the start and when it changes.
    Device {
        /// Its MAC address, if it has one.
        mac: Option<Mac>,
        /// The kernel's addresses, those of the device first.
        addresses: &'a [IpAddr],
    },
    /// The operator wants something.
    Order(Order),
    /// [`super::Node::deadline`] has passed.
    Timer,
}

/// What an operator can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Do now whatever waits for a timer: redial, probe, ping; and forget how often dialling has
    /// failed (`SIGALRM`, or another network).
    RetryNow,
    /// Forget unreachable nodes (`SIGWINCH`).
    Purge,
    /// These subnets, ours included, belong to these nodes by our files now (`SIGHUP` with
    /// `StrictSubnets`).
    SetOwners(Vec<(NodeName, Subnet)>),
    /// Dial these nodes and no others, and drop the connections of nodes whose host file
    /// changed or vanished (`SIGHUP`).
    Reload {
        /// The `ConnectTo` lines now in force.
        connect_to: Vec<NodeName>,
        /// Nodes to disconnect.
        drop: Vec<NodeName>,
    },
    /// Check frames by these rules from now on, as a router does, or by none.
    SetBorder(Option<BorderRules>),
    /// Bound the path MTU of peers that connect from now on (`PMTU`).
    BoundPmtu(Option<u16>),
    /// End: close everything and take our subnets down.
    Shutdown,
}

/// What a node wants done, in order.
#[derive(Debug)]
pub enum Output {
    /// Write to a meta connection.
    Send {
        /// Which.
        conn: ConnId,
        /// What; order is kept within a connection.
        bytes: Vec<u8>,
    },
    /// End a meta connection.
    Close {
        /// Which.
        conn: ConnId,
        /// How.
        how: Closing,
    },
    /// Read a host file and answer with [`Input::HostLoaded`].
    LoadHost {
        /// For which connection.
        conn: ConnId,
        /// Whose host file.
        name: NodeName,
    },
    /// Try the addresses of a node and answer with [`Input::Connected`],
    /// [`Input::DialFailed`] or [`Input::NoAddress`].
    Dial {
        /// Whom.
        node: NodeName,
    },
    /// Give up attempts to reach a node that are under way.
    CancelDial {
        /// Whom.
        node: NodeName,
    },
    /// Run a script.
    Script(Script),
    /// Write a frame to the device.
    Device(Vec<u8>),
    /// Send a datagram; if the kernel says that it is too big, answer with
    /// [`Up::TooBig`] of the fields here.
    Datagram(SealedDatagram),
    /// A neighbour appeared: tell it the addresses of our device by
    /// [`super::Node::announce`].
    Announce,
    /// These stations of the VPN can no longer be reached: what the kernel knows of their
    /// addresses no longer holds, and must be found out anew when they return.
    StationsGone(Vec<Mac>),
    /// A new picture for the data plane.
    Publish(Arc<Forwarding>),
}

/// A datagram sealed by the control side (path MTU probes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedDatagram {
    /// Where it goes.
    pub path: UdpPath,
    /// What its IP header says.
    pub handling: Handling,
    /// What goes there.
    pub bytes: Vec<u8>,
    /// The report to make if it is too big.
    pub too_big: Up,
}

/// How a meta connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// At once.
    Now,
    /// In silence: whoever guesses or floods learns nothing and waits (tinc 1.0, tarpit).
    Tarpit,
}

/// A script call; names and values are typed, so that nothing a peer sent reaches a shell
/// unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// `host-up` or `host-down`, then `hosts/NODE-up` or `hosts/NODE-down`.
    Host {
        /// The node became reachable, or unreachable.
        up: bool,
        /// Which.
        node: NodeName,
        /// Where it is or was.
        endpoint: Option<Endpoint>,
    },
    /// `subnet-up` or `subnet-down`.
    Subnet {
        /// The subnet came or went.
        up: bool,
        /// Whose.
        node: NodeName,
        /// Which.
        subnet: Subnet,
        /// Where its owner is; `None` for a subnet of ours.
        endpoint: Option<Endpoint>,
    },
}

/// What our own configuration says.
pub struct Settings<Key = PrivateKey> {
    /// Our name.
    pub name: NodeName,
    /// Our RSA key.
    pub private_key: Key,
    /// What becomes of frames.
    pub policy: Policy,
    /// Port to tell others in ACK.
    pub port: Port,
    /// Subnets of our own host file.
    pub subnets: Vec<Subnet>,
    /// Nodes to dial.
    pub connect_to: Vec<NodeName>,
    /// How others shall seal packets for us.
    pub packet: PacketSpec,
    /// `IndirectData`, `TCPOnly`, `PMTUDiscovery` and `ClampMSS`.
    pub options: Options,
    /// Time between pings.
    pub ping_interval: Duration,
    /// Time after which silence ends a connection, and period of housekeeping.
    pub ping_timeout: Duration,
    /// Life of packet keys.
    pub key_expire: Duration,
    /// Life of a learned MAC address that is not seen.
    pub mac_expire: Duration,
    /// Shortest wait before dialling again.
    pub min_timeout: Duration,
    /// Longest wait before dialling again.
    pub max_timeout: Duration,
    /// Replay window in bytes of eight packets each.
    pub replay_window: usize,
    /// Bytes waiting on a connection from which on packets are dropped at random.
    pub max_output_buffer: usize,
    /// Nodes that are not found elsewhere are looked for on our own network (`LocalDiscovery`).
    pub local_discovery: bool,
    /// Upper bound of every path MTU, as a frame length in bytes.
    pub pmtu: Option<u16>,
    /// No authentication and no encryption of meta connections.
    pub bypass_security: bool,
    /// Address families of the UDP sockets, in order; an outgoing packet takes the first that
    /// fits until the peer was heard on another.
    pub sockets: Vec<SocketFamily>,
    /// What others' announcements are worth.
    pub trust: Trust,
    /// Subnets of other nodes by their host files; empty unless these are what counts.
    pub owners: Vec<(NodeName, Subnet)>,
}

impl Settings {
    /// A node of which nothing more is configured: tinc 1.0's defaults, and one socket for IPv4.
    #[must_use]
    pub fn plain(name: NodeName, private_key: PrivateKey) -> Self {
        Self {
            name,
            private_key,
            policy: Policy::default(),
            port: Port::from(DEFAULT_PORT),
            subnets: Vec::new(),
            connect_to: Vec::new(),
            packet: PacketSpec::default(),
            options: Options::PMTU_DISCOVERY.with(Options::CLAMP_MSS),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(5),
            key_expire: Duration::from_secs(3600),
            mac_expire: Duration::from_secs(600),
            min_timeout: Duration::ZERO,
            max_timeout: Duration::from_secs(60),
            replay_window: 16,
            max_output_buffer: 15_180,
            local_discovery: false,
            pmtu: None,
            bypass_security: false,
            sockets: vec![SocketFamily::V4],
            trust: Trust::Mesh,
            owners: Vec::new(),
        }
    }
}

/// Address family of a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl SocketFamily {
    /// The family that reaches an address.
    #[must_use]
    pub const fn of(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// What the host file of a peer says.
pub struct HostConfig {
    /// Its RSA key.
    pub public_key: PublicKey,
    /// `IndirectData`.
    pub indirect: Option<bool>,
    /// `TCPOnly`.
    pub tcp_only: Option<bool>,
    /// `ClampMSS`.
    pub clamp_mss: Option<bool>,
    /// `Weight`, in milliseconds.
    pub weight: Option<i32>,
    /// `PMTU`, as a frame length in bytes.
    pub pmtu: Option<u16>,
}

impl HostConfig {
    /// A file that has nothing but a key.
    #[must_use]
    pub const fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            indirect: None,
            tcp_only: None,
            clamp_mss: None,
            weight: None,
            pmtu: None,
        }
    }

    /// The options we offer to this peer: what either file asks for.
    #[must_use]
    pub fn options(&self, own: Options) -> Options {
        let wanted = |bit: Options, host: Option<bool>| host.unwrap_or_else(|| own.contains(bit));
        let mut options = Options::NONE;
        let tcp_only = self.tcp_only == Some(true) || own.contains(Options::TCP_ONLY);
        if tcp_only {
            options = options.with(Options::TCP_ONLY).with(Options::INDIRECT);
        }
        if self.indirect == Some(true) || own.contains(Options::INDIRECT) {
            options = options.with(Options::INDIRECT);
        }
        if own.contains(Options::PMTU_DISCOVERY) && !tcp_only {
            options = options.with(Options::PMTU_DISCOVERY);
        }
        if wanted(Options::CLAMP_MSS, self.clamp_mss) {
            options = options.with(Options::CLAMP_MSS);
        }
        options
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Settings {
    /// Gives the private key to its owner.
    pub(super) fn split(self) -> (PrivateKey, Settings<()>) {
        let rest = Settings {
            private_key: (),
            name: self.name,
            policy: self.policy,
            port: self.port,
            subnets: self.subnets,
            connect_to: self.connect_to,
            packet: self.packet,
            options: self.options,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            key_expire: self.key_expire,
            mac_expire: self.mac_expire,
            min_timeout: self.min_timeout,
            max_timeout: self.max_timeout,
            replay_window: self.replay_window,
            max_output_buffer: self.max_output_buffer,
            local_discovery: self.local_discovery,
            pmtu: self.pmtu,
            bypass_security: self.bypass_security,
            sockets: self.sockets,
            trust: self.trust,
            owners: self.owners,
        };
        (self.private_key, rest)
    }
}
