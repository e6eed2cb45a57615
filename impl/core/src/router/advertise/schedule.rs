//! When an interface advertises, and to whom.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::content::{Retired, Service, advertisement};
use super::{
    ANSWERS, AdvertiseSettings, MAX_ANSWER_DELAY, MAX_INITIAL_ADVERTISEMENTS, MAX_INITIAL_INTERVAL,
    MAX_LONE_ANSWER_DELAY, MIN_DELAY_BETWEEN,
};
use crate::budget::Budget;
use crate::subnet::Mac;
use crate::wire::ndp::{ALL_NODES, RouterSolicitation};

/// Answers that may wait to be sent; ours. More come due by the budget only after a second.
const MAX_WAITING: usize = 64;

/// An interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its link-local address, in whose name we advertise.
    pub link_local: Ipv6Addr,
    /// Its link-layer address, if it has one.
    pub address: Option<Mac>,
    /// Bytes of the longest packet that it carries.
    pub mtu: u32,
}

/// What happens to an interface.
#[derive(Debug, Clone)]
pub enum Input {
    /// It is up and has a usable link-local address; also when anything of that has changed.
    LinkUp(Link),
    /// It is down or gone.
    LinkDown,
    /// A host asks for routers.
    Solicited(RouterSolicitation),
    /// The tunnel came up, or went down. Down is what it is at first.
    Tunnel {
        /// Whether it is up.
        up: bool,
    },
    /// It is to advertise other things, or to advertise again. Prefixes that are no longer among
    /// them are withdrawn.
    Configure(AdvertiseSettings),
    /// It is to advertise no more, and to say so.
    Stop,
    /// [`Schedule::deadline`] has come.
    Timer,
}

/// An advertisement that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// To whom: all nodes, or the one that asked.
    pub to: Ipv6Addr,
    /// The ICMPv6 message without checksum.
    pub message: Vec<u8>,
}

/// The schedule of one interface: [`Input`] in, [`Send`] out, no I/O.
///
/// Call [`Schedule::handle`], take [`Schedule::poll_send`] until it is empty, and wait for the next
/// input or [`Schedule::deadline`].
#[derive(Debug)]
pub struct Schedule {
    settings: AdvertiseSettings,
    retired: Retired,
    link: Option<Link>,
    tunnel: Tunnel,
    life: Life,
    /// How many of the quick ones at the beginning are left.
    initial: u8,
    /// When everybody was told last.
    told: Option<Instant>,
    /// When everybody is to be told next, while there is a link.
    next: Option<Instant>,
    /// Whom to answer when.
    waiting: BTreeMap<Ipv6Addr, Instant>,
    answers: Budget,
    sends: VecDeque<Send>,
}

/// The tunnel as hosts are to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tunnel {
    Up,
    /// Since then, and hosts may not have noticed.
    Down(Instant),
    /// For so long that hosts are told.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Advertising,
    /// The last word is still to be said.
    Ending,
    Ended,
}

impl Schedule {
    /// The schedule of an interface that is not there yet.
    #[must_use]
    pub fn new(settings: AdvertiseSettings, now: Instant) -> Self {
        let (burst, interval) = ANSWERS;
        Self {
            settings,
            retired: Retired::default(),
            link: None,
            tunnel: Tunnel::Down(now),
            life: Life::Advertising,
            initial: 0,
            told: None,
            next: None,
            waiting: BTreeMap::new(),
            answers: Budget::new(burst, interval),
            sends: VecDeque::new(),
        }
    }

    /// Takes note of something; what is to be sent then is told by [`Schedule::poll_send`].
    pub fn handle(&mut self, input: Input, now: Instant, rng: &mut dyn CryptoRng) {
        let is_advertising = self.life == Life::Advertising;
        match input {
            Input::LinkUp(link) => {
                if self.link.as_ref() != Some(&link) {
                    self.link = Some(link);
                    self.announce(now);
                }
            }
            Input::LinkDown => {
                self.link = None;
                self.next = None;
                self.waiting.clear();
                if !is_advertising {
                    self.life = Life::Ended;
                }
            }
            Input::Solicited(asked) if is_advertising => self.solicited(&asked, now, rng),
            Input::Tunnel { up } => self.tunnel_is(up, now),
            Input::Configure(settings) => {
                if settings != self.settings || !is_advertising {
                    self.retired.renumber(&self.settings, &settings, now);
                    self.settings = settings;
                    self.life = Life::Advertising;
                    self.announce(now);
                }
            }
            Input::Stop if is_advertising => self.stop(now),
            Input::Solicited(_) | Input::Stop | Input::Timer => {}
        }
        self.run(now, rng);
    }

    /// What is to be sent next.
    pub fn poll_send(&mut self) -> Option<Send> {
        self.sends.pop_front()
    }

    /// When [`Input::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.life == Life::Ended {
            return None;
        }
        let answers = self.waiting.values().copied();
        answers.chain(self.next).chain(self.lost_at()).min()
    }

    /// After [`Input::Stop`]: whether the last word has been said.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.life == Life::Ended
    }

    /// Everybody is told as soon as may be, and again soon in case it is lost (RFC 4861 section
    /// 6.2.4: at the beginning and when there is news).
    fn announce(&mut self, now: Instant) {
        if self.link.is_some() && self.life == Life::Advertising {
            self.initial = MAX_INITIAL_ADVERTISEMENTS;
            self.next = Some(self.earliest(now));
        }
    }

    /// When everybody may be told next.
    fn earliest(&self, now: Instant) -> Instant {
        self.told
            .map_or(now, |told| now.max(told + MIN_DELAY_BETWEEN))
    }

    /// Who has an address is answered alone (RFC 7772 section 5.1), unless too many ask.
    fn solicited(&mut self, asked: &RouterSolicitation, now: Instant, rng: &mut dyn CryptoRng) {
        if self.link.is_none() {
            return;
        }
        if let Some(host) = asked.source {
            if self.waiting.contains_key(&host) {
                return;
            }
            if self.waiting.len() < MAX_WAITING && self.answers.take(now) {
                let due = now + uniform(MAX_LONE_ANSWER_DELAY, rng);
                self.waiting.insert(host, due);
                return;
            }
        }
        let earliest = self.earliest(now);
        // Nothing is gained by another date if everybody is told in time anyway.
        if self
            .next
            .is_none_or(|next| next > earliest + MAX_ANSWER_DELAY)
        {
            self.next = Some(earliest + uniform(MAX_ANSWER_DELAY, rng));
        }
    }

    fn tunnel_is(&mut self, up: bool, now: Instant) {
        match (self.tunnel, up) {
            (Tunnel::Lost, true) => {
                self.tunnel = Tunnel::Up;
                self.announce(now);
            }
            (_, true) => self.tunnel = Tunnel::Up,
            (Tunnel::Up, false) => self.tunnel = Tunnel::Down(now),
            (Tunnel::Down(_) | Tunnel::Lost, false) => {}
        }
    }

    /// When hosts are to be told that the tunnel is down.
    fn lost_at(&self) -> Option<Instant> {
        match self.tunnel {
            Tunnel::Down(since) => Some(since + self.settings.tunnel_patience),
            Tunnel::Up | Tunnel::Lost => None,
        }
    }

    /// Whom nobody has heard need not say that he falls silent.
    fn stop(&mut self, now: Instant) {
        self.waiting.clear();
        if self.link.is_some() && self.told.is_some() {
            self.life = Life::Ending;
            self.next = Some(self.earliest(now));
        } else {
            self.life = Life::Ended;
        }
    }

    /// Does what is due.
    fn run(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        if self.life == Life::Ended {
            return;
        }
        if self.lost_at().is_some_and(|lost| lost <= now) {
            self.tunnel = Tunnel::Lost;
            self.announce(now);
        }
        let due = self.waiting.iter().filter(|(_, due)| **due <= now);
        let due: Vec<_> = due.map(|(host, _)| *host).collect();
        for host in due {
            self.waiting.remove(&host);
            self.send(host, now);
        }
        if self.next.is_some_and(|next| next <= now) {
            self.tell_everybody(now, rng);
        }
    }

    fn tell_everybody(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        self.send(ALL_NODES, now);
        self.told = Some(now);
        if self.life == Life::Ending {
            self.life = Life::Ended;
            return;
        }
        self.initial = self.initial.saturating_sub(1);
        let max = self.settings.interval;
        let min = shortest_interval(max);
        let pause = min + uniform(max.saturating_sub(min), rng);
        let pause = match self.initial {
            0 => pause,
            _ => pause.min(MAX_INITIAL_INTERVAL),
        };
        self.next = Some(now + pause);
    }

    fn send(&mut self, to: Ipv6Addr, now: Instant) {
        let Some(link) = &self.link else {
            return;
        };
        let service = match (self.life, self.tunnel) {
            (Life::Ending | Life::Ended, _) => Service::Ended,
            (Life::Advertising, Tunnel::Lost) => Service::Suspended,
            (Life::Advertising, Tunnel::Up | Tunnel::Down(_)) => Service::Offered,
        };
        let advertisement = advertisement(&self.settings, &self.retired, link, service, now);
        let message = advertisement.message();
        self.sends.push_back(Send { to, message });
    }
}

/// `MinRtrAdvInterval`: a third of the longest, of short ones the three quarters that it may be at
/// most (RFC 4861 section 6.2.1).
fn shortest_interval(max: Duration) -> Duration {
    let min = if max >= Duration::from_secs(9) {
        max.mul_f32(0.33)
    } else {
        max.mul_f32(0.75)
    };
    min.max(MIN_DELAY_BETWEEN)
}

/// A time below `span`, each as likely as another.
fn uniform(span: Duration, rng: &mut dyn CryptoRng) -> Duration {
    let scaled = span.as_nanos().saturating_mul(rng.next_u64().into()) >> u64::BITS;
    Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
