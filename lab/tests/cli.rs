//! What the command line promises. Needs what `v6lab doctor` asks for, and fails where that is missing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Labs of these tests come one after another: whether one is "the only one" is among what is tested.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn v6lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_v6lab"))
        .args(args)
        .output()
        .unwrap()
}

/// Exit code, standard output, standard error.
fn told(args: &[&str]) -> (i32, String, String) {
    let output = v6lab(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn scenario(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(name)
        .with_extension("toml");
    path.to_str().unwrap().to_owned()
}

/// A lab of the how-to that is ended with this value, whatever becomes of the test.
struct Lab(String);

impl Lab {
    fn up(name: &str) -> Self {
        let lab = Self(format!("{name}-{}", std::process::id()));
        let (code, _, error) = told(&["up", &scenario("how-to"), "--name", &lab.0]);
        assert_eq!(code, 0, "{error}");
        lab
    }

    fn exec(&self, node: &str, command: &[&str]) -> (i32, String, String) {
        let start = ["exec", node, "--lab", &self.0, "--"];
        told(
            &start
                .into_iter()
                .chain(command.iter().copied())
                .collect::<Vec<_>>(),
        )
    }

    fn note(&self) -> Option<Value> {
        let (_, json, _) = told(&["ps", "--json"]);
        let all: Vec<Value> = serde_json::from_str(&json).unwrap();
        all.into_iter().find(|note| note["name"] == self.0.as_str())
    }

    fn pid(&self, key: &str) -> i32 {
        i32::try_from(self.note().unwrap()[key].as_i64().unwrap()).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = v6lab(&["down", &self.0]);
        let _ = v6lab(&["gc"]);
    }
}

/// Every process in the PID namespace that `session` gives its children.
fn inside(session: i32) -> BTreeSet<String> {
    let namespace = fs::read_link(format!("/proc/{session}/ns/pid_for_children")).unwrap();
    let all = fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    all.filter(|path| fs::read_link(path.join("ns/pid")).is_ok_and(|found| found == namespace))
        .map(|path| path.display().to_string())
        .collect()
}

/// Waits until none of these processes lives; one that is only to be reaped by a foreign parent does not.
fn assert_gone(processes: &BTreeSet<String>) {
    let deadline = Instant::now() + Duration::from_secs(2);
    let lives = |path: &&String| {
        let stat = fs::read_to_string(Path::new(path.as_str()).join("stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while processes.iter().any(|path| lives(&path)) {
        assert!(
            Instant::now() < deadline,
            "still there: {:?}",
            processes.iter().filter(lives).collect::<Vec<_>>()
        );
        sleep(Duration::from_millis(2));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("v6lab"), "a mount is left");
}

#[test]
fn a_command_inside_has_its_own_exit_code() {
    let _alone = alone();
    let lab = Lab::up("codes");
    assert_eq!(lab.exec("node_one", &["hostname"]).1.trim(), "node_one");
    assert_eq!(lab.exec("node_one", &["sh", "-c", "exit 7"]).0, 7);
    assert_eq!(lab.exec("node_one", &["sh", "-c", "kill -9 $$"]).0, 128 + 9);
    assert_eq!(lab.exec("node_one", &["no-such-command"]).0, 127);
    assert_eq!(lab.exec("node_one", &["/etc/hosts"]).0, 126);
    let (code, _, error) = lab.exec("node-one", &["true"]);
    assert_eq!(code, 1);
    assert!(error.contains("node_one"), "{error}");
}

#[test]
fn down_ends_a_lab_with_all_that_runs_in_it() {
    let _alone = alone();
    let lab = Lab::up("down");
    assert_eq!(
        lab.exec("www", &["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 &"])
            .0,
        0
    );
    let processes = inside(lab.pid("session"));
    assert_eq!(processes.len(), 3, "init, the lab, and a sleeper");
    let started = Instant::now();
    assert_eq!(told(&["down", &lab.0]).0, 0);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert_gone(&processes);
    assert!(lab.note().is_none());
    assert_eq!(told(&["down", &lab.0]).0, 1);
}

#[test]
fn killing_any_process_of_a_lab_leaves_nothing() {
    let _alone = alone();
    for victim in ["keeper", "session"] {
        let lab = Lab::up("killed");
        assert_eq!(
            lab.exec(
                "cafe",
                &["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 &"]
            )
            .0,
            0
        );
        let processes = inside(lab.pid("session"));
        kill(Pid::from_raw(lab.pid(victim)), Signal::SIGKILL).unwrap();
        assert_gone(&processes);
    }
}

#[test]
fn the_note_of_a_killed_keeper_is_in_nobodys_way() {
    let _alone = alone();
    let lab = Lab::up("stale");
    kill(Pid::from_raw(lab.pid("keeper")), Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    while lab.note().is_some() {
        assert!(Instant::now() < deadline, "ps lists only what is up");
    }
    let (code, said, _) = told(&["gc"]);
    assert_eq!(code, 0);
    assert!(said.contains(&lab.0), "{said}");
    let again = Lab::up("stale");
    assert_eq!(again.0, lab.0);
    let (code, _, error) = told(&["up", &scenario("how-to"), "--name", &again.0]);
    assert_eq!(code, 1, "but a lab that is up keeps its name");
    assert!(error.contains("v6lab down"), "{error}");
}

#[test]
fn a_mistake_in_a_scenario_is_told_with_its_line_and_nothing_is_built() {
    let folder = std::env::temp_dir().join(format!("v6lab-cli-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("bad.toml");
    fs::write(
        &file,
        "title = \"bad\"\n\n[[server]]\nname = \"www\"\nadresses = []\n",
    )
    .unwrap();
    let (code, said, error) = told(&["up", file.to_str().unwrap()]);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((code, said.as_str()), (1, ""));
    assert_eq!(
        error.trim(),
        format!(
            "v6lab: {}:5: unknown key `adresses`; did you mean `addresses`?",
            file.display()
        )
    );
}

#[test]
fn a_command_line_nobody_understands_is_not_a_machine_that_cannot() {
    assert_eq!(told(&["upp"]).0, 64);
    assert_eq!(told(&["--help"]).0, 0);
}

#[test]
fn the_doctor_speaks_json_and_finds_this_machine_able() {
    let (code, json, _) = told(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)), "{json}");
}

#[test]
fn a_venue_can_be_exchanged_at_the_command_line() {
    let how_to = scenario("how-to");
    let explain = |like: &str| told(&["explain", &how_to, "--like", like]);
    let (code, text, error) = explain("cafe=hotel-udp-blocked");
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(
        text.contains("rules at cafe\n  wall udp-blocked: "),
        "{text}"
    );
    let (code, _, error) = explain("cafe=hotel-udp-bloked");
    assert_eq!(code, 1);
    assert!(
        error.contains("did you mean `hotel-udp-blocked`?"),
        "{error}"
    );
    let (code, _, error) = explain("hotel-portal");
    assert_eq!(code, 64, "{error}");
    assert!(error.contains("e.g. cafe=hotel-portal"), "{error}");
}

#[test]
fn explain_prints_the_plan_for_people_and_for_programs() {
    let (code, text, _) = told(&["explain", &scenario("how-to")]);
    assert_eq!(code, 0);
    assert!(
        text.contains("2001:db8:85a3:ef00::/56 via 2001:db8:85a3:a1a1::1"),
        "{text}"
    );
    let (_, json, _) = told(&["explain", "--json", &scenario("how-to")]);
    let plan: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        plan["overlay"]["sites"][0]["prefix"],
        "2001:db8:85a3:ef11::/64"
    );
}

#[test]
fn daemons_may_come_with_the_lab() {
    let _alone = alone();
    let lab = Lab(format!("daemons-{}", std::process::id()));
    let how_to = scenario("how-to");
    let (code, said, error) = told(&["up", &how_to, "--name", &lab.0, "--daemon", "tincd"]);
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("/var/log/tincd.log"), "{said}");
    assert!(
        lab.exec("v6router", &["cat", "/var/log/tincd.log"])
            .1
            .contains("Ready")
    );
    let overlay = lab
        .exec(
            "node_one",
            &["ip", "-6", "address", "show", "dev", "v6router"],
        )
        .1;
    assert!(overlay.contains("2001:db8:85a3:ef00::11/64"), "{overlay}");
}

#[test]
fn who_watches_a_lab_sees_its_processes_and_counters_until_it_ends() {
    let _alone = alone();
    let lab = Lab::up("watched");
    let sleeper = ["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 &"];
    assert_eq!(lab.exec("cafe", &sleeper).0, 0);
    let (code, json, error) = told(&["watch", &lab.0, "--json", "--every", "0.1", "--looks", "2"]);
    assert_eq!(code, 0, "{error}");
    let looks: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(looks.len(), 2, "{json}");
    let cafe = &looks[1]["nodes"]["cafe"];
    assert_eq!(cafe["processes"][0]["command"], "sleep 1000", "{json}");
    assert!(
        cafe["interfaces"]["wan0"]["received"].as_u64() > Some(0),
        "{json}"
    );
    let mut watch = Command::new(env!("CARGO_BIN_EXE_v6lab"))
        .args(["watch", &lab.0, "--every", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(watch.stdout.take().unwrap()).lines();
    // It has joined the lab when it has said something.
    assert!(said.next().unwrap().unwrap().starts_with(&lab.0));
    assert_eq!(told(&["down", &lab.0]).0, 0);
    let last = said.last().unwrap().unwrap();
    assert_eq!(last, format!("{} is down", lab.0));
    assert!(watch.wait().unwrap().success());
}
