//! Forking, dying together, handing signals on.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, pipe2};

use super::SessionError;

/// A child that dies with this process.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    /// Its other end tells the child, once, whether this process still lives.
    _alive: OwnedFd,
}

/// On which side of a fork the caller finds itself.
pub(super) enum Forked {
    Parent(Child),
    Child,
}

/// Forks; the child is killed when its parent dies.
pub(super) fn fork() -> Result<Forked, SessionError> {
    let (watch, alive) =
        pipe2(OFlag::O_CLOEXEC).map_err(|error| SessionError::new("open a pipe", error))?;
    // SAFETY: the process has a single thread (checked before the first fork, and forks do not add any), so that the
    // child may do anything its parent could.
    #[allow(unsafe_code)]
    let forked =
        unsafe { nix::unistd::fork() }.map_err(|error| SessionError::new("fork", error))?;
    match forked {
        ForkResult::Parent { child } => Ok(Forked::Parent(Child {
            pid: child,
            _alive: alive,
        })),
        ForkResult::Child => {
            drop(alive);
            set_pdeathsig(Signal::SIGKILL)
                .map_err(|error| SessionError::new("tie this process to its parent", error))?;
            // The parent may have died before the line above.
            let mut orphaned = [PollFd::new(watch.as_fd(), PollFlags::empty())];
            if poll(&mut orphaned, PollTimeout::ZERO) == Ok(1) {
                std::process::exit(super::CANNOT_RUN);
            }
            Ok(Forked::Child)
        }
    }
}

/// The signals a supervisor deals with, taken out of their usual way.
#[derive(Debug)]
pub(super) struct Signals {
    queue: SignalFd,
    before: SigSet,
}

impl Signals {
    pub(super) fn take() -> Result<Self, SessionError> {
        let mut wanted = SigSet::empty();
        for signal in [
            Signal::SIGCHLD,
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
        ] {
            wanted.add(signal);
        }
        let failed = |error| SessionError::new("take over signals", error);
        let before = wanted
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map_err(failed)?;
        let queue = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC).map_err(failed)?;
        Ok(Self { queue, before })
    }

    pub(super) fn give_back(self) -> Result<(), SessionError> {
        self.before
            .thread_set_mask()
            .map_err(|error| SessionError::new("give signals back", error))
    }
}

/// Waits for `child`, reaping whatever else becomes this process's child, and hands on signals that were sent to this
/// process alone. Those typed at a terminal reach the child anyway. Returns the exit code to end with.
pub(super) fn supervise(child: &Child, signals: &Signals) -> i32 {
    /// What a process killed by a signal ends with, as shells have it.
    const KILLED: i32 = 128;
    loop {
        let info = match signals.queue.read_signal() {
            Ok(Some(info)) => info,
            Ok(None) | Err(Errno::EINTR) => continue,
            Err(_) => return super::CANNOT_RUN,
        };
        let signal = i32::try_from(info.ssi_signo)
            .ok()
            .and_then(|number| Signal::try_from(number).ok());
        if signal != Some(Signal::SIGCHLD) {
            // Codes above zero say that the kernel sent it, as for Ctrl-C.
            if info.ssi_code <= 0 {
                let _ = kill(child.pid, signal);
            }
            continue;
        }
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == child.pid => return code,
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child.pid => {
                    return KILLED + signal as i32;
                }
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return super::CANNOT_RUN,
            }
        }
    }
}
