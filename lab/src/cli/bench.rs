//! `v6lab bench`: how long labs take to come, to be used and to go, and how much memory they take.

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use futures::future::try_join_all;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::Serialize;
use v6lab::fabric::Lab;
use v6lab::model::Scenario;
use v6lab::observe::{self, Ping};
use v6lab::plan::Plan;
use v6lab::session;

use super::Json;

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

#[derive(Args)]
pub(super) struct Bench {
    /// Rounds of each case
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Measure this many venues instead, each with a Pi
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    venues: Option<u16>,
    #[command(flatten)]
    output: Json,
}

/// Everything that was measured, and how.
#[derive(Serialize)]
struct Report {
    method: &'static str,
    machine: Machine,
    cases: Vec<Case>,
}

/// Where it was measured.
#[derive(Serialize)]
struct Machine {
    cpus: usize,
    kernel: String,
    /// Processes that wanted to run, averaged over the last minute, before anything was measured: others' load.
    load: f64,
    build: &'static str,
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
    /// By how much the machine's available memory fell, in bytes: what the kernel takes counts as well, and what others do
    /// meanwhile, too.
    machine: u64,
}

/// Seconds.
#[derive(Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// One round, in seconds.
struct Round {
    up: f64,
    ping: f64,
    down: f64,
    cpu: f64,
}

const METHOD: &str = "One after the other in one process, within a session that was entered before. up: `Lab::up` of a \
server, a core router and N venues (`home-default`) with a Pi each, until every link carries frames. ping: all Pis at \
once ping the server through their NAT, until each has one reply; who gets none fails the run. down: `Lab::down`, until \
no process, namespace or file is left. cpu: user and system time of the process and of its children. Memory is looked at \
every 5 ms in one more round that is not timed. The first round is a warm-up and does not count.";

impl Bench {
    pub(super) fn main(self) -> Result<i32> {
        let cases: Vec<(String, u16, Option<f64>)> = match self.venues {
            Some(venues) => vec![(format!("{venues} venues"), venues, None)],
            None => CASES
                .map(|(name, venues, goal)| (name.to_owned(), venues, Some(goal)))
                .into(),
        };
        let plans = cases.iter().map(|(_, venues, _)| plan(*venues));
        let plans: Vec<Plan> = plans.collect::<Result<_>>()?;
        let machine = Machine::look()?;
        session::enter()?;
        let cases = super::runtime()?.block_on(async {
            let mut measured = Vec::new();
            for ((name, venues, goal), plan) in cases.into_iter().zip(&plans) {
                let mut case = measure(plan, self.rounds).await?;
                (case.name, case.venues, case.goal) = (name, venues, goal);
                measured.push(case);
            }
            anyhow::Ok(measured)
        })?;
        let report = Report {
            method: METHOD,
            machine,
            cases,
        };
        if self.output.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.tell();
        }
        Ok(0)
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

async fn measure(plan: &Plan, rounds: u16) -> Result<Case> {
    round(plan).await?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(round(plan).await?);
    }
    let (resident, machine) = memory(plan).await?;
    let spread = |what: fn(&Round) -> f64| Spread::of(all.iter().map(what).collect());
    Ok(Case {
        name: String::new(),
        venues: 0,
        nodes: plan.nodes.len(),
        rounds,
        goal: None,
        up: spread(|round| round.up),
        ping: spread(|round| round.ping),
        down: spread(|round| round.down),
        total: spread(|round| round.up + round.ping + round.down),
        cpu: spread(|round| round.cpu),
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
pub(super) fn kilobytes(file: &std::path::Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

impl Machine {
    fn look() -> Result<Self> {
        let load = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        Ok(Self {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
            load: load.unwrap_or_default(),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        })
    }
}

impl Spread {
    fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |place: usize| all.get(place).copied().unwrap_or_default();
        Self {
            median: (at((all.len().max(1) - 1) / 2) + at(all.len() / 2)) / 2.0,
            min: at(0),
            max: at(all.len().saturating_sub(1)),
        }
    }
}

impl Report {
    fn tell(&self) {
        let Machine {
            cpus,
            kernel,
            load,
            build,
        } = &self.machine;
        println!("{cpus} cores, Linux {kernel}, load {load} before, {build} build");
        println!("medians (least) of the rounds, in seconds; memory in MB\n");
        println!(
            "{:14}{:>6}{:>7}{:>8}{:>8}{:>8}{:>18}{:>16}{:>10}{:>9}",
            "", "nodes", "rounds", "up", "ping", "down", "total", "cpu", "resident", "machine"
        );
        for case in &self.cases {
            let both = |spread: &Spread| format!("{:.3} ({:.3})", spread.median, spread.min);
            let megabytes = |bytes: u64| bytes / 1_000_000;
            let goal = case.goal.map_or(String::new(), |goal| {
                let met = if case.total.median <= goal {
                    ""
                } else {
                    "not "
                };
                format!("  {met}within {goal} s")
            });
            println!(
                "{:14}{:>6}{:>7}{:>8.3}{:>8.3}{:>8.3}{:>18}{:>16}{:>10}{:>9}{goal}",
                case.name,
                case.nodes,
                case.rounds,
                case.up.median,
                case.ping.median,
                case.down.median,
                both(&case.total),
                both(&case.cpu),
                megabytes(case.resident),
                megabytes(case.machine),
            );
        }
        println!("\n{}", self.method);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_rounds_has_its_median_in_between() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]).median, 2.0);
    }

    #[test]
    fn a_hundred_venues_are_two_hundred_machines() {
        assert_eq!(plan(99).unwrap().nodes.len(), 200);
    }
}
