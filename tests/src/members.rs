//! Machines that run daemons of one mesh, without a scenario: their tinc directories, and their lives.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use v6lab::actors::{self, Daemon, KeyPair, NETNAME, Product};
use v6lab::fabric::Lab;
use v6lab::plan::Plan;

use crate::cases::Setting;

/// How long a daemon may take until it says that it is ready, on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// How long an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A machine that is to run a daemon.
#[derive(Debug, Clone)]
pub struct Member {
    /// Name of the machine and of its node.
    pub name: String,
    /// What it runs.
    pub product: Product,
    /// Whom it dials.
    pub dials: Vec<String>,
    /// More lines of its `tinc.conf`.
    pub conf: String,
    /// More lines of its own host file, which everybody has.
    pub host: String,
    /// More lines of its `tinc-up`, once the interface is up.
    pub up: String,
}

impl Member {
    /// One that dials nobody and has the default settings, which are those of router mode.
    #[must_use]
    pub fn new(name: &str, product: Product) -> Self {
        Self {
            name: name.to_owned(),
            product,
            dials: Vec::new(),
            conf: String::new(),
            host: String::new(),
            up: String::new(),
        }
    }
}

/// Writes everybody's tinc directory: each knows each, with an address where they share an Ethernet.
///
/// # Errors
/// When a program or a key is not to be had, or a node does not do as it is told.
pub async fn furnish(setting: &Setting, lab: &Lab, members: &[Member]) -> anyhow::Result<()> {
    let keys = try_join_all(members.iter().map(|member| {
        // One pair for a product and a name in a whole run.
        setting.keys.pair(member.product, &member.name)
    }))
    .await?;
    try_join_all(members.iter().zip(&keys).map(async |(member, own)| {
        let node = lab.node(&member.name)?;
        setting.programs.install(node, member.product).await?;
        let write = async |name: &str, text: String, mode| {
            node.write_file(actors::path(name), text, mode).await
        };
        let dials: String = member
            .dials
            .iter()
            .map(|peer| format!("ConnectTo = {peer}\n"))
            .collect();
        let conf = format!(
            "Name = {}\nInterface = {NETNAME}\n{}{dials}{}",
            member.name,
            member.product.legacy(),
            member.conf
        );
        write("tinc.conf", conf, 0o644).await?;
        write("rsa_key.priv", own.private.clone(), 0o600).await?;
        let up = format!("#!/bin/sh\nip link set $INTERFACE up\n{}", member.up);
        write("tinc-up", up, 0o755).await?;
        for (other, pair) in members.iter().zip(&keys) {
            let text = host_file(lab.plan(), member, other, pair);
            write(&format!("hosts/{}", other.name), text, 0o644).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

/// What `reader` has in its file about `about`.
fn host_file(plan: &Plan, reader: &Member, about: &Member, keys: &KeyPair) -> String {
    let nearby = nearby(plan, &reader.name, &about.name).filter(|_| reader.name != about.name);
    let address = nearby.map_or_else(String::new, |address| format!("Address = {address}\n"));
    format!("{address}{}{}", about.host, keys.public)
}

/// An address of `other`'s on an Ethernet that `one` is on as well.
#[must_use]
pub fn nearby(plan: &Plan, one: &str, other: &str) -> Option<IpAddr> {
    let nets = |name: &str| {
        let interfaces = plan
            .node(name)
            .into_iter()
            .flat_map(|node| &node.interfaces);
        interfaces.flat_map(|interface| interface.addresses.iter().map(|address| address.net))
    };
    nets(other)
        .map(|net| net.addr)
        .find(|addr| nets(one).any(|net| net.contains(*addr)))
}

/// The daemons of a mesh.
#[derive(Debug, Default)]
pub struct Daemons {
    running: BTreeMap<String, Daemon>,
}

impl Daemons {
    /// Starts a member's daemon and waits until it is ready; its words go to a file of its own in `logs`.
    ///
    /// # Errors
    /// With its last words, if it is not.
    pub async fn start(&mut self, lab: &Lab, member: &Member, logs: &Path) -> anyhow::Result<()> {
        let log = logs.join(format!("{}.log", member.name));
        let daemon = Daemon::start(lab.node(&member.name)?, member.product, &log).await?;
        daemon.says("Ready", READY_LIMIT).await?;
        self.running.insert(member.name.clone(), daemon);
        Ok(())
    }

    /// The one that runs on a machine.
    ///
    /// # Errors
    /// When none was started there.
    pub fn on(&self, name: &str) -> anyhow::Result<&Daemon> {
        let found = self.running.get(name);
        found.with_context(|| format!("no daemon was started on {name}"))
    }

    /// Gives up one that has ended by itself.
    ///
    /// # Errors
    /// When it runs.
    pub fn forget(&mut self, name: &str) -> anyhow::Result<()> {
        anyhow::ensure!(self.on(name)?.status().is_some(), "{name} runs");
        self.running.remove(name);
        Ok(())
    }

    /// Ends one in order, or by SIGKILL.
    ///
    /// # Errors
    /// When it will not go, or goes with an error.
    pub async fn end(&mut self, name: &str, orderly: bool) -> anyhow::Result<()> {
        let daemon = self.running.remove(name);
        let daemon = daemon.with_context(|| format!("no daemon was started on {name}"))?;
        if !orderly {
            return Ok(daemon.kill().await?);
        }
        let status = daemon.stop(STOP_LIMIT).await?;
        anyhow::ensure!(status.success(), "{name} ended with {status}");
        Ok(())
    }
}
