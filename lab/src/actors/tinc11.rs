//! tinc 1.1, which distributions do not install beside 1.0.

use std::path::Path;

use tokio::process::Command;

use super::unpacked::{LIBRARY_PATH, Unpacked};
use super::{ActorError, Product, Result};
use crate::built;
use crate::fabric::Node;

/// The peer's name, and its programs within it.
const PEER: &str = "tinc11";
const DAEMON: &str = "usr/sbin/tincd";
const COMMAND: &str = "usr/sbin/tinc";

/// An unpacked tinc 1.1.
#[derive(Debug, Clone)]
pub(super) struct Tinc11(Unpacked);

impl Tinc11 {
    /// Looks for it in the directory cargo builds into.
    pub(super) fn locate() -> Result<Self> {
        let found = Unpacked::locate(PEER, DAEMON);
        found.map(Self).map_err(|_| Self::missing())
    }

    /// That it is not there, and how to get it.
    pub(super) fn missing() -> ActorError {
        let program = built::peer(PEER).join(DAEMON);
        ActorError::Missing {
            product: Product::Tinc11.to_string(),
            searched: format!("looked for {}", program.display()),
            remedy: "unpack it with `./prepare`",
        }
    }

    /// Puts the daemon, its command line and its libraries into a node.
    pub(super) async fn install(&self, node: &Node) -> Result<()> {
        Ok(self.0.install(node, &[DAEMON, COMMAND]).await?)
    }

    /// The command that makes RSA keys, and no others, in a tinc directory.
    pub(super) fn key_maker(&self, folder: &Path) -> Command {
        let mut command = Command::new(self.0.path(COMMAND));
        let (variable, _) = LIBRARY_PATH;
        command
            .envs(self.0.libraries().map(|folder| (variable, folder)))
            .args(["--batch", "--config"])
            .arg(folder)
            .arg("generate-rsa-keys");
        command
    }
}
