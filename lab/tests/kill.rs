//! A run that is killed at any moment leaves the host as it was. Needs what `v6lab doctor` asks for and Debian's tincd,
//! and fails where that is missing.
//!
//! V6_KILLS=N kills N runs instead of a handful; V6_SEED=N does it at the same moments again.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How many runs are killed if nobody says.
const KILLS: u64 = 8;

/// How long after its start a run is killed at the latest, in milliseconds; about when it would end.
const LATEST: u64 = 2500;

/// How long the kernel may take to clear up.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_run_killed_at_any_moment_leaves_the_host_as_it_was() {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let (kills, seed) = (number("V6_KILLS", KILLS), number("V6_SEED", now));
    println!("V6_SEED={seed}");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kill-{}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    let before = Host::look();
    let mut alive = 0;
    for turn in 0..kills {
        let chance = |what: &str| {
            let mut hash = DefaultHasher::new();
            (seed, turn, what).hash(&mut hash);
            hash.finish()
        };
        let mut run = v6lab(&home)
            .args(["run", "--daemon", "tincd"])
            .arg(house().join("features/howto/works.feature"))
            .spawn()
            .unwrap();
        let moment = chance("moment") % LATEST;
        // Any moment will do, so there is nothing to wait for.
        std::thread::sleep(Duration::from_millis(moment));
        let family = family(run.id());
        let namespaces = foreign_pid_namespaces(&family);
        alive += strays(&home, &namespaces).len();
        // The runner's own processes come first in each generation, and are the ones most interesting to kill.
        let victims = family.len().min(4) as u64;
        let victim = family[usize::try_from(chance("victim") % victims).unwrap()];
        println!(
            "turn {turn}: process {victim} of {} after {moment} ms",
            family.len()
        );
        kill(
            Pid::from_raw(i32::try_from(victim).unwrap()),
            Signal::SIGKILL,
        )
        .unwrap();
        run.wait().unwrap();
        let left = || strays(&home, &namespaces);
        assert!(
            eventually(|| left().is_empty()),
            "turn {turn}: {:?}",
            left()
        );
    }
    assert!(
        alive > 0,
        "who looks for processes must find them while they live"
    );
    assert!(v6lab(&home).arg("gc").status().unwrap().success());
    let files: Vec<PathBuf> = fs::read_dir(&home)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    fs::remove_dir_all(&home).unwrap();
    assert!(files.is_empty(), "{files:?}");
    if !eventually(|| Host::look() == before) {
        assert_eq!(Host::look(), before);
    }
}

/// A host as its owner sees it.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    namespaces: String,
    interfaces: Vec<String>,
    ruleset: String,
    mounts: String,
}

impl Host {
    fn look() -> Self {
        // Beyond the name are counters and states.
        let name = |line: &str| line.split(": ").take(2).collect::<Vec<_>>().join(": ");
        Self {
            namespaces: told("ip", &["netns", "list"]),
            interfaces: told("ip", &["-o", "link"]).lines().map(name).collect(),
            ruleset: told("nft", &["list", "ruleset"]),
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap(),
        }
    }
}

/// What a program says; an ordinary user is refused the ruleset, and that in the same words each time.
fn told(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; see `v6lab doctor`"));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// v6lab, with a place for temporary files by which all of its processes can be told.
fn v6lab(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6lab"));
    command
        .env("TMPDIR", home)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A process and all that descend from it, parents first.
fn family(first: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = processes()
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut family = vec![first];
    let mut next = 0;
    while let Some(elder) = family.get(next).copied() {
        let children = parents.iter().filter(|(_, parent)| *parent == elder);
        family.extend(children.map(|(pid, _)| pid));
        next += 1;
    }
    family
}

fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the command in parentheses, may itself contain anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn pid_namespace(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Namespaces of process numbers that are not the one of this test.
fn foreign_pid_namespaces(family: &[u32]) -> HashSet<PathBuf> {
    let ours = pid_namespace(std::process::id());
    let namespaces = family.iter().filter_map(|pid| pid_namespace(*pid));
    namespaces
        .filter(|found| Some(found) != ours.as_ref())
        .collect()
}

/// Processes of killed runs: those that have the run's environment, and those that have its process numbers.
fn strays(home: &Path, namespaces: &HashSet<PathBuf>) -> Vec<u32> {
    let home = home.to_str().unwrap();
    let is_stray = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(home)
            || pid_namespace(*pid).is_some_and(|namespace| namespaces.contains(&namespace))
    };
    processes().filter(is_stray).collect()
}

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
