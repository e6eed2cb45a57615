//! What somebody on a cable hears.

use anyhow::Context;
use cucumber::{given, then, when};
use tokio::time::Instant;

use super::{Outcome, World, fail, seconds};
use crate::observe::{self, Capture, Frames, Ping};

/// What keeps an Ethernet going, whoever uses it.
const HOUSEKEEPING: [&str; 2] = ["ARP", "IPv6 link scope"];

#[given(expr = "somebody listens between {word} and {word}")]
async fn listen(world: &mut World, a: String, b: String) -> Outcome {
    let joins = |name: &str| world.plan().ok()?.link(name);
    let link = joins(&format!("{a}--{b}")).or_else(|| joins(&format!("{b}--{a}")));
    let [near, _] = &link
        .with_context(|| format!("no cable joins {a} and {b}"))?
        .ends;
    world.capture = Some(Capture::start(world.node(&near.node)?, &near.interface).await?);
    Ok(())
}

#[when(expr = "{word} says {string} to {word}")]
async fn speak(world: &mut World, from: String, text: String, to: String) -> Outcome {
    let how = Ping {
        payload: text.into_bytes(),
        ..Ping::default()
    };
    let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
    if report.round_trips.is_empty() {
        fail!("{to} did not answer");
    }
    Ok(())
}

/// Each ping passes the cable twice, and both must be of that kind.
#[then(regex = r"^pings from (\S+) to (\S+) go by (.+) within (\S+) s$")]
async fn go_by(world: &mut World, from: String, to: String, kind: String, limit: f64) -> Outcome {
    let how = Ping {
        count: 10,
        ..Ping::default()
    };
    let of_that_kind = |frames: &Frames| frames.kinds().get(&kind).copied().unwrap_or_default();
    let deadline = Instant::now() + seconds(limit)?;
    loop {
        let before = of_that_kind(&heard(world)?);
        let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
        let during = of_that_kind(&heard(world)?) - before;
        if report.lost() == 0 && during >= 2 * usize::from(how.count) {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!(
                "{during} frames of {kind} were heard during {} pings",
                how.count
            );
        }
    }
}

#[then(regex = r"^nothing was heard but (.+)$")]
fn nothing_but(world: &mut World, allowed: String) -> Outcome {
    let allowed: Vec<&str> = allowed.split(" and ").collect();
    let kinds = heard(world)?.kinds();
    let traffic = kinds
        .iter()
        .filter(|(kind, _)| !HOUSEKEEPING.contains(&kind.as_str()));
    let others: Vec<String> = traffic
        .clone()
        .filter(|(kind, _)| !allowed.contains(&kind.as_str()))
        .map(|(kind, n)| format!("{n} of {kind}"))
        .collect();
    if !others.is_empty() {
        fail!("there were also {}", others.join(", "));
    }
    if let Some(missing) = allowed.iter().find(|kind| !kinds.contains_key(**kind)) {
        fail!("there was no {missing} at all");
    }
    Ok(())
}

#[then(expr = "nobody heard {string}")]
fn not_heard(world: &mut World, text: String) -> Outcome {
    match heard(world)?.containing(text.as_bytes()) {
        0 => Ok(()),
        n => fail!("{n} frames say it"),
    }
}

#[then(expr = "somebody heard {string}")]
fn was_heard(world: &mut World, text: String) -> Outcome {
    if heard(world)?.containing(text.as_bytes()) == 0 {
        fail!("nobody did");
    }
    Ok(())
}

/// An inner packet in the clear would show one of its addresses.
#[then("nobody heard an address of the overlay")]
fn no_address_heard(world: &mut World) -> Outcome {
    let pool = world.overlay()?.pool;
    let std::net::IpAddr::V6(network) = pool.network().addr else {
        fail!("{pool} is not IPv6");
    };
    let octets = network.octets();
    let prefix = octets.get(..usize::from(pool.len / 8)).unwrap_or(&octets);
    match heard(world)?.containing(prefix) {
        0 => Ok(()),
        n => fail!("{n} frames contain one"),
    }
}

fn heard(world: &World) -> anyhow::Result<Frames> {
    Ok(world
        .capture
        .as_ref()
        .context("nobody listened")?
        .frames()?)
}
