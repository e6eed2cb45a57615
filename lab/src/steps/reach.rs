//! Who reaches whom, by echo requests, and how soon.

use std::time::Duration;

use cucumber::{then, when};
use futures::future::try_join_all;
use tokio::time::Instant;

use super::{Outcome, World, fail, seconds};
use crate::actors::Product;
use crate::observe::{self, Ping, PingReport};

/// What a restarted v6router is found again within, seconds.
const HEALS_FAST: f64 = 3.0;

/// What a restarted tincd, or one that has to dial, is found again within, seconds.
const HEALS: f64 = 12.0;

/// How long a refusal may take, time to notice that a node has gone included.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

#[then(expr = "{word} reaches {word} within {float} s")]
async fn reaches(world: &mut World, from: String, to: String, limit: f64) -> Outcome {
    world.since = None;
    reach(world, &from, &to, limit).await
}

/// For figures to be told side by side: the time since daemons were started or somebody has logged in, if nothing was
/// reached since, or else since this is asked.
#[then(expr = "{word} reaches {word} within {float} s, and how soon is told")]
async fn reaches_and_tells(world: &mut World, from: String, to: String, limit: f64) -> Outcome {
    let begun = std::time::Instant::now();
    let since = world.since.take();
    reach(world, &from, &to, limit).await?;
    let (begun, event) = since.unwrap_or((begun, ""));
    let after = begun.elapsed().as_secs_f64();
    let told = format!("{from} reached {to} after {after:.2} s{event}");
    world.measured.push(told);
    Ok(())
}

#[then(expr = "{word} sends {int} kB to {word} by TCP within {float} s")]
async fn sends(world: &mut World, from: String, len: usize, to: String, limit: f64) -> Outcome {
    let (nodes, address) = ((world.node(&from)?, world.node(&to)?), world.address(&to)?);
    let (len, limit) = (len * 1000, seconds(limit)?);
    let took = observe::transfer(nodes.0, nodes.1, address, len, limit).await?;
    if took.is_none() {
        fail!("{len} bytes had not all arrived at {to} by then");
    }
    Ok(())
}

/// The only step that just waits, for silence is what it is about.
#[when(expr = "no client says anything for {float} s")]
async fn silence(_: &mut World, time: f64) -> Outcome {
    tokio::time::sleep(seconds(time)?).await;
    Ok(())
}

#[then(expr = "every client reaches {word} within {float} s")]
async fn clients_reach(world: &mut World, to: String, limit: f64) -> Outcome {
    let (world, to) = (&*world, &to);
    try_join_all(
        clients(world)?
            .iter()
            .map(async |client| reach(world, client, to, limit).await),
    )
    .await?;
    Ok(())
}

#[then(expr = "{word} reaches every client within {float} s")]
async fn reaches_clients(world: &mut World, from: String, limit: f64) -> Outcome {
    let (world, from) = (&*world, &from);
    try_join_all(
        clients(world)?
            .iter()
            .map(async |client| reach(world, from, client, limit).await),
    )
    .await?;
    Ok(())
}

/// Within 3 s where v6router was restarted and v6router dials; within 12 s where tincd has to be waited for.
#[then(expr = "{word} reaches {word} again in good time")]
async fn reaches_again(world: &mut World, from: String, to: String) -> Outcome {
    let Some(restarted) = &world.restarted else {
        fail!("no daemon was restarted");
    };
    let server = &world.overlay()?.server;
    let mut waited_for = vec![world.product(restarted)?];
    if restarted == server {
        for pi in world.members()?.iter().filter(|member| *member != server) {
            waited_for.push(world.product(pi)?);
        }
    }
    let fast = waited_for
        .iter()
        .all(|product| *product == Product::V6router);
    reach(world, &from, &to, if fast { HEALS_FAST } else { HEALS }).await
}

#[then(expr = "{word} does not reach {word} in {float} s")]
async fn does_not_reach(world: &mut World, from: String, to: String, limit: f64) -> Outcome {
    let report = observe::reach(world.node(&from)?, world.address(&to)?, seconds(limit)?).await?;
    if let Some(after) = report.first_reply {
        fail!("{to} answered after {:.2} s", after.as_secs_f64());
    }
    Ok(())
}

#[then(expr = "{int} pings from {word} to {word} lose none")]
async fn lose_none(world: &mut World, count: u16, from: String, to: String) -> Outcome {
    let how = Ping {
        count,
        interval: Duration::from_millis(2),
        ..Ping::default()
    };
    let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
    if report.lost() > 0 {
        fail!(
            "{} of {} got no answer; {}",
            report.lost(),
            report.sent,
            instead(world, &report)
        );
    }
    Ok(())
}

#[then(expr = "{word} is told by {word} that there is no way to {word}")]
async fn told_unreachable(world: &mut World, from: String, by: String, to: String) -> Outcome {
    let report = observe::reach(
        world.node(&from)?,
        world.address(&to)?,
        Duration::from_secs(1),
    )
    .await?;
    let told = |problem| {
        report
            .problems
            .iter()
            .any(|(who, what)| world.name_of(*who) == by && *what == problem)
    };
    if !told(observe::Problem::NoRoute) {
        fail!("{}", instead(world, &report));
    }
    Ok(())
}

/// Whoever says so: a daemon in router mode speaks in the name of the address that was asked for.
#[then(expr = "{word} hears {string} about {word}")]
async fn hears(world: &mut World, from: String, problem: String, to: String) -> Outcome {
    let deadline = Instant::now() + HEARD_WITHIN;
    loop {
        let report =
            observe::ping(world.node(&from)?, world.address(&to)?, &Ping::default()).await?;
        let problems = report.problems.iter();
        if problems
            .map(|(_, what)| what.to_string())
            .any(|what| what == problem)
        {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!("{}", instead(world, &report));
        }
    }
}

async fn reach(world: &World, from: &str, to: &str, limit: f64) -> Outcome {
    let report = observe::reach(world.node(from)?, world.address(to)?, seconds(limit)?).await?;
    if report.first_reply.is_none() {
        fail!(
            "{to} did not answer {from} within {limit} s; {}",
            instead(world, &report)
        );
    }
    Ok(())
}

fn clients(world: &World) -> anyhow::Result<Vec<String>> {
    Ok(world
        .overlay()?
        .sites
        .iter()
        .flat_map(|site| site.hosts().cloned())
        .collect())
}

/// What was heard in place of replies.
fn instead(world: &World, report: &PingReport) -> String {
    let told = report
        .problems
        .iter()
        .map(|(who, what)| format!("{} says: {what}", world.name_of(*who)));
    let refused = report
        .refused
        .map(|kind| format!("its own kernel says: {kind}"));
    let all: Vec<String> = told.chain(refused).collect();
    if all.is_empty() {
        "nobody said why".to_owned()
    } else {
        all.join("; ")
    }
}
