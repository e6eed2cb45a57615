//! Ethernet frames of one's own, sent and received on an interface of a node.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use tokio::net::UdpSocket;

use super::{ObserveError, Result};
use crate::conditioner::link_address;
use crate::fabric::Node;

/// Destination, source, EtherType (IEEE 802.3).
const HEADER: usize = 14;

/// IEEE 802, Local Experimental EtherType 1: no kernel has anything to say to it.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

/// Sends payloads from one hardware address to another and hears what comes back the same way.
#[derive(Debug)]
pub struct FrameSocket {
    /// Not one, but it is waited for and used in the same way.
    socket: UdpSocket,
    node: String,
    to: [u8; 6],
    from: [u8; 6],
    buffer: Vec<u8>,
}

impl FrameSocket {
    /// Opens one on an interface of `node`.
    ///
    /// # Errors
    /// When there is no such interface, or no packet socket to be had.
    pub async fn open(node: &Node, interface: &str, from: [u8; 6], to: [u8; 6]) -> Result<Self> {
        let name = interface.to_owned();
        let opened = node
            .run(move || Box::pin(async move { bound(&name) }))
            .await?;
        let socket = opened.and_then(|fd| UdpSocket::from_std(fd.into()));
        Ok(Self {
            socket: socket.map_err(|reason| failed(node.name(), "open a packet socket", reason))?,
            node: node.name().to_owned(),
            to,
            from,
            buffer: vec![0; 65_536],
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn send(&self, payload: &[u8]) -> Result<()> {
        let frame = [&self.to, &self.from, ETHERTYPE.as_slice(), payload].concat();
        let sent = self.socket.send(&frame).await;
        sent.map(drop)
            .map_err(|reason| failed(&self.node, "send a frame", reason))
    }

    /// The payload of the next frame that comes from the other end.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn receive(&mut self) -> Result<&[u8]> {
        let expected = [&self.from, &self.to, ETHERTYPE.as_slice()].concat();
        let len = loop {
            let received = self.socket.recv(&mut self.buffer).await;
            let len = received.map_err(|reason| failed(&self.node, "receive a frame", reason))?;
            if len >= HEADER && self.buffer.starts_with(&expected) {
                break len;
            }
        };
        Ok(self.buffer.get(HEADER..len).unwrap_or_default())
    }
}

/// A packet socket for one interface, which hears everything there and nothing elsewhere.
#[allow(unsafe_code)]
pub(super) fn bound(interface: &str) -> io::Result<OwnedFd> {
    let mut address: libc::sockaddr_ll = *link_address(interface)?.as_ref();
    // The number is small.
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    // Opened for a protocol, it would hear all interfaces until it is bound.
    let fd = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    // SAFETY: the descriptor is open, and the address is a whole one that lives through the call.
    let result = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    Errno::result(result)?;
    Ok(fd)
}

pub(super) fn failed(node: &str, what: &'static str, reason: io::Error) -> ObserveError {
    ObserveError::Socket {
        node: node.to_owned(),
        what,
        reason,
    }
}
