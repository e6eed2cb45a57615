//! What becomes of packets that somebody on the way keeps, changes and sends again.

use std::net::SocketAddr;

use anyhow::Context;
use cucumber::{given, when};

use super::network::rewrite;
use super::{Outcome, World, fail};
use crate::actors::{flipped, inject, unchecked};

#[given(expr = "{word} remembers {int} bytes of what it delivered")]
async fn remember(world: &mut World, node: String, bytes: usize) -> Outcome {
    let window = format!("ReplayWindow = {bytes}\n");
    rewrite(world.node(&node)?, "tinc.conf", |text| {
        text.to_owned() + &window
    })
    .await
}

#[when(expr = "the packets for {word} that were heard are kept")]
fn keep(world: &mut World, to: String) -> Outcome {
    let SocketAddr::V4(target) = super::flood::outside(world, &to)? else {
        fail!("{to} is not to be found by IPv4");
    };
    let capture = world.capture.as_ref().context("nobody listened")?;
    let heard = capture.frames()?.datagrams_to(target);
    world.kept = heard.into_iter().map(unchecked).collect();
    if world.kept.is_empty() {
        fail!("there were none");
    }
    Ok(())
}

#[when(expr = "{word} sends each of them again")]
async fn replay(world: &mut World, from: String) -> Outcome {
    Ok(inject(world.node(&from)?, world.kept.clone()).await?)
}

#[when(expr = "{word} sends each of them again with every bit of it changed in turn")]
async fn forge(world: &mut World, from: String) -> Outcome {
    let node = world.node(&from)?;
    for packet in &world.kept {
        inject(node, flipped(packet).collect()).await?;
    }
    Ok(())
}
