//! UDP sockets, and what is said in the IP headers of what leaves by them.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBufForce, SndBufForce};
use socket2::{MsgHdr, Protocol, SockRef, Type};
use v6router_core::dataplane::Handling;

use super::listen::bare;

/// Bytes of datagrams that may wait for us unless `UDPRcvBuf` says otherwise; ours. The kernel's
/// usual 208 KiB is a burst of a hundred packets, after which a fast sender loses some.
const RECEIVE_BUFFER: usize = 1 << 20;

/// How UDP sockets are set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UdpSetup {
    /// Datagrams are not fragmented, since the path is measured.
    pub(crate) dont_fragment: bool,
    /// Bytes; `None` takes ours.
    pub(crate) receive_buffer: Option<usize>,
    /// Bytes; `None` leaves it to the kernel.
    pub(crate) send_buffer: Option<usize>,
    /// What routing rules know the tunnel's packets by, if they do.
    pub(crate) mark: Option<u32>,
}

/// A UDP address of ours.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Everything comes in here, and leaves here unless it may be cut up.
    pub(crate) udp: UdpSocket,
    /// What may be cut up leaves here: whether a datagram may be is no property of the datagram
    /// to Linux, but of its socket. `None` if all may.
    cutting: Option<UdpSocket>,
}

impl Socket {
    /// Opens the sockets of one address.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn open(
        address: SocketAddr,
        interface: Option<&str>,
        setup: UdpSetup,
    ) -> io::Result<Self> {
        let open = || bare(address, Type::DGRAM, Protocol::UDP, interface, setup.mark);
        let udp = open()?;
        udp.set_broadcast(true)?;
        // Root may have more than the kernel's limit for everybody; an ordinary process gets what
        // the limit allows.
        let receive = setup.receive_buffer.unwrap_or(RECEIVE_BUFFER);
        if setsockopt(&udp, RcvBufForce, &receive).is_err() && setup.receive_buffer.is_some() {
            udp.set_recv_buffer_size(receive)?;
        }
        set_send_buffer(&udp, setup)?;
        if !setup.dont_fragment {
            udp.bind(&address.into())?;
            return Ok(Self {
                udp: udp.into(),
                cutting: None,
            });
        }
        let cutting = open()?;
        set_fragmenting(&udp, address.ip(), false)?;
        set_fragmenting(&cutting, address.ip(), true)?;
        set_send_buffer(&cutting, setup)?;
        // Of sockets that share an address the one bound last hears what comes in. It is shared
        // for this moment only: nobody else can take a place beside us afterwards.
        for socket in [&cutting, &udp] {
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
        }
        for socket in [&cutting, &udp] {
            socket.set_reuse_address(false)?;
        }
        Ok(Self {
            udp: udp.into(),
            cutting: Some(cutting.into()),
        })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// What the kernel says; `EMSGSIZE` if it is too big for the path and must not be cut.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr, handling: Handling) -> io::Result<()> {
        let cutting = self.cutting.as_ref().filter(|_| handling.may_fragment);
        let socket = cutting.unwrap_or(&self.udp);
        if handling.traffic_class == 0 {
            socket.send_to(bytes, to)?;
        } else {
            let address = to.into();
            let control = class_of_service(to, handling.traffic_class);
            let buffers = [IoSlice::new(bytes)];
            let message = MsgHdr::new()
                .with_addr(&address)
                .with_buffers(&buffers)
                .with_control(&control);
            SockRef::from(socket).sendmsg(&message, 0)?;
        }
        Ok(())
    }
}

fn set_send_buffer(socket: &socket2::Socket, setup: UdpSetup) -> io::Result<()> {
    if let Some(bytes) = setup.send_buffer
        && setsockopt(socket, SndBufForce, &bytes).is_err()
    {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(())
}

/// Bytes of a control message's length, level and type (Linux, `cmsg(3)`).
const CONTROL_HEADER: usize = size_of::<usize>() + 8;
/// Bytes of a control message with an integer.
const CONTROL_LEN: usize = CONTROL_HEADER + size_of::<libc::c_int>();
/// The same, up to where the next one would begin.
const CONTROL_SPACE: usize = CONTROL_LEN.next_multiple_of(size_of::<usize>());

/// The control message that sets TOS or traffic class of one datagram (Linux, `ip(7)`,
/// `ipv6(7)`): unlike a socket option it costs no call of its own, and threads do not meet in it.
fn class_of_service(to: SocketAddr, class: u8) -> [u8; CONTROL_SPACE] {
    let (level, kind) = match to {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    let integers = [level, kind, libc::c_int::from(class)];
    let bytes = CONTROL_LEN
        .to_ne_bytes()
        .into_iter()
        .chain(integers.into_iter().flat_map(libc::c_int::to_ne_bytes));
    let mut message = [0; CONTROL_SPACE];
    for (to, from) in message.iter_mut().zip(bytes) {
        *to = from;
    }
    message
}

/// Has the kernel cut up what exceeds the path MTU, or refuse it.
#[allow(unsafe_code)]
fn set_fragmenting(socket: &socket2::Socket, ip: IpAddr, fragmenting: bool) -> io::Result<()> {
    let (level, name, dont, must_not) = match ip {
        IpAddr::V4(_) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
            libc::IP_PMTUDISC_DO,
        ),
        IpAddr::V6(_) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
            libc::IPV6_PMTUDISC_DO,
        ),
    };
    let value = if fragmenting { dont } else { must_not };
    let size = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: `value` is an integer that lives through the call, `size` is its size, and the
    // descriptor is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use nix::cmsg_space;
    use nix::sys::socket::sockopt::{IpRecvTos, Ipv6RecvTClass};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

    use super::*;

    const SETUP: UdpSetup = UdpSetup {
        dont_fragment: true,
        receive_buffer: None,
        send_buffer: None,
        mark: None,
    };

    /// Our sockets on a port that is free, and somebody to talk to.
    fn pair(ip: IpAddr) -> (Socket, SocketAddr, UdpSocket) {
        let free = UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap();
        let ours = Socket::open(free, None, SETUP).unwrap();
        let other = UdpSocket::bind((ip, 0)).unwrap();
        for socket in [&ours.udp, &other] {
            socket.set_nonblocking(false).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
        }
        (ours, free, other)
    }

    fn received_class(socket: &UdpSocket) -> u8 {
        let mut buffer = [0; 16];
        let mut buffers = [io::IoSliceMut::new(&mut buffer)];
        let mut control = cmsg_space!(libc::c_int);
        let flags = MsgFlags::empty();
        let fd = socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut buffers, Some(&mut control), flags).unwrap();
        let mut classes = message
            .cmsgs()
            .unwrap()
            .filter_map(|message| match message {
                ControlMessageOwned::Ipv4Tos(class) => Some(class),
                ControlMessageOwned::Ipv6TClass(class) => u8::try_from(class).ok(),
                _ => None,
            });
        classes.next().unwrap()
    }

    #[test]
    fn what_may_be_cut_leaves_from_the_same_address_and_nothing_comes_in_there() {
        let (ours, address, other) = pair(Ipv4Addr::LOCALHOST.into());
        let mut buffer = [0; 16];
        for may_fragment in [false, true] {
            let handling = Handling {
                traffic_class: 0,
                may_fragment,
            };
            ours.send(b"hello", other.local_addr().unwrap(), handling)
                .unwrap();
            let (len, from) = other.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (&b"hello"[..], address));
            other.send_to(b"answer", from).unwrap();
            assert_eq!(ours.udp.recv(&mut buffer).unwrap(), 6);
        }
        let intruder = socket2::Socket::new(socket2::Domain::IPV4, Type::DGRAM, None).unwrap();
        intruder.set_reuse_address(true).unwrap();
        assert!(
            intruder.bind(&address.into()).is_err(),
            "there is no place beside us"
        );
    }

    #[test]
    fn each_datagram_has_its_class_of_service() {
        for ip in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let (ours, _, other) = pair(ip);
            match ip {
                IpAddr::V4(_) => setsockopt(&other, IpRecvTos, &true).unwrap(),
                IpAddr::V6(_) => setsockopt(&other, Ipv6RecvTClass, &true).unwrap(),
            }
            for class in [0xb8, 0, 0x20] {
                let handling = Handling {
                    traffic_class: class,
                    may_fragment: class == 0x20,
                };
                ours.send(b"hello", other.local_addr().unwrap(), handling)
                    .unwrap();
                assert_eq!(received_class(&other), class);
            }
        }
    }
}
