//! What a run keeps when it is asked to, and what is made of it. Needs what `./prepare` installs, and fails where that is
//! missing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use v6lab::report::LARGEST;
use v6lab::report::events::{self, DaemonState, Event};

const FEATURE: &str = "Feature: Two ends

  Scenario: It holds
    Given the network \"how-to\"
    Then laptop does not reach www in 0.3 s

  Scenario: It does not hold
    Given the network \"sixlowpan\"
    And tinc is set up as it should be
    And all daemons run
    When the daemon on node_one is stopped
    Then laptop reaches www within 0.5 s
";

const AGAIN: &str = "Feature: Two ends

  Scenario: It comes back
    Given the network \"how-to\"
    And tinc is set up as it should be
    And all daemons run
    When the daemon on node_one is killed
    And the daemon on node_one is started
    Then the daemon on node_one says \"Ready\" within 15 s
";

/// A directory with a feature that fails in one of two scenarios, and with the scenarios it is about; goes with this value.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("v6lab-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        symlink(scenarios, path.join("scenarios")).unwrap();
        fs::create_dir(path.join("features")).unwrap();
        fs::write(path.join("features/ends.feature"), FEATURE).unwrap();
        Self(path)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_v6lab"))
            .args(["run", "features/ends.feature", "--daemon", "tincd"])
            .args(args)
            .current_dir(&self.0)
            .output()
            .unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What became of the daemons of a run, in order.
fn states(records: &[events::Record]) -> Vec<(&str, DaemonState)> {
    let states = records.iter().filter_map(|record| match &record.event {
        Event::Daemon { node, state, .. } => Some((node.as_str(), *state)),
        _ => None,
    });
    states.collect()
}

fn tshark(args: &[&str], file: &Path) -> String {
    let output = Command::new("tshark")
        .args(args)
        .arg("-r")
        .arg(file)
        .output();
    let output = output.expect("tshark is not there; run ./prepare");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn of_a_scenario_that_fails_everything_is_kept_that_can_be_had() {
    let home = Home::new("kept");
    let output = home.run(&["--output", "run", "--capture=failed"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let run = home.0.join("run");
    assert!(!run.join("features-ends-3").exists(), "it passed: {said}");
    let failed = run.join("features-ends-7");
    let read = |name: &str| fs::read_to_string(failed.join(name)).unwrap();

    // A machine's state, with what its ruleset has counted.
    let cafe = read("cafe.txt");
    assert!(cafe.contains("203.0.113.50/24"), "{cafe}");
    assert!(cafe.contains("masquerade"), "{cafe}");
    assert!(cafe.contains("default via 203.0.113."), "{cafe}");
    assert!(cafe.contains("dport=655"), "connections: {cafe}");
    assert!(read("v6router.log").contains("Ready"));
    assert!(read("plan.txt").contains("NAT port-restricted"));
    let plan: serde_json::Value = serde_json::from_str(&read("plan.json")).unwrap();
    assert_eq!(plan["title"], "sixlowpan");

    // What its services said, and what was on the air.
    assert!(read("cafe-dnsmasq.log").contains("DHCPACK"));
    assert!(read("node_one-radio.log").contains("is connected"));
    let air = tshark(
        &["-Y", "icmpv6.type == 133"],
        &failed.join("node_one-bt0.pcap"),
    );
    assert!(air.contains("Router Solicitation"), "{air}");

    // The recording has a name for each link, and the steps stand in it.
    let recording = failed.join("links.pcapng");
    let names = tshark(&["-T", "fields", "-e", "frame.interface_name"], &recording);
    for link in ["internet--v6router", "internet--cafe", "cafe--node_one"] {
        assert!(names.lines().any(|name| name == link), "{link}: {names}");
    }
    let comments = tshark(&["-T", "fields", "-e", "frame.comment"], &recording);
    assert!(comments.contains("And all daemons run"), "{comments}");
    let said_with_it = format!("kept: {}", failed.display());
    assert!(said.contains(&said_with_it), "{said}");

    // The same again, by the command that was kept, with the lab under test in the path.
    let lab = Path::new(env!("CARGO_BIN_EXE_v6lab")).parent().unwrap();
    let path = format!("{}:{}", lab.display(), std::env::var("PATH").unwrap());
    let again = Command::new("sh")
        .arg(failed.join("replay.sh"))
        .env("PATH", path)
        .output()
        .unwrap();
    let again = String::from_utf8(again.stdout).unwrap();
    assert!(again.ends_with("0 passed, 1 failed\n"), "{again}");
}

#[test]
fn the_journal_tells_what_happened_in_order() {
    let home = Home::new("journal");
    home.run(&["--output", "run"]);
    let records = events::read(&home.0.join("run")).unwrap();
    let of = |wanted: &str| {
        let of = |record: &&events::Record| {
            let id = record.scenario.as_deref();
            id.is_some_and(|id| id.starts_with(wanted))
        };
        let events: Vec<&Event> = records
            .iter()
            .filter(of)
            .map(|record| &record.event)
            .collect();
        events
    };
    let held = of("features/ends::It holds");
    assert_eq!(held.last(), Some(&&Event::ScenarioEnded { passed: true }));
    let failed = of("features/ends::It does not hold");
    assert_eq!(
        failed.last(),
        Some(&&Event::ScenarioEnded { passed: false })
    );
    let expected = [
        ("v6router", DaemonState::Up),
        ("node_one", DaemonState::Up),
        ("node_one", DaemonState::Down),
    ];
    assert_eq!(states(&records), expected);
    let passed = failed.iter().any(|event| match event {
        Event::Traffic { links } => links
            .iter()
            .any(|link| link.link == "internet--cafe" && link.up > 0 && link.down > 0),
        _ => false,
    });
    assert!(passed, "{failed:?}");
    let told = failed.iter().any(|event| match event {
        Event::StepEnded { reason, .. } => reason
            .as_deref()
            .is_some_and(|reason| reason.contains("did not answer")),
        _ => false,
    });
    assert!(told, "{failed:?}");
    assert!(matches!(
        records.first().unwrap().event,
        Event::RunStarted { .. }
    ));
    let counts = Event::RunEnded {
        passed: 1,
        failed: 1,
    };
    assert_eq!(records.last().unwrap().event, counts);
}

#[test]
fn a_daemon_is_down_before_it_is_up_again() {
    let home = Home::new("again");
    fs::write(home.0.join("features/ends.feature"), AGAIN).unwrap();
    let output = home.run(&["--output", "run"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let records = events::read(&home.0.join("run")).unwrap();
    let expected = [
        ("v6router", DaemonState::Up),
        ("node_one", DaemonState::Up),
        ("node_one", DaemonState::Down),
        ("node_one", DaemonState::Up),
    ];
    assert_eq!(states(&records), expected);
}

#[test]
fn a_directory_that_has_a_run_is_not_written_over() {
    let home = Home::new("twice");
    let one = ["--output", "run", "--name", "It holds"];
    assert_eq!(home.run(&one).status.code(), Some(0));
    let before = fs::read(home.0.join("run/events.jsonl")).unwrap();
    let again = home.run(&one);
    let error = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1), "{error}");
    assert!(error.contains("a directory without one"), "{error}");
    assert_eq!(fs::read(home.0.join("run/events.jsonl")).unwrap(), before);
}

#[test]
fn a_page_is_one_file_that_needs_nothing_else() {
    let home = Home::new("page");
    home.run(&["--output", "ours", "--capture"]);
    home.run(&["--output", "theirs", "--name", "It holds"]);
    let output = Command::new(env!("CARGO_BIN_EXE_v6lab"))
        .args(["report", "ours", "theirs", "-o", "page.html"])
        .current_dir(&home.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = fs::read_to_string(home.0.join("page.html")).unwrap();
    assert!(page.len() < LARGEST, "{} bytes", page.len());
    for outside in [
        "src=", "<link", "<script", "@import", "url(", "http:", "https:",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    // What is referred to is on the page, or beside it.
    let targets: Vec<&str> = page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for target in &targets {
        let there = match target.strip_prefix('#') {
            Some(id) => page.contains(&format!("id=\"{id}\"")),
            None => home.0.join(target).is_file(),
        };
        assert!(there, "{target}");
    }
    assert!(
        targets.contains(&"ours/features-ends-7/links.pcapng"),
        "{targets:?}"
    );
    assert!(page.contains("did not answer laptop within 0.5 s"));
    assert!(page.contains("not played"), "theirs is half of ours");
}
