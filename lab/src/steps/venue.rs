//! Venues: where packets pass on their way out of one, and what its network does to them meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context;
use cucumber::{given, then, when};
use tokio::time::Instant;

use super::line::line_of;
use super::{Outcome, World, fail, seconds};
use crate::observe::{self, Capture, Ping};
use crate::plan::End;

/// Bytes of IPv6 and ICMPv6 headers before a ping's payload.
const HEADERS: usize = 40 + 8;

/// Pings in one attempt to see which way they go.
const SAMPLE: u16 = 10;

/// Each ping passes the edge of the venue twice, between the public addresses of both machines.
#[then(expr = "pings from {word} to {word} go directly by UDP within {float} s")]
async fn go_directly(world: &mut World, from: String, to: String, limit: f64) -> Outcome {
    let capture = at_the_edge(world, &from).await?;
    let ends = [public(world, &from)?, public(world, &to)?];
    between(world, [&from, &to], &capture, ends, limit).await
}

/// Each ping passes the Pi's own cable twice, between the addresses both have in their venue.
#[then(expr = "pings from {word} to {word} stay on their network within {float} s")]
async fn stay(world: &mut World, from: String, to: String, limit: f64) -> Outcome {
    let capture = Capture::start(world.node(&from)?, UPLINK).await?;
    let ends = [own(world, &from, UPLINK)?, own(world, &to, UPLINK)?];
    between(world, [&from, &to], &capture, ends, limit).await
}

/// Pings until a handful of them passed as datagrams between two addresses.
async fn between(
    world: &World,
    names: [&str; 2],
    capture: &Capture,
    ends: [Ipv4Addr; 2],
    limit: f64,
) -> Outcome {
    let how = Ping {
        count: SAMPLE,
        ..Ping::default()
    };
    let deadline = Instant::now() + seconds(limit)?;
    loop {
        match pass(world, names, capture, ends, &how).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => {}
        }
    }
}

/// Pings, each of which passes as two datagrams between two addresses.
async fn pass(
    world: &World,
    [from, to]: [&str; 2],
    capture: &Capture,
    ends: [Ipv4Addr; 2],
    how: &Ping,
) -> Outcome {
    let before = capture.frames()?.udp_between(ends[0], ends[1]);
    let report = observe::ping(world.node(from)?, world.address(to)?, how).await?;
    let passed = capture.frames()?.udp_between(ends[0], ends[1]) - before;
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
    pass(world, [&from, &to], &capture, ends, &how).await
}

#[when(expr = "UDP is blocked at {word}")]
async fn block_udp(world: &mut World, venue: String) -> Outcome {
    let rules = "add table inet fault; \
                 add chain inet fault way { type filter hook forward priority -5; }; \
                 add rule inet fault way meta l4proto udp drop";
    command(world, &venue, &["nft", rules]).await
}

#[when(expr = "UDP passes {word} again")]
async fn pass_udp(world: &mut World, venue: String) -> Outcome {
    command(world, &venue, &["nft", "delete table inet fault"]).await
}

/// Packets that are longer are answered with an ICMP error.
#[when(expr = "the uplink of {word} carries {int} bytes")]
async fn uplink(world: &mut World, venue: String, mtu: u32) -> Outcome {
    for End { node, interface } in &line_of(world, &venue)?.ends {
        let set = ["ip", "link", "set", interface, "mtu", &mtu.to_string()];
        command(world, node, &set).await?;
    }
    Ok(())
}

/// As many hosts are whose administrators drop all of ICMP (RFC 2923 section 2.1).
#[given(expr = "{word} and {word} are deaf to \"packet too big\"")]
async fn deaf(world: &mut World, one: String, other: String) -> Outcome {
    let rules = "add table inet deaf; \
                 add chain inet deaf own { type filter hook input priority 0; }; \
                 add rule inet deaf own icmpv6 type packet-too-big drop";
    for node in [one, other] {
        command(world, &node, &["nft", rules]).await?;
    }
    Ok(())
}

/// A black hole for whoever relies on errors (RFC 2923).
#[when(expr = "the uplink of {word} carries {int} bytes, and nobody is told")]
async fn uplink_in_silence(world: &mut World, venue: String, mtu: u32) -> Outcome {
    world.lab()?.silence(&line_of(world, &venue)?.name).await?;
    uplink(world, venue, mtu).await
}

/// All of a handful must be answered.
#[then(expr = "pings of {int} bytes from {word} to {word} are answered within {float} s")]
async fn long_pings(
    world: &mut World,
    len: usize,
    from: String,
    to: String,
    limit: f64,
) -> Outcome {
    let how = Ping {
        count: SAMPLE,
        patience: Duration::from_millis(300),
        payload: vec![b'v'; len.checked_sub(HEADERS).context("that is too short")?],
        ..Ping::default()
    };
    let deadline = Instant::now() + seconds(limit)?;
    loop {
        let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
        if report.lost() == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!("{} of {} got no answer", report.lost(), report.sent);
        }
    }
}

/// Until nothing of a handful passes any more: the way there is known not to carry so much.
#[then(expr = "pings of {int} bytes from {word} no longer arrive at {word} after {float} s")]
async fn no_longer(world: &mut World, len: usize, from: String, to: String, limit: f64) -> Outcome {
    let how = Ping {
        count: SAMPLE,
        patience: Duration::from_millis(300),
        payload: vec![b'n'; len.checked_sub(HEADERS).context("that is too short")?],
        ..Ping::default()
    };
    let deadline = Instant::now() + seconds(limit)?;
    let capture = Capture::start(world.node(&to)?, UPLINK).await?;
    let mut before = 0;
    loop {
        observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
        let heard = capture.frames()?.containing(&how.payload);
        if heard == before {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!("they still arrive");
        }
        before = heard;
    }
}

#[then(expr = "pings of {int} bytes from {word} to {word} get no answer in {float} s")]
async fn no_long_pings(
    world: &mut World,
    len: usize,
    from: String,
    to: String,
    limit: f64,
) -> Outcome {
    let interval = Duration::from_millis(100);
    let count = seconds(limit)?.as_millis() / interval.as_millis();
    let how = Ping {
        count: count.try_into().context("that is too long")?,
        interval,
        payload: vec![b'v'; len.checked_sub(HEADERS).context("that is too short")?],
        ..Ping::default()
    };
    let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
    match report.round_trips.len() {
        0 => Ok(()),
        answered => fail!("{answered} of {} were answered", report.sent),
    }
}

async fn command(world: &World, node: &str, command: &[&str]) -> Outcome {
    let output = world.node(node)?.exec(command).await?;
    if !output.status.success() {
        fail!(
            "`{}` on {node}: {}",
            command.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Listens where the venue of a machine, or the carrier that it is behind, meets the internet.
async fn at_the_edge(world: &World, machine: &str) -> anyhow::Result<Capture> {
    let router = edge(world, machine)?;
    Ok(Capture::start(world.node(&router)?, WAN).await?)
}

/// Name of the outer interface of every venue's router.
const WAN: &str = "wan0";

/// Name of the first interface of servers, Pis and clients.
const UPLINK: &str = "eth0";

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

/// The last router on the way out of the venue in which a Pi is.
fn edge(world: &World, machine: &str) -> anyhow::Result<String> {
    let mut router = venue(world, machine)?;
    loop {
        let [near, _] = &line_of(world, &router)?.ends;
        if !has_wan(world, &near.node) {
            return Ok(router);
        }
        router = near.node.clone();
    }
}

fn has_wan(world: &World, node: &str) -> bool {
    let node = world.node(node).ok();
    node.is_some_and(|node| node.interfaces().iter().any(|found| found.name == WAN))
}

/// The IPv4 address as which a machine is seen on the internet: its venue's or carrier's, or its own.
fn public(world: &World, machine: &str) -> anyhow::Result<Ipv4Addr> {
    match edge(world, machine) {
        Ok(router) => own(world, &router, WAN),
        Err(_) => own(world, machine, UPLINK),
    }
}

/// The IPv4 address of an interface.
fn own(world: &World, machine: &str, interface: &str) -> anyhow::Result<Ipv4Addr> {
    let node = world.node(machine)?;
    let interface = node
        .interfaces()
        .iter()
        .find(|found| found.name == interface);
    let addresses = interface.into_iter().flat_map(|found| &found.addresses);
    addresses
        .filter_map(|address| match address.net.addr {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .next()
        .with_context(|| format!("{machine} has no IPv4 address there"))
}
