//! Echo requests at a steady pace, and waiting for the first answer.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::Result;
use super::echo::{Answer, Problem};
use super::socket::{EchoSocket, Received};
use crate::fabric::Node;

/// Pause between the requests of [`reach`]: short, so that the time found is exact to a few hundredths of a second.
const KNOCK: Duration = Duration::from_millis(40);

/// How to ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// How many requests to send.
    pub count: u16,
    /// Pause between two of them.
    pub interval: Duration,
    /// How long to wait for answers after the last one.
    pub patience: Duration,
    /// What they carry.
    pub payload: Vec<u8>,
}

impl Default for Ping {
    fn default() -> Self {
        Self {
            count: 3,
            interval: Duration::from_millis(20),
            patience: Duration::from_secs(1),
            payload: vec![b'v'; 56],
        }
    }
}

/// What came of pinging.
#[derive(Debug, Clone, Default)]
pub struct PingReport {
    /// Requests sent.
    pub sent: u16,
    /// Time from each answered request until the kernel had its reply, in the order of the replies.
    pub round_trips: Vec<Duration>,
    /// Time from the first request to the first reply.
    pub first_reply: Option<Duration>,
    /// What routers said instead, each once, with the address of who said so.
    pub problems: Vec<(IpAddr, Problem)>,
    /// What the sender's own kernel refused with last, e.g. that there is no route.
    pub refused: Option<io::ErrorKind>,
}

/// When a request was sent, by both clocks, and whether it was answered.
#[derive(Debug, Clone, Copy)]
struct Sent {
    steady: Instant,
    /// The clock of the kernel's stamps, which somebody may set.
    clock: SystemTime,
    answered: bool,
}

impl Sent {
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            clock: SystemTime::now(),
            answered: false,
        }
    }

    /// How long it took until `at`, which is past.
    fn until(self, at: SystemTime) -> Duration {
        let most = self.steady.elapsed();
        at.duration_since(self.clock).unwrap_or(most).min(most)
    }
}

impl PingReport {
    /// Requests without a reply.
    #[must_use]
    pub fn lost(&self) -> usize {
        usize::from(self.sent).saturating_sub(self.round_trips.len())
    }

    fn heard(&mut self, from: IpAddr, answer: Answer, at: SystemTime, sent_at: &mut [Sent]) {
        match answer {
            Answer::Reply(id) => {
                // The same reply once more does not stand for another that is missing.
                let request = sent_at.get_mut(usize::from(id.seq));
                let Some(sent) = request.filter(|sent| !sent.answered) else {
                    return;
                };
                sent.answered = true;
                self.round_trips.push(sent.until(at));
                self.first_reply = self
                    .first_reply
                    .or_else(|| Some(sent_at.first()?.until(at)));
            }
            Answer::Problem(_, problem) => {
                if !self.problems.contains(&(from, problem)) {
                    self.problems.push((from, problem));
                }
            }
        }
    }
}

/// Pings `target` from `node`.
///
/// # Errors
/// When the node offers no raw socket. That nothing answers is not an error but a finding.
pub async fn ping(node: &Node, target: IpAddr, how: &Ping) -> Result<PingReport> {
    run(node, target, how, None).await
}

/// Pings until the first reply, for at most `within`; the report's `first_reply` says when that was.
///
/// # Errors
/// As [`ping`].
pub async fn reach(node: &Node, target: IpAddr, within: Duration) -> Result<PingReport> {
    knock(node, target, KNOCK, within).await
}

/// As [`reach`], with a pause between the requests that the caller chooses. At most 65,535 are sent.
///
/// # Errors
/// As [`ping`].
pub async fn knock(
    node: &Node,
    target: IpAddr,
    pause: Duration,
    within: Duration,
) -> Result<PingReport> {
    let how = Ping {
        count: u16::MAX,
        interval: pause,
        ..Ping::default()
    };
    run(node, target, &how, Some(Instant::now() + within)).await
}

/// With `first_until`, ends with the first reply, or then.
async fn run(
    node: &Node,
    target: IpAddr,
    how: &Ping,
    first_until: Option<Instant>,
) -> Result<PingReport> {
    let mut socket = EchoSocket::open(node, target).await?;
    let mut report = PingReport::default();
    let mut sent_at = Vec::new();
    let mut pace = interval(how.interval);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let replies = report.round_trips.len();
        if replies >= usize::from(how.count) || (first_until.is_some() && replies > 0) {
            return Ok(report);
        }
        let more = report.sent < how.count;
        let patience = sent_at
            .last()
            .map_or_else(Instant::now, |last: &Sent| last.steady + how.patience);
        let end = first_until.unwrap_or(patience);
        tokio::select! {
            _ = pace.tick(), if more => {
                sent_at.push(Sent::now());
                let sent = socket.send(report.sent, &how.payload).await;
                report.refused = sent.err().map(|error| error.kind()).or(report.refused);
                report.sent += 1;
            }
            answer = socket.receive() => {
                let Received { from, answer, at, .. } = answer?;
                report.heard(from, answer, at, &mut sent_at);
            }
            () = sleep_until(end), if first_until.is_some() || !more => return Ok(report),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::observe::echo::EchoId;

    const SOMEBODY: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    #[test]
    fn what_was_not_answered_is_lost_however_often_others_were() {
        let mut report = PingReport {
            sent: 2,
            ..PingReport::default()
        };
        let mut sent_at = [Sent::now(); 2];
        for _ in 0..2 {
            let answer = Answer::Reply(EchoId { ident: 1, seq: 1 });
            report.heard(SOMEBODY, answer, SystemTime::now(), &mut sent_at);
            assert_eq!(report.lost(), 1);
        }
        assert!(report.first_reply.is_some());
    }

    #[test]
    fn a_problem_is_told_once_and_is_no_reply() {
        let mut report = PingReport {
            sent: 2,
            ..PingReport::default()
        };
        for seq in 0..2 {
            let answer = Answer::Problem(EchoId { ident: 1, seq }, Problem::NoRoute);
            let mut sent_at = [Sent::now(); 2];
            report.heard(SOMEBODY, answer, SystemTime::now(), &mut sent_at);
        }
        assert_eq!(report.problems, [(SOMEBODY, Problem::NoRoute)]);
        assert_eq!(report.lost(), 2);
    }

    #[test]
    fn a_reply_nobody_asked_for_is_not_counted() {
        let mut report = PingReport {
            sent: 1,
            ..PingReport::default()
        };
        report.heard(
            SOMEBODY,
            Answer::Reply(EchoId { ident: 1, seq: 9 }),
            SystemTime::now(),
            &mut [Sent::now()],
        );
        assert_eq!(report.lost(), 1);
    }

    #[test]
    fn a_clock_that_is_set_meanwhile_makes_no_round_trip_longer_than_it_can_have_been() {
        let sent = Sent::now();
        let hour = Duration::from_secs(3600);
        for at in [sent.clock - hour, sent.clock + hour] {
            assert!(sent.until(at) < hour);
        }
        assert_eq!(sent.until(sent.clock), Duration::ZERO);
    }
}
