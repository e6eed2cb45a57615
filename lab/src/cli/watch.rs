//! `v6lab watch`: what a lab that is up is doing, as it does it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use nix::unistd::Pid;
use serde::Serialize;
use v6lab::bench::kilobytes;
use v6lab::observe::{Traffic, traffic};
use v6lab::report::amount;
use v6lab::session;

use super::Json;
use super::keeper::{self, Note, Roster};
use v6lab::say;

/// Clears a terminal and goes to its upper left corner (ECMA-48).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Width of the first column.
const COLUMN: usize = 22;

#[derive(Args)]
pub(super) struct Watch {
    /// The lab, if several are up
    #[arg(value_name = "LAB")]
    name: Option<String>,
    /// How often to look, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = period)]
    every: f64,
    /// End after that many looks, not with the lab
    #[arg(long, value_name = "N")]
    looks: Option<u64>,
    #[command(flatten)]
    output: Json,
}

/// A lab at one moment.
#[derive(Serialize)]
struct Snapshot {
    lab: String,
    /// Seconds since the first look.
    at: f64,
    nodes: BTreeMap<String, State>,
}

/// A machine at one moment.
#[derive(Default, Serialize)]
struct State {
    processes: Vec<Process>,
    interfaces: BTreeMap<String, Traffic>,
}

/// A process that is in a machine's network.
#[derive(Serialize)]
struct Process {
    pid: i32,
    command: String,
    /// As in proc_pid_stat(5): `R` runs, `S` waits, `T` is stopped.
    state: char,
    /// Bytes.
    memory: u64,
}

impl Watch {
    pub(super) fn main(self) -> Result<i32> {
        let note = Note::find(self.name.as_deref())?;
        session::join(Pid::from_raw(note.session))?;
        let roster = keeper::roster()?;
        let (began, mut before) = (Instant::now(), None);
        for look in 1.. {
            let Some(nodes) = look_at(&roster) else {
                if !self.output.json {
                    say!("{} is down", note.name);
                }
                return Ok(0);
            };
            let now = Snapshot {
                lab: note.name.clone(),
                at: began.elapsed().as_secs_f64(),
                nodes,
            };
            let told = if self.output.json {
                format!("{}\n", serde_json::to_string(&now)?)
            } else {
                page(&now, before.as_ref())
            };
            let mut out = io::stdout();
            let written = out.write_all(told.as_bytes()).and_then(|()| out.flush());
            // Whoever has read enough need not say so.
            if written.is_err() || self.looks.is_some_and(|looks| look >= looks) {
                return Ok(0);
            }
            before = Some(now);
            sleep(Duration::from_secs_f64(self.every));
        }
        Ok(0)
    }
}

fn period(text: &str) -> Result<f64, String> {
    let seconds: Option<f64> = text.parse().ok();
    let sensible = seconds.filter(|seconds| (0.05..=3600.0).contains(seconds));
    sensible.ok_or_else(|| "a time from 0.05 to 3600 seconds, such as 0.5".to_owned())
}

/// All machines; nothing when the lab has gone.
fn look_at(roster: &Roster) -> Option<BTreeMap<String, State>> {
    let mut networks = BTreeMap::new();
    let mut nodes = BTreeMap::new();
    for (name, tid) in roster {
        let state = State {
            processes: Vec::new(),
            interfaces: traffic(*tid).ok()?,
        };
        networks.insert(fs::read_link(format!("/proc/{tid}/ns/net")).ok()?, name);
        nodes.insert(name.clone(), state);
    }
    let all = fs::read_dir("/proc").ok()?.flatten();
    for pid in all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        let network = fs::read_link(format!("/proc/{pid}/ns/net"));
        let node = network.ok().and_then(|network| networks.get(&network));
        // It may have ended meanwhile.
        if let (Some(node), Some(process)) = (node, process(pid))
            && let Some(state) = nodes.get_mut(*node)
        {
            state.processes.push(process);
        }
    }
    Some(nodes)
}

fn process(pid: i32) -> Option<Process> {
    let folder = Path::new("/proc").join(pid.to_string());
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let words = read("cmdline")?;
    let words: Vec<&str> = words.split_terminator('\0').collect();
    let stat = read("stat")?;
    // The command stands in brackets, in which there may be anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(Process {
        pid,
        command: words.join(" "),
        state: rest.chars().next()?,
        memory: kilobytes(&folder.join("status"), "VmRSS:").unwrap_or(0),
    })
}

/// A lab for people, with what passes in a second if it was looked at before.
fn page(now: &Snapshot, before: Option<&Snapshot>) -> String {
    let mut text = String::new();
    if io::stdout().is_terminal() {
        text.push_str(CLEAR);
    }
    text.push_str(&format!("{} after {:.1} s\n", now.lab, now.at));
    let passed = before.map_or(0.0, |before| now.at - before.at);
    for (name, state) in &now.nodes {
        text.push_str(&format!("\n{name}\n"));
        for (interface, traffic) in state.interfaces.iter().filter(|(name, _)| *name != "lo") {
            let known = before.and_then(|before| before.nodes.get(name)?.interfaces.get(interface));
            let rate = |new: u64, old: fn(&Traffic) -> u64| match known {
                Some(known) if passed > 0.0 => {
                    let more = new.saturating_sub(old(known));
                    format!("{}/s", amount((more as f64 / passed) as u64))
                }
                _ => String::new(),
            };
            text.push_str(&format!(
                "  {interface:COLUMN$} received {:>8} {:>10}   sent {:>8} {:>10}\n",
                amount(traffic.received),
                rate(traffic.received, |traffic| traffic.received),
                amount(traffic.sent),
                rate(traffic.sent, |traffic| traffic.sent),
            ));
        }
        for process in &state.processes {
            let Process {
                pid,
                command,
                state,
                memory,
            } = process;
            let memory = amount(*memory);
            text.push_str(&format!(
                "  {pid:<COLUMN$} {state} {memory:>8}  {command}\n"
            ));
        }
    }
    text
}
