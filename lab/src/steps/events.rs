//! What happens while a network stands: people move on, routers lose their memory or their address, machines sleep.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use cucumber::{then, when};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail, seconds};
use crate::fabric::Lab;

/// How often is looked whether a machine has its address.
const GLANCE: Duration = Duration::from_millis(20);

/// Out of one socket and into another at once; what it takes to walk there is said by two other steps.
#[when(expr = "{word} moves to {word}")]
async fn moves(world: &mut World, guest: String, venue: String) -> Outcome {
    Ok(lab(world)?.plug_in(&guest, &venue).await?)
}

#[when(expr = "{word} is unplugged")]
async fn unplugged(world: &mut World, guest: String) -> Outcome {
    Ok(world.lab()?.unplug(&guest).await?)
}

#[when(expr = "{word} is plugged in at {word}")]
async fn plugged_in(world: &mut World, guest: String, venue: String) -> Outcome {
    Ok(lab(world)?.plug_in(&guest, &venue).await?)
}

/// An address of that venue's network, and a default route by its router.
#[then(expr = "{word} is given an address by {word} within {float} s")]
async fn given(world: &mut World, guest: String, venue: String, limit: f64) -> Outcome {
    let begun = Instant::now();
    let limit = seconds(limit)?;
    let plan = world.plan()?;
    let service = plan.node(&venue).and_then(|node| node.service.as_ref());
    let service = service.with_context(|| format!("{venue} gives no addresses"))?;
    let dhcp = service.dhcp.as_ref();
    let [first, _] = dhcp
        .with_context(|| format!("{venue} gives no addresses"))?
        .range;
    let asks_on = plan
        .node(&guest)
        .and_then(|node| node.guest.asks_on.clone());
    let interface = asks_on.with_context(|| format!("{guest} asks for no address"))?;
    let router = service.address;
    loop {
        let node = world.node(&guest)?;
        let addresses = node.addresses(&interface).await?;
        let route = node.default_route(&interface).await?;
        let here = addresses.iter().any(|found| first.contains(found.addr));
        if here && route == Some(router) {
            let after = begun.elapsed().as_secs_f64();
            let sentence = format!("{guest} had an address of {venue} after {after:.2} s");
            world.measured.push(sentence);
            return Ok(());
        }
        if begun.elapsed() > limit {
            fail!("its addresses are {addresses:?}, its default route is by {route:?}");
        }
        sleep(GLANCE).await;
    }
}

/// As if it had been switched off and on in no time.
#[when(expr = "the router of {word} forgets every flow")]
async fn forgets(world: &mut World, venue: String) -> Outcome {
    Ok(world.lab()?.forget_flows(&venue).await?)
}

#[when(expr = "{word} is given the public address {word}")]
async fn renumbered(world: &mut World, venue: String, address: String) -> Outcome {
    let address: IpAddr = address
        .parse()
        .with_context(|| format!("{address} is no address"))?;
    Ok(lab(world)?.renumber(&venue, address).await?)
}

#[when(expr = "{word} is sent to sleep for {float} s")]
async fn sleeps(world: &mut World, guest: String, time: f64) -> Outcome {
    let time = seconds(time)?;
    let lab = lab(world)?;
    lab.suspend(&guest).await?;
    sleep(time).await;
    Ok(lab.wake(&guest).await?)
}

#[when(expr = "the daemon on {word} is frozen for {float} s")]
async fn frozen(world: &mut World, node: String, time: f64) -> Outcome {
    let time = seconds(time)?;
    let daemon = world.daemon(&node)?;
    daemon.signal(Signal::SIGSTOP)?;
    sleep(time).await;
    Ok(daemon.signal(Signal::SIGCONT)?)
}

fn lab(world: &mut World) -> anyhow::Result<&mut Lab> {
    world.lab.as_mut().context("no network stands yet")
}
