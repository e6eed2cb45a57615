//! Peers that `./prepare` unpacks into the build directory and does not install, since their packages would start them or
//! exclude others: with the libraries that this machine lacks.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::built;
use crate::fabric::{FabricError, NODE_BIN, Node};

/// The environment variable that names the directory of libraries that are not installed, and that directory in a node.
pub(crate) const LIBRARY_PATH: (&str, &str) = ("LD_LIBRARY_PATH", NODE_BIN);

/// An unpacked peer.
#[derive(Debug, Clone)]
pub(super) struct Unpacked {
    root: PathBuf,
    /// The libraries that came with it.
    libraries: Vec<PathBuf>,
}

impl Unpacked {
    /// The peer of that name, if `program`, a path within it, is there.
    ///
    /// # Errors
    /// Where it was looked for.
    pub(super) fn locate(name: &str, program: &str) -> Result<Self, PathBuf> {
        let root = built::peer(name);
        let program = root.join(program);
        if !program.is_file() {
            return Err(program);
        }
        let mut libraries = Vec::new();
        // One directory for each architecture; there is one.
        for folder in read(&root.join("usr/lib")).unwrap_or_default() {
            let files = read(&folder).unwrap_or_default();
            let shared = |path: &PathBuf| path.to_string_lossy().contains(".so.");
            libraries.extend(files.into_iter().filter(shared));
        }
        Ok(Self { root, libraries })
    }

    /// The path of a file of the peer's.
    pub(super) fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.root.join(file)
    }

    /// The directory of the libraries that came with it.
    pub(super) fn libraries(&self) -> Option<&Path> {
        self.libraries.first().and_then(|library| library.parent())
    }

    /// Puts programs of the peer's, paths within it, and its libraries into a node.
    pub(super) async fn install(&self, node: &Node, programs: &[&str]) -> Result<(), FabricError> {
        let programs = programs.iter().map(|program| self.path(program));
        for file in programs.chain(self.libraries.iter().cloned()) {
            let name = file.file_name().map(OsStr::to_string_lossy);
            node.install(&file, &name.unwrap_or_default()).await?;
        }
        Ok(())
    }
}

fn read(folder: &Path) -> io::Result<Vec<PathBuf>> {
    folder.read_dir()?.map(|entry| Ok(entry?.path())).collect()
}
