//! What a machine is told about packets that are not passed on.

use std::time::Duration;

use anyhow::{Context, bail};
use cucumber::gherkin::Step;
use cucumber::then;
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail};
use crate::observe::{self, Refusal};

/// How long it may take until all is as it should be: a path MTU has to be found out first.
const LIMIT: Duration = Duration::from_secs(20);

/// The order of the table's columns.
const COLUMNS: [&str; 8] = [
    "to", "payload", "hops", "by", "type", "code", "mtu", "length",
];

/// Rows of [`COLUMNS`]: an echo request, and the error that answers it. What is quoted has to be what was sent, and an
/// IPv4 error has to come with 255 hops left, or 254 where the machine's own kernel passes it on.
#[then(expr = "{word} is refused these packets:")]
async fn refused(world: &mut World, node: String, step: &Step) -> Outcome {
    let rows = step.table.as_ref().map(|table| table.rows.as_slice());
    let Some((header, rows)) = rows.and_then(<[_]>::split_first) else {
        fail!("there is no table");
    };
    if *header != COLUMNS {
        fail!("the columns have to be {}", COLUMNS.join(", "));
    }
    let deadline = Instant::now() + LIMIT;
    for row in rows {
        while let Err(error) = check(world, &node, row).await {
            if Instant::now() > deadline {
                return Err(error.into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

async fn check(world: &World, node: &str, row: &[String]) -> anyhow::Result<()> {
    let [to, payload, hops, wanted @ ..] = row else {
        bail!("a row has {} columns", COLUMNS.len());
    };
    let target = world.address(to)?;
    let (payload, hops) = (payload.parse()?, hops.parse()?);
    let refusal = observe::refusal(world.node(node)?, target, payload, hops).await?;
    let refusal = refusal.with_context(|| format!("nobody refuses {payload} bytes to {to}"))?;
    let Refusal {
        by,
        kind,
        code,
        mtu,
        len,
        hops_left,
        quotes_truly,
    } = refusal;
    // A name in the table stands for any address of that machine.
    let by = match wanted.first() {
        Some(name) if *name == by.to_string() => name.clone(),
        _ => world.name_of(by),
    };
    let found = [
        by,
        kind.to_string(),
        code.to_string(),
        mtu.to_string(),
        len.to_string(),
    ];
    if found != wanted {
        bail!(
            "{payload} bytes to {to}: {} instead of {}",
            found.join(" "),
            wanted.join(" ")
        );
    }
    if hops_left.is_some_and(|left| left < 254) || !quotes_truly {
        bail!("{payload} bytes to {to}: {refusal:?}");
    }
    Ok(())
}
