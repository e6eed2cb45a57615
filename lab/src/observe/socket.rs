//! A raw socket for echo messages, opened inside a node and used outside.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, SystemTime};

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::echo::{self, Answer, EchoId};
use super::{ObserveError, Result};
use crate::fabric::Node;

/// Room for the largest answer: quoted packets are cut to 1,280 bytes (RFC 4443), echoed ones are no larger than sent.
const LARGEST: usize = 65_536;

/// One identifier per socket, so that several may ping from one node at once.
static NEXT_IDENT: AtomicU16 = AtomicU16::new(1);

/// Sends echo requests to one target and hears what comes back for them.
pub(super) struct EchoSocket {
    /// Raw in fact; a datagram socket's calls are the ones that are wanted.
    socket: UdpSocket,
    node: String,
    target: IpAddr,
    ident: u16,
    buffer: Vec<u8>,
}

/// An answer, and what is known of it.
pub(super) struct Received<'b> {
    pub(super) from: IpAddr,
    pub(super) answer: Answer,
    /// Behind its IP header for IPv6, from it on for IPv4.
    pub(super) message: &'b [u8],
    /// When the kernel got it. On a machine with much to do we hear of it later.
    pub(super) at: SystemTime,
}

impl EchoSocket {
    pub(super) async fn open(node: &Node, target: IpAddr) -> Result<Self> {
        let opened = node
            .run(move || Box::pin(async move { raw_socket(target) }))
            .await?;
        let failed = |reason| ObserveError::Socket {
            node: node.name().to_owned(),
            what: "open a raw socket",
            reason,
        };
        let socket = opened.and_then(|socket| UdpSocket::from_std(socket.into()));
        Ok(Self {
            socket: socket.map_err(failed)?,
            node: node.name().to_owned(),
            target,
            ident: NEXT_IDENT.fetch_add(1, Ordering::Relaxed),
            buffer: vec![0; LARGEST],
        })
    }

    /// How many routers the next requests may pass.
    pub(super) fn set_hop_limit(&self, hops: u8) -> Result<()> {
        let socket = SockRef::from(&self.socket);
        match self.target {
            IpAddr::V4(_) => socket.set_ttl_v4(hops.into()),
            IpAddr::V6(_) => socket.set_unicast_hops_v6(hops.into()),
        }
        .map_err(|reason| self.failed("set the hop limit", reason))
    }

    /// Sends one request. An error is the network's, known at once: no route, say.
    pub(super) async fn send(&self, seq: u16, payload: &[u8]) -> io::Result<()> {
        let id = EchoId {
            ident: self.ident,
            seq,
        };
        let packet = echo::request(self.target, id, payload);
        self.socket
            .send_to(&packet, SocketAddr::new(self.target, 0))
            .await
            .map(drop)
    }

    /// The next answer to one of this socket's requests.
    pub(super) async fn receive(&mut self) -> Result<Received<'_>> {
        loop {
            let (socket, buffer) = (&self.socket, &mut self.buffer);
            let take = || take(socket, buffer);
            let received = self.socket.async_io(Interest::READABLE, take).await;
            let (len, from, at) = received.map_err(|reason| self.failed("receive", reason))?;
            let message = self.buffer.get(..len).unwrap_or_default();
            if let Some(answer) = echo::parse(message, self.target.is_ipv6())
                && answer.id().ident == self.ident
            {
                let message = self.buffer.get(..len).unwrap_or_default();
                return Ok(Received {
                    from,
                    answer,
                    message,
                    at,
                });
            }
        }
    }

    fn failed(&self, what: &'static str, reason: io::Error) -> ObserveError {
        ObserveError::Socket {
            node: self.node.clone(),
            what,
            reason,
        }
    }
}

fn raw_socket(target: IpAddr) -> io::Result<Socket> {
    let (domain, protocol, anywhere) = match target {
        IpAddr::V4(_) => (
            Domain::IPV4,
            Protocol::ICMPV4,
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        ),
        IpAddr::V6(_) => (
            Domain::IPV6,
            Protocol::ICMPV6,
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ),
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    socket.bind(&SocketAddr::new(anywhere, 0).into())?;
    Ok(socket)
}

/// The next message: its length, whose it is, and when it came.
fn take(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, IpAddr, SystemTime)> {
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let (fd, mut into) = (socket.as_raw_fd(), [IoSliceMut::new(buffer)]);
    let none = MsgFlags::empty();
    let message = recvmsg::<SockaddrStorage>(fd, &mut into, Some(&mut control), none)?;
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    });
    let at = stamp.map_or_else(SystemTime::now, |at| SystemTime::UNIX_EPOCH + at);
    let from = message.address.as_ref().and_then(|from| {
        let v4 = from.as_sockaddr_in().map(|from| IpAddr::from(from.ip()));
        v4.or_else(|| Some(from.as_sockaddr_in6()?.ip().into()))
    });
    Ok((message.bytes, from.ok_or(io::ErrorKind::InvalidData)?, at))
}
