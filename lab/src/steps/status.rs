//! What a running v6router says of itself when asked.

use std::time::Duration;

use cucumber::then;
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail, seconds};
use crate::actors;

/// As an operator sees it; the text has `wanted` somewhere.
#[then(expr = "status on {word} says {string} within {float} s")]
async fn says(world: &mut World, node: String, wanted: String, limit: f64) -> Outcome {
    let deadline = Instant::now() + seconds(limit)?;
    let node = world.node(&node)?;
    loop {
        let output = node
            .exec(&["v6router", "status", "-n", actors::NETNAME])
            .await?;
        let told = String::from_utf8_lossy(&output.stdout);
        if told.contains(&wanted) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let error = String::from_utf8_lossy(&output.stderr);
            fail!("it says:\n{told}{error}");
        }
        sleep(Duration::from_millis(50)).await;
    }
}
