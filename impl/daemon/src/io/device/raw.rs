//! All frames of an interface that is there already (Linux, `packet(7)`).

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

/// A socket on an interface. What others send there is read, and what the machine itself sends,
/// but not what we write.
pub(super) struct RawSocket(Socket);

impl RawSocket {
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let all = u16::try_from(libc::ETH_P_ALL)
            .map_err(io::Error::other)?
            .to_be();
        let socket = Socket::new(
            Domain::PACKET,
            Type::RAW,
            Some(Protocol::from(i32::from(all))),
        )?;
        socket.set_nonblocking(true)?;
        socket.bind(&address(index, all)?)?;
        Ok(Self(socket))
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    pub(super) fn write(&self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame).map(drop)
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The address of an interface to a packet socket.
#[allow(unsafe_code)]
fn address(index: libc::c_uint, protocol: u16) -> io::Result<SockAddr> {
    let link = libc::sockaddr_ll {
        sll_family: libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: protocol,
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut storage = SockAddrStorage::zeroed();
    let len = libc::socklen_t::try_from(size_of_val(&link)).map_err(io::Error::other)?;
    // SAFETY: `sockaddr_ll` is the address of a packet socket, and the kernel reads it as one by
    // the family that stands in it.
    *unsafe { storage.view_as() } = link;
    // SAFETY: the storage holds an address of that length.
    Ok(unsafe { SockAddr::new(storage, len) })
}
