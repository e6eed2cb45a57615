//! Who says that it is a router and is none of whom one expects it.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::Context;
use cucumber::{then, when};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail, seconds};
use crate::plan::Net;

/// A port on which nobody answers (RFC 863).
const DISCARD: u16 = 9;

/// How often is looked whether somebody believed it.
const GLANCE: Duration = Duration::from_millis(50);

/// With a preference above that of others, every few seconds and when somebody asks.
#[when(expr = "{word} advertises {string} on its interface {word}")]
async fn advertises(
    world: &mut World,
    rogue: String,
    prefix: String,
    interface: String,
) -> Outcome {
    let prefix = net(&prefix)?;
    Ok(world.node(&rogue)?.advertise(&interface, prefix).await?)
}

/// One datagram to each, as fast as they go, from the first address of the prefix on.
#[when(expr = "{word} sends to {int} addresses of {string}")]
async fn scans(world: &mut World, from: String, count: u32, prefix: String) -> Outcome {
    let prefix = net(&prefix)?;
    let send = async move {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?;
        for net in (0..count).filter_map(|n| prefix.nth(n)) {
            socket.send_to(b"?", (net.addr, DISCARD)).await?;
        }
        std::io::Result::Ok(())
    };
    let sent = world.node(&from)?.run(move || Box::pin(send)).await?;
    Ok(sent?)
}

/// Whether they have answered or not.
#[then(expr = "{word} has asked for at most {int} neighbours")]
async fn neighbours(world: &mut World, host: String, most: usize) -> Outcome {
    let words = ["ip", "-6", "neighbour", "show", "nud", "all"];
    let text = said(world, &host, &words).await?;
    let asked = text.lines().filter(|line| !line.contains("NOARP")).count();
    if asked > most {
        fail!("it has asked for {asked}");
    }
    Ok(())
}

/// On no interface, not for a moment.
#[then(expr = "{word} has no address of {string} in {float} s")]
async fn has_none(world: &mut World, host: String, prefix: String, time: f64) -> Outcome {
    let prefix = net(&prefix)?;
    let end = Instant::now() + seconds(time)?;
    while Instant::now() < end {
        if let Some(line) = address_of(world, &host, prefix).await? {
            fail!("it has {line}");
        }
        sleep(GLANCE).await;
    }
    Ok(())
}

#[then(expr = "{word} has an address of {string} within {float} s")]
async fn has_one(world: &mut World, host: String, prefix: String, limit: f64) -> Outcome {
    let prefix = net(&prefix)?;
    let end = Instant::now() + seconds(limit)?;
    while address_of(world, &host, prefix).await?.is_none() {
        if Instant::now() > end {
            fail!("it has none");
        }
        sleep(GLANCE).await;
    }
    Ok(())
}

/// It keeps them for connections that are open, and begins no new ones with them (RFC 4862 section 5.5.4).
#[then(expr = "the addresses of {word} in {string} are deprecated within {float} s")]
async fn deprecated(world: &mut World, host: String, prefix: String, limit: f64) -> Outcome {
    let prefix = net(&prefix)?;
    let end = Instant::now() + seconds(limit)?;
    loop {
        let line = address_of(world, &host, prefix).await?;
        let line = line.with_context(|| format!("{host} has none"))?;
        if line.contains(" deprecated ") {
            return Ok(());
        }
        if Instant::now() > end {
            fail!("it has {line}");
        }
        sleep(GLANCE).await;
    }
}

/// The first address of a machine in a prefix, as `ip` tells it.
async fn address_of(world: &World, host: &str, prefix: Net) -> anyhow::Result<Option<String>> {
    let words = ["ip", "-o", "-6", "address", "show"];
    let text = said(world, host, &words).await?;
    let theirs = |line: &&str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "inet6");
        let net = words.nth(1).and_then(|word| word.parse::<Net>().ok());
        net.is_some_and(|net| prefix.contains(net.addr))
    };
    Ok(text.lines().find(theirs).map(str::to_owned))
}

/// What a command of a machine's says; one that fails says nothing that counts.
async fn said(world: &World, host: &str, words: &[&str]) -> anyhow::Result<String> {
    let output = world.node(host)?.exec(words).await?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("{} failed: {}", words.join(" "), why.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn net(text: &str) -> anyhow::Result<Net> {
    text.parse().map_err(|error: String| anyhow::anyhow!(error))
}
