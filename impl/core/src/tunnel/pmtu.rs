//! Path MTU discovery with one peer (legacy protocol): how long a frame may be that goes by UDP.
//!
//! Compatible with tincd, which answers any probe with one of the same length, but faster: the
//! common lengths are tried first, in bursts that follow each other within a second.

use std::time::Duration;

pub use super::search::Probes;
use super::search::Search;
use crate::constants::MTU;

/// Shortest probe in bytes of frame (legacy protocol).
pub const MIN_LEN: u16 = 64;
/// Longest frame in bytes, and so the largest path MTU (legacy protocol).
pub const MAX_LEN: u16 = 1518;
const _: () = assert!(MAX_LEN as usize == MTU);

/// Ours: from one burst of a discovery to the next. The reference takes 1 s.
const BURST_INTERVAL: Duration = Duration::from_millis(300);
/// Ours: how long a peer may be silent before bursts slow down to [`SLOW_BURST_INTERVAL`].
const FAST_BURSTS_FOR: Duration = Duration::from_millis(1200);
/// From one burst to the next while the peer is silent (legacy protocol): slow enough that the
/// bursts of both ends overlap when each has to open its NAT for the other.
const SLOW_BURST_INTERVAL: Duration = Duration::from_secs(1);
/// How long a peer is probed in vain before it is left alone for a `PingInterval` (legacy
/// protocol: bursts for 9 s).
const GIVE_UP_AFTER: Duration = Duration::from_secs(9);
/// Ours: from one burst to the next to a peer that has become silent, so that a network which
/// lets UDP pass again is used again within a minute.
const RETURN_INTERVAL: Duration = Duration::from_secs(20);
/// Ours: how long a peer may be silent before its address is doubted.
const DOUBT_AFTER: Duration = Duration::from_secs(3);
/// Ours: bursts within `PingTimeout` that all must go unanswered before the path counts as
/// broken. The reference sends one, and so falls back when that one is lost.
const CHECK_BURSTS: u8 = 5;

/// The state of discovery with one peer.
///
/// The owner calls [`Pmtu::tick`] once there is a key for the peer, again after each delay it
/// returns, and at once when told so by an [`Effect`]. It sends the probes, reports replies and
/// refused sends, and calls [`Pmtu::reset`] when the peer's reachability changes or its key is
/// lost.
#[derive(Debug, Clone)]
pub struct Pmtu {
    search: Search,
    mtu: u16,
    ceiling: u16,
    ping_interval: Duration,
    ping_timeout: Duration,
    phase: Phase,
    /// The peer has answered before.
    has_worked: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Bursts until the longest length is known.
    Discovering {
        /// How long nothing was answered.
        silence: Duration,
        /// From the last burst to the tick that follows it; zero before the first burst.
        waited: Duration,
    },
    /// The peer does not answer: one burst from time to time.
    Silent,
    /// The longest length is known and checked each `PingInterval`.
    Fixed {
        /// Bursts of the check under way; 0 between checks.
        bursts: u8,
        answered: bool,
    },
}

impl Phase {
    const DISCOVERY: Self = Self::Discovering {
        silence: Duration::ZERO,
        waited: Duration::ZERO,
    };
}

/// What is to be done now and when to ask again.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// Probes to send; may be none.
    pub probes: Probes,
    /// Delay until [`Pmtu::tick`] is due again.
    pub next: Duration,
    /// Whether [`Pmtu::min_mtu`] or [`Pmtu::mtu`] changed.
    pub changed: bool,
    /// Whether the peer is yet to be found: looked for elsewhere too, it may be nearer.
    pub searching: bool,
    /// Whether it is time to ask where the peer is, once a discovery: it may be elsewhere.
    pub doubtful: bool,
}

/// What an event did to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing that others need to know.
    Unchanged,
    /// [`Pmtu::min_mtu`] or [`Pmtu::mtu`] changed.
    Changed,
    /// They changed, and [`Pmtu::tick`] is due at once.
    TickNow,
}

impl Pmtu {
    /// Discovery that has not begun. `ceiling` is the `PMTU` variable or [`MAX_LEN`], in bytes of
    /// frame; the intervals are the variables of those names.
    #[must_use]
    pub fn new(ceiling: u16, ping_interval: Duration, ping_timeout: Duration) -> Self {
        let ceiling = ceiling.clamp(MIN_LEN, MAX_LEN);
        Self {
            search: Search::new(0, ceiling),
            mtu: ceiling,
            ceiling,
            ping_interval,
            ping_timeout,
            phase: Phase::DISCOVERY,
            has_worked: false,
        }
    }

    /// Longest frame in bytes that is known to pass by UDP; 0 while nothing is.
    #[must_use]
    pub const fn min_mtu(&self) -> u16 {
        self.search.proven()
    }

    /// Longest frame in bytes that may still pass.
    #[must_use]
    pub const fn max_mtu(&self) -> u16 {
        self.search.top()
    }

    /// The path MTU in bytes of frame, as switching uses it: the last value found, the ceiling
    /// before the first.
    #[must_use]
    pub const fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Whether the peer can be reached by UDP at all.
    #[must_use]
    pub const fn confirmed(&self) -> bool {
        self.min_mtu() > 0
    }

    /// Forgets what is known of the path, but keeps [`Pmtu::mtu`] until more is.
    pub fn reset(&mut self) {
        self.discover_from(0, self.ceiling);
    }

    /// Takes the next step.
    pub fn tick(&mut self) -> Tick {
        let before = self.published();
        let doubted = self.is_doubtful();
        let (probes, next) = match self.phase {
            Phase::Discovering { silence, waited } => self.discover(silence, waited),
            Phase::Silent => {
                self.search = Search::new(0, self.ceiling);
                let burst = self.search.next_burst();
                (burst.unwrap_or_default(), self.silent_interval())
            }
            Phase::Fixed { bursts, answered } => self.check(bursts, answered),
        };
        Tick {
            probes,
            next,
            changed: self.published() != before,
            searching: matches!(self.phase, Phase::Discovering { .. }),
            doubtful: self.is_doubtful() && !doubted,
        }
    }

    /// Notes the reply to a probe of `len` bytes of frame.
    pub fn on_reply(&mut self, len: u16) -> Effect {
        if len < MIN_LEN {
            // Not to one of our probes.
            return Effect::Unchanged;
        }
        let len = len.min(self.ceiling);
        let raised = self.search.answer(len);
        self.has_worked = true;
        if raised {
            self.mtu = self.mtu.max(len);
        }
        match &mut self.phase {
            Phase::Discovering { .. } if raised => Effect::Changed,
            Phase::Discovering { .. } => Effect::Unchanged,
            Phase::Fixed { bursts, answered } if !raised => {
                *answered |= *bursts > 0 && len == self.search.proven();
                Effect::Unchanged
            }
            // A silent peer speaks, or the path has grown.
            Phase::Silent | Phase::Fixed { .. } => {
                self.discover_from(len, self.ceiling);
                Effect::TickNow
            }
        }
    }

    /// Notes that the path no longer carries what it did: nothing is known any more.
    pub fn on_broken(&mut self) -> Effect {
        self.reset();
        Effect::TickNow
    }

    /// Notes that the kernel refused to send a frame of `len` bytes as too long for the path.
    ///
    /// If that length was known to pass the path has changed, and nothing is known any more:
    /// otherwise every frame up to the old length would be lost.
    pub fn on_too_big(&mut self, len: u16) -> Effect {
        let before = self.published();
        let top = len.saturating_sub(1).clamp(MIN_LEN, self.ceiling);
        self.mtu = self.mtu.min(top);
        if len <= self.search.proven() {
            self.discover_from(0, top);
            return Effect::TickNow;
        }
        self.search.lower_top(top);
        if self.published() == before {
            Effect::Unchanged
        } else {
            Effect::Changed
        }
    }

    /// The reference waits for a `PingInterval` in either case.
    fn silent_interval(&self) -> Duration {
        if self.has_worked {
            self.ping_interval.min(RETURN_INTERVAL)
        } else {
            self.ping_interval
        }
    }

    fn is_doubtful(&self) -> bool {
        let Phase::Discovering { silence, .. } = self.phase else {
            return false;
        };
        silence >= DOUBT_AFTER && !self.confirmed()
    }

    const fn published(&self) -> (u16, u16) {
        (self.min_mtu(), self.mtu)
    }

    fn discover_from(&mut self, proven: u16, top: u16) {
        self.search = Search::new(proven, top);
        self.phase = Phase::DISCOVERY;
    }

    fn discover(&mut self, silence: Duration, waited: Duration) -> (Probes, Duration) {
        let silence = if self.search.heard() {
            Duration::ZERO
        } else {
            silence.saturating_add(waited)
        };
        if silence >= self.ping_timeout && self.confirmed() {
            self.search = Search::new(0, self.ceiling);
        }
        if silence >= GIVE_UP_AFTER {
            self.phase = Phase::Silent;
            return (Probes::default(), self.silent_interval());
        }
        let Some(probes) = self.search.next_burst() else {
            self.mtu = self.search.proven();
            self.phase = Phase::Fixed {
                bursts: 0,
                answered: false,
            };
            return (Probes::default(), self.ping_interval);
        };
        let waited = if silence < FAST_BURSTS_FOR {
            BURST_INTERVAL
        } else {
            SLOW_BURST_INTERVAL
        };
        self.phase = Phase::Discovering { silence, waited };
        (probes, waited)
    }

    /// Checks that the path still carries what it did, and whether it carries more by now.
    fn check(&mut self, bursts: u8, answered: bool) -> (Probes, Duration) {
        if answered {
            self.phase = Phase::Fixed {
                bursts: 0,
                answered: false,
            };
            return (Probes::default(), self.ping_interval);
        }
        if bursts >= CHECK_BURSTS {
            self.reset();
            return self.discover(Duration::ZERO, Duration::ZERO);
        }
        self.phase = Phase::Fixed {
            bursts: bursts + 1,
            answered,
        };
        // The reference tries eight bytes more, and so cannot mend a result that is too low by less.
        let proven = self.search.proven();
        let lens = [proven, proven, proven + 1];
        let probes = lens.into_iter().filter(|&len| len <= self.ceiling);
        (probes.collect(), self.ping_timeout / CHECK_BURSTS.into())
    }
}
