//! One round of one subject: everything that is measured of a tunnel.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::join;
use tokio::time::sleep;

use super::Metric;
use super::iperf;
use super::search;
use super::spread::Spread;
use super::tunnel::{Prepared, Tunnel};
use crate::observe::{self, Ping, PingReport};

/// What a round has come to.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// What could be measured.
    pub(super) values: BTreeMap<Metric, f64>,
    /// What went wrong.
    pub(super) troubles: Vec<String>,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// For how long by TCP.
    pub(super) seconds: u16,
    /// What a receiver of datagrams asks for, in bytes.
    pub(super) buffer: Option<u32>,
}

/// How long daemons have to find out how long packets may be before anything is measured. tincd tries lengths for some
/// seconds, and sends by TCP what is longer than any that has passed.
const SETTLE: Duration = Duration::from_secs(5);

/// Pings, and the pause between two of them.
const PINGS: u16 = 100;
const PING_PAUSE: Duration = Duration::from_millis(10);

/// How long a stream runs before it is pinged beside.
const STREAM_BEGINS: Duration = Duration::from_millis(300);

/// Bytes of the datagrams, large and small.
const LARGE: u16 = 1200;
const SMALL: u16 = 100;

/// How long each rate is offered, in seconds.
const OFFERED: u16 = 1;

/// How to measure, for who reads the results.
pub(super) const METHOD: &str = "\
Two machines (network namespaces) on one cable (veth) with IPv4 outside and IPv6 in the tunnel, the left one sending to the right one; a lab of its own for each subject in each round, the subjects in \
another order in each round. first: from the start of both daemons, at the same moment, the left one dialling, to \
the first answered of pings 2 ms apart; neighbours are solicited every 10 ms then. After 5 s, in which daemons find \
out how long packets may be: ping, median of 100, 10 ms apart; then iperf3: one TCP stream, pinged meanwhile every \
10 ms (under TCP, median); four streams each way at once, in all. CPU: user and system time of both daemons during \
the one stream for each GiB that arrived; what the kernel does for the cable is not in it. UDP: a flood first; if \
0.5 % or more of it is lost, the highest rate that loses less, by steps from what arrived and bisection to 5 %, 1 s \
at each rate, a second chance for one that loses; told is what arrived at it; the receiver's buffer is as large as \
net.core.rmem_max lets it be. RSS, HWM: resident memory of each daemon after all that, and the most it had.";

/// Brings a subject up, measures it and takes it down; `tell` hears what is done.
pub(super) async fn round(prepared: &Prepared, how: How, tell: &impl Fn(&str)) -> Figures {
    let mut figures = Figures::default();
    tell("start");
    match Tunnel::up(prepared).await {
        Ok(tunnel) => {
            figures.measure(&tunnel, how, tell).await;
            let down = tunnel.down().await;
            figures.or_trouble("take it down", down);
        }
        Err(error) => figures.troubles.push(format!("start: {error:#}")),
    }
    figures
}

impl Figures {
    /// Each measurement by itself, so that one which fails costs only its own figure.
    async fn measure(&mut self, tunnel: &Tunnel, how: How, tell: &impl Fn(&str)) {
        let How { seconds, buffer } = how;
        if let Some(first) = tunnel.first_ping {
            self.set(Metric::FirstPingMs, first.as_secs_f64() * 1e3);
            sleep(SETTLE).await;
        }
        tell("idle round trip");
        let idle = ping(tunnel, PINGS).await;
        if let Some(median) = self.or_trouble("idle round trip", idle) {
            self.set(Metric::PingUs, median);
        }
        if self.or_trouble("iperf3", serve(tunnel).await).is_none() {
            return;
        }
        tell("one TCP stream");
        let stream = self.one_stream(tunnel, seconds).await;
        self.or_trouble("one TCP stream", stream);
        tell("four TCP streams each way");
        let both = streams(tunnel, seconds, &["--bidir", "--parallel", "4"]).await;
        if let Some(tcp) = self.or_trouble("four TCP streams each way", both) {
            self.set(Metric::TcpBothMbitS, tcp.mbit_s);
        }
        for (len, metric, scale) in [
            (LARGE, Metric::UdpMbitS, f64::from(LARGE) * 8.0 / 1e6),
            (SMALL, Metric::UdpKpps, 1e-3),
        ] {
            let what = format!("{len}-byte UDP");
            let found = datagrams(tunnel, (len, buffer), &|rate| {
                tell(&format!("{what}, {rate}"))
            })
            .await;
            if let Some(received) = self.or_trouble(&what, found) {
                self.set(metric, received * scale);
            }
        }
        let memory = tunnel.memory().await;
        let memory = self.or_trouble("memory", memory).unwrap_or_default();
        let places = [
            (Metric::ResidentLeftMb, Metric::PeakLeftMb),
            (Metric::ResidentRightMb, Metric::PeakRightMb),
        ];
        for ((now, peak), memory) in places.into_iter().zip(memory) {
            // Far below 2^53 bytes.
            self.set(now, memory.now as f64 / 1e6);
            self.set(peak, memory.peak as f64 / 1e6);
        }
    }

    /// Throughput, processor time and round trips of the same stream.
    async fn one_stream(&mut self, tunnel: &Tunnel, seconds: u16) -> Result<()> {
        let before = tunnel.cpu()?;
        let pings = pings_during(seconds);
        let (tcp, loaded) = join(streams(tunnel, seconds, &[]), async {
            sleep(STREAM_BEGINS).await;
            ping(tunnel, pings).await
        })
        .await;
        let after = tunnel.cpu()?;
        if let Some(median) = self.or_trouble("round trip during TCP", loaded) {
            self.set(Metric::LoadedPingUs, median);
        }
        let tcp = tcp?;
        self.set(Metric::TcpMbitS, tcp.mbit_s);
        if let (Some(before), Some(after)) = (before, after) {
            ensure!(tcp.gib > 0.0, "nothing arrived");
            self.set(Metric::CpuSGib, (after - before) / tcp.gib);
        }
        Ok(())
    }

    fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric, value);
    }

    fn or_trouble<T>(&mut self, what: &str, done: Result<T>) -> Option<T> {
        done.map_err(|error| self.troubles.push(format!("{what}: {error:#}")))
            .ok()
    }
}

async fn serve(tunnel: &Tunnel) -> Result<()> {
    iperf::serve(tunnel.right()?).await
}

async fn streams(tunnel: &Tunnel, seconds: u16, more: &[&str]) -> Result<iperf::Tcp> {
    iperf::tcp(tunnel.left()?, tunnel.target, seconds, more).await
}

/// Packets a second that arrive at the highest rate that loses next to nothing.
async fn datagrams(
    tunnel: &Tunnel,
    datagram: (u16, Option<u32>),
    tell: &impl Fn(&str),
) -> Result<f64> {
    let best = search::highest(async |rate| {
        tell(&rate.map_or_else(|| "flood".to_owned(), |rate| format!("{rate:.0}/s")));
        iperf::udp(tunnel.left()?, tunnel.target, OFFERED, datagram, rate).await
    });
    let best = best.await?.context("every rate loses packets")?;
    Ok(best.received)
}

/// Median of the round trips, in microseconds.
async fn ping(tunnel: &Tunnel, count: u16) -> Result<f64> {
    let how = Ping {
        count,
        interval: PING_PAUSE,
        ..Ping::default()
    };
    let report = observe::ping(tunnel.left()?, tunnel.target.into(), &how).await?;
    median(&report).context("no ping was answered")
}

fn median(report: &PingReport) -> Option<f64> {
    let micros = report
        .round_trips
        .iter()
        .map(|trip| trip.as_secs_f64() * 1e6);
    Some(Spread::of(&micros.collect::<Vec<_>>())?.median)
}

/// As many pings as there is time for during a stream.
fn pings_during(seconds: u16) -> u16 {
    let stream = Duration::from_secs(seconds.into());
    let during = stream.saturating_sub(STREAM_BEGINS * 2).as_millis();
    u16::try_from(during / PING_PAUSE.as_millis()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_beside_a_stream_end_before_it() {
        assert_eq!(pings_during(1), 40);
        assert_eq!(pings_during(3), 240);
        assert!(PING_PAUSE * u32::from(pings_during(3)) + STREAM_BEGINS < Duration::from_secs(3));
    }

    #[test]
    fn what_fails_costs_its_own_figure_and_is_told() {
        let mut figures = Figures::default();
        let failed = figures.or_trouble::<()>("memory", Err(anyhow::anyhow!("it has ended")));
        assert_eq!(failed, None);
        assert_eq!(figures.troubles, ["memory: it has ended"]);
    }
}
