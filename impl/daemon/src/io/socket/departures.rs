//! Datagrams that go out, as many as one call takes.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::libc;
use socket2::{MsgHdr, SockAddr, SockRef};
use v6router_core::dataplane::{Datagram, Handling, Train};

use super::Socket;
use super::control::Control;

/// Messages that one call takes at most; ours.
const MOST: usize = 16;

/// Trains of datagrams that leave by one socket.
pub(in super::super) struct Departures<'a> {
    socket: &'a Socket,
    trains: [Option<Train<'a>>; MOST],
    count: usize,
}

impl<'a> Departures<'a> {
    /// Nothing yet.
    pub(in super::super) fn new(socket: &'a Socket) -> Self {
        Self {
            socket,
            trains: [None; MOST],
            count: 0,
        }
    }

    /// Whether what is there leaves by that socket, and there is room for more.
    pub(in super::super) fn takes_for(&self, socket: &Socket, train: &Train<'_>) -> bool {
        let kind = |train: &Train<'_>| {
            train
                .datagrams
                .first()
                .map(|first| first.handling.may_fragment)
        };
        let first = self.trains.first().and_then(Option::as_ref);
        std::ptr::eq(self.socket, socket)
            && self.count < MOST
            && first.is_none_or(|first| kind(first) == kind(train))
    }

    /// Takes a train.
    pub(in super::super) fn push(&mut self, train: Train<'a>) {
        if let Some(place) = self.trains.get_mut(self.count) {
            *place = Some(train);
            self.count += 1;
        }
    }

    /// Sends everything, and hands each datagram that the kernel refuses to `refused`.
    pub(in super::super) fn send(self, mut refused: impl FnMut(&Datagram, &io::Error)) {
        let mut trains = self.trains.get(..self.count).unwrap_or_default();
        while let Some(Some(first)) = trains.first() {
            let sent = match self.send_some(trains) {
                Ok(sent) => sent.max(1),
                Err(error) => {
                    self.singly(*first, &error, &mut refused);
                    1
                }
            };
            trains = trains.get(sent..).unwrap_or_default();
        }
    }

    /// Sends the datagrams of a train that the kernel did not take as one.
    fn singly(
        &self,
        train: Train<'_>,
        error: &io::Error,
        refused: &mut impl FnMut(&Datagram, &io::Error),
    ) {
        if let [alone] = train.datagrams {
            return refused(alone, error);
        }
        let mut are_taken = true;
        for (datagram, bytes) in train.each() {
            let Datagram { path, handling, .. } = datagram;
            if let Err(error) = self.socket.send(bytes, path.address, *handling) {
                are_taken = false;
                refused(datagram, &error);
            }
        }
        // What was in the way may have passed by itself meanwhile, and is no reason then.
        if are_taken && is_about_trains(error) {
            self.socket.takes_them_singly();
        }
    }

    /// Sends trains until one is refused; says how many were sent, or why the first one was not.
    #[allow(unsafe_code)]
    fn send_some(&self, trains: &[Option<Train<'_>>]) -> io::Result<usize> {
        let mut addresses: [Option<SockAddr>; MOST] = [const { None }; MOST];
        let mut controls = [Control::default(); MOST];
        // SAFETY: these are integers and pointers, for all of which zero is a value.
        let mut headers: [libc::mmsghdr; MOST] = unsafe { std::mem::zeroed() };
        let mut slices = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; MOST];
        let mut count: libc::c_uint = 0;
        let mut which = None;
        let messages = headers.iter_mut().zip(&mut slices);
        for (((header, slice), (place, control)), train) in messages
            .zip(addresses.iter_mut().zip(&mut controls))
            .zip(trains.iter().flatten())
        {
            let Some(Datagram { path, handling, .. }) = train.datagrams.first() else {
                break;
            };
            if train.datagrams.len() > 1 {
                control.segment_size(u16::try_from(train.size).map_err(io::Error::other)?);
            }
            if handling.traffic_class != 0 {
                control.class_of_service(path.address, handling.traffic_class);
            }
            let address = place.insert(path.address.into());
            *slice = libc::iovec {
                iov_base: train.bytes.as_ptr().cast_mut().cast(),
                iov_len: train.bytes.len(),
            };
            header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = address.len();
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            let said = control.bytes();
            if !said.is_empty() {
                header.msg_hdr.msg_control = said.as_ptr().cast_mut().cast();
                header.msg_hdr.msg_controllen = said.len();
            }
            which = Some(self.socket.which(*handling));
            count += 1;
        }
        let Some(socket) = which else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        // SAFETY: each header points at an address, a slice of bytes and control messages, which
        // the kernel only reads and all of which live through the call.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Sends one datagram.
pub(super) fn send_one(
    socket: &UdpSocket,
    bytes: &[u8],
    to: SocketAddr,
    handling: Handling,
) -> io::Result<()> {
    if handling.traffic_class == 0 {
        socket.send_to(bytes, to)?;
        return Ok(());
    }
    let address = to.into();
    let mut control = Control::default();
    control.class_of_service(to, handling.traffic_class);
    let buffers = [io::IoSlice::new(bytes)];
    let message = MsgHdr::new()
        .with_addr(&address)
        .with_buffers(&buffers)
        .with_control(control.bytes());
    SockRef::from(socket).sendmsg(&message, 0)?;
    Ok(())
}

/// Whether a kernel or a driver says by that error that it does not cut trains (Linux, `udp(7)`, `UDP_SEGMENT`).
fn is_about_trains(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(
        number,
        Some(Errno::EINVAL | Errno::EIO | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT)
    )
}
