//! One direction of a line, without sockets and clocks: what becomes of each frame, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::{Conditions, LAG};

/// The longest frame of an ordinary cable: an MTU of 1500 and an Ethernet header.
const LONGEST: usize = 1514;

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Passes,
    /// It arrives, and a copy of it.
    Doubled,
    /// It is lost on the line.
    Lost,
    /// It would have had to wait too long for those before it.
    Overflowed,
    /// The line is cut.
    Cut,
}

impl Conditions {
    /// How long a frame of an ordinary cable is on its way at most.
    pub(crate) fn longest(&self) -> Duration {
        if self.cut {
            return Duration::ZERO;
        }
        let put = self.rate.map_or(Duration::ZERO, |rate| {
            self.queue + on_the_line(LONGEST, rate)
        });
        let late = if self.reorder.0 > 0 {
            LAG
        } else {
            Duration::ZERO
        };
        put + self.delay + self.jitter + late
    }
}

/// Frames on their way. Time comes in as an argument and only goes forward.
#[derive(Debug)]
pub struct Channel {
    conditions: Conditions,
    dice: Dice,
    /// For what machines say to keep their link going, at times of their own choice: it must not change the luck of what
    /// people send.
    others: Dice,
    /// When the last frame has been put onto the line, which is when the next one can begin.
    free_at: Option<Instant>,
    /// When the last of those that keep their order arrives.
    last: Option<Instant>,
    /// Whether the line is in a burst of losses.
    losing: bool,
    /// By when they are due and, of several at one time, in which order they came.
    under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    count: u64,
}

impl Channel {
    /// A line that has been idle. `purpose` tells it from others with the same seed.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64, purpose: &str) -> Self {
        Self {
            conditions,
            dice: Dice::new(seed, purpose),
            others: Dice::new(seed, &format!("{purpose} housekeeping")),
            free_at: None,
            last: None,
            losing: false,
            under_way: BinaryHeap::new(),
            count: 0,
        }
    }

    /// Changes what it does, to what is sent from now on; what is under way arrives, and nothing before it, unless the
    /// line is cut.
    pub fn become_like(&mut self, conditions: Conditions, seed: u64, purpose: &str) {
        let mut next = Self::new(conditions, seed, purpose);
        if !conditions.cut {
            next.under_way = std::mem::take(&mut self.under_way);
            next.last = self.last;
            next.count = self.count;
        }
        *self = next;
    }

    /// Puts a frame onto the line.
    pub fn offer(&mut self, frame: &[u8], now: Instant) -> Fate {
        if self.conditions.cut {
            return Fate::Cut;
        }
        let Some(sent) = self.transmit(frame.len(), now) else {
            return Fate::Overflowed;
        };
        let dice = if keeps_link(frame) {
            &mut self.others
        } else {
            &mut self.dice
        };
        // Each number is drawn for each frame, so that one condition does not change another's luck.
        let luck = dice.unit();
        let shift = dice.unit();
        let late = dice.happens(self.conditions.reorder.of_one());
        let doubled = dice.happens(self.conditions.duplicate.of_one());
        let lost = if keeps_link(frame) {
            luck < self.conditions.loss.of_one()
        } else {
            self.is_lost(luck)
        };
        if lost {
            return Fate::Lost;
        }
        let jitter = self.conditions.jitter.mul_f64(2.0 * shift);
        let mut due =
            sent + (self.conditions.delay + jitter).saturating_sub(self.conditions.jitter);
        due = self.last.map_or(due, |last| due.max(last));
        if late {
            due += LAG;
        } else {
            self.last = Some(due);
        }
        self.send_off(due, frame);
        if doubled {
            self.send_off(due, frame);
            return Fate::Doubled;
        }
        Fate::Passes
    }

    /// A frame that has arrived by now, if there is one.
    pub fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next_arrival()? > now {
            return None;
        }
        self.under_way.pop().map(|Reverse((_, _, frame))| frame)
    }

    /// When the next frame arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((due, ..))| *due)
    }

    /// When the frame's last bit is on the line, if it gets a place in the queue.
    fn transmit(&mut self, len: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = self.conditions.rate else {
            return Some(now);
        };
        let begin = self.free_at.map_or(now, |free| free.max(now));
        if begin - now > self.conditions.queue {
            return None;
        }
        let end = begin + on_the_line(len, rate);
        self.free_at = Some(end);
        Some(end)
    }

    /// Gilbert's model: in a burst everything is lost, between bursts nothing.
    fn is_lost(&mut self, luck: f64) -> bool {
        let loss = self.conditions.loss.of_one();
        if self.conditions.burst <= 1 {
            return luck < loss;
        }
        let leave = 1.0 / f64::from(self.conditions.burst);
        let chance = if self.losing {
            1.0 - leave
        } else {
            // So that the line is in a burst for this share of all frames.
            (leave * loss / (1.0 - loss)).min(1.0)
        };
        self.losing = luck < chance;
        self.losing
    }

    fn send_off(&mut self, due: Instant, frame: &[u8]) {
        self.under_way
            .push(Reverse((due, self.count, frame.to_vec())));
        self.count += 1;
    }
}

/// Whether a frame belongs to a link itself: ARP, neighbour discovery, multicast listeners.
fn keeps_link(frame: &[u8]) -> bool {
    const ARP: [u8; 2] = [0x08, 0x06];
    const IPV6: [u8; 2] = [0x86, 0xdd];
    match frame.get(12..14) {
        Some(ethertype) if ethertype == ARP => true,
        Some(ethertype) if ethertype == IPV6 => {
            let source = frame.get(22..38).unwrap_or_default();
            source.starts_with(&[0xfe, 0x80]) || source.iter().all(|byte| *byte == 0)
        }
        _ => false,
    }
}

/// How long it takes to put a frame of this many bytes onto a line of this rate in bits a second.
pub(super) fn on_the_line(bytes: usize, rate: u64) -> Duration {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
    let nanoseconds = u128::from(bits) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::Share;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// When each of a number of frames of `len` bytes, sent `gap` apart, arrives after the first was sent.
    fn arrivals(
        conditions: Conditions,
        count: u16,
        len: usize,
        gap: Duration,
    ) -> Vec<(u16, Duration)> {
        let mut channel = Channel::new(conditions, 1, "test");
        let start = Instant::now();
        for n in 0..count {
            let mut frame = vec![0; len];
            frame[..2].copy_from_slice(&n.to_be_bytes());
            channel.offer(&frame, start + gap * u32::from(n));
        }
        let mut arrivals = Vec::new();
        while let Some(at) = channel.next_arrival() {
            let frame = channel.arrived(at).unwrap();
            let number = u16::from_be_bytes([frame[0], frame[1]]);
            arrivals.push((number, at - start));
        }
        arrivals
    }

    fn shares(conditions: Conditions) -> [f64; 3] {
        const COUNT: u16 = 20_000;
        let mut heard = arrivals(conditions, COUNT, 100, MS);
        let all = heard.len();
        let late = heard.windows(2).filter(|two| two[1].0 < two[0].0).count();
        heard.sort_unstable();
        heard.dedup_by_key(|(number, _)| *number);
        let of = |part: usize| part as f64 / f64::from(COUNT);
        [1.0 - of(heard.len()), of(late), of(all - heard.len())]
    }

    #[test]
    fn a_line_without_conditions_is_a_cable() {
        let heard = arrivals(Conditions::default(), 3, 100, MS);
        assert_eq!(heard, [(0, Duration::ZERO), (1, MS), (2, MS * 2)]);
    }

    #[test]
    fn frames_wait_for_those_before_them_until_the_queue_is_full() {
        // 1,250 bytes are 10 ms at 1 Mbit/s.
        let conditions = Conditions {
            rate: Some(1_000_000),
            queue: MS * 20,
            ..Conditions::default()
        };
        let heard = arrivals(conditions, 10, 1250, Duration::ZERO);
        assert_eq!(heard, [(0, MS * 10), (1, MS * 20), (2, MS * 30)]);
    }

    #[test]
    fn delay_comes_after_the_rate() {
        let conditions = Conditions {
            rate: Some(1_000_000),
            delay: MS * 50,
            ..Conditions::default()
        };
        let heard = arrivals(conditions, 2, 1250, Duration::ZERO);
        assert_eq!(heard, [(0, MS * 60), (1, MS * 70)]);
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_overtakes_nobody() {
        let conditions = Conditions {
            delay: MS * 25,
            jitter: MS * 15,
            ..Conditions::default()
        };
        let heard = arrivals(conditions, 1000, 100, MS * 40);
        let delay = |(n, at): &(u16, Duration)| *at - MS * 40 * u32::from(*n);
        assert!(
            heard
                .iter()
                .all(|one| delay(one) >= MS * 10 && delay(one) <= MS * 40)
        );
        let mean = heard.iter().map(delay).sum::<Duration>() / 1000;
        assert!(mean > MS * 24 && mean < MS * 26, "{mean:?}");
        let heard = arrivals(conditions, 1000, 100, MS);
        assert!(heard.windows(2).all(|two| two[0].0 < two[1].0));
    }

    #[test]
    fn as_much_is_lost_late_and_doubled_as_was_asked_for() {
        let conditions = Conditions {
            loss: Share(50_000),
            reorder: Share(20_000),
            duplicate: Share(5000),
            ..Conditions::default()
        };
        let [lost, late, doubled] = shares(conditions);
        assert!((lost - 0.05).abs() < 0.005, "{lost}");
        assert!((late - 0.019).abs() < 0.004, "{late}");
        assert!((doubled - 0.00475).abs() < 0.002, "{doubled}");
    }

    #[test]
    fn what_is_reordered_comes_later_and_never_earlier_whatever_the_jitter() {
        let conditions = Conditions {
            delay: MS * 25,
            jitter: MS * 15,
            reorder: Share(10_000),
            ..Conditions::default()
        };
        let [_, late, _] = shares(conditions);
        assert!((late - 0.01).abs() < 0.004, "{late}");
    }

    #[test]
    fn losses_come_in_bursts_of_the_length_asked_for() {
        let conditions = Conditions {
            loss: Share(50_000),
            burst: 8,
            ..Conditions::default()
        };
        let heard = arrivals(conditions, 60_000, 100, MS);
        let lost = 60_000 - heard.len();
        let gaps = heard
            .windows(2)
            .filter(|two| two[1].0 - two[0].0 > 1)
            .count();
        let length = lost as f64 / gaps as f64;
        assert!((lost as f64 / 60_000.0 - 0.05).abs() < 0.01, "{lost}");
        assert!((length - 8.0).abs() < 1.0, "{length}");
    }

    #[test]
    fn the_seed_decides_which_are_lost() {
        let fates = |seed, purpose| {
            let conditions = Conditions {
                loss: Share(100_000),
                ..Conditions::default()
            };
            let mut channel = Channel::new(conditions, seed, purpose);
            let now = Instant::now();
            (0..200)
                .map(|_| channel.offer(&[0; 60], now))
                .collect::<Vec<_>>()
        };
        assert_eq!(fates(7, "cafe"), fates(7, "cafe"));
        assert_ne!(fates(7, "cafe"), fates(8, "cafe"));
        assert_ne!(fates(7, "cafe"), fates(7, "home"));
    }

    #[test]
    fn what_keeps_the_link_going_does_not_change_the_luck_of_the_rest() {
        let fates = |between: bool| {
            let conditions = Conditions {
                loss: Share(100_000),
                burst: 3,
                ..Conditions::default()
            };
            let mut channel = Channel::new(conditions, 1, "test");
            let now = Instant::now();
            let mut arp = [0; 60];
            arp[12..14].copy_from_slice(&[0x08, 0x06]);
            let fate = |n| {
                if between && n % 7 == 0 {
                    channel.offer(&arp, now);
                }
                channel.offer(&[0; 60], now)
            };
            (0..200).map(fate).collect::<Vec<_>>()
        };
        assert_eq!(fates(true), fates(false));
    }

    #[test]
    fn nothing_is_on_its_way_for_longer_than_is_told_nor_keeps_back_what_follows_a_change() {
        let slow = Conditions {
            rate: Some(1_000_000),
            queue: MS * 20,
            delay: MS * 25,
            jitter: MS * 15,
            reorder: Share(200_000),
            ..Conditions::default()
        };
        // Twice as many as pass.
        let heard = arrivals(slow, 200, 1250, MS * 5);
        let under_way = heard.iter().map(|(n, at)| *at - MS * 5 * u32::from(*n));
        let most = under_way.max().unwrap();
        assert!(most > MS * 50 && most <= slow.longest(), "{most:?}");
        let (mut channel, now) = (Channel::new(slow, 1, "test"), Instant::now());
        while channel.offer(&[1; 1250], now) != Fate::Overflowed {}
        channel.become_like(Conditions::default(), 1, "test");
        let later = now + slow.longest();
        while channel.arrived(later).is_some() {}
        channel.offer(&[1; 60], later);
        assert_eq!(channel.next_arrival(), Some(later));
        let cut = Conditions { cut: true, ..slow };
        assert_eq!(cut.longest(), Duration::ZERO);
    }

    #[test]
    fn what_is_under_way_survives_a_change_but_not_a_cut() {
        let slow = Conditions {
            delay: MS * 50,
            ..Conditions::default()
        };
        let cut = Conditions { cut: true, ..slow };
        let now = Instant::now();
        let mut channel = Channel::new(slow, 1, "test");
        channel.offer(&[1; 60], now);
        channel.become_like(Conditions::default(), 1, "test");
        assert_eq!(channel.next_arrival(), Some(now + MS * 50));
        channel.become_like(cut, 1, "test");
        assert_eq!(channel.next_arrival(), None);
        assert_eq!(channel.offer(&[1; 60], now), Fate::Cut);
    }
}
