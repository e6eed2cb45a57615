//! The thread that carries frames from an interface's TAP to the cable, as a [`Channel`] has it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::prctl;
use nix::sys::socket::{LinkAddr, bind, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;
use tracing::{error, trace};

use super::{Channel, Conditions};

/// What frames that come from a wire are marked with, so that they are let onto the cable. Ours: `v6lw`.
pub(crate) const MARK: u32 = 0x7636_6c77;

/// How many frames are taken at a time before those that are due are looked after.
const BATCH: usize = 64;

/// Room for the longest frame.
const LONGEST: usize = 65_536 + 14;

/// An interface as a wire uses it: a TAP to which its frames are led, and a way onto its cable.
#[derive(Debug)]
pub(crate) struct Port {
    tap: File,
    cable: Socket,
}

impl Port {
    /// Makes the TAP beside an interface. Called on the thread of the machine that has it.
    pub(crate) fn open(interface: &str, tap: &str) -> io::Result<Self> {
        let cable = bound(interface, None)?;
        setsockopt(&cable, sockopt::Mark, &MARK)?;
        Ok(Self {
            tap: open_tap(tap)?,
            cable,
        })
    }
}

/// A wire that carries frames until it is dropped; then nothing passes the interface any more.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Which of those with the same seed it is.
    purpose: String,
    orders: Option<Sender<Order>>,
    wake: EventFd,
    thread: Option<JoinHandle<()>>,
}

/// A change of what the wire does.
struct Order {
    conditions: Conditions,
    seed: u64,
    /// Told when it is in force.
    done: oneshot::Sender<()>,
}

impl Wire {
    /// Starts to carry frames.
    pub(crate) fn start(
        port: Port,
        conditions: Conditions,
        seed: u64,
        purpose: &str,
    ) -> io::Result<Self> {
        let (orders, queue) = channel();
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let bell = wake.as_fd().try_clone_to_owned()?;
        let mut carrier = Carrier {
            port,
            channel: Channel::new(conditions, seed, purpose),
            purpose: purpose.to_owned(),
            orders: queue,
            bell: bell.into(),
        };
        let thread = std::thread::Builder::new()
            .name("wire".to_owned())
            .spawn(move || carrier.run())?;
        Ok(Self {
            purpose: purpose.to_owned(),
            orders: Some(orders),
            wake,
            thread: Some(thread),
        })
    }

    /// Changes what it does, with its chances decided anew by `seed`, and returns when that is in force.
    pub(crate) async fn become_like(&self, conditions: Conditions, seed: u64) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        let order = Order {
            conditions,
            seed,
            done,
        };
        let gone = || io::Error::other(format!("the wire {} has ended", self.purpose));
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(order).map_err(|_| gone())?;
        self.wake.write(1)?;
        answer.await.map_err(|_| gone())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.orders = None;
        // One that cannot be woken has ended.
        let _ = self.wake.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is the thread's own.
struct Carrier {
    port: Port,
    channel: Channel,
    purpose: String,
    orders: Receiver<Order>,
    bell: File,
}

impl Carrier {
    fn run(&mut self) {
        // The kernel would otherwise wake us up to 50 us late, to save energy.
        let _ = prctl::set_timerslack(1);
        let mut buffer = vec![0; LONGEST];
        let ended = loop {
            match self.obey() {
                Ok(()) => {}
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            if let Err(error) = self.take(&mut buffer).and_then(|()| self.wait()) {
                break error;
            }
        };
        error!(wire = self.purpose, %ended, "carries nothing any more");
    }

    /// Does what was ordered; ends with the reason why there is nothing left to do.
    fn obey(&mut self) -> Result<(), TryRecvError> {
        loop {
            let order = self.orders.try_recv()?;
            self.channel
                .become_like(order.conditions, order.seed, &self.purpose);
            // Whoever has stopped waiting need not be told.
            let _ = order.done.send(());
        }
    }

    /// Takes some of the frames that wait.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..BATCH {
            match self.port.tap.read(buffer) {
                Ok(len) => {
                    let frame = buffer.get(..len).unwrap_or_default();
                    let fate = self.channel.offer(frame, Instant::now());
                    trace!(wire = self.purpose, len, ?fate, "a frame");
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Delivers what is due, and waits until something is to be done.
    fn wait(&mut self) -> io::Result<()> {
        while let Some(frame) = self.channel.arrived(Instant::now()) {
            // A cable that is down, or a machine that cannot take more, loses frames.
            let _ = self.port.cable.send(&frame);
        }
        let next = self.channel.next_arrival();
        let patience =
            next.map(|due| TimeSpec::from_duration(due.saturating_duration_since(Instant::now())));
        let mut watched = [
            PollFd::new(self.port.tap.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.bell.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut watched, patience, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let rung = watched[1].any().unwrap_or_default();
        if rung {
            self.bell.read_exact(&mut [0; 8])?;
        }
        Ok(())
    }
}

/// A packet socket of an interface's, of one EtherType; without one it hears nothing.
pub(crate) fn bound(interface: &str, ethertype: Option<u16>) -> io::Result<Socket> {
    let protocol = ethertype.map(|ethertype| Protocol::from(i32::from(ethertype.to_be())));
    let socket = Socket::new(Domain::PACKET, Type::RAW, protocol)?;
    bind(socket.as_raw_fd(), &link_address(interface)?)?;
    Ok(socket)
}

/// Number and hardware address of an interface.
pub(crate) fn link_address(interface: &str) -> io::Result<LinkAddr> {
    let mut all = getifaddrs()?.filter(|found| found.interface_name == interface);
    let link = all.find_map(|found| found.address?.as_link_addr().copied());
    Ok(link.ok_or(Errno::ENODEV)?)
}

nix::ioctl_write_ptr_bad!(tunsetiff, TUNSETIFF, libc::ifreq);

/// `_IOW('T', 202, int)`, although what it points to is another structure (linux/if_tun.h).
const TUNSETIFF: libc::c_ulong = nix::request_code_write!(b'T', 202, size_of::<libc::c_int>());

/// A fresh TAP of that name, which goes when it is closed.
fn open_tap(name: &str) -> io::Result<File> {
    let tap = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short,
        },
    };
    if name.len() >= libc::IFNAMSIZ {
        return Err(Errno::ENAMETOOLONG.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: the kernel reads a whole `ifreq`, with a name that ends in zero.
    #[allow(unsafe_code)]
    unsafe { tunsetiff(tap.as_raw_fd(), &raw const request) }?;
    Ok(tap)
}
