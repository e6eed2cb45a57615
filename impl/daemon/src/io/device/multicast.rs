//! Frames as datagrams to a multicast group: a link between machines that share one.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, Protocol, Socket, Type};

/// A socket in a group.
pub(super) struct Multicast {
    socket: Socket,
    group: SocketAddr,
    last: LastWriter,
}

/// Source address of the frame written last: what comes back with it is our own, since the group
/// is heard on the machine itself too (tinc 1.0).
#[derive(Default)]
struct LastWriter(AtomicU64);

impl LastWriter {
    fn note(&self, frame: &[u8]) {
        if let Some(source) = source(frame) {
            self.0.store(source, Ordering::Relaxed);
        }
    }

    fn wrote(&self, frame: &[u8]) -> bool {
        source(frame) == Some(self.0.load(Ordering::Relaxed))
    }
}

fn source(frame: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e, f] = frame.get(6..)?.first_chunk::<6>()?;
    Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

impl Multicast {
    pub(super) fn open(group: IpAddr, port: u16, ttl: u8) -> io::Result<Self> {
        let address = SocketAddr::new(group, port);
        let kind = Domain::for_address(address);
        let socket = Socket::new(kind, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Others on the machine may be in the group.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
                socket.set_multicast_loop_v4(true)?;
                socket.set_multicast_ttl_v4(ttl.into())?;
            }
            IpAddr::V6(group) => {
                socket.join_multicast_v6(&group, 0)?;
                socket.set_multicast_loop_v6(true)?;
                socket.set_multicast_hops_v6(ttl.into())?;
            }
        }
        Ok(Self {
            socket,
            group: address,
            last: LastWriter::default(),
        })
    }

    /// Reads the next frame that is not our own.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = (&self.socket).read(buffer)?;
            if !self.last.wrote(buffer.get(..len).unwrap_or_default()) {
                return Ok(len);
            }
        }
    }

    pub(super) fn write(&self, frame: &[u8]) -> io::Result<()> {
        self.last.note(frame);
        self.socket.send_to(frame, &self.group.into()).map(drop)
    }
}

impl AsFd for Multicast {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_our_own_if_its_source_wrote_last() {
        let last = LastWriter::default();
        let frame = |source: u8| [[9; 6], [source; 6], [0; 6]].concat();
        assert!(!last.wrote(&frame(2)));
        last.note(&frame(2));
        assert!(last.wrote(&frame(2)) && !last.wrote(&frame(4)));
        last.note(&frame(4));
        assert!(last.wrote(&frame(4)) && !last.wrote(&frame(2)));
        assert!(!last.wrote(&[9; 11]));
    }
}
