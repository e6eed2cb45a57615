//! Datagrams that came in, as many as one call brings.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::libc;
use socket2::{SockAddr, SockAddrStorage};
use v6router_core::dataplane::Datagrams;

use super::control::{Control, coalesced_size};

/// Messages that one call brings at most; ours.
const MOST: usize = 16;
/// Room for any datagram a tinc daemon sends, and enough to tell longer ones from them.
const DATAGRAM: usize = 4096;
/// Room for what the kernel gives as one.
const COALESCED: usize = 1 << 16;

/// Room for what one call brings, used again and again.
pub(in super::super) struct Arrivals {
    bytes: Vec<u8>,
    /// Bytes of room for each message.
    room: usize,
    came: [Option<Arrival>; MOST],
}

/// A message: one datagram, or several of one sender.
#[derive(Clone, Copy)]
struct Arrival {
    from: SocketAddr,
    len: usize,
    /// Bytes of each datagram but the last.
    size: usize,
}

impl Arrivals {
    /// Room for datagrams as they come, or as the kernel coalesces them.
    pub(in super::super) fn new(coalescing: bool) -> Self {
        let room = if coalescing { COALESCED } else { DATAGRAM };
        Self {
            bytes: vec![0; room * MOST],
            room,
            came: [None; MOST],
        }
    }

    /// Takes what waits at a socket, without waiting for more.
    pub(in super::super) fn receive(&mut self, socket: &UdpSocket) {
        self.came = [None; MOST];
        // Nothing waits, or an old error of the path was delivered.
        let _ = self.fill(socket);
    }

    /// What came, by whom it was sent.
    pub(in super::super) fn each(&mut self) -> impl Iterator<Item = (SocketAddr, Datagrams<'_>)> {
        let rooms = self.bytes.chunks_mut(self.room);
        let came = rooms
            .zip(&self.came)
            .map_while(|(bytes, came)| Some((bytes, (*came)?)));
        came.filter_map(|(bytes, Arrival { from, len, size })| {
            let bytes = bytes.get_mut(..len)?;
            Some((from, Datagrams { bytes, size }))
        })
    }

    #[allow(unsafe_code)]
    fn fill(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut addresses: [SockAddrStorage; MOST] =
            std::array::from_fn(|_| SockAddrStorage::zeroed());
        let mut controls = [Control::default(); MOST];
        // SAFETY: these are integers and pointers, for all of which zero is a value.
        let mut headers: [libc::mmsghdr; MOST] = unsafe { std::mem::zeroed() };
        let mut slices = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; MOST];
        let rooms = self.bytes.chunks_mut(self.room);
        let messages = headers.iter_mut().zip(&mut slices).zip(rooms);
        for (((header, slice), room), (address, control)) in
            messages.zip(addresses.iter_mut().zip(&mut controls))
        {
            *slice = libc::iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: room.len(),
            };
            header.msg_hdr.msg_name = std::ptr::from_mut(address).cast();
            header.msg_hdr.msg_namelen = address.size_of();
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.room().as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = Control::ROOM;
        }
        // SAFETY: each header points at an address, a slice with room of ours and control room,
        // all of which live, and are used by nobody else, through the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                MOST as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        let messages = headers.iter().zip(addresses).zip(&mut controls);
        for (came, ((header, address), control)) in self.came.iter_mut().zip(messages).take(count) {
            // SAFETY: the kernel has written an address of that length.
            let from = unsafe { SockAddr::new(address, header.msg_hdr.msg_namelen) };
            let len = usize::try_from(header.msg_len).unwrap_or_default();
            let said = control.room().get(..header.msg_hdr.msg_controllen);
            let size = said.and_then(coalesced_size).unwrap_or(len);
            *came = from.as_socket().map(|from| Arrival { from, len, size });
        }
        Ok(())
    }
}
