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

#[test]
fn a_server_and_a_site_are_made_by_four_commands() {
    let dir = TempDir::new();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_v6router"))
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    };
    let (vpn, pi) = (path("vpn"), path("pi"));
    #[rustfmt::skip]
    run(&[
        "init", "server", "-c", &vpn, "--name", "v6router", "--address", "2001:db8:85a3:ef00::1/64",
        "--pool", "2001:db8:85a3:ef00::/56", "--listen", "198.51.100.10",
    ]);
    let said = run(&["site", "add", "node_one", "-c", &vpn]);
    // What it prints is the Pi's command.
    let command = said
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("v6router init pi"));
    let command: Vec<&str> = command.take_while(|line| !line.trim().is_empty()).collect();
    let command = command.join(" ").replace('\\', "");
    let words = command.split_whitespace().skip(1).map(|word| match word {
        "v6router.host" => path("vpn/hosts/v6router"),
        word => word.to_owned(),
    });
    let mut words: Vec<String> = words.collect();
    words.extend(["-c".to_owned(), pi.clone()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run(&words);
    fs::copy(path("pi/hosts/node_one"), path("vpn/hosts/node_one")).unwrap();
    let output = check(&[], dir.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "2 networks: nothing to complain about\n");
    let again = Command::new(env!("CARGO_BIN_EXE_v6router"))
        .args(words)
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
}
