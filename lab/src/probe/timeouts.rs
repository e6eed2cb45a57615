//! How long a mapping lives. What was stated is tried around the time stated, since there is no end to waiting otherwise.

use std::fmt;
use std::net::SocketAddrV4;
use std::time::Duration;

use futures::future::{try_join, try_join_all, try_join3};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::Result;
use super::bench::{Bench, End, Fence};
use crate::model::UdpTimeout;
use crate::nat::{Difference, Filtering, Kind, Refresh};

/// How long before and after its stated end a mapping is tried.
const MARGIN: Duration = Duration::from_secs(1);

/// How exactly a kernel counts time: one tick of the slowest clock it is built with (CONFIG_HZ=100).
const TICK: Duration = Duration::from_millis(10);

/// Linux takes a UDP flow for one with replies only if it is older (`nf_conntrack_proto_udp.c`, two seconds).
const STREAM: Duration = Duration::from_millis(2200);

/// How often packets are exchanged until then.
const BUSY: Duration = Duration::from_millis(400);

/// Packets from outside, within 1.2 times the stated time, that may keep a mapping alive.
const REFRESHES: u32 = 3;

/// Between which times a mapping ended, as far as was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lifetime {
    /// The longest silence after which it was there.
    pub alive: Duration,
    /// The shortest silence after which it was not; `None` if it was always there.
    pub dead: Option<Duration>,
}

/// What was seen of a venue's mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lifetimes {
    /// Of those to which nothing has come back.
    pub unreplied: Lifetime,
    /// Of the others.
    pub replied: Lifetime,
    /// What keeps these alive; `None` if the machine was too busy to tell.
    pub refresh: Option<Refresh>,
}

/// A try: how long the mapping had been silent at least and at most, and whether it was there.
type Sample = (Duration, Duration, bool);

impl Lifetimes {
    /// In what this is not what is stated of a venue with such a NAT.
    #[must_use]
    pub fn differences(&self, nat: &Kind, stated: UdpTimeout) -> Vec<Difference> {
        // To whom anybody at that address may send, nobody needs to have replied: the mapping counts, not the flow.
        let unreplied = match nat.behaviour.filtering {
            Filtering::AddressAndPortDependent => stated.unreplied,
            Filtering::AddressDependent | Filtering::EndpointIndependent => stated.replied,
        };
        let mut differences = Vec::new();
        let lives = [
            ("unreplied", unreplied, self.unreplied),
            ("replied", stated.replied, self.replied),
        ];
        for (what, seconds, measured) in lives {
            if !measured.agrees(Duration::from_secs(seconds.into())) {
                differences.push(Difference {
                    what,
                    stated: format!("{seconds} s"),
                    measured: measured.to_string(),
                });
            }
        }
        if let Some(refresh) = self.refresh.filter(|refresh| *refresh != nat.refresh) {
            differences.push(Difference {
                what: "refresh",
                stated: nat.refresh.to_string(),
                measured: refresh.to_string(),
            });
        }
        differences
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {:.1} s", self.alive.as_secs_f64())?;
        match self.dead {
            Some(dead) => write!(f, " and less than {:.1} s", dead.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl Lifetime {
    /// Whether a mapping may have lived this long.
    #[must_use]
    pub fn agrees(&self, stated: Duration) -> bool {
        let is_there = self.alive <= stated + TICK;
        is_there && self.dead.is_some_and(|dead| stated <= dead + TICK)
    }

    fn from_samples(samples: &[Sample]) -> Self {
        let alive = samples.iter().filter(|(_, _, there)| *there);
        let dead = samples.iter().filter(|(_, _, there)| !there);
        Self {
            alive: alive
                .map(|(at_least, _, _)| *at_least)
                .max()
                .unwrap_or_default(),
            dead: dead.map(|(_, at_most, _)| *at_most).min(),
        }
    }
}

pub(super) async fn ask(bench: &Bench<'_>, stated: UdpTimeout) -> Result<Lifetimes> {
    let [first, second] =
        [stated.unreplied, stated.replied].map(|seconds| Duration::from_secs(seconds.into()));
    let (unreplied, replied, refresh) = try_join3(
        // It may be either, see [`Lifetimes::differences`].
        lifetime(bench, &[first, second], false),
        lifetime(bench, &[second], true),
        refresh(bench, second),
    )
    .await?;
    Ok(Lifetimes {
        unreplied,
        replied,
        refresh,
    })
}

async fn lifetime(bench: &Bench<'_>, stated: &[Duration], replied: bool) -> Result<Lifetime> {
    let around = |stated: &Duration| {
        let stated = *stated;
        [stated / 2, stated.saturating_sub(MARGIN), stated + MARGIN]
    };
    let samples = stated.iter().flat_map(around);
    let samples = samples.map(|silence| sample(bench, silence, replied));
    Ok(Lifetime::from_samples(&try_join_all(samples).await?))
}

async fn sample(bench: &Bench<'_>, silence: Duration, replied: bool) -> Result<Sample> {
    let flow = Flow::open(bench, replied).await?;
    sleep_until(flow.heard + silence).await;
    let at_least = flow.heard.elapsed();
    let there = flow.lives(bench).await?;
    Ok((at_least, flow.sent.elapsed(), there))
}

/// Sends in again and again, and asks whether the mapping is there when nothing has been sent out for longer than it
/// may live without.
async fn refresh(bench: &Bench<'_>, stated: Duration) -> Result<Option<Refresh>> {
    let flow = Flow::open(bench, true).await?;
    let gap = stated * 6 / 5 / REFRESHES;
    let mut refreshed = flow.sent;
    for n in 1..=REFRESHES {
        sleep_until(flow.heard + gap * n).await;
        let asked = Instant::now();
        if !flow.lives(bench).await? {
            // If the last packet is too long ago, the machine has let the mapping die, not the venue.
            return Ok((refreshed.elapsed() < stated).then_some(Refresh::Outbound));
        }
        refreshed = asked;
    }
    Ok(Some(Refresh::Both))
}

/// An inner socket that has sent to one outside.
struct Flow {
    host: End,
    peer: End,
    mapping: SocketAddrV4,
    /// Just before its last packet, and just after.
    sent: Instant,
    heard: Instant,
}

impl Flow {
    async fn open(bench: &Bench<'_>, replied: bool) -> Result<Self> {
        let (host, peer) = try_join(bench.fresh("a"), bench.fresh("ten")).await?;
        let mut sent = Instant::now();
        let mapping = bench.out(&host, &peer).await?;
        if replied {
            // Busy until it counts as a flow with replies, or it would be forgotten before.
            let opened = Instant::now();
            while sent < opened + STREAM {
                bench.passes(&peer, mapping, &host).await?;
                sleep_until(Instant::now() + BUSY).await;
                sent = Instant::now();
                bench.out(&host, &peer).await?;
            }
        }
        Ok(Self {
            host,
            peer,
            mapping,
            sent,
            heard: Instant::now(),
        })
    }

    /// Whether the peer may still send in.
    async fn lives(&self, bench: &Bench<'_>) -> Result<bool> {
        // Another mapping, since a packet out would renew this one.
        let (witness, peer) = try_join(bench.fresh("a"), bench.fresh("ten")).await?;
        let fence = Fence {
            mapping: bench.out(&witness, &peer).await?,
            peer: &peer,
            at: &witness,
        };
        let arrived = bench.arrives(&self.peer, self.mapping, &self.host, &fence);
        Ok(arrived.await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(samples: &[(u64, u64, bool)]) -> Lifetime {
        let at = Duration::from_millis;
        let samples: Vec<Sample> = samples
            .iter()
            .map(|(a, b, c)| (at(*a), at(*b), *c))
            .collect();
        Lifetime::from_samples(&samples)
    }

    #[test]
    fn an_end_between_the_tries_is_any_time_between_them() {
        let seen = seconds(&[(2000, 2001, true), (3000, 3002, true), (5000, 5003, false)]);
        for (stated, agrees) in [(2, false), (3, true), (4, true), (5, true), (6, false)] {
            assert_eq!(
                seen.agrees(Duration::from_secs(stated)),
                agrees,
                "{stated} s"
            );
        }
    }

    #[test]
    fn a_mapping_that_was_always_there_agrees_with_nothing() {
        let seen = seconds(&[(2000, 2001, true), (5000, 5003, true)]);
        assert!(!seen.agrees(Duration::from_secs(5)));
        assert!(!seen.agrees(Duration::from_secs(9)));
    }

    #[test]
    fn a_busy_machine_widens_what_agrees() {
        // A try that was to come after three seconds came after six: that it found nothing says little about four.
        let seen = seconds(&[(2000, 2001, true), (3000, 6000, false), (5000, 5500, false)]);
        assert!(seen.agrees(Duration::from_secs(4)));
    }
}
