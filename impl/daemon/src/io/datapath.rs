//! The two threads that move packets, and what they share with the control loop.
//!
//! One thread carries frames from the device to the network, one carries datagrams from the network to the device. Each
//! takes what the kernel has ready, as much as one call brings, and runs it to completion: there is no queue between
//! them and none to the kernel. They read the picture that the control side published last and report to it over a
//! bounded channel; a report that does not fit is lost, as a packet would be.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::mpsc;
use tracing::warn;
use v6router_core::constants::MTU;
use v6router_core::dataplane::{
    Border, Egress, Forwarding, Handling, Inbound, Outbound, UdpPath, Up,
};
use v6router_core::offload::{Burst, Header, Joiner, Malformed};

use super::device::{Device, Offload};
use super::pace::Pace;
use super::socket::{Arrivals, Departures, Socket};
use super::traffic::Traffic;
use crate::config::describe;
use crate::ration::Ration;

/// Reports that may wait for the control loop; ours.
const REPORTS: usize = 1024;
/// Frames for meta connections that may wait for it; ours. Some milliseconds' worth: what has to wait longer is better
/// lost, and what else is reported does not wait behind them.
const FRAMES: usize = 256;
/// Frames taken from the device before they leave; ours.
const BATCH: usize = 64;
/// Bytes to send after which no more is taken from the device first; ours.
const ENOUGH: usize = 32 << 10;
/// Reading errors of the device in a row that mean it is gone (tinc 1.0).
const MAX_DEVICE_ERRORS: u32 = 10;

/// What the threads and the control loop use together.
pub(crate) struct Shared {
    device: Arc<Device>,
    sockets: Vec<Socket>,
    picture: ArcSwap<Forwarding>,
    reports: mpsc::Sender<Up>,
    frames: mpsc::Sender<Up>,
    /// What the device gave and got.
    pub(crate) traffic: Traffic,
    send_errors: Mutex<Ration>,
    stop: EventFd,
}

/// Frames for the device, joined where it takes that.
#[derive(Debug)]
pub(crate) struct Deliveries {
    joiner: Option<Joiner>,
}

impl Deliveries {
    /// For a device.
    pub(crate) fn new(device: &Device) -> Self {
        let joiner = device.offload().map(|Offload { udp }| Joiner::new(udp));
        Self { joiner }
    }

    /// Writes a frame, now or with those that follow it.
    pub(crate) fn push(&mut self, frame: &[u8], to: &Shared) {
        match &mut self.joiner {
            Some(joiner) => joiner.push(frame, |header, frame| to.write(header, frame)),
            None => to.to_device(frame),
        }
    }

    /// Writes what still waits.
    pub(crate) fn flush(&mut self, to: &Shared) {
        if let Some(joiner) = &mut self.joiner {
            joiner.flush(|header, frame| to.write(header, frame));
        }
    }
}

/// The running threads. Dropping it stops them and waits until they have.
pub(crate) struct Datapath {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the control loop hears from the threads.
pub(crate) struct Reports {
    /// For the core.
    pub(crate) up: mpsc::Receiver<Up>,
    /// For the core as well: frames for meta connections.
    pub(crate) frames: mpsc::Receiver<Up>,
    /// A thread ended by itself: there is no packet path any more.
    pub(crate) broken: mpsc::Receiver<String>,
}

impl Datapath {
    /// Starts both threads.
    ///
    /// # Errors
    /// If the system gives no thread or no descriptor.
    pub(crate) fn start(
        device: Arc<Device>,
        sockets: Vec<Socket>,
        picture: Arc<Forwarding>,
    ) -> io::Result<(Self, Reports)> {
        let (reports, up) = mpsc::channel(REPORTS);
        let (frames, frames_up) = mpsc::channel(FRAMES);
        let (trouble, broken) = mpsc::channel(2);
        let shared = Arc::new(Shared {
            device,
            sockets,
            picture: ArcSwap::new(picture),
            reports,
            frames,
            traffic: Traffic::default(),
            send_errors: Mutex::new(Ration::new(1, Duration::from_secs(10))),
            stop: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
        });
        let mut datapath = Self {
            shared,
            threads: Vec::new(),
        };
        datapath.spawn("tap-to-udp", Shared::run_outbound, trouble.clone())?;
        datapath.spawn("udp-to-tap", Shared::run_inbound, trouble)?;
        let reports = Reports {
            up,
            frames: frames_up,
            broken,
        };
        Ok((datapath, reports))
    }

    fn spawn(
        &mut self,
        name: &'static str,
        run: fn(&Shared) -> io::Result<()>,
        trouble: mpsc::Sender<String>,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let body = move || {
            let why = match catch_unwind(AssertUnwindSafe(|| run(&shared))) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => describe(&error),
                Err(_) => "ended by a bug".to_owned(),
            };
            let _ = trouble.try_send(format!("{name}: {why}"));
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)?;
        self.threads.push(thread);
        Ok(())
    }

    /// What the threads work with.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Datapath {
    fn drop(&mut self) {
        let _ = self.shared.stop.write(1);
        for thread in self.threads.drain(..) {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Puts a new picture into force.
    pub(crate) fn publish(&self, picture: Arc<Forwarding>) {
        self.picture.store(picture);
    }

    /// The border of the picture in force, if it has one.
    pub(crate) fn border(&self) -> Option<Arc<Border>> {
        self.picture.load().border.clone()
    }

    /// Writes a frame to the device.
    fn to_device(&self, frame: &[u8]) {
        self.write(Header::default(), frame);
    }

    fn write(&self, header: Header, frame: &[u8]) {
        // The device may be down: that is the operator's wish.
        if self.device.write(header, frame).is_ok() {
            self.traffic.left(header.stands_for(frame.len()));
        }
    }

    /// Sends a datagram; returns whether it was refused as too big.
    pub(crate) fn send(&self, path: UdpPath, handling: Handling, bytes: &[u8]) -> bool {
        let Some(socket) = self.sockets.get(path.socket) else {
            return false;
        };
        let sent = socket.send(bytes, path.address, handling);
        sent.is_err_and(|error| self.is_too_big(path, &error))
    }

    /// Whether that is why a datagram was refused; tells of other errors.
    fn is_too_big(&self, path: UdpPath, error: &io::Error) -> bool {
        if error.raw_os_error() == Some(Errno::EMSGSIZE as i32) {
            return true;
        }
        // No room in the kernel: as good as lost on the way.
        if error.kind() == io::ErrorKind::WouldBlock {
            return false;
        }
        let mut ration = self
            .send_errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = ration.take(Instant::now()) {
            warn!(
                "Error sending to {} port {}: {}{more}",
                path.address.ip(),
                path.address.port(),
                describe(error)
            );
        }
        false
    }

    /// Does everything `egress` asks for, and empties it.
    fn carry_out(&self, egress: &mut Egress) {
        for frame in egress.device_frames() {
            self.to_device(frame);
        }
        let mut departures: Option<Departures<'_>> = None;
        for train in egress.trains() {
            let path = train.datagrams.first().map(|first| first.path);
            let Some(socket) = path.and_then(|path| self.sockets.get(path.socket)) else {
                continue;
            };
            let mut depart = |train| {
                let full = departures.take_if(|some| !some.takes_for(socket, &train));
                full.into_iter().for_each(|some| self.depart(some));
                let departures = departures.get_or_insert_with(|| Departures::new(socket));
                departures.push(train);
            };
            if socket.takes_as_one(&train) {
                depart(train);
            } else {
                train.singly().for_each(depart);
            }
        }
        departures.into_iter().for_each(|some| self.depart(some));
        for up in egress.reports() {
            self.report(up);
        }
        egress.clear();
    }

    fn depart(&self, departures: Departures<'_>) {
        departures.send(|datagram, error| {
            if self.is_too_big(datagram.path, error) {
                self.report(datagram.too_big());
            }
        });
    }

    fn report(&self, up: Up) {
        let queue = match up {
            Up::Frame { .. } => &self.frames,
            // Full: what it told of will happen again.
            _ => &self.reports,
        };
        let _ = queue.try_send(up);
    }

    fn run_outbound(&self) -> io::Result<()> {
        let mut pace = Pace::of_reader(&self.traffic);
        let mut picture = Cache::new(&self.picture);
        let mut outbound = Outbound::default();
        let mut egress = Egress::default();
        let mut buffer = vec![0; self.device.longest()];
        let mut errors = 0;
        let mut fds = self.waiting_for(self.device.descriptor());
        while wait(&mut fds)? {
            let now = Instant::now();
            for _ in 0..BATCH {
                match self.device.read(&mut buffer) {
                    Ok((header, len)) => {
                        errors = 0;
                        let frame = buffer.get_mut(..len).unwrap_or_default();
                        let picture = picture.load();
                        let bytes =
                            send_on(&mut outbound, header, frame, picture, now, &mut egress);
                        self.traffic.came(bytes);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        errors += 1;
                        if errors > MAX_DEVICE_ERRORS {
                            return Err(error);
                        }
                        std::thread::sleep(Duration::from_millis(10) * errors);
                        break;
                    }
                }
                if egress.waiting() > ENOUGH {
                    break;
                }
            }
            self.carry_out(&mut egress);
            pace.keep(now, &self.traffic);
        }
        Ok(())
    }

    fn run_inbound(&self) -> io::Result<()> {
        let mut pace = Pace::of_writer(&self.traffic);
        let mut picture = Cache::new(&self.picture);
        let mut inbound = Inbound::default();
        let mut egress = Egress::default();
        let mut arrivals = Arrivals::new(self.sockets.iter().any(|socket| socket.coalescing));
        let mut deliveries = Deliveries::new(&self.device);
        let mut fds = self.waiting_for(self.sockets.iter().map(|socket| socket.udp.as_fd()));
        while wait(&mut fds)? {
            let ready = self.sockets.iter().zip(&fds).enumerate();
            for (socket, (Socket { udp, .. }, _)) in ready.filter(|(_, (_, fd))| is_ready(fd)) {
                arrivals.receive(udp);
                let now = Instant::now();
                for (address, datagrams) in arrivals.each() {
                    let from = UdpPath { address, socket };
                    let deliver = |frame: &[u8]| deliveries.push(frame, self);
                    inbound.open(datagrams, from, picture.load(), now, &mut egress, deliver);
                    // One frame for everybody is many datagrams.
                    if egress.waiting() > ENOUGH {
                        self.finish(&mut deliveries, &mut egress);
                    }
                }
                self.finish(&mut deliveries, &mut egress);
                pace.keep(now, &self.traffic);
            }
        }
        Ok(())
    }

    /// Writes what was joined, and does what has to follow.
    fn finish(&self, deliveries: &mut Deliveries, egress: &mut Egress) {
        deliveries.flush(self);
        self.carry_out(egress);
    }

    /// What a thread waits for: its own descriptors, then the order to stop.
    fn waiting_for<'f>(
        &'f self,
        descriptors: impl IntoIterator<Item = BorrowedFd<'f>>,
    ) -> Vec<PollFd<'f>> {
        descriptors
            .into_iter()
            .chain([self.stop.as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect()
    }
}

/// Sends on what the device gave; says how many bytes of frames that was.
fn send_on(
    outbound: &mut Outbound,
    header: Header,
    frame: &mut [u8],
    picture: &Forwarding,
    now: Instant,
    egress: &mut Egress,
) -> usize {
    match Burst::parse(header, frame) {
        Ok(Some(burst)) => {
            if burst.frame_len(0) <= MTU {
                outbound.seal_burst(&burst, picture, now, egress);
            }
            header.stands_for(frame.len())
        }
        Ok(None) => {
            // Longer ones come if somebody gave the device a larger MTU than the protocol has.
            if frame.len() <= MTU && header.complete(frame).is_ok() {
                outbound.seal(frame, picture, now, egress);
            }
            frame.len()
        }
        Err(Malformed) => 0,
    }
}

/// Waits until something can be read; says `false` once it is time to stop.
fn wait(fds: &mut [PollFd<'_>]) -> io::Result<bool> {
    loop {
        match poll(fds, PollTimeout::NONE) {
            Ok(_) => return Ok(!fds.last().is_none_or(is_ready)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.any().unwrap_or(true)
}
