//! How the packet threads share the processors with who sends and receives (sched(7)).
//!
//! Many small packets want patience: who takes them from their sender and interrupts it after the first makes batches
//! small. Of long frames each is a batch already, and what waits behind them, a ping say, wants the threads to come soon
//! and to stay shortly.

use std::mem::size_of;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;

use super::traffic::{Seen, Traffic};

/// How often a thread looks what passes; ours.
const EVERY: Duration = Duration::from_millis(50);
/// Bytes by which reads and writes of the device count as long on the average; ours. Twice what a frame has.
const LONG: u64 = 3 << 10;
/// Reads and writes of the device in a second below which nobody is in a hurry; ours.
const FEW: u64 = 500;
/// For how long a thread runs before others have their turn while frames are long, in nanoseconds; ours. Linux takes it
/// since 6.12; what it has otherwise depends on how many processors there are (two: 1.4 ms).
const SHORT: u64 = 1_000_000;

/// The policy by which the thread that has it is scheduled.
#[derive(Debug)]
pub(super) struct Pace {
    patient: libc::c_int,
    /// Whether frames are long.
    is_long: bool,
    since: Seen,
}

impl Pace {
    /// For a thread that reads the device: it interrupts nobody when it is woken (`SCHED_BATCH`) as long as frames are
    /// short.
    pub(super) fn of_reader(traffic: &Traffic) -> Self {
        Self::new(libc::SCHED_BATCH, traffic)
    }

    /// For a thread that writes the device.
    pub(super) fn of_writer(traffic: &Traffic) -> Self {
        Self::new(libc::SCHED_OTHER, traffic)
    }

    fn new(patient: libc::c_int, traffic: &Traffic) -> Self {
        let pace = Self {
            patient,
            is_long: false,
            since: traffic.seen(Instant::now()),
        };
        pace.take_up();
        pace
    }

    /// Looks from time to time what passes, and adapts to it.
    pub(super) fn keep(&mut self, now: Instant, traffic: &Traffic) {
        if now.saturating_duration_since(self.since.at) < EVERY {
            return;
        }
        let seen = traffic.seen(now);
        let is_long = is_long(self.since, seen);
        self.since = seen;
        if is_long != self.is_long {
            self.is_long = is_long;
            self.take_up();
        }
    }

    fn take_up(&self) {
        let taken = if self.is_long {
            schedule(libc::SCHED_OTHER, SHORT)
        } else {
            schedule(self.patient, 0)
        };
        if let Err(errno) = taken {
            tracing::debug!("threads are scheduled as they are: {}", errno.desc());
        }
    }
}

/// Whether frames were long from `then` until `now`.
fn is_long(then: Seen, now: Seen) -> bool {
    let calls = now.calls.saturating_sub(then.calls);
    let bytes = now.bytes.saturating_sub(then.bytes);
    let millis = now.at.saturating_duration_since(then.at).as_millis();
    bytes > calls.saturating_mul(LONG) && u128::from(calls) * 1000 > u128::from(FEW) * millis
}

/// Has the thread that asks scheduled by a policy, in turns of so many nanoseconds (0: as Linux likes it). Its nice value
/// stays.
fn schedule(policy: libc::c_int, turn: u64) -> Result<(), Errno> {
    let size = u32::try_from(size_of::<libc::sched_attr>()).map_err(|_| Errno::E2BIG)?;
    #[allow(unsafe_code)]
    // SAFETY: all fields are integers.
    let mut attr: libc::sched_attr = unsafe { std::mem::zeroed() };
    #[allow(unsafe_code)]
    // SAFETY: writes at most `size` bytes to `attr`, which lives until it returns; 0 is the thread that asks.
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size, 0) };
    Errno::result(result)?;
    attr.sched_policy = policy.cast_unsigned();
    attr.sched_runtime = turn;
    #[allow(unsafe_code)]
    // SAFETY: reads `attr`, which lives until it returns; 0 is the thread that asks.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> i32 {
        #[allow(unsafe_code)]
        // SAFETY: takes an integer and touches no memory of ours.
        unsafe {
            libc::sched_getscheduler(0)
        }
    }

    fn nice() -> i32 {
        #[allow(unsafe_code)]
        // SAFETY: takes integers and touches no memory of ours.
        unsafe {
            libc::getpriority(libc::PRIO_PROCESS, 0)
        }
    }

    fn pass(traffic: &Traffic, frames: usize, bytes: usize) {
        for _ in 0..frames {
            traffic.came(bytes);
            traffic.left(bytes);
        }
    }

    #[test]
    fn whoever_reads_the_device_is_patient_unless_many_long_frames_pass() {
        // A thread of its own: what is changed ends with it.
        let body = || {
            #[allow(unsafe_code)]
            // SAFETY: takes integers and touches no memory of ours.
            let reniced = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 3) };
            assert_eq!((reniced, nice()), (0, 3));
            let traffic = Traffic::default();
            let mut pace = Pace::of_reader(&traffic);
            let mut now = pace.since.at;
            assert_eq!(policy(), libc::SCHED_BATCH);
            let steps = [
                // Nothing; a stream; small packets; so few that nobody is in a hurry.
                (0, 0, libc::SCHED_BATCH),
                (400, 60_000, libc::SCHED_OTHER),
                (7000, 142, libc::SCHED_BATCH),
                (400, 60_000, libc::SCHED_OTHER),
                (10, 60_000, libc::SCHED_BATCH),
            ];
            for (frames, bytes, expected) in steps {
                pass(&traffic, frames, bytes);
                now += EVERY;
                pace.keep(now, &traffic);
                assert_eq!(policy(), expected, "{frames} frames of {bytes} bytes");
                assert_eq!(nice(), 3);
            }
        };
        std::thread::spawn(body).join().unwrap();
    }

    #[test]
    fn nothing_is_looked_at_before_its_time() {
        let traffic = Traffic::default();
        let mut pace = Pace::of_writer(&traffic);
        pass(&traffic, 400, 60_000);
        pace.keep(pace.since.at + EVERY / 2, &traffic);
        assert!(!pace.is_long);
        pace.keep(pace.since.at + EVERY, &traffic);
        assert!(pace.is_long);
    }
}
