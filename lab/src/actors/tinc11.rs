//! tinc 1.1, which distributions do not install beside 1.0: unpacked by `./prepare` into the build directory, together
//! with the libraries it lacks here.

use std::env;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{ActorError, Product, Result};
use crate::fabric::Node;

/// Names the directory of libraries that are not installed.
pub(super) const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// An unpacked tinc 1.1.
#[derive(Debug, Clone)]
pub(super) struct Tinc11 {
    root: PathBuf,
    /// The libraries that came with it.
    libraries: Vec<PathBuf>,
}

impl Tinc11 {
    /// Looks for it in the directory cargo builds into.
    pub(super) fn locate() -> Result<Self> {
        let root = root();
        if !root.join("usr/sbin/tincd").is_file() {
            return Err(Self::missing());
        }
        let read = |folder: &Path| -> std::io::Result<Vec<PathBuf>> {
            let entries = folder.read_dir()?;
            entries.map(|entry| Ok(entry?.path())).collect()
        };
        let mut libraries = Vec::new();
        // One directory for each architecture; there is one.
        for folder in read(&root.join("usr/lib")).unwrap_or_default() {
            let files = read(&folder).unwrap_or_default();
            let shared = |path: &PathBuf| path.to_string_lossy().contains(".so.");
            libraries.extend(files.into_iter().filter(shared));
        }
        Ok(Self { root, libraries })
    }

    /// That it is not there, and how to get it.
    pub(super) fn missing() -> ActorError {
        ActorError::Missing {
            product: Product::Tinc11,
            searched: format!("looked for {}", root().join("usr/sbin/tincd").display()),
            remedy: "unpack it with `./prepare`",
        }
    }

    /// Puts the daemon, its command line and its libraries into a node.
    pub(super) async fn install(&self, node: &Node) -> Result<()> {
        for program in ["tincd", "tinc"] {
            let path = self.root.join("usr/sbin").join(program);
            node.install(&path, program).await?;
        }
        for library in &self.libraries {
            let name = library.file_name().unwrap_or_default().to_string_lossy();
            node.install(library, &name).await?;
        }
        Ok(())
    }

    /// The command that makes RSA keys, and no others, in a tinc directory.
    pub(super) fn key_maker(&self, folder: &Path) -> Command {
        let mut command = Command::new(self.root.join("usr/sbin/tinc"));
        let folders = self.libraries.first().and_then(|library| library.parent());
        command
            .envs(folders.map(|folder| (LIBRARY_PATH, folder)))
            .args(["--batch", "--config"])
            .arg(folder)
            .arg("generate-rsa-keys");
        command
    }
}

/// Where `./prepare` puts it, given where cargo put this program: `target/PROFILE/` or `target/PROFILE/deps/`.
fn root() -> PathBuf {
    let here = env::current_exe().unwrap_or_default();
    let profile = here
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"));
    let target = profile
        .and_then(Path::parent)
        .unwrap_or_else(|| Path::new(""));
    target.join("peers/tinc11")
}
