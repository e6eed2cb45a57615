//! Listening sockets that whoever started us has opened already: the protocol of
//! `sd_listen_fds(3)`, as tincd takes part in it.

use std::env;
use std::net::TcpListener;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use socket2::{Socket, Type};

/// What the protocol tells us, and nobody whom we start.
pub(crate) const VARIABLES: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
/// The first of the inherited descriptors (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// Most sockets taken over (tinc 1.0: 128 sockets).
const MAX: RawFd = 128;

/// Whether sockets are meant for this very process, which then must not detach.
pub(crate) fn is_meant() -> bool {
    number("LISTEN_PID") == Some(std::process::id().into())
}

/// The inherited sockets that listen for TCP connections. Call it once and before anything else
/// is opened: a promise of descriptors that nobody keeps must not make us take one of our own.
///
/// Nothing is logged yet; what is wrong is said on the terminal.
pub(crate) fn listeners() -> Vec<TcpListener> {
    let meant = env::var_os("LISTEN_PID").is_none() || is_meant();
    let count = number("LISTEN_FDS").filter(|_| meant).unwrap_or(0);
    let count = RawFd::try_from(count).unwrap_or(MAX).min(MAX);
    (FIRST..FIRST + count).filter_map(take).collect()
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

fn take(fd: RawFd) -> Option<TcpListener> {
    #[allow(unsafe_code)]
    // SAFETY: the descriptor was opened before us and given to us by number; nobody else in this
    // process knows of it.
    let fd = unsafe {
        // Without it, an `OwnedFd` of a descriptor that is not open would be a lie.
        if nix::libc::fcntl(fd, nix::libc::F_GETFD) == -1 {
            eprintln!("LISTEN_FDS promises descriptor {fd}, which is not open");
            return None;
        }
        OwnedFd::from_raw_fd(fd)
    };
    // Scripts must not hold our port.
    let _ = fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    let socket = Socket::from(fd);
    let fits = socket.is_listener().unwrap_or(false)
        && socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
        && socket.local_addr().is_ok_and(|a| a.as_socket().is_some());
    if !fits {
        eprintln!("An inherited descriptor does not listen for TCP connections; it is not used");
        return None;
    }
    socket.set_nonblocking(true).ok()?;
    Some(socket.into())
}
