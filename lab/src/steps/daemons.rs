//! Daemons: starting, stopping, killing them, and what they say.

use std::time::{Duration, Instant};

use anyhow::Context;
use cucumber::{given, then, when};
use futures::future::try_join_all;
use tokio::fs;

use super::{Outcome, World, fail, seconds};
use crate::actors::{Daemon, Product};

/// How long an orderly end may take, scripts included.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How long a daemon may take until it says that it is ready: the time of a few scripts, on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(15);

/// Only a run with both daemons has both programs, so such scenarios are tagged `@mixed`.
#[given(expr = "the daemon on {word} is to be {word}")]
fn cast(world: &mut World, node: String, product: String) -> Outcome {
    world.cast.insert(node, named(&product)?);
    Ok(())
}

#[given("all daemons run")]
#[when("all daemons are started")]
async fn start_all(world: &mut World) -> Outcome {
    let members = world.members()?;
    // The server first: who finds nobody there tries again only after seconds.
    let (server, pis) = members.split_at(1);
    for wave in [server, pis] {
        world.since = Some((Instant::now(), ", counted from the start of the daemons"));
        let started = try_join_all(wave.iter().map(async |node| {
            let daemon = start(world, node).await?;
            daemon.says("Ready", READY_LIMIT).await?;
            anyhow::Ok((node.clone(), daemon))
        }));
        let started = started.await?;
        world.daemons.extend(started);
    }
    Ok(())
}

#[when(expr = "the daemon on {word} is started")]
async fn start_one(world: &mut World, node: String) -> Outcome {
    world.since = Some((Instant::now(), ", counted from the start of the daemon"));
    let daemon = start(world, &node).await?;
    if world.daemons.insert(node.clone(), daemon).is_some() {
        world.restarted = Some(node);
    }
    Ok(())
}

#[when(expr = "the daemon on {word} is stopped")]
async fn stop(world: &mut World, node: String) -> Outcome {
    let status = world.daemon(&node)?.stop(STOP_LIMIT).await?;
    if !status.success() {
        fail!("it ended with {status} instead of 0");
    }
    Ok(())
}

/// In the same directory, without a word changed in it.
#[when(expr = "the daemon on {word} is replaced by {word}")]
async fn replace(world: &mut World, node: String, product: String) -> Outcome {
    let product = named(&product)?;
    stop(world, node.clone()).await?;
    let programs = &world.stage()?.setting.programs;
    programs.install(world.node(&node)?, product).await?;
    world.cast.insert(node.clone(), product);
    start_one(world, node).await
}

#[when(expr = "the daemon on {word} is killed")]
async fn kill(world: &mut World, node: String) -> Outcome {
    Ok(world.daemon(&node)?.kill().await?)
}

#[then(expr = "the daemon on {word} says {string} within {float} s")]
async fn says(world: &mut World, node: String, wanted: String, limit: f64) -> Outcome {
    Ok(world.daemon(&node)?.says(&wanted, seconds(limit)?).await?)
}

#[then(expr = "the daemon on {word} has said {string} {int} times")]
async fn has_said(world: &mut World, node: String, wanted: String, times: usize) -> Outcome {
    let words = world.daemon(&node)?.words().await?;
    let said = words.matches(&wanted).count();
    if said != times {
        fail!("it said so {said} times");
    }
    Ok(())
}

#[then(expr = "the daemon on {word} ends with exit code {int} within {float} s")]
async fn ends(world: &mut World, node: String, code: i32, limit: f64) -> Outcome {
    let status = world.daemon(&node)?.ends(seconds(limit)?).await?;
    if status.code() != Some(code) {
        fail!("it ended with {status}");
    }
    Ok(())
}

fn named(product: &str) -> Outcome<Product> {
    let found = Product::ALL
        .into_iter()
        .find(|known| known.to_string() == product);
    let Some(found) = found else {
        fail!("there is no daemon {product:?}, only v6router, tincd and tinc11");
    };
    Ok(found)
}

async fn start(world: &World, name: &str) -> anyhow::Result<Daemon> {
    let logs = &world.stage()?.logs;
    fs::create_dir_all(logs)
        .await
        .with_context(|| format!("cannot make {}", logs.display()))?;
    let log = logs.join(format!("{name}.log"));
    let daemon = Daemon::start(world.node(name)?, world.product(name)?, &log).await?;
    if let (Some(watch), Some(record)) = (&world.watch, &world.stage()?.record) {
        watch.daemon(record, name, &daemon);
    }
    Ok(daemon)
}
