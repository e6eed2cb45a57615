//! Strangers who attack a machine, and what its own notice of that.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use cucumber::{then, when};

use super::{Outcome, World, fail};
use crate::actors::{Flood, Manner, Memory};
use crate::observe::{self, Ping};

/// tinc's port (IANA: 655).
const PORT: u16 = 655;

/// How long pings are counted; [`LONG`] for those who can wait.
const SHORT: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(60);

/// The environment variable that asks for the long form of what takes its time.
const PATIENT: &str = "V6_LONG";

/// Time between two of the pings.
const PACE: Duration = Duration::from_millis(10);

/// A flood that gets no further than this share of its rate proves nothing.
const WORTH: f64 = 0.5;

/// What one machine does to another.
#[derive(Debug)]
pub(super) struct Siege {
    flood: Flood,
    /// Packets a second that it is meant to send.
    rate: u32,
    /// What the daemon had when it began.
    before: Memory,
}

#[when(expr = "{word} opens {int} {word} connections to {word}")]
async fn open(
    world: &mut World,
    from: String,
    count: usize,
    manner: Manner,
    to: String,
) -> Outcome {
    let siege = besiege(world, &from, &to).await?;
    siege
        .flood
        .connect(world.node(&from)?, count, manner)
        .await?;
    world.siege = Some(siege);
    Ok(())
}

#[when(expr = "{word} sends {word} {int} packets of rubbish a second")]
async fn send(world: &mut World, from: String, to: String, rate: u32) -> Outcome {
    let mut siege = besiege(world, &from, &to).await?;
    siege.rate = rate;
    siege.flood.send(world.node(&from)?, rate).await?;
    world.siege = Some(siege);
    Ok(())
}

#[then(expr = "less than {float} % of pings from {word} to {word} are lost meanwhile")]
async fn few_lost(world: &mut World, percent: f64, from: String, to: String) -> Outcome {
    let lasting = if std::env::var_os(PATIENT).is_some() {
        LONG
    } else {
        SHORT
    };
    let how = Ping {
        count: u16::try_from(lasting.as_millis() / PACE.as_millis())?,
        interval: PACE,
        ..Ping::default()
    };
    let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
    let siege = world.siege.as_ref().context("nobody attacks anybody")?;
    let (rate, asked) = (siege.flood.rate(), siege.rate);
    let (lost, sent) = (report.lost(), report.sent);
    let mut measured = format!("{lost} of {sent} pings lost");
    if asked > 0 {
        measured.push_str(&format!(", under {rate:.0} packets of rubbish a second"));
    }
    world.measured.push(measured.clone());
    if rate < WORTH * f64::from(asked) {
        fail!("the attacker got no further than {rate:.0} packets a second");
    }
    if 100.0 * lost as f64 / f64::from(sent) >= percent {
        fail!("{measured}");
    }
    Ok(())
}

#[then(expr = "the daemon on {word} has taken less than {int} MB of memory meanwhile")]
async fn little_memory(world: &mut World, node: String, limit: u64) -> Outcome {
    let siege = world.siege.as_ref().context("nobody attacks anybody")?;
    let peak = world.daemon(&node)?.memory().await?.peak;
    let before = siege.before.now;
    let measured = format!("the daemon on {node} had {before} bytes before, {peak} at most");
    world.measured.push(measured.clone());
    if peak.saturating_sub(before) >= limit * 1_000_000 {
        fail!("{measured}");
    }
    Ok(())
}

/// The attack that goes on, or a new one.
async fn besiege(world: &mut World, from: &str, to: &str) -> anyhow::Result<Siege> {
    Ok(match world.siege.take() {
        Some(siege) => siege,
        None => Siege {
            flood: Flood::new(world.node(from)?, outside(world, to)?).await?,
            rate: 0,
            before: world.daemon(to)?.memory().await?,
        },
    })
}

/// Where a machine's daemon is to be found from outside.
pub(super) fn outside(world: &World, name: &str) -> anyhow::Result<SocketAddr> {
    let interfaces = world.node(name)?.interfaces().iter();
    let mut addresses = interfaces
        .flat_map(|interface| &interface.addresses)
        .map(|address| address.net.addr);
    let address = addresses
        .find(std::net::IpAddr::is_ipv4)
        .with_context(|| format!("{name} has no IPv4 address"))?;
    Ok((address, PORT).into())
}
