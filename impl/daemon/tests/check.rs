//! `v6router check` as programs call it.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{Site, TempDir};

fn check(arguments: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_v6router"))
        .arg("check")
        .args(arguments)
        .arg(dir)
        .output()
        .unwrap()
}

#[test]
fn the_exit_status_says_how_bad_it_is() {
    let dir = TempDir::new();
    let site = Site::new(dir.path(), "node_one", "", &[("node_one", "Port = 655")]);
    let conf = site.dir.join("tinc.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let status = |arguments: &[&str]| {
        let output = check(arguments, &site.dir);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said)
    };
    // The keys of the tests are short ones.
    let (code, said) = status(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("[weak-key]"), "{said}");
    fs::write(&conf, format!("{text}Name\n")).unwrap();
    let (code, said) = status(&["--json"]);
    assert_eq!(code, Some(1), "{said}");
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(json["errors"].as_u64() > Some(0), "{said}");
    assert_eq!(status(&["--nonsense"]).0, Some(2));
    assert_eq!(
        check(&[], &dir.path().join("nowhere")).status.code(),
        Some(1)
    );
}
