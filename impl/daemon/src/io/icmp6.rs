//! A raw ICMPv6 socket on one interface: solicitations come in, advertisements go out (RFC 3542).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv6RecvHopLimit, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use v6router_core::wire::ndp::{
    ALL_ROUTERS, HOP_LIMIT, InvalidMessage, Received, RouterSolicitation,
};

/// The type of router solicitations (RFC 4861 section 4.1).
const ROUTER_SOLICITATION: u8 = 133;
/// The option by which a socket says which types it wants (Linux, `ICMPV6_FILTER` in
/// `linux/icmpv6.h`).
const ICMPV6_FILTER: libc::c_int = 1;
/// Longer messages than any link here carries are cut, and void then.
const LONGEST: usize = 2048;

/// A socket on an interface, in the group of all routers.
#[derive(Debug)]
pub(crate) struct Icmp6 {
    /// A raw one, of which nothing is used but what sockets of all kinds can do.
    socket: UdpSocket,
    index: u32,
}

impl Icmp6 {
    /// Opens the socket; takes the right to open raw ones.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn open(interface: &str, index: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        // Before anything can come in.
        want_solicitations_only(&socket)?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_unicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_multicast_loop_v6(false)?;
        setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
        setsockopt(&socket, Ipv6RecvHopLimit, &true)?;
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, index })
    }

    /// Waits for a solicitation; the inner error says why one is void.
    ///
    /// # Errors
    /// What the kernel says, for instance that the interface has gone.
    pub(crate) async fn receive(&self) -> io::Result<Result<RouterSolicitation, InvalidMessage>> {
        let receive = || receive(&self.socket);
        self.socket.async_io(Interest::READABLE, receive).await
    }

    /// Sends a message, whose checksum the kernel fills in, from an address of ours.
    ///
    /// # Errors
    /// What the kernel says. A queue that is full loses the message: another one follows.
    pub(crate) fn send(&self, from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> io::Result<()> {
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr {
                s6_addr: from.octets(),
            },
            ipi6_ifindex: self.index,
        };
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, self.index));
        let control = [ControlMessage::Ipv6PacketInfo(&info)];
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::empty();
        sendmsg(fd, &[IoSlice::new(message)], &control, flags, Some(&to))?;
        Ok(())
    }
}

fn receive(socket: &UdpSocket) -> io::Result<Result<RouterSolicitation, InvalidMessage>> {
    let mut buffer = [0; LONGEST];
    let mut control = cmsg_space!(libc::in6_pktinfo, libc::c_int);
    let (mut destination, mut hop_limit) = (Ipv6Addr::UNSPECIFIED, 0);
    let (source, len) = {
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::empty();
        let fd = socket.as_raw_fd();
        let message = recvmsg::<SockaddrIn6>(fd, &mut buffers, Some(&mut control), flags)?;
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    destination = info.ipi6_addr.s6_addr.into();
                }
                // Whatever does not fit would be no hop limit.
                ControlMessageOwned::Ipv6HopLimit(hops) => {
                    hop_limit = u8::try_from(hops).unwrap_or(0);
                }
                _ => {}
            }
        }
        let source = message.address.map(|address| address.ip());
        (source.unwrap_or(Ipv6Addr::UNSPECIFIED), message.bytes)
    };
    Ok(RouterSolicitation::parse(&Received {
        source,
        destination,
        hop_limit,
        message: buffer.get(..len).unwrap_or_default(),
    }))
}

/// Has the kernel keep everything but router solicitations from the socket (RFC 3542 section 3.2).
#[allow(unsafe_code)]
fn want_solicitations_only(socket: &Socket) -> io::Result<()> {
    // A bit that is set blocks its type.
    let mut blocked = [u32::MAX; 8];
    let (word, bit) = (ROUTER_SOLICITATION / 32, ROUTER_SOLICITATION % 32);
    if let Some(word) = blocked.get_mut(usize::from(word)) {
        *word &= !(1 << bit);
    }
    let size = libc::socklen_t::try_from(size_of_val(&blocked)).map_err(io::Error::other)?;
    // SAFETY: `blocked` lives through the call and has the size and layout of `icmp6_filter`, and
    // the descriptor is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_ICMPV6,
            ICMPV6_FILTER,
            (&raw const blocked).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
