//! Whether a line does what was asked of it: frames of our own go over it, and what becomes of them is looked at.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use socket2::{SockFilter, Socket};

use super::channel::on_the_line;
use super::verdict::{Seen, judge};
use super::wire::{bound, link_address};
use super::{Conditions, LAG, Line};

/// IEEE 802, Local Experimental EtherType 2: no kernel has anything to say to it.
const ETHERTYPE: u16 = 0x88b6;

/// Every EtherType (linux/if_ether.h).
const ETH_P_ALL: u16 = 0x0003;

/// Length of the short frames that are sent: an Ethernet header and what is below, filled up to Ethernet's least.
const SHORT: usize = 60;

/// How many frames are to arrive alone, and how far apart they are sent, to see how long they take. Where the delay
/// varies they are further apart, since none overtakes another, and where much is lost there are more: for so long at
/// most, unless the line is too slow.
pub(super) const ALONE: u32 = 15;
const APART: Duration = Duration::from_millis(5);
const ALONE_FOR: Duration = Duration::from_millis(600);

/// How many bytes, and for how long, are sent in a row to see how fast they come out.
const LONG: usize = 1250;
pub(super) const FLOW: Duration = Duration::from_millis(200);
const MOST: u128 = 2000;
const LEAST: u128 = 20;

/// For how long, how many and how close frames are sent to see how many are lost.
const CROWD: Duration = Duration::from_millis(250);
const CROWD_MOST: u128 = 1000;
const CROWD_APART: Duration = Duration::from_micros(250);

/// How long frames may take beyond what was asked for; the machine may be busy.
const GRACE: Duration = Duration::from_millis(80);

/// How often a line is measured before it is said to be wrong.
const ATTEMPTS: u32 = 8;

/// One end of a line, to send from and to listen at.
#[derive(Debug)]
pub(crate) struct Prober {
    socket: Socket,
    mac: [u8; 6],
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// When, from the beginning on.
    pub(super) at: Duration,
    /// How many bytes.
    pub(super) len: usize,
    pub(super) why: Purpose,
}

/// What a frame is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Delay,
    Rate,
    Loss,
}

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its place in what was sent.
    pub(super) seq: usize,
    /// How long it was on its way.
    pub(super) delay: Duration,
    /// When it came, on a clock of no meaning.
    pub(super) at: Duration,
}

impl Prober {
    /// Opens one on an interface of the calling thread's machine.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        // Of every kind, since a bridge takes what its ports hear away from those who ask for one kind only.
        let socket = bound(interface, Some(ETH_P_ALL))?;
        socket.attach_filter(&only_ours())?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let mac = link_address(interface)?.addr().ok_or(Errno::ENODEV)?;
        Ok(Self { socket, mac })
    }

    fn send(&self, to: &Self, round: u32, seq: usize, len: usize) -> io::Result<()> {
        let mut frame = Vec::with_capacity(len);
        frame.extend(to.mac);
        frame.extend(self.mac);
        frame.extend(ETHERTYPE.to_be_bytes());
        frame.extend(round.to_be_bytes());
        frame.extend(u32::try_from(seq).unwrap_or(u32::MAX).to_be_bytes());
        let now = Duration::from(clock_gettime(ClockId::CLOCK_REALTIME)?);
        frame.extend(
            u64::try_from(now.as_nanos())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        frame.resize(len, 0);
        match self.socket.send(&frame) {
            // As on any line: what the machine has no room for is lost, and seen to be.
            Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => Ok(()),
            sent => sent.map(drop),
        }
    }

    /// The next frame of this round, unless none comes for a moment.
    fn hear(&self, from: &Self, round: u32) -> io::Result<Option<Arrival>> {
        let mut buffer = [0; 2048];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let socket = self.socket.as_raw_fd();
        let received = recvmsg::<()>(socket, &mut parts, Some(&mut control), MsgFlags::empty());
        let message = match received {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let at = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        let read = || {
            let number =
                |from: usize| Some(u32::from_be_bytes(*buffer.get(from..)?.first_chunk()?));
            let sent = u64::from_be_bytes(*buffer.get(22..)?.first_chunk()?);
            let ours = buffer.get(6..12)? == from.mac && number(14)? == round;
            let at = at?;
            ours.then_some(Arrival {
                seq: usize::try_from(number(18)?).ok()?,
                delay: at.saturating_sub(Duration::from_nanos(sent)),
                at,
            })
        };
        Ok(read())
    }
}

/// A filter for frames that came in and are of our EtherType.
fn only_ours() -> [SockFilter; 6] {
    // The codes are small.
    let word = |code: u32, k: u32, jt, jf| SockFilter::new(code as u16, jt, jf, k);
    let load = |width: u32, at: u32| word(libc::BPF_LD | width | libc::BPF_ABS, at, 0, 0);
    let unless = |k: u32, jt, jf| word(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k, jt, jf);
    let give = |len: u32| word(libc::BPF_RET | libc::BPF_K, len, 0, 0);
    let kind = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
    [
        load(libc::BPF_W, kind),
        unless(u32::from(libc::PACKET_OUTGOING), 3, 0),
        load(libc::BPF_H, 12),
        unless(u32::from(ETHERTYPE), 0, 1),
        give(u32::MAX),
        give(0),
    ]
}

/// Sends frames over a line, whose ends are given with the internet's first, until it is seen to do what was asked for
/// or has been seen several times not to. On one that is in use, what others send takes its share of the rate.
///
/// # Errors
/// What was asked for and what was seen.
pub(crate) fn measure(ends: &[Prober; 2], asked: &Line, in_use: bool) -> Result<(), String> {
    let [near, far] = ends;
    let mut attempt = 1;
    loop {
        let seen = thread::scope(|scope| {
            let up = scope.spawn(|| one_way(far, near, &asked.up));
            let down = one_way(near, far, &asked.down);
            [
                down,
                up.join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread has panicked"))),
            ]
        });
        let mut wrong = Vec::new();
        for (seen, (way, asked)) in seen
            .into_iter()
            .zip([("down", asked.down), ("up", asked.up)])
        {
            let seen = seen.map_err(|error| format!("cannot be measured: {error}"))?;
            wrong.extend(judge(&seen, &asked, in_use).map(|wrong| format!("{way}: {wrong}")));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        if attempt == ATTEMPTS {
            return Err(wrong.join("; "));
        }
        attempt += 1;
    }
}

/// Sends what is planned for these conditions from one end to the other.
fn one_way(from: &Prober, to: &Prober, asked: &Conditions) -> io::Result<Seen> {
    static ROUND: AtomicU32 = AtomicU32::new(0);
    let round = ROUND.fetch_add(1, Ordering::Relaxed);
    let planned = planned(asked);
    let last = planned.last().map_or(Duration::ZERO, |last| last.at);
    let slowest = asked.delay + asked.jitter + asked.queue + LAG + GRACE;
    to.socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    let start = Instant::now();
    let arrivals = thread::scope(|scope| {
        let ear = scope.spawn(|| {
            let mut arrivals = Vec::new();
            let mut missing: Vec<bool> = vec![true; planned.len()];
            let mut awaited = planned.len();
            // Whether something comes twice is known only at the end.
            while start.elapsed() < last + slowest && (awaited > 0 || asked.duplicate.0 > 0) {
                let Some(arrival) = to.hear(from, round)? else {
                    continue;
                };
                if let Some(missing) = missing.get_mut(arrival.seq) {
                    awaited -= usize::from(std::mem::take(missing));
                    arrivals.push(arrival);
                }
            }
            io::Result::Ok(arrivals)
        });
        for (seq, frame) in planned.iter().enumerate() {
            thread::sleep((start + frame.at).saturating_duration_since(Instant::now()));
            from.send(to, round, seq, frame.len)?;
        }
        ear.join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread has panicked")))
    })?;
    Ok(Seen { planned, arrivals })
}

/// How far apart frames are sent alone: as far as a delay that varies takes to forget the one before, if there is time.
pub(super) fn apart(asked: &Conditions) -> Duration {
    (2 * asked.jitter)
        .clamp(APART, ALONE_FOR / ALONE)
        .max(passing(asked))
}

/// How long short frames need to pass one after another, with some room between.
fn passing(asked: &Conditions) -> Duration {
    let put = asked.rate.map(|rate| 2 * on_the_line(SHORT, rate));
    put.unwrap_or_default()
}

/// What has to be sent to see whether the conditions are as asked.
pub(super) fn planned(asked: &Conditions) -> Vec<Planned> {
    let apart = apart(asked);
    let most = (ALONE_FOR.as_nanos() / apart.as_nanos()).max(ALONE.into());
    // Rounded, and no more than there is time for.
    let alone = (f64::from(ALONE) / (1.0 - asked.loss.of_one())).min(most as f64) as u32;
    let frame = |n: u32| Planned {
        at: apart * n,
        len: SHORT,
        why: Purpose::Delay,
    };
    let mut planned: Vec<_> = (0..alone).map(frame).collect();
    if asked.cut {
        return planned;
    }
    let mut begin = apart * alone;
    if let Some(rate) = asked.rate {
        // On a slow line the long ones would take too long.
        let fits = |len: usize| FLOW.as_nanos() / on_the_line(len, rate).as_nanos().max(1);
        let len = if fits(LONG) < LEAST { SHORT } else { LONG };
        let each = on_the_line(len, rate);
        let count = u32::try_from(fits(len).clamp(LEAST, MOST)).unwrap_or(u32::MAX);
        // The queue is never empty, and never full.
        let ahead = (asked.queue / 2).min(FLOW / 4);
        planned.extend((0..count).map(|n| Planned {
            at: begin + (each * n).saturating_sub(ahead),
            len,
            why: Purpose::Rate,
        }));
        begin += each * count;
    }
    if asked.loss.0 > 0 || asked.reorder.0 > 0 || asked.duplicate.0 > 0 {
        let each = CROWD_APART.max(passing(asked));
        let count = (CROWD.as_nanos() / each.as_nanos()).clamp(LEAST, CROWD_MOST);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        planned.extend((0..count).map(|n| Planned {
            at: begin + each * n,
            len: SHORT,
            why: Purpose::Loss,
        }));
    }
    planned
}
