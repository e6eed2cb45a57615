//! The network a scenario plays in, and tinc's configuration on its machines.

use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use cucumber::gherkin::Step;
use cucumber::{given, when};
use futures::future::{try_join, try_join_all};

use super::{Outcome, World, fail};
use crate::actors::{self, Directory, KeyPair};
use crate::fabric::{Lab, Node};
use crate::model::{ModelError, Scenario};
use crate::plan::Plan;

#[given(expr = "the network {string}")]
async fn network(world: &mut World, name: String) -> Outcome {
    build(world, &name, Ok).await
}

/// With one place exchanged for another that `venues/` describes.
#[given(expr = "the network {string} with {word} like {string}")]
async fn network_with(world: &mut World, name: String, venue: String, like: String) -> Outcome {
    build(world, &name, |scenario| {
        scenario.with_venue_like(&venue, &like)
    })
    .await
}

/// What a step asks for, if that is a network, read as the step reads it.
pub(crate) fn network_of(feature: &Path, step: &Step) -> Option<Result<Plan, ModelError>> {
    let asked = step.value.strip_prefix("the network \"")?;
    let (name, with) = asked.split_once('"')?;
    let like = with.strip_prefix(" with ").and_then(|with| {
        let (venue, like) = with.split_once(" like \"")?;
        Some((venue, like.strip_suffix('"')?))
    });
    let scenario = named(feature, name).and_then(|scenario| match like {
        Some((venue, like)) => scenario.with_venue_like(venue, like),
        None => Ok(scenario),
    });
    Some(scenario.map(|scenario| Plan::new(&scenario)))
}

/// The scenario of that name, in the `scenarios/` nearest to the feature.
fn named(feature: &Path, name: &str) -> Result<Scenario, ModelError> {
    Scenario::load(&Scenario::find_above(feature, name)?)
}

async fn build(
    world: &mut World,
    name: &str,
    change: impl FnOnce(Scenario) -> Result<Scenario, ModelError>,
) -> Outcome {
    let stage = world.stage()?;
    let scenario = change(named(&stage.feature, name)?)?;
    let plan = Plan::new(&scenario).seeded(stage.setting.seed);
    stage.setting.notes.network(&plan.title, plan.drawing());
    // Believed only once it was seen, and seen once in a run.
    let proofs = async { anyhow::Ok(stage.setting.proofs.hold(&scenario).await?) };
    let lab = async { anyhow::Ok(Lab::up(&plan).await?) };
    let (lab, ()) = try_join(lab, proofs).await?;
    world.lab = Some(lab);
    Ok(world.watch(&scenario).await?)
}

#[given("tinc is set up as it should be")]
async fn set_up(world: &mut World) -> Outcome {
    set_up_changed(world, |_, _| ()).await
}

#[given("tinc is set up as it should be, with scripts that note when they run")]
async fn set_up_with_notes(world: &mut World) -> Outcome {
    let change = |_: &str, directory: &mut Directory| actors::note_every_script(directory);
    set_up_changed(world, change).await
}

/// As it should be but for `change`, which is told whose directory it changes.
pub(super) async fn set_up_changed(
    world: &World,
    change: impl Fn(&str, &mut Directory),
) -> Outcome {
    write(world, &keys(world).await?, change).await
}

#[given("tinc is set up as it should be, but without keys")]
async fn set_up_without_keys(world: &mut World) -> Outcome {
    let none = KeyPair {
        private: String::new(),
        public: String::new(),
    };
    let keys: Vec<_> = world
        .members()?
        .into_iter()
        .map(|node| (node, none.clone()))
        .collect();
    write(world, &keys, |_, directory| {
        directory.remove("rsa_key.priv")
    })
    .await
}

#[given("tinc is set up as it should be, in router mode")]
async fn set_up_in_router_mode(world: &mut World) -> Outcome {
    let overlay = world.overlay()?;
    let change = |node: &str, directory: &mut Directory| actors::route(directory, overlay, node);
    set_up_changed(world, change).await
}

#[given(expr = "{word}'s tinc.conf also says {string}")]
async fn add_to_tinc_conf(world: &mut World, node: String, line: String) -> Outcome {
    let add = |text: &str| format!("{text}{line}\n");
    rewrite(world.node(&node)?, "tinc.conf", add).await
}

/// In its host file, wherever there is one: where it listens, and where it is dialled.
#[given(expr = "{word} is to be found at port {int}")]
async fn is_found_at(world: &mut World, name: String, port: u16) -> Outcome {
    let file = format!("hosts/{name}");
    let add = |text: &str| format!("Port = {port}\n{text}");
    for member in world.members()? {
        let node = world.node(&member)?;
        // Pis know the server and nobody else.
        if member == name || node.read_file(actors::path(&file)).await.is_ok() {
            rewrite(node, &file, add).await?;
        }
    }
    Ok(())
}

#[given(expr = "{word} knows {word} as {word}")]
async fn by_name(world: &mut World, node: String, server: String, name: String) -> Outcome {
    let number = format!("Address = {}\n", public_v4(world, &server)?);
    let named = format!("Address = {name}\n");
    let host = format!("hosts/{server}");
    rewrite(world.node(&node)?, &host, |text| {
        text.replace(&number, &named)
    })
    .await
}

/// The number comes after the name, as whoever adds it would write it.
#[when(expr = "{word} knows {word} as {word} or by its number")]
async fn by_name_or_number(
    world: &mut World,
    node: String,
    server: String,
    name: String,
) -> Outcome {
    let named = format!("Address = {name}\n");
    let both = format!("{named}Address = {}\n", public_v4(world, &server)?);
    let host = format!("hosts/{server}");
    rewrite(world.node(&node)?, &host, |text| {
        text.replace(&named, &both)
    })
    .await
}

fn public_v4(world: &World, name: &str) -> anyhow::Result<IpAddr> {
    let addresses = world.plan()?.public_addresses(name);
    let found = addresses.into_iter().find(IpAddr::is_ipv4);
    found.with_context(|| format!("{name} has no public IPv4 address"))
}

async fn keys(world: &World) -> anyhow::Result<Vec<(String, KeyPair)>> {
    let ring = &world.stage()?.setting.keys;
    try_join_all(world.members()?.into_iter().map(async |node| {
        let pair = ring.pair(world.product(&node)?, &node).await?;
        Ok((node, pair))
    }))
    .await
}

/// The scripts are for interfaces that come and go with the daemon.
#[given(expr = "{word}'s interface is {word}, as a raw socket")]
async fn raw_socket(world: &mut World, node: String, interface: String) -> Outcome {
    let own = format!("Interface = {}\n", actors::NETNAME);
    let raw = format!("Interface = {interface}\nDeviceType = raw_socket\n");
    let node = world.node(&node)?;
    rewrite(node, "tinc.conf", |text| text.replace(&own, &raw)).await?;
    for script in ["tinc-up", "tinc-down"] {
        rewrite(node, script, |_| "#!/bin/sh\n".to_owned()).await?;
    }
    Ok(())
}

/// Puts the daemon's program and its directory, changed by `change`, on every machine of the overlay.
async fn write(
    world: &World,
    keys: &[(String, KeyPair)],
    change: impl Fn(&str, &mut Directory),
) -> Outcome {
    try_join_all(world.members()?.iter().map(async |name| {
        let node = world.node(name)?;
        let product = world.product(name)?;
        let programs = &world.stage()?.setting.programs;
        programs.install(node, product).await?;
        let mut directory = actors::directory(world.plan()?, name, product, keys)?;
        change(name, &mut directory);
        for file in directory.files {
            node.write_file(file.path, file.text, file.mode).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

/// Rewrites a file in the tinc directory of a machine.
pub(super) async fn rewrite(
    node: &Node,
    name: &str,
    change: impl FnOnce(&str) -> String,
) -> Outcome {
    let path = actors::path(name);
    let before = String::from_utf8(node.read_file(&path).await?)?;
    let after = change(&before);
    if after == before {
        fail!(
            "{path} on {} has nothing of the kind to be changed",
            node.name()
        );
    }
    // Only scripts are ever changed together with their permissions, and those keep theirs.
    let mode = if before.starts_with("#!") {
        0o755
    } else {
        0o644
    };
    node.write_file(&path, after, mode).await?;
    Ok(())
}
