//! The sockets, and how to find out that something does not arrive without waiting for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{SockaddrIn, recvfrom};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{ProbeError, Result};
use crate::fabric::{Lab, udp_socket};

/// How long a packet may take where it must arrive; it takes a millisecond.
const LIMIT: Duration = Duration::from_secs(10);

/// How often a packet that may be dropped is sent before it is believed to be. Each is followed by one that passes, so
/// that this takes no time; several, since on a busy machine one packet may overtake another.
const TRIES: usize = 3;

/// Inner port of the first socket. Below the range for outgoing connections, above what services use.
const FIRST_PORT: u16 = 20_000;

/// Outside of the NAT, and the order in which [`Bench::peer`] has them.
pub(super) const SERVERS: [(&str, u16); 4] = [
    ("ten", 3478),
    ("ten", 3479),
    ("twenty", 3478),
    ("twenty", 3479),
];

/// Places in [`SERVERS`].
pub(super) const TEN: usize = 0;
pub(super) const TEN_OTHER: usize = 1;
pub(super) const TWENTY: usize = 2;
pub(super) const TWENTY_OTHER: usize = 3;

/// Everything that is needed to ask questions.
pub(super) struct Bench<'a> {
    lab: &'a Lab,
    peers: Vec<End>,
    port: AtomicU16,
    tag: AtomicU32,
}

/// A socket and where its packets come from as long as nobody translates them.
pub(super) struct End {
    node: String,
    socket: UdpSocket,
    pub(super) endpoint: SocketAddrV4,
}

/// A way that is open, from a socket outside to one inside that has sent to it.
pub(super) struct Fence<'a> {
    pub(super) peer: &'a End,
    /// As whom `peer` sees `at`.
    pub(super) mapping: SocketAddrV4,
    pub(super) at: &'a End,
}

/// Tells one datagram from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag([u8; 4]);

impl<'a> Bench<'a> {
    pub(super) async fn open(lab: &'a Lab) -> Result<Self> {
        let mut bench = Self {
            lab,
            peers: Vec::new(),
            port: AtomicU16::new(FIRST_PORT),
            tag: AtomicU32::new(0),
        };
        for (node, port) in SERVERS {
            let peer = bench.socket(node, port).await?;
            bench.peers.push(peer);
        }
        Ok(bench)
    }

    /// A socket outside.
    pub(super) fn peer(&self, place: usize) -> &End {
        &self.peers[place]
    }

    /// A socket on a port of the host's that nothing was sent from before.
    pub(super) async fn fresh(&self, node: &str) -> Result<End> {
        self.socket(node, self.unused_port()).await
    }

    pub(super) fn unused_port(&self) -> u16 {
        self.port.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) async fn socket(&self, node: &str, port: u16) -> Result<End> {
        let addresses = self.lab.plan().node(node);
        let mut addresses = addresses
            .iter()
            .flat_map(|node| &node.interfaces)
            .flat_map(|interface| &interface.addresses);
        let address = addresses.find_map(|address| match address.net.addr {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        let address = address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let socket = udp_socket(self.lab.node(node)?, address, port).await?;
        Ok(End {
            node: node.to_owned(),
            socket,
            endpoint: SocketAddrV4::new(address, port),
        })
    }

    /// Sends from the inside to a socket outside, which always arrives; the source seen there.
    pub(super) async fn out(&self, from: &End, to: &End) -> Result<SocketAddrV4> {
        self.passes(from, to.endpoint, to).await
    }

    /// Sends something that must arrive, and returns as whose it did.
    pub(super) async fn passes(
        &self,
        from: &End,
        to: SocketAddrV4,
        at: &End,
    ) -> Result<SocketAddrV4> {
        let tag = self.tag();
        from.send(tag, to).await?;
        Ok(at.hear(tag, &from.node).await?.0)
    }

    /// Whether what `from` sends to `to` arrives at `at`, and as whose: `None` if it is dropped on the way.
    ///
    /// Each try is followed by a packet on a way that is open. When that has arrived, the one before it either has
    /// arrived as well or never will.
    pub(super) async fn arrives(
        &self,
        from: &End,
        to: SocketAddrV4,
        at: &End,
        fence: &Fence<'_>,
    ) -> Result<Option<SocketAddrV4>> {
        let mut sent = Vec::new();
        for _ in 0..TRIES {
            let stray = self.tag();
            from.send(stray, to).await?;
            sent.push(stray);
            let tag = self.tag();
            fence.peer.send(tag, fence.mapping).await?;
            let (_, mut heard) = fence.at.hear(tag, &fence.peer.node).await?;
            heard.extend(at.drain()?);
            let arrived = heard.iter().find(|(tag, _)| sent.contains(tag));
            if let Some((_, source)) = arrived {
                return Ok(Some(*source));
            }
        }
        Ok(None)
    }

    /// Sends one packet to each of `to`; as whose they arrived behind the fence, as far as they did. Those of earlier
    /// volleys, named by `sent`, count as well.
    pub(super) async fn volley(
        &self,
        from: &End,
        to: &[SocketAddrV4],
        fence: &Fence<'_>,
        sent: &mut Vec<Tag>,
    ) -> Result<Vec<SocketAddrV4>> {
        for to in to {
            let tag = self.tag();
            from.send(tag, *to).await?;
            sent.push(tag);
        }
        let tag = self.tag();
        fence.peer.send(tag, fence.mapping).await?;
        let (_, heard) = fence.at.hear(tag, &fence.peer.node).await?;
        let ours = heard.into_iter().filter(|(tag, _)| sent.contains(tag));
        Ok(ours.map(|(_, source)| source).collect())
    }

    /// The way back to a socket that has sent to the first server.
    pub(super) fn fence<'b>(&'b self, mapping: SocketAddrV4, at: &'b End) -> Fence<'b> {
        Fence {
            peer: self.peer(TEN),
            mapping,
            at,
        }
    }

    fn tag(&self) -> Tag {
        Tag(self.tag.fetch_add(1, Ordering::Relaxed).to_be_bytes())
    }
}

impl End {
    async fn send(&self, tag: Tag, to: SocketAddrV4) -> Result<()> {
        let sent = self.socket.send_to(&tag.0, SocketAddr::V4(to)).await;
        sent.map(drop).map_err(|reason| ProbeError::Socket {
            what: "send",
            reason,
        })
    }

    /// Waits for a datagram: its source, and what came before it.
    async fn hear(&self, tag: Tag, from: &str) -> Result<(SocketAddrV4, Vec<(Tag, SocketAddrV4)>)> {
        let mut before = Vec::new();
        let waited = timeout(LIMIT, async {
            loop {
                let mut heard = Tag([0; 4]);
                let (_, source) = self.socket.recv_from(&mut heard.0).await?;
                let SocketAddr::V4(source) = source else {
                    continue;
                };
                if heard == tag {
                    return Ok::<_, io::Error>(source);
                }
                before.push((heard, source));
            }
        });
        let source = waited.await.map_err(|_| ProbeError::Lost {
            way: format!("{from} to {} at {}", self.node, self.endpoint),
            seconds: LIMIT.as_secs(),
        })?;
        let source = source.map_err(|reason| ProbeError::Socket {
            what: "receive",
            reason,
        })?;
        Ok((source, before))
    }

    /// What has arrived and nobody has listened to. Asks the kernel itself, since the runtime may not have heard yet that
    /// there is something.
    fn drain(&self) -> Result<Vec<(Tag, SocketAddrV4)>> {
        let mut heard = Vec::new();
        loop {
            let mut tag = Tag([0; 4]);
            match recvfrom::<SockaddrIn>(self.socket.as_raw_fd(), &mut tag.0) {
                Ok((_, Some(source))) => heard.push((tag, source.into())),
                Ok((_, None)) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(heard),
                Err(error) => {
                    return Err(ProbeError::Socket {
                        what: "receive",
                        reason: error.into(),
                    });
                }
            }
        }
    }
}
