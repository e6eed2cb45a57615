//! Venues: where packets pass on their way out of one, and what its network does to them meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context;
use cucumber::then;
use tokio::time::Instant;

use super::{Outcome, World, fail, seconds};
use crate::observe::{self, Capture, Ping};

/// Pings in one attempt to see which way they go.
const SAMPLE: u16 = 10;

/// Each ping passes the edge of the venue twice, between the public addresses of both machines.
#[then(expr = "pings from {word} to {word} go directly by UDP within {float} s")]
async fn go_directly(world: &mut World, from: String, to: String, limit: f64) -> Outcome {
    let how = Ping {
        count: SAMPLE,
        ..Ping::default()
    };
    let capture = at_the_edge(world, &from).await?;
    let ends = [public(world, &from)?, public(world, &to)?];
    let deadline = Instant::now() + seconds(limit)?;
    loop {
        let before = capture.frames().udp_between(ends[0], ends[1]);
        let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
        let during = capture.frames().udp_between(ends[0], ends[1]) - before;
        if report.lost() == 0 && during >= 2 * usize::from(how.count) {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!(
                "{} of {} pings were lost, and {during} datagrams passed between {} and {}",
                report.lost(),
                how.count,
                ends[0],
                ends[1]
            );
        }
    }
}

#[then(expr = "pings from {word} to {word} go through {word} and lose none, for {float} s")]
async fn go_through(
    world: &mut World,
    from: String,
    to: String,
    relay: String,
    time: f64,
) -> Outcome {
    let interval = Duration::from_millis(100);
    let count = seconds(time)?.as_millis() / interval.as_millis();
    let how = Ping {
        count: count.try_into().context("that is too long")?,
        interval,
        ..Ping::default()
    };
    let capture = at_the_edge(world, &from).await?;
    let ends = [public(world, &from)?, public(world, &relay)?];
    let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
    let passed = capture.frames().udp_between(ends[0], ends[1]);
    if report.lost() > 0 || passed < 2 * usize::from(how.count) {
        fail!(
            "{} of {} pings were lost, and {passed} datagrams passed between {} and {}",
            report.lost(),
            how.count,
            ends[0],
            ends[1]
        );
    }
    Ok(())
}

/// Listens where the venue of a machine meets the internet.
async fn at_the_edge(world: &World, machine: &str) -> anyhow::Result<Capture> {
    let router = venue(world, machine)?;
    Ok(Capture::start(world.node(&router)?, WAN).await?)
}

/// Name of the outer interface of every venue's router.
const WAN: &str = "wan0";

/// The router of the venue in which a Pi is.
fn venue(world: &World, machine: &str) -> anyhow::Result<String> {
    let links = &world.plan()?.links;
    let found = links
        .iter()
        .filter(|link| link.ends.iter().any(|end| end.node == machine))
        .flat_map(|link| &link.ends)
        .find(|end| has_wan(world, &end.node));
    let end = found.with_context(|| format!("{machine} is in no venue"))?;
    Ok(end.node.clone())
}

fn has_wan(world: &World, node: &str) -> bool {
    let node = world.node(node).ok();
    node.is_some_and(|node| node.interfaces().iter().any(|found| found.name == WAN))
}

/// The IPv4 address as which a machine is seen on the internet: its venue's, or its own.
fn public(world: &World, machine: &str) -> anyhow::Result<Ipv4Addr> {
    let router = venue(world, machine);
    let node = world.node(router.as_deref().unwrap_or(machine))?;
    let interface = node
        .interfaces()
        .iter()
        .find(|found| router.is_err() || found.name == WAN);
    let addresses = interface.into_iter().flat_map(|found| &found.addresses);
    addresses
        .filter_map(|address| match address.net.addr {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .next()
        .with_context(|| format!("{machine} has no public IPv4 address"))
}
