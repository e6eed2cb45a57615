//! Path MTU discovery over simulated paths: any length, loss, long round trips, black holes.

use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use v6router_core::tunnel::pmtu::{Effect, MAX_LEN, MIN_LEN, Pmtu};

const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A path with a prober at one end and a peer that answers at the other, in virtual time.
struct Path {
    pmtu: Pmtu,
    now: Duration,
    next_tick: Duration,
    /// Replies under way: when they arrive and how long they are.
    replies: Vec<(Duration, u16)>,
    answered: Vec<u16>,
    ticks: usize,
    probes: usize,
    /// Longest frame that passes; 0 is a black hole.
    carries: u16,
    /// Probability that a probe or its reply is lost.
    loss: f64,
    round_trip: Duration,
    /// Longest frame the kernel does not refuse.
    interface: u16,
    rng: StdRng,
}

impl Path {
    fn new(carries: u16) -> Self {
        Self {
            pmtu: Pmtu::new(MAX_LEN, PING_INTERVAL, PING_TIMEOUT),
            now: Duration::ZERO,
            next_tick: Duration::ZERO,
            replies: Vec::new(),
            answered: Vec::new(),
            ticks: 0,
            probes: 0,
            carries,
            loss: 0.0,
            round_trip: Duration::from_millis(30),
            interface: u16::MAX,
            rng: StdRng::seed_from_u64(0),
        }
    }

    /// Runs until the next event: a reply arrives or a tick is due.
    fn step(&mut self) {
        self.replies.sort_unstable_by(|a, b| b.cmp(a));
        match self.replies.last() {
            Some(&(at, len)) if at <= self.next_tick => {
                self.replies.pop();
                self.now = at;
                self.answered.push(len);
                let effect = self.pmtu.on_reply(len);
                self.obey(effect);
            }
            _ => {
                self.now = self.next_tick;
                self.ticks += 1;
                let tick = self.pmtu.tick();
                self.next_tick = self.now + tick.next;
                for &len in tick.probes.as_slice() {
                    self.send(len);
                }
            }
        }
    }

    fn send(&mut self, len: u16) {
        assert!((MIN_LEN..=MAX_LEN).contains(&len));
        self.probes += 1;
        if len > self.interface {
            let effect = self.pmtu.on_too_big(len);
            self.obey(effect);
        } else if len <= self.carries && !self.rng.random_bool(self.loss) {
            self.replies.push((self.now + self.round_trip, len));
        }
    }

    fn obey(&mut self, effect: Effect) {
        if effect == Effect::TickNow {
            self.next_tick = self.now;
        }
    }

    fn is_fixed(&self) -> bool {
        self.pmtu.confirmed() && self.pmtu.min_mtu() == self.pmtu.max_mtu()
    }

    /// Runs until `done`; the virtual time that took.
    fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            self.step();
            let took = self.now - start;
            assert!(took <= limit, "not after {took:?}: {:?}", self.pmtu);
        }
        self.now - start
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }
}

/// When the result is final: one tick after the bounds met.
fn settled(path: &Path) -> bool {
    path.is_fixed() && path.pmtu.mtu() == path.carries
}

#[test]
fn a_clean_path_of_1500_bytes_is_fixed_within_two_seconds() {
    for carries in [1451, 1435] {
        let mut path = Path::new(carries);
        path.run_until(Duration::from_secs(2), settled);
    }
}

#[test]
fn udp_is_usable_after_one_round_trip() {
    let mut path = Path::new(1451);
    path.run_until(path.round_trip, |path| path.pmtu.min_mtu() == 1451);
}

#[test]
fn any_clean_path_is_fixed_within_four_seconds() {
    for carries in 100..=MAX_LEN {
        let mut path = Path::new(carries);
        path.run_until(Duration::from_secs(4), settled);
    }
}

#[test]
fn a_refusal_of_the_kernel_settles_the_matter_at_once() {
    let mut path = Path::new(1451);
    path.interface = 1451;
    path.run_until(Duration::from_millis(300), settled);
}

#[test]
fn a_fixed_path_costs_a_few_probes_a_minute() {
    let mut path = Path::new(1451);
    path.run_until(Duration::from_secs(2), settled);
    path.probes = 0;
    path.run_for(Duration::from_secs(600));
    assert!(path.probes <= 30, "{} probes", path.probes);
    assert!(settled(&path));
}

#[test]
fn a_round_trip_longer_than_a_burst_misleads_nobody() {
    for round_trip in [310, 900, 1500, 2500] {
        let mut path = Path::new(1387);
        path.round_trip = Duration::from_millis(round_trip);
        path.run_until(Duration::from_secs(30), |path| {
            assert!(path.pmtu.max_mtu() >= path.carries, "given up too early");
            settled(path)
        });
    }
}

#[test]
fn a_black_hole_is_noticed_within_the_ping_timeout_of_a_check() {
    let mut path = Path::new(1451);
    path.run_until(Duration::from_secs(2), settled);
    path.carries = 0;
    let took = path.run_until(PING_INTERVAL + PING_TIMEOUT, |path| !path.pmtu.confirmed());
    assert!(took > PING_INTERVAL - Duration::from_secs(2));
    assert_eq!(path.pmtu.mtu(), 1451, "kept until more is known");
    path.carries = 1451;
    path.run_until(Duration::from_secs(2), settled);
}

#[test]
fn a_black_hole_during_discovery_is_noticed_too() {
    let mut path = Path::new(1300);
    path.run_until(Duration::from_secs(1), |path| path.pmtu.confirmed());
    path.carries = 0;
    path.run_until(2 * PING_TIMEOUT, |path| !path.pmtu.confirmed());
}

#[test]
fn a_peer_that_never_answers_is_tried_each_ping_interval_and_heard_at_once() {
    let mut path = Path::new(0);
    path.run_for(Duration::from_secs(12));
    let (ticks, start) = (path.ticks, path.now);
    path.run_for(Duration::from_secs(600) - Duration::from_secs(1));
    assert_eq!(path.ticks - ticks, 10, "from {start:?} to {:?}", path.now);
    assert!(!path.pmtu.confirmed());
    path.carries = 1435;
    path.run_until(PING_INTERVAL + Duration::from_secs(2), settled);
}

#[test]
fn a_path_that_worked_before_is_used_again_within_half_a_minute() {
    let mut path = Path::new(1451);
    path.run_until(Duration::from_secs(2), settled);
    path.carries = 0;
    assert_eq!(path.pmtu.on_broken(), Effect::TickNow);
    path.next_tick = path.now;
    path.run_for(Duration::from_secs(300));
    assert!(!path.pmtu.confirmed());
    path.carries = 1451;
    path.run_until(Duration::from_secs(22), settled);
}

#[test]
fn the_address_of_a_silent_peer_is_doubted_once_a_discovery() {
    let mut pmtu = Pmtu::new(MAX_LEN, PING_INTERVAL, PING_TIMEOUT);
    for _ in 0..2 {
        let mut now = Duration::ZERO;
        let mut doubts = Vec::new();
        while now < 3 * PING_INTERVAL {
            let tick = pmtu.tick();
            if tick.doubtful {
                doubts.push(now.as_secs());
            }
            now += tick.next;
        }
        assert_eq!(doubts, [3]);
        pmtu.reset();
    }
}

#[test]
fn growth_of_the_path_is_noticed_at_the_next_check() {
    let mut path = Path::new(1211);
    path.run_until(Duration::from_secs(4), settled);
    path.carries = 1451;
    path.run_until(PING_INTERVAL + Duration::from_secs(5), settled);
}

#[test]
fn a_path_that_shrinks_is_measured_again() {
    let mut path = Path::new(1451);
    path.run_until(Duration::from_secs(2), settled);
    path.carries = 1211;
    path.run_until(
        PING_INTERVAL + PING_TIMEOUT + Duration::from_secs(4),
        settled,
    );
}

#[test]
fn a_refused_frame_of_a_proven_length_starts_over_at_once() {
    let mut path = Path::new(1451);
    path.run_until(Duration::from_secs(2), settled);
    (path.carries, path.interface) = (1211, 1400);
    assert_eq!(path.pmtu.on_too_big(1401), Effect::TickNow);
    assert!(!path.pmtu.confirmed());
    assert_eq!(path.pmtu.mtu(), 1400);
    path.next_tick = path.now;
    path.run_until(Duration::from_secs(4), settled);
}

#[test]
fn the_ceiling_is_never_exceeded() {
    let mut path = Path::new(1451);
    path.pmtu = Pmtu::new(1000, PING_INTERVAL, PING_TIMEOUT);
    path.run_until(Duration::from_secs(4), Path::is_fixed);
    path.run_for(Duration::from_secs(300));
    assert_eq!(path.pmtu.mtu(), 1000);
    assert!(path.answered.iter().all(|&len| len <= 1000));
}

#[test]
fn a_reset_forgets_the_path_but_keeps_the_mtu() {
    let mut path = Path::new(1211);
    path.run_until(Duration::from_secs(4), settled);
    path.pmtu.reset();
    assert!(!path.pmtu.confirmed());
    assert_eq!(path.pmtu.mtu(), 1211);
    assert_eq!(path.pmtu.max_mtu(), MAX_LEN);
}

proptest! {
    #[test]
    fn a_lossy_path_ends_at_exactly_what_it_carries(
        carries in 100..=MAX_LEN,
        percent in 0..=30u8,
        round_trip in 1..=600u64,
        seed: u64,
    ) {
        let mut path = Path::new(carries);
        path.loss = f64::from(percent) / 100.0;
        path.round_trip = Duration::from_millis(round_trip);
        path.rng = StdRng::seed_from_u64(seed);
        path.run_until(Duration::from_secs(1800), settled);
        prop_assert!(path.ticks <= 200, "{} ticks", path.ticks);
        prop_assert!(path.answered.contains(&path.pmtu.mtu()));
    }

    #[test]
    fn any_order_of_events_keeps_the_bounds(
        ceiling: u16,
        events in prop::collection::vec((0..4u8, any::<u16>()), 0..300),
    ) {
        let mut pmtu = Pmtu::new(ceiling, PING_INTERVAL, PING_TIMEOUT);
        let ceiling = ceiling.clamp(MIN_LEN, MAX_LEN);
        for (event, len) in events {
            let before = (pmtu.min_mtu(), pmtu.mtu());
            let told = match event {
                0 => pmtu.on_reply(len % 1600) != Effect::Unchanged,
                1 => pmtu.on_too_big(len % 1600) != Effect::Unchanged,
                2 => {
                    let tick = pmtu.tick();
                    prop_assert!(tick.probes.as_slice().iter().all(|len| (MIN_LEN..=ceiling).contains(len)));
                    tick.changed
                }
                _ => {
                    pmtu.reset();
                    true
                }
            };
            let after = (pmtu.min_mtu(), pmtu.mtu());
            prop_assert!(told || before == after);
            prop_assert!(pmtu.min_mtu() <= pmtu.max_mtu() && pmtu.max_mtu() <= ceiling);
            prop_assert!(pmtu.min_mtu() <= pmtu.mtu() && pmtu.mtu() <= ceiling);
        }
    }
}
