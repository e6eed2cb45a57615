//! The faults that `tests/plant` plants in the daemon.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each hunk of a patch: the file, and the lines that it expects to find there.
fn hunks(patch: &str) -> Vec<(String, String)> {
    let (mut file, mut hunks) = (String::new(), Vec::<(String, String)>::new());
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            path.clone_into(&mut file);
        } else if line.starts_with("@@ ") {
            hunks.push((file.clone(), String::new()));
        } else if let Some((_, expected)) = hunks.last_mut()
            && let Some(text) = line.strip_prefix([' ', '-'])
        {
            expected.push_str(text);
            expected.push('\n');
        }
    }
    hunks
}

#[test]
fn every_fault_can_be_planted_in_the_daemon_as_it_is() {
    let mut planted = 0;
    for entry in fs::read_dir(root().join("tests/faults")).unwrap() {
        let path = entry.unwrap().path();
        let patch = fs::read_to_string(&path).unwrap();
        let what = patch.lines().next().unwrap();
        assert!(what.ends_with('.'), "{}: {what}", path.display());
        let hunks = hunks(&patch);
        assert!(!hunks.is_empty(), "{} changes nothing", path.display());
        for (file, expected) in hunks {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            assert!(
                text.contains(&expected),
                "{} does not fit {file} any more:\n{expected}",
                path.display()
            );
            planted += 1;
        }
    }
    assert!(planted >= 30, "{planted}");
}
