//! What was seen of a line, compared with what was asked for.

use std::time::Duration;

use super::channel::on_the_line;
use super::measure::{ALONE, Arrival, FLOW, Planned, Purpose, apart};
use super::{Conditions, Share};

/// How far a delay may be off.
const DELAY_WITHIN: Duration = Duration::from_millis(2);

/// How far a rate may be off, as a part of it.
const RATE_WITHIN: f64 = 0.1;

/// How far a share of packets may be off, beyond what chance explains.
const SHARE_WITHIN: f64 = 0.01;

/// How many standard deviations chance explains: one line in 16,000 is off by more.
const CHANCE: f64 = 4.0;

/// How many frames are expected at least where it is no chance that hardly one comes: of ten that are, none or one does
/// once in two thousand times (Poisson).
const EXPECTED: f64 = 10.0;

/// What was sent over a line in one direction, and what of it came.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) planned: Vec<Planned>,
    pub(super) arrivals: Vec<Arrival>,
}

/// What is not as asked, with both values.
pub(super) fn judge(seen: &Seen, asked: &Conditions, in_use: bool) -> Option<String> {
    if asked.cut {
        let passed = seen.arrivals.len();
        return (passed > 0).then(|| format!("cut, but {passed} frames passed"));
    }
    let all = [
        seen.wrong_delay(asked, in_use),
        seen.wrong_rate(asked, in_use),
        seen.wrong_loss(asked, in_use),
        wrong_share("arrives twice", asked.duplicate, seen.doubled(), 1, false),
        wrong_share("is reordered", asked.reorder, seen.late(), 1, in_use),
    ];
    let wrong: Vec<String> = all.into_iter().flatten().collect();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

/// How many of how many.
type Part = (usize, usize);

impl Seen {
    fn wrong_delay(&self, asked: &Conditions, in_use: bool) -> Option<String> {
        let alone = self.of(Purpose::Delay);
        let mut delays: Vec<Duration> = alone.map(|arrival| arrival.delay).collect();
        delays.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let Some(median) = delays.get(delays.len() / 2) else {
            let wrong = format!("{} ms of delay asked for, nothing came", ms(asked.delay));
            return (!self.may_fail(Purpose::Delay, asked)).then_some(wrong);
        };
        let (Some(least), Some(most)) = (delays.first(), delays.last()) else {
            return None;
        };
        // Not less, since frames that follow each other soon come when the slowest of them does.
        let within = DELAY_WITHIN + asked.jitter;
        let first = self.planned.first().map_or(0, |frame| frame.len);
        let wanted = asked.delay
            + asked
                .rate
                .map_or(Duration::ZERO, |rate| on_the_line(first, rate));
        let off = if in_use {
            *median + within < wanted
        } else {
            median.abs_diff(wanted) > within
        };
        // Who comes together with one that was sent earlier took less time, by what lay between them.
        let varies = asked.jitter.mul_f64(0.4).min(apart(asked) / 2);
        let few = delays.len() <= ALONE as usize / 2;
        let steady = !in_use && !few && *most - *least < varies;
        (off || steady).then(|| {
            format!(
                "a delay of {:.1} ms +-{:.1} ms asked for, {:.1} ms seen ({:.1} to {:.1} ms)",
                ms(wanted),
                ms(asked.jitter),
                ms(*median),
                ms(*least),
                ms(*most)
            )
        })
    }

    /// By the median of many differences, so that a few frames that were held up do not count.
    fn wrong_rate(&self, asked: &Conditions, in_use: bool) -> Option<String> {
        // What comes together since it waited for the same one says nothing of how fast it was sent.
        let rate = asked.rate.filter(|_| asked.jitter <= FLOW / 10)?;
        let mut flow: Vec<&Arrival> = self.of(Purpose::Rate).collect();
        flow.sort_unstable_by_key(|arrival| arrival.seq);
        let len = self
            .planned
            .iter()
            .find(|frame| frame.why == Purpose::Rate)?
            .len;
        let half = flow.len() / 2;
        let mut rates: Vec<f64> = flow
            .iter()
            .zip(flow.iter().skip(half))
            .filter_map(|(one, other)| {
                let time = other.at.checked_sub(one.at)?.as_secs_f64();
                // Of frames and bits there are few enough.
                (time > 0.0).then(|| ((other.seq - one.seq) * len * 8) as f64 / time)
            })
            .collect();
        rates.sort_unstable_by(f64::total_cmp);
        let wanted = rate as f64;
        let Some(seen) = rates.get(rates.len() / 2) else {
            let wrong = format!("{:.3} Mbit/s asked for, nothing came", wanted / 1e6);
            return (!self.may_fail(Purpose::Rate, asked)).then_some(wrong);
        };
        let off = (seen - wanted) / wanted;
        let wrong = off > RATE_WITHIN || (off < -RATE_WITHIN && !in_use);
        wrong.then(|| {
            format!(
                "{:.3} Mbit/s asked for, {:.3} Mbit/s seen",
                wanted / 1e6,
                seen / 1e6
            )
        })
    }

    /// The flow that shows the rate is left out, since some of it may have to wait too long.
    fn wrong_loss(&self, asked: &Conditions, in_use: bool) -> Option<String> {
        let counts = |frame: &&Planned| frame.why != Purpose::Rate;
        let sent = self.planned.iter().filter(counts).count();
        let mut came: Vec<usize> = [Purpose::Delay, Purpose::Loss]
            .into_iter()
            .flat_map(|why| self.of(why))
            .map(|arrival| arrival.seq)
            .collect();
        came.sort_unstable();
        came.dedup();
        let lost = (sent - came.len(), sent);
        // On a line with a rate, others may have filled the queue.
        let more = in_use && asked.rate.is_some();
        if more && lost.0 as f64 >= asked.loss.of_one() * sent as f64 {
            return None;
        }
        wrong_share("is lost", asked.loss, lost, asked.burst, false)
    }

    fn doubled(&self) -> Part {
        let mut came: Vec<usize> = self.of(Purpose::Loss).map(|arrival| arrival.seq).collect();
        let all = came.len();
        came.sort_unstable();
        came.dedup();
        (all - came.len(), came.len())
    }

    /// How many came after one that was sent later.
    fn late(&self) -> Part {
        let mut newest = 0;
        let (mut late, mut all) = (0, 0);
        for arrival in self.of(Purpose::Loss) {
            late += usize::from(arrival.seq < newest);
            newest = newest.max(arrival.seq);
            all += 1;
        }
        (late, all)
    }

    /// Whether the line may have lost all that was sent for something, or all but one.
    fn may_fail(&self, why: Purpose, asked: &Conditions) -> bool {
        let sent = self.planned.iter().filter(|frame| frame.why == why).count();
        sent as f64 * (1.0 - asked.loss.of_one()) / together(asked.burst) < EXPECTED
    }

    fn of(&self, why: Purpose) -> impl Iterator<Item = &Arrival> {
        let sent_for = move |arrival: &&Arrival| {
            let planned = self.planned.get(arrival.seq);
            planned.is_some_and(|frame| frame.why == why)
        };
        self.arrivals.iter().filter(sent_for)
    }
}

/// Whether a share of packets is further off than chance explains; losses in bursts leave more to chance.
fn wrong_share(
    what: &str,
    asked: Share,
    (seen, of): Part,
    burst: u32,
    excused: bool,
) -> Option<String> {
    if excused || of == 0 {
        return None;
    }
    let (wanted, of) = (asked.of_one(), of as f64);
    let seen = seen as f64 / of;
    let deviation = (wanted * (1.0 - wanted) * together(burst) / of).sqrt();
    let off = (seen - wanted).abs() > SHARE_WITHIN + CHANCE * deviation;
    off.then(|| format!("{asked} asked for that {what}, {:.1} % seen", seen * 100.0))
}

/// How many packets share their luck, for what chance is concerned, where losses come in bursts.
fn together(burst: u32) -> f64 {
    f64::from(2 * burst.max(1) - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::Channel;
    use super::super::measure::planned;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Frames sent a millisecond apart, of which each arrives as `fate` has it.
    fn seen(why: Purpose, count: usize, fate: impl Fn(usize) -> Option<Duration>) -> Seen {
        let at = |seq: usize| MS * u32::try_from(seq).unwrap();
        let planned = |seq| Planned {
            at: at(seq),
            len: 125,
            why,
        };
        let arrival = |seq| {
            let delay = fate(seq)?;
            Some(Arrival {
                seq,
                delay,
                at: at(seq) + delay,
            })
        };
        let mut arrivals: Vec<_> = (0..count).filter_map(arrival).collect();
        arrivals.sort_by_key(|arrival| arrival.at);
        Seen {
            planned: (0..count).map(planned).collect(),
            arrivals,
        }
    }

    #[test]
    fn a_delay_is_told_with_what_was_asked_for() {
        let asked = Conditions {
            delay: MS * 20,
            ..Conditions::default()
        };
        let delays = |delay: Duration| seen(Purpose::Delay, 15, move |_| Some(delay));
        assert_eq!(judge(&delays(MS * 21), &asked, false), None);
        let wrong = judge(&delays(MS * 26), &asked, false).unwrap();
        assert!(
            wrong.contains("20.0 ms") && wrong.contains("26.0 ms seen"),
            "{wrong}"
        );
        assert_eq!(judge(&delays(MS * 26), &asked, true), None, "it is in use");
        assert!(judge(&delays(MS * 11), &asked, true).is_some());
    }

    #[test]
    fn a_jitter_that_is_none_is_noticed() {
        let asked = Conditions {
            delay: MS * 20,
            jitter: MS * 10,
            ..Conditions::default()
        };
        assert!(judge(&seen(Purpose::Delay, 15, |_| Some(MS * 20)), &asked, false).is_some());
    }

    #[test]
    fn a_rate_is_what_frames_come_at() {
        // 125 bytes a millisecond are 1 Mbit/s.
        let flow = seen(Purpose::Rate, 100, |seq| {
            Some(if seq == 40 { MS * 9 } else { MS })
        });
        let wrong = |rate: u64, in_use: bool| {
            let asked = Conditions {
                rate: Some(rate),
                ..Conditions::default()
            };
            flow.wrong_rate(&asked, in_use)
        };
        assert_eq!(wrong(1_000_000, false), None);
        assert!(wrong(1_200_000, false).is_some());
        assert_eq!(wrong(1_200_000, true), None, "others take the rest");
        assert!(wrong(800_000, true).is_some());
    }

    #[test]
    fn shares_may_be_off_by_chance_and_a_percent() {
        let losing = |every: usize| {
            let fate = move |seq| (seq % every > 0).then_some(MS);
            seen(Purpose::Loss, 1000, fate)
        };
        let asked = Conditions {
            loss: Share(50_000),
            ..Conditions::default()
        };
        assert_eq!(losing(20).wrong_loss(&asked, false), None);
        let wrong = losing(10).wrong_loss(&asked, false).unwrap();
        assert_eq!(wrong, "5 % asked for that is lost, 10.0 % seen");
        let none = Conditions::default();
        assert!(losing(50).wrong_loss(&none, false).is_some());
    }

    #[test]
    fn the_late_are_told_from_the_doubled() {
        let mut some = seen(Purpose::Loss, 100, |seq| {
            Some(if seq == 7 { MS * 5 } else { MS })
        });
        some.arrivals.push(some.arrivals[3]);
        assert_eq!(some.doubled(), (1, 100));
        assert_eq!(some.late(), (2, 101));
    }

    /// What a line makes of the frames that are sent to see whether it is as asked.
    fn measured(line: Conditions, asked: &Conditions, seed: u64) -> Seen {
        let planned = planned(asked);
        let (mut channel, start) = (Channel::new(line, seed, "test"), Instant::now());
        let mut sent: Vec<Instant> = Vec::new();
        for (seq, frame) in planned.iter().enumerate() {
            let before = sent.last().copied().unwrap_or(start);
            let now = before.max(start + frame.at);
            let mut bytes = vec![0; frame.len];
            bytes[..4].copy_from_slice(&u32::try_from(seq).unwrap().to_be_bytes());
            channel.offer(&bytes, now);
            sent.push(now);
        }
        let mut arrivals = Vec::new();
        while let Some(at) = channel.next_arrival() {
            let frame = channel.arrived(at).unwrap();
            let seq = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
            arrivals.push(Arrival {
                seq,
                delay: at - sent[seq],
                at: at - start,
            });
        }
        Seen { planned, arrivals }
    }

    #[test]
    fn a_line_that_is_as_asked_passes() {
        let cable = Conditions::default();
        let wild = Conditions {
            delay: MS * 300,
            jitter: MS * 300,
            ..cable
        };
        let bad = Conditions {
            loss: Share(950_000),
            ..cable
        };
        let bursty = Conditions {
            loss: Share(500_000),
            burst: 20,
            ..cable
        };
        let slow = Conditions {
            rate: Some(16_000),
            ..cable
        };
        let all_at_once = Conditions {
            rate: Some(1_000_000),
            ..wild
        };
        for asked in [wild, bad, bursty, slow, all_at_once] {
            let judged =
                (0..100).filter_map(|seed| judge(&measured(asked, &asked, seed), &asked, false));
            let wrong: Vec<String> = judged.collect();
            // By chance, once or twice: it is measured several times.
            assert!(wrong.len() <= 2, "{asked}: {wrong:?}");
            let last = planned(&asked).last().unwrap().at;
            assert!(last < MS * 5000, "{asked}: measured for {last:?}");
        }
        let dead = Conditions {
            loss: Share(999_999),
            ..cable
        };
        assert!(judge(&measured(dead, &bad, 1), &bad, false).is_some());
        let steady = Conditions {
            jitter: Duration::ZERO,
            ..wild
        };
        assert!(judge(&measured(steady, &wild, 1), &wild, false).is_some());
    }

    #[test]
    fn a_line_that_is_cut_lets_nothing_pass() {
        let cut = Conditions {
            cut: true,
            ..Conditions::default()
        };
        assert_eq!(
            judge(&seen(Purpose::Delay, 15, |_| None), &cut, false),
            None
        );
        assert!(judge(&seen(Purpose::Delay, 15, |_| Some(MS)), &cut, false).is_some());
    }
}
