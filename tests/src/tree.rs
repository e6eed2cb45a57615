//! The source tree as data, for tests that hold all of it to something.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The root of the tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap_or_default()
}

/// The tree's text files with their contents, without what is built or belongs to version control.
///
/// # Errors
/// When a directory cannot be read.
pub fn texts() -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    files(&root(), &mut found)?;
    let text = |path: PathBuf| fs::read_to_string(&path).ok().map(|text| (path, text));
    Ok(found.into_iter().filter_map(text).collect())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.is_symlink() || entry.file_name() == ".git" || entry.file_name() == "target" {
            continue;
        }
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
