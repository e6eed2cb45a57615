//! Somebody who says to be a node, and cannot prove it.

use anyhow::Context;
use cucumber::{then, when};

use super::{Outcome, World, fail};
use crate::actors::{self, Pose, intrude};

/// The server's public key is no secret: he has it from the server itself.
#[when(expr = "{word} poses as {word} to {word}, {word}")]
async fn poses(
    world: &mut World,
    intruder: String,
    name: String,
    server: String,
    pose: Pose,
) -> Outcome {
    let host = actors::path(&format!("hosts/{server}"));
    let file = world.node(&server)?.read_file(host).await?;
    let key = String::from_utf8_lossy(&file);
    let target = super::flood::outside(world, &server)?;
    let node = world.node(&intruder)?;
    let reception = intrude(node, &server, target, &key, &name, pose).await?;
    world.intrusion = Some((pose, reception));
    Ok(())
}

/// But he has to come as far as his manner leads, or nothing was tried.
#[then(expr = "{word} is let in no further than anybody")]
fn no_further(world: &mut World, intruder: String) -> Outcome {
    let (pose, reception) = world.intrusion.context("nobody tried")?;
    if reception != pose.deserves() {
        fail!(
            "{intruder} was to be {:?}, and is {reception:?}",
            pose.deserves()
        );
    }
    Ok(())
}
