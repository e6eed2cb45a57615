//! Where our programs are, and the peers that were unpacked beside them.

use std::env;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The program of that name that was built last, so that nobody tests yesterday's.
///
/// # Errors
/// Where it was looked for.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let here = env::current_exe().unwrap_or_default();
    let candidates = beside(&here, name);
    newest(&candidates).ok_or_else(|| {
        let searched: Vec<String> = candidates
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!("looked for {}", searched.join(", "))
    })
}

/// Where `./prepare` unpacks a peer of that name.
pub(crate) fn peer(name: &str) -> PathBuf {
    kept("peers").join(name)
}

/// What is kept under that name in the directory cargo builds into, given where cargo put this program:
/// `target/PROFILE/` or `target/PROFILE/deps/`.
pub(crate) fn kept(name: &str) -> PathBuf {
    let here = env::current_exe().unwrap_or_default();
    let profile = here
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"));
    let target = profile
        .and_then(Path::parent)
        .unwrap_or_else(|| Path::new(""));
    target.join(name)
}

/// Where cargo may have put `name`, given where it put this program: `target/PROFILE/` or `target/PROFILE/deps/`.
fn beside(program: &Path, name: &str) -> Vec<PathBuf> {
    let folder = program.parent().unwrap_or_else(|| Path::new(""));
    let profile = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    let mut candidates = vec![profile.join(name)];
    for other in ["release", "debug"] {
        candidates.extend(profile.parent().map(|target| target.join(other).join(name)));
    }
    candidates.dedup();
    candidates
}

fn newest(candidates: &[PathBuf]) -> Option<PathBuf> {
    let built = |path: &&PathBuf| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    candidates
        .iter()
        .filter(|path| path.is_file())
        .max_by_key(built)
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_finds_the_program_of_its_profile_and_the_release() {
        let found = beside(Path::new("/t/debug/deps/features-1f"), "v6router");
        assert_eq!(
            found,
            [
                Path::new("/t/debug/v6router"),
                Path::new("/t/release/v6router"),
                Path::new("/t/debug/v6router")
            ]
        );
        let found = beside(Path::new("/t/release/v6lab"), "v6router");
        assert_eq!(found.first().unwrap(), Path::new("/t/release/v6router"));
    }
}
