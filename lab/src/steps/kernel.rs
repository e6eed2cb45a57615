//! What the kernel of a machine knows, before and after.

use std::time::Duration;

use anyhow::Context;
use cucumber::{given, then};
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail};
use crate::observe;

/// How long the kernel may take to forget an interface that was closed.
const SETTLES: Duration = Duration::from_secs(1);

#[given(expr = "links, addresses and routes of {word} are written down")]
async fn note(world: &mut World, node: String) -> Outcome {
    let state = observe::kernel_state(world.node(&node)?).await?;
    world.noted.insert(node, state);
    Ok(())
}

#[then(expr = "links, addresses and routes of {word} are as written down")]
async fn same(world: &mut World, node: String) -> Outcome {
    let before = world.noted.get(&node).context("nothing was written down")?;
    let deadline = Instant::now() + SETTLES;
    loop {
        let changes = before.changes(&observe::kernel_state(world.node(&node)?).await?);
        if changes.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!("they differ:\n{}", changes.join("\n"));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[then(expr = "links, addresses and routes of {word} are not as written down")]
async fn different(world: &mut World, node: String) -> Outcome {
    let before = world.noted.get(&node).context("nothing was written down")?;
    if before
        .changes(&observe::kernel_state(world.node(&node)?).await?)
        .is_empty()
    {
        fail!("nothing has changed");
    }
    Ok(())
}
