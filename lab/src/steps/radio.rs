//! What is on the air between a Pi and its kits, as Wireshark reads the border router's recording.

use std::time::Duration;

use anyhow::Context;
use cucumber::then;
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail, seconds};
use crate::fabric::AIR_CAPTURE;
use crate::radio;

/// Whatever should not be. Checksums that follow from the packet show that both ends rebuilt the same one.
const WRONG: &str = "_ws.malformed || icmpv6.checksum.status == 0 || udp.checksum.status == 0 || \
                     tcp.checksum.status == 0";

/// How often is looked.
const GLANCE: Duration = Duration::from_millis(200);

#[then(expr = "Wireshark finds {string} on the air of {word} within {float} s")]
async fn finds(world: &mut World, filter: String, pi: String, limit: f64) -> Outcome {
    let end = Instant::now() + seconds(limit)?;
    while found(world, &pi, &filter).await?.is_empty() {
        if Instant::now() > end {
            fail!("there is none of it");
        }
        sleep(GLANCE).await;
    }
    Ok(())
}

#[then(expr = "Wireshark finds no {string} on the air of {word}")]
async fn finds_none(world: &mut World, filter: String, pi: String) -> Outcome {
    let lines = found(world, &pi, &filter).await?;
    if !lines.is_empty() {
        fail!("it finds:\n{lines}");
    }
    Ok(())
}

/// Of what it decodes as IPv6.
#[then(expr = "Wireshark finds nothing wrong on the air of {word}")]
async fn nothing_wrong(world: &mut World, pi: String) -> Outcome {
    if found(world, &pi, "ipv6").await?.is_empty() {
        fail!("it finds no IPv6 at all");
    }
    let wrong = found(world, &pi, WRONG).await?;
    if !wrong.is_empty() {
        fail!("it finds:\n{wrong}");
    }
    Ok(())
}

/// What passes a display filter, a line each.
async fn found(world: &World, pi: &str, filter: &str) -> anyhow::Result<String> {
    let mut links = world.overlay()?.sites.iter().flat_map(|site| {
        let links = site.links.iter();
        links.filter(|link| site.node == pi && link.interface == radio::INTERFACE)
    });
    let link = links.next().with_context(|| format!("{pi} has no radio"))?;
    let context = format!("6lowpan.context0:{}", link.prefix);
    let words = ["tshark", "-r", AIR_CAPTURE, "-o", &context, "-Y", filter];
    let output = world.node(pi)?.exec(&words).await;
    let output = output.context("tshark is needed here; ./prepare installs it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // While the recording is being written it may be cut short.
    let cut = said.contains("cut short");
    anyhow::ensure!(output.status.success() || cut, "tshark: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
