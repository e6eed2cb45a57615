//! The line that leads from the internet, or a venue, to a machine: what it does to packets meanwhile.
//!
//! Every change is measured before the step has passed.

use std::time::Duration;

use anyhow::{Context, anyhow};
use cucumber::{then, when};

use super::{Outcome, World, fail};
use crate::conditioner::{Conditions, Line, Share};
use crate::observe::{self, Ping};
use crate::plan::LinkPlan;

#[when(expr = "the line of {word} is cut")]
async fn cut(world: &mut World, machine: String) -> Outcome {
    each_way(world, &machine, |way| way.cut = true).await
}

#[when(expr = "the line of {word} is mended")]
async fn mend(world: &mut World, machine: String) -> Outcome {
    each_way(world, &machine, |way| way.cut = false).await
}

#[when(expr = "the line of {word} loses {float} % of its packets")]
async fn lose(world: &mut World, machine: String, percent: f64) -> Outcome {
    lose_in_bursts(world, machine, percent, 1).await
}

/// Of that many packets on average.
#[when(expr = "the line of {word} loses {float} % of its packets, in bursts of {int}")]
async fn lose_in_bursts(world: &mut World, machine: String, percent: f64, burst: u32) -> Outcome {
    let loss = share(percent)?;
    let most = Share::most_in_bursts_of(burst);
    if loss > most {
        fail!("bursts of {burst} packets on average lose at most {most}; a line can also be cut");
    }
    each_way(world, &machine, |way| {
        (way.loss, way.burst) = (loss, burst);
    })
    .await
}

#[when(expr = "the line of {word} brings {float} % of its packets twice")]
async fn double(world: &mut World, machine: String, percent: f64) -> Outcome {
    let duplicate = share(percent)?;
    each_way(world, &machine, |way| way.duplicate = duplicate).await
}

#[when(expr = "the line of {word} brings {float} % of its packets out of order")]
async fn reorder(world: &mut World, machine: String, percent: f64) -> Outcome {
    let reorder = share(percent)?;
    each_way(world, &machine, |way| way.reorder = reorder).await
}

#[when(expr = "the line of {word} takes {float} ms each way")]
async fn delay(world: &mut World, machine: String, ms: f64) -> Outcome {
    let delay = crate::model::time(&format!("{ms} ms")).map_err(|error| anyhow!(error))?;
    each_way(world, &machine, |way| {
        way.delay = delay;
        way.jitter = way.jitter.min(delay);
    })
    .await
}

#[when(expr = "the line of {word} carries {float} Mbit\\/s down and {float} Mbit\\/s up")]
async fn rate(world: &mut World, machine: String, down: f64, up: f64) -> Outcome {
    let [down, up] = [down, up].map(|rate| crate::model::rate(&format!("{rate} Mbit/s")));
    let (down, up) = (
        down.map_err(|error| anyhow!(error))?,
        up.map_err(|error| anyhow!(error))?,
    );
    change(world, &machine, |line| {
        (line.down.rate, line.up.rate) = (Some(down), Some(up));
    })
    .await
}

/// As its venue has it, or a mere cable.
#[when(expr = "the line of {word} is as it was")]
async fn restore(world: &mut World, machine: String) -> Outcome {
    let planned = line_of(world, &machine)?.line.unwrap_or_default();
    change(world, &machine, |line| *line = planned).await
}

/// There and back, so that a share of requests and one of answers is lost.
#[then(expr = "of {int} pings from {word} to {word} at most {float} % are lost")]
async fn at_most(world: &mut World, count: u16, from: String, to: String, most: f64) -> Outcome {
    let how = Ping {
        count,
        interval: Duration::from_millis(10),
        ..Ping::default()
    };
    let report = observe::ping(world.node(&from)?, world.address(&to)?, &how).await?;
    // Both are small.
    let lost = 100.0 * report.lost() as f64 / f64::from(count.max(1));
    if lost > most {
        fail!("{lost:.1} % were lost");
    }
    let sentence = format!("{lost:.1} % of {count} pings from {from} to {to} were lost");
    world.measured.push(sentence);
    Ok(())
}

/// Changes both directions in the same way.
async fn each_way(
    world: &mut World,
    machine: &str,
    change_way: impl Fn(&mut Conditions),
) -> Outcome {
    change(world, machine, |line| {
        change_way(&mut line.down);
        change_way(&mut line.up);
    })
    .await
}

async fn change(world: &mut World, machine: &str, change: impl FnOnce(&mut Line)) -> Outcome {
    let name = line_of(world, machine)?.name.clone();
    let lab = world.lab.as_mut().context("no network stands yet")?;
    lab.change_line(&name, change).await?;
    Ok(())
}

/// The cable that leads to a machine from the internet, or from what is nearer to it.
pub(super) fn line_of<'world>(
    world: &'world World,
    machine: &str,
) -> anyhow::Result<&'world LinkPlan> {
    let links = &world.plan()?.links;
    let found = links.iter().find(|link| link.ends[1].node == machine);
    found.with_context(|| format!("no line leads to {machine}"))
}

fn share(percent: f64) -> anyhow::Result<Share> {
    Share::percent(percent).with_context(|| format!("{percent} % is no share of all packets"))
}
