//! How long labs take to come, to be used and to go, and how much memory they take.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::Serialize;

use super::table::table;
use super::{Machine, Spread};
use crate::fabric::Lab;
use crate::model::Scenario;
use crate::observe::{self, Ping};
use crate::plan::Plan;

/// Whom everybody pings, from behind a NAT.
const SERVER: (&str, &str) = ("hub", "198.51.100.10");

/// What is measured: a word for it, how many venues with a Pi each, and the longest time it may take for users not to
/// notice, which is ours.
const CASES: [(&str, u16, f64); 3] = [
    ("two venues", 2, 0.2),
    ("thirty venues", 30, 1.5),
    // With the server and the core router, 200 machines.
    ("200 nodes", 99, 10.0),
];

/// How often memory is looked at while a lab comes and goes. In a round of its own, which is not timed.
const LOOK: Duration = Duration::from_millis(5);

/// Labs that are to come and go.
pub struct Labs {
    cases: Vec<Wanted>,
    rounds: u16,
}

/// A size of lab that is to be measured.
struct Wanted {
    name: String,
    venues: u16,
    goal: Option<f64>,
    plan: Plan,
}

/// Everything that was measured, and how.
#[derive(Serialize)]
pub struct LabReport {
    method: &'static str,
    machine: Machine,
    cases: Vec<Case>,
}

/// One size of lab.
#[derive(Serialize)]
struct Case {
    name: String,
    venues: u16,
    nodes: usize,
    rounds: u16,
    /// The time it should take at most, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<f64>,
    up: Spread,
    ping: Spread,
    down: Spread,
    /// All three.
    total: Spread,
    /// Processor time of all three, of everything that runs, in user and kernel mode.
    cpu: Spread,
    /// Resident memory of the runner and of all processes it starts, at its highest, in bytes.
    resident: u64,
    /// By how much the machine's available memory fell, in bytes: what the kernel takes counts as well, and what
    /// others do meanwhile, too.
    machine: u64,
}

/// One round, in seconds.
struct Round {
    up: f64,
    ping: f64,
    down: f64,
    cpu: f64,
}

const METHOD: &str = "One after the other in one process, within a session that was entered before. up: `Lab::up` of \
a server, a core router and N venues (`home-default`) with a Pi each, until every link carries frames. ping: all Pis \
at once ping the server through their NAT, until each has one reply; who gets none fails the run. down: `Lab::down`, \
until no process, namespace or file is left. cpu: user and system time of the process and of its children. Memory is \
looked at every 5 ms in one more round that is not timed. The first round is a warm-up and does not count.";

impl Labs {
    /// Labs of a few sizes, or of so many `venues`, each measured in so many rounds.
    ///
    /// # Errors
    /// When the venues' kind is not among the scenarios.
    pub fn prepare(venues: Option<u16>, rounds: u16) -> Result<Self> {
        let wanted: Vec<(String, u16, Option<f64>)> = match venues {
            Some(venues) => vec![(format!("{venues} venues"), venues, None)],
            None => CASES
                .map(|(name, venues, goal)| (name.to_owned(), venues, Some(goal)))
                .into(),
        };
        let cases = wanted.into_iter().map(|(name, venues, goal)| {
            let plan = plan(venues)?;
            Ok(Wanted {
                name,
                venues,
                goal,
                plan,
            })
        });
        Ok(Self {
            cases: cases.collect::<Result<_>>()?,
            rounds,
        })
    }

    /// Measures, within a session.
    ///
    /// # Errors
    /// When a lab cannot be built, pinged or taken down.
    pub async fn measure(self, machine: Machine) -> Result<LabReport> {
        let mut cases = Vec::new();
        for wanted in &self.cases {
            cases.push(measure(wanted, self.rounds).await?);
        }
        Ok(LabReport {
            method: METHOD,
            machine,
            cases,
        })
    }
}

/// A server and venues with a Pi each.
fn plan(venues: u16) -> Result<Plan> {
    let (server, address) = SERVER;
    let mut scenario = Scenario::builder("bench").server(server, [format!("{address}/24")]);
    for n in 0..venues {
        let (venue, wan) = (format!("venue{n}"), format!("203.0.113.{}/24", n + 2));
        scenario = scenario
            .venue(&venue, "home-default", wan, format!("10.{n}.0.0/24"))
            .pi(&pi(n), &venue);
    }
    Ok(Plan::new(&scenario.build()?))
}

fn pi(n: u16) -> String {
    format!("pi{n}")
}

async fn measure(wanted: &Wanted, rounds: u16) -> Result<Case> {
    let plan = &wanted.plan;
    round(plan).await?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(round(plan).await?);
    }
    let (resident, machine) = memory(plan).await?;
    let spread = |what: fn(&Round) -> f64| {
        let all: Vec<f64> = all.iter().map(what).collect();
        Spread::of(&all).context("no round was played")
    };
    Ok(Case {
        name: wanted.name.clone(),
        venues: wanted.venues,
        nodes: plan.nodes.len(),
        rounds,
        goal: wanted.goal,
        up: spread(|round| round.up)?,
        ping: spread(|round| round.ping)?,
        down: spread(|round| round.down)?,
        total: spread(|round| round.up + round.ping + round.down)?,
        cpu: spread(|round| round.cpu)?,
        resident,
        machine,
    })
}

async fn round(plan: &Plan) -> Result<Round> {
    let worked = cpu()?;
    let started = Instant::now();
    let lab = Lab::up(plan).await?;
    let up = started.elapsed();
    ping(&lab).await?;
    let pinged = started.elapsed();
    lab.down().await?;
    let down = started.elapsed();
    Ok(Round {
        up: up.as_secs_f64(),
        ping: (pinged - up).as_secs_f64(),
        down: (down - pinged).as_secs_f64(),
        cpu: cpu()? - worked,
    })
}

/// Every Pi, at once.
async fn ping(lab: &Lab) -> Result<()> {
    let target: IpAddr = SERVER.1.parse()?;
    let how = Ping {
        count: 1,
        ..Ping::default()
    };
    let pis = lab
        .nodes()
        .iter()
        .filter(|node| node.name().starts_with("pi"));
    let pings = pis.map(async |node| {
        let report = observe::ping(node, target, &how).await?;
        ensure!(report.lost() == 0, "{} got no reply", node.name());
        Ok(())
    });
    try_join_all(pings).await.map(drop)
}

/// Processor time of this process and its children so far, in seconds.
fn cpu() -> Result<f64> {
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    let mut all = 0.0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).context("cannot read this process's times")?;
        all += seconds(usage.user_time()) + seconds(usage.system_time());
    }
    Ok(all)
}

/// A round under observation: the highest resident memory of all processes of the session, and by how much the
/// machine's available memory fell.
async fn memory(plan: &Plan) -> Result<(u64, u64)> {
    let before = available()?;
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    let watch = std::thread::spawn(move || {
        let (mut resident, mut least) = (0, before);
        while !over.load(Ordering::Relaxed) {
            resident = resident.max(residents());
            least = least.min(available().unwrap_or(before));
            std::thread::sleep(LOOK);
        }
        (resident, before.saturating_sub(least))
    });
    let ended = round(plan).await;
    done.store(true, Ordering::Relaxed);
    let seen = watch.join();
    ended?;
    seen.map_err(|_| anyhow::anyhow!("who watched the memory has panicked"))
}

/// Resident memory of every process in the session, in bytes. What they share counts for each.
fn residents() -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let resident =
        processes.filter_map(|process| kilobytes(&process.path().join("status"), "VmRSS:"));
    resident.sum::<u64>()
}

fn available() -> Result<u64> {
    kilobytes("/proc/meminfo".as_ref(), "MemAvailable:").context("no MemAvailable in /proc/meminfo")
}

/// The value of a line like `VmRSS:   1234 kB`, in bytes.
pub fn kilobytes(file: &std::path::Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

impl fmt::Display for LabReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "medians (least) of the rounds, in seconds; memory in MB\n"
        )?;
        let head = [
            "", "nodes", "rounds", "up", "ping", "down", "total", "cpu", "resident", "machine", "",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.cases.iter().map(Case::row));
        write!(f, "{}\n{}", table(&rows), self.method)
    }
}

impl Case {
    fn row(&self) -> Vec<String> {
        let median = |spread: &Spread| format!("{:.3}", spread.median);
        let both = |spread: &Spread| format!("{:.3} ({:.3})", spread.median, spread.min);
        let megabytes = |bytes: u64| (bytes / 1_000_000).to_string();
        let goal = self.goal.map_or(String::new(), |goal| {
            let met = if self.total.median <= goal {
                ""
            } else {
                "not "
            };
            format!("{met}within {goal} s")
        });
        vec![
            self.name.clone(),
            self.nodes.to_string(),
            self.rounds.to_string(),
            median(&self.up),
            median(&self.ping),
            median(&self.down),
            both(&self.total),
            both(&self.cpu),
            megabytes(self.resident),
            megabytes(self.machine),
            goal,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_venues_are_two_hundred_machines() {
        assert_eq!(plan(99).unwrap().nodes.len(), 200);
    }
}
