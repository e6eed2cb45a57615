//! What signals mean (tincd manual, "Signals").

use std::io;

use nix::libc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that means something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// TERM or QUIT: stop in order. The text is the signal's name.
    Stop(&'static str),
    /// INT: all debug messages on or off.
    ToggleDebug,
    /// HUP: read `ConnectTo` and host files again.
    Reload,
    /// ALRM: do now what waits for a timer.
    Hurry,
    /// USR1: list the connections.
    ListConnections,
    /// USR2: list nodes, edges and subnets.
    ListAll,
    /// WINCH: forget unreachable nodes.
    Purge,
    /// One that would end us without a reason; by its number.
    Unexpected(i32),
}

/// Signals that end a process by default and mean nothing to us. As in tincd, they are no reason
/// to end a daemon that nobody watches. Those of a broken program (SEGV, BUS, ILL, FPE) are not
/// among them: tincd starts itself anew from within its handler; we end, with a core if that is
/// wanted, and leave the new start to whoever supervises us.
const MEANINGLESS: [i32; 7] = [
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
];

/// The signals we take. PIPE is ignored by Rust's runtime, CHLD is waited for.
#[derive(Debug)]
pub(crate) struct Signals(Vec<(Caught, Signal)>);

impl Signals {
    /// Takes the signals from now on; those that come before anybody asks wait.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn take(detached: bool) -> io::Result<Self> {
        let meaningless = MEANINGLESS
            .into_iter()
            .filter(|_| detached)
            .map(|number| (Caught::Unexpected(number), SignalKind::from_raw(number)));
        [
            (Caught::Stop("TERM"), SignalKind::terminate()),
            (Caught::Stop("QUIT"), SignalKind::quit()),
            (Caught::ToggleDebug, SignalKind::interrupt()),
            (Caught::Reload, SignalKind::hangup()),
            (Caught::Hurry, SignalKind::alarm()),
            (Caught::ListConnections, SignalKind::user_defined1()),
            (Caught::ListAll, SignalKind::user_defined2()),
            (Caught::Purge, SignalKind::window_change()),
        ]
        .into_iter()
        .chain(meaningless)
        .map(|(caught, kind)| Ok((caught, signal(kind)?)))
        .collect::<io::Result<_>>()
        .map(Self)
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Caught {
        std::future::poll_fn(|context| {
            for (caught, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*caught);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// The next signal to stop, by name; others are left out.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            if let Caught::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}
