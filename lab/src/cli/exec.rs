//! `v6lab exec` and `shell`: a command of the host's inside a node.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use nix::unistd::Pid;
use v6lab::{fabric, session};

use super::Which;
use super::keeper::{self, Note};

#[derive(Args)]
pub(super) struct Exec {
    /// The node
    node: String,
    #[command(flatten)]
    which: Which,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

#[derive(Args)]
pub(super) struct Shell {
    /// The node
    node: String,
    #[command(flatten)]
    which: Which,
}

impl Exec {
    pub(super) fn main(self) -> Result<i32> {
        let (program, args) = self.command.split_first().context("no command was given")?;
        let mut command = Command::new(program);
        command.args(args);
        enter_and_run(&self.which, &self.node, command)
    }
}

impl Shell {
    pub(super) fn main(self) -> Result<i32> {
        let bash = Path::new("/bin/bash");
        let shell = if bash.exists() {
            bash
        } else {
            Path::new("/bin/sh")
        };
        enter_and_run(&self.which, &self.node, Command::new(shell))
    }
}

fn enter_and_run(which: &Which, node: &str, mut command: Command) -> Result<i32> {
    let note = Note::find(which.lab.as_deref())?;
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    session::join(Pid::from_raw(note.session))?;
    let roster = keeper::roster()?;
    let tid = roster.get(node).with_context(|| {
        let known = note.nodes.join(", ");
        format!(
            "no node {node:?} in the lab {}; there are {known}",
            note.name
        )
    })?;
    session::join_node(*tid)?;
    command.env_clear().envs(fabric::environment());
    // Where the caller is, if the node has that place too.
    command.current_dir(if here.is_dir() {
        here
    } else {
        PathBuf::from("/root")
    });
    Ok(session::run(command)?)
}
