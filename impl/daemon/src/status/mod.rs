//! What a daemon says of itself when asked: `v6router status`.
//!
//! The types here are the JSON that goes over the socket, and both ends use them: a field that the
//! other end does not know is ignored, one that it does not send has its default. Names stay.

mod client;
mod metrics;
mod server;
mod text;

use serde::{Deserialize, Serialize};

pub(crate) use client::{AskError, JSON, METRICS, ask};
pub(crate) use metrics::metrics;
pub(crate) use server::{Asked, Server};
pub(crate) use text::text;

/// A daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    /// Of v6router.
    pub(crate) version: String,
    /// What the node calls itself.
    pub(crate) name: String,
    /// Its network, if that has a name.
    pub(crate) net: Option<String>,
    pub(crate) pid: u32,
    pub(crate) uptime_s: u64,
    /// Of the VPN.
    pub(crate) interface: String,
    /// Bytes that came in by that interface, from the kernel.
    pub(crate) device_in_bytes: u64,
    /// Bytes that went out by it, to the kernel.
    pub(crate) device_out_bytes: u64,
    /// The other nodes, by name.
    pub(crate) peers: Vec<Peer>,
    /// If it is a router.
    pub(crate) router: Option<Router>,
}

/// Another node of the mesh.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// How packets go to it; none while it is not reachable.
    pub(crate) path: Option<Path>,
    /// Longest frame that is known to pass by UDP, in bytes, Ethernet header included (`pmtu`
    /// of tincd).
    pub(crate) mtu: Option<u16>,
    /// There and back: by UDP if packets go to it by UDP, else by the connection with it.
    pub(crate) rtt_ms: Option<f64>,
    /// What is behind it: its subnets, and the sites that router.toml gives it.
    pub(crate) prefixes: Vec<String>,
    /// MAC addresses that were seen behind it.
    pub(crate) macs: Vec<String>,
    /// Its meta connection with us.
    pub(crate) connection: Option<Connection>,
    /// We are to connect to it (`ConnectTo`).
    pub(crate) wanted: bool,
}

/// How packets go to a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Path {
    pub(crate) kind: PathKind,
    /// Who passes them on, if somebody does.
    pub(crate) relay: Option<String>,
    /// Where they are sent, if by UDP: to the node, or to who passes them on.
    pub(crate) udp: Option<String>,
    /// Why they do not go to the node itself by UDP, unless they do.
    pub(crate) why: Option<Why>,
    /// Since when UDP with the node has worked, or has not any more; none if it never did.
    pub(crate) udp_since_s: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PathKind {
    /// To the node itself by UDP.
    Udp,
    /// By the meta connection with it.
    Tcp,
    /// By the meta connection with it, which goes through a proxy.
    Proxy,
    /// By another node.
    Relay,
    /// Something newer than this program.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Why packets do not go to a node itself by UDP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Why {
    /// Its host file or ours says `IndirectData`.
    Indirect,
    /// One of us says `TCPOnly`.
    TcpOnly,
    /// It has sent no key for UDP: nothing was sent to it, or it answers late.
    NoKey,
    /// It has not answered by UDP.
    NoAnswer,
    /// It has answered by UDP, and no longer does.
    Silent,
    /// Where it is is not known.
    NoAddress,
    /// Something newer than this program.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A meta connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Connection {
    /// The other end; behind a proxy it is what the proxy was told.
    pub(crate) address: String,
    /// We have made it.
    pub(crate) outgoing: bool,
    /// Through which proxy.
    pub(crate) proxy: Option<String>,
    pub(crate) age_s: u64,
    /// A PING and its PONG; none in the first `PingInterval`.
    pub(crate) rtt_ms: Option<f64>,
}

/// What router.toml makes of the node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Router {
    /// Our address on the VPN.
    pub(crate) address: String,
    /// What we hand out.
    pub(crate) pool: Option<String>,
    pub(crate) way_out: WayOut,
    /// The networks we advertise to.
    pub(crate) networks: Vec<Network>,
    pub(crate) advertised: Advertised,
    /// Frames that were not let across the border.
    pub(crate) dropped: Dropped,
}

/// What was found about the way to everybody else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WayOut {
    /// Whom we ask on the VPN.
    pub(crate) gateway: Option<Gateway>,
    /// What we send ourselves leaves by the tunnel; otherwise as the venue has it.
    pub(crate) by_tunnel: bool,
    /// IPv6 addresses of the venue: it has IPv6 of its own, or says so.
    pub(crate) native: Vec<Address>,
    /// Default routes for IPv6 of others: of the venue's router, or of one that claims to be.
    pub(crate) defaults: Vec<Default6>,
    /// How the tunnel itself leaves, for each connection that we have made.
    pub(crate) endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Gateway {
    pub(crate) address: String,
    /// Whether it has answered the kernel; none if the kernel has not asked it.
    pub(crate) answers: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub(crate) interface: String,
    pub(crate) address: String,
}

/// A default route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Default6 {
    pub(crate) interface: String,
    pub(crate) router: Option<String>,
    /// Who made it: `ra`, `static`, `dhcp`, `kernel`, or the number of the protocol.
    pub(crate) by: String,
    pub(crate) metric: u32,
    /// Whether the router has answered the kernel; none if the kernel has not asked it.
    pub(crate) answers: Option<bool>,
}

/// How the tunnel leaves towards one end of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Endpoint {
    pub(crate) node: String,
    pub(crate) address: String,
    pub(crate) interface: Option<String>,
    /// The next hop; none if the address is on link.
    pub(crate) router: Option<String>,
    pub(crate) source: Option<String>,
    /// What the kernel says if there is no way.
    pub(crate) error: Option<String>,
}

/// A network of ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Network {
    pub(crate) interface: String,
    /// The interface is there.
    pub(crate) present: bool,
    pub(crate) prefix: String,
    /// Who has been seen there lately.
    pub(crate) clients: Vec<Client>,
}

/// Somebody on a network of ours, as the kernel's neighbour table has him.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    pub(crate) mac: String,
    pub(crate) addresses: Vec<String>,
    /// One of the addresses was confirmed within the last half minute or so (RFC 4861 section
    /// 7.3.2, REACHABLE); the others may be gone.
    pub(crate) confirmed: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Advertised {
    /// Router advertisements that were sent.
    pub(crate) sent: u64,
    /// Router solicitations that were heard.
    pub(crate) solicited: u64,
    /// Router solicitations that were void.
    pub(crate) void: u64,
}

/// Frames of the VPN that were dropped, by reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Dropped {
    pub(crate) advertisements: u64,
    pub(crate) redirects: u64,
    pub(crate) dhcp_answers: u64,
    pub(crate) disguised: u64,
    pub(crate) sources: u64,
    pub(crate) targets: u64,
    pub(crate) strangers: u64,
}

impl Dropped {
    /// Each count, with what it counts.
    pub(crate) fn each(&self) -> [(&'static str, u64); 7] {
        [
            ("advertisements", self.advertisements),
            ("redirects", self.redirects),
            ("DHCPv6 answers", self.dhcp_answers),
            ("disguised", self.disguised),
            ("foreign sources", self.sources),
            ("foreign targets", self.targets),
            ("to strangers", self.strangers),
        ]
    }
}
