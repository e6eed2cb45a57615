//! Everything that passes on the links of a lab, into one file that Wireshark reads.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufWriter, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt,
    sockopt::{RcvBuf, ReceiveTimestampns},
};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::frames::bound;
use super::{ObserveError, Result, pcapng};
use crate::fabric::Lab;

/// How much of a frame is kept: all of one on a cable with an MTU of 1500, the beginning of what offloads have joined.
const SNAP: usize = 2048;

/// How long a recording may become, bytes.
const LONGEST: u64 = 32 << 20;

/// What the kernel is asked to hold for each link until it is taken, bytes.
pub(super) const QUEUE: usize = 4 << 20;

/// How often frames are put in order and written.
const ROUND: Duration = Duration::from_millis(200);

/// After this time no frame is expected to come late from another link's queue.
const LATE: Duration = Duration::from_millis(100);

/// A recording under way; ends with [`Recording::end`].
#[derive(Debug)]
pub struct Recording {
    tape: Arc<Mutex<Tape>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Tape {
    out: pcapng::Writer<BufWriter<File>>,
    /// Taken and not yet written, each with the number of its link.
    frames: Vec<(SystemTime, u32, Frame)>,
    /// Bytes in `frames`.
    waiting: u64,
    /// What is to stand at the next frame after its time.
    notes: Vec<(SystemTime, String)>,
    /// How many frames were heard, by link.
    heard: Vec<u64>,
    full: bool,
    failure: Option<io::Error>,
}

#[derive(Debug)]
struct Frame {
    kept: Vec<u8>,
    len: u32,
}

impl Recording {
    /// Begins to record every link of `lab` into `file`, which is about `what`.
    ///
    /// # Errors
    /// When the file cannot be made, or no packet sockets be had.
    pub async fn start(lab: &Lab, file: &Path, what: &str) -> Result<Self> {
        let failed = |reason| ObserveError::File {
            path: file.to_owned(),
            reason,
        };
        let created = File::create(file).map_err(failed)?;
        let mut out = pcapng::Writer::new(BufWriter::new(created), what).map_err(failed)?;
        let links = &lab.plan().links;
        // At the end that is away from the core.
        let ears = try_join_all(links.iter().map(async |link| {
            let [_, end] = &link.ends;
            let (node, interface) = (lab.node(&end.node)?, end.interface.clone());
            let opened = node.run(move || Box::pin(async move { ear(&interface) }));
            let socket = opened.await?.and_then(|fd| UdpSocket::from_std(fd.into()));
            socket.map_err(|reason| ObserveError::Socket {
                node: node.name().to_owned(),
                what: "listen on an interface",
                reason,
            })
        }))
        .await?;
        for link in links {
            let [near, far] = &link.ends;
            let ends = format!(
                "{} of {}, cabled to {} of {}",
                far.interface, far.node, near.interface, near.node
            );
            let largest = u32::try_from(SNAP).unwrap_or(u32::MAX);
            out.interface(&link.name, &ends, largest).map_err(failed)?;
        }
        let tape = Arc::new(Mutex::new(Tape {
            out,
            frames: Vec::new(),
            waiting: 0,
            notes: Vec::new(),
            heard: vec![0; links.len()],
            full: false,
            failure: None,
        }));
        let mut tasks: Vec<_> = (0..)
            .zip(ears)
            .map(|(link, ear)| tokio::spawn(listen(ear, link, Arc::clone(&tape))))
            .collect();
        tasks.push(tokio::spawn(wind(Arc::clone(&tape))));
        Ok(Self { tape, tasks })
    }

    /// Says something at a time, which will stand as a comment at the next frame.
    pub fn note(&self, at: SystemTime, text: String) {
        tape(&self.tape).notes.push((at, text));
    }

    /// Ends the recording, with all that was heard so far in the file, and lets go of the lab.
    ///
    /// # Errors
    /// The first that went wrong with the file.
    pub async fn end(mut self) -> io::Result<()> {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks.drain(..) {
            // It was told to end.
            let _ = task.await;
        }
        let mut tape = tape(&self.tape);
        let now = SystemTime::now();
        tape.write_until(now);
        let mut comments: Vec<_> = tape.notes.drain(..).map(|(_, text)| text).collect();
        for (link, received) in (0..).zip(std::mem::take(&mut tape.heard)) {
            tape.attempt(|out| out.statistics(link, now, received, &comments));
            comments.clear();
        }
        tape.attempt(pcapng::Writer::flush);
        tape.failure.take().map_or(Ok(()), Err)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Tape {
    fn push(&mut self, link: u32, at: SystemTime, frame: Frame) {
        let heard = usize::try_from(link)
            .ok()
            .and_then(|link| self.heard.get_mut(link));
        if let Some(heard) = heard {
            *heard += 1;
        }
        if self.full {
            return;
        }
        self.full = self.out.written() + self.waiting >= LONGEST;
        if self.full {
            let text = format!("The recording ends here: it has {} MiB.", LONGEST >> 20);
            self.notes.push((at, text));
        }
        self.waiting += frame.kept.len() as u64;
        self.frames.push((at, link, frame));
    }

    /// Writes what was heard before `limit` in the order of its time.
    fn write_until(&mut self, limit: SystemTime) {
        self.frames.sort_by_key(|(at, ..)| *at);
        let later = self.frames.partition_point(|(at, ..)| *at <= limit);
        let rest = self.frames.split_off(later);
        for (at, link, frame) in std::mem::replace(&mut self.frames, rest) {
            self.waiting -= frame.kept.len() as u64;
            let due: Vec<_> = self.notes.extract_if(.., |(from, _)| *from <= at).collect();
            let comments: Vec<_> = due.into_iter().map(|(_, text)| text).collect();
            self.attempt(|out| out.frame(link, at, &frame.kept, frame.len, &comments));
        }
    }

    fn attempt(
        &mut self,
        write: impl FnOnce(&mut pcapng::Writer<BufWriter<File>>) -> io::Result<()>,
    ) {
        if self.failure.is_none()
            && let Err(error) = write(&mut self.out)
        {
            self.failure = Some(error);
        }
    }
}

fn tape(shared: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A packet socket on one interface that tells when each frame came. Called on the node's thread.
fn ear(interface: &str) -> io::Result<OwnedFd> {
    let fd = bound(interface)?;
    setsockopt(&fd, ReceiveTimestampns, &true)?;
    // The kernel gives what it may.
    setsockopt(&fd, RcvBuf, &QUEUE)?;
    Ok(fd)
}

/// Puts what an interface hears on the tape until the socket fails.
async fn listen(ear: UdpSocket, link: u32, shared: Arc<Mutex<Tape>>) {
    let take = || take(&ear, link, &shared);
    let _ = ear.async_io(Interest::READABLE, take).await;
}

/// Takes all frames that wait, which ends with an error: at best that none is left.
fn take(ear: &UdpSocket, link: u32, shared: &Mutex<Tape>) -> io::Result<Infallible> {
    let (mut buffer, mut control) = (vec![0; SNAP], nix::cmsg_space!(nix::sys::time::TimeSpec));
    loop {
        let mut into = [IoSliceMut::new(&mut buffer)];
        // Truncated, the length is still the whole frame's.
        let flags = MsgFlags::MSG_TRUNC;
        let received = recvmsg::<LinkAddr>(ear.as_raw_fd(), &mut into, Some(&mut control), flags);
        let (len, at) = match received {
            Ok(message) => {
                let stamp = message.cmsgs()?.find_map(|control| match control {
                    ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                    _ => None,
                });
                let at = stamp.map(|at| SystemTime::UNIX_EPOCH + at);
                (message.bytes, at.unwrap_or_else(SystemTime::now))
            }
            // The interface may come up again.
            Err(Errno::ENETDOWN) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let kept = buffer.get(..len).unwrap_or(&buffer).to_vec();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        tape(shared).push(link, at, Frame { kept, len });
    }
}

/// Writes from time to time, so that not everything has to be held.
async fn wind(shared: Arc<Mutex<Tape>>) {
    let mut rounds = interval(ROUND);
    loop {
        rounds.tick().await;
        tape(&shared).write_until(SystemTime::now() - LATE);
    }
}
