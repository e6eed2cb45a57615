//! Commands typed on a machine, files they leave, and scripts that ran.

use std::time::Duration;

use anyhow::Context;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use tokio::time::{Instant, sleep};

use super::{Outcome, World, fail};
use crate::actors;

/// How long scripts may take to leave their notes.
const NOTES_LIMIT: Duration = Duration::from_secs(3);

#[when(expr = "{word} runs {string}")]
async fn runs(world: &mut World, node: String, command: String) -> Outcome {
    let output = world.node(&node)?.exec(&["sh", "-c", &command]).await?;
    world.ran = Some((command, output));
    Ok(())
}

#[then("that succeeds")]
fn succeeds(world: &mut World) -> Outcome {
    let (command, output) = world.ran.as_ref().context("nothing was run")?;
    if !output.status.success() {
        fail!(
            "`{command}`: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

#[then(expr = "that fails and names {string}")]
fn fails(world: &mut World, named: String) -> Outcome {
    let (command, output) = world.ran.as_ref().context("nothing was run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        fail!("`{command}` succeeded");
    }
    if !said.contains(&named) {
        fail!("`{command}` said: {}", said.trim());
    }
    Ok(())
}

#[then(expr = "{word} has no file {string}")]
async fn no_file(world: &mut World, node: String, path: String) -> Outcome {
    if world.node(&node)?.read_file(&path).await.is_ok() {
        fail!("it has");
    }
    Ok(())
}

/// Copies each machine's host file to those who need it: a Pi's to the server, the server's to every Pi.
#[given("the host files are exchanged")]
async fn exchange(world: &mut World) -> Outcome {
    let server = &world.overlay()?.server;
    for from in world.members()? {
        let path = actors::path(&format!("hosts/{from}"));
        let text = world.node(&from)?.read_file(&path).await?;
        for to in world
            .members()?
            .iter()
            .filter(|to| **to != from && (*to == server || from == *server))
        {
            world
                .node(to)?
                .write_file(&path, text.clone(), 0o644)
                .await?;
        }
    }
    Ok(())
}

#[given(expr = "the notes of {word}'s scripts are thrown away")]
async fn forget_notes(world: &mut World, node: String) -> Outcome {
    Ok(world
        .node(&node)?
        .write_file(actors::NOTES, "", 0o644)
        .await?)
}

/// No others may run in between, except for other machines' subnets: each hardware address that is learned is one.
#[then(expr = "these scripts ran on {word}, in this order:")]
async fn scripts_ran(world: &mut World, node: String, step: &Step) -> Outcome {
    let rows = step.table.iter().flat_map(|table| &table.rows);
    let wanted: Vec<&str> = rows.flatten().map(String::as_str).collect();
    let deadline = Instant::now() + NOTES_LIMIT;
    loop {
        let notes = world.node(&node)?.read_file(actors::NOTES).await?;
        let notes = String::from_utf8_lossy(&notes).into_owned();
        let matters = |line: &&str| wanted.contains(line) || !line.starts_with("subnet-");
        if notes.lines().filter(matters).eq(wanted.iter().copied()) {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!("they ran in this order:\n{notes}");
        }
        sleep(Duration::from_millis(20)).await;
    }
}
