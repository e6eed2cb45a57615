//! What is written down of a scenario beside its steps, while they go on: its network, what passes on the links, and what
//! becomes of its daemons.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::fs;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::{Record, World};
use crate::actors::{Daemon, Product};
use crate::fabric::{Lab, Process};
use crate::model::Scenario;
use crate::observe::{self, Recording, Traffic};
use crate::report::events::{self, DaemonState, Drawing, Event, LinkTraffic};

/// How often daemons are looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Every how many glances counters are read.
const COUNT: u32 = 3;

/// Name of a scenario's recording in its directory.
pub(super) const RECORDING: &str = "links.pcapng";

/// Writes down what happens until it is ended.
#[derive(Debug)]
pub(super) struct Watch {
    daemons: Arc<Mutex<Vec<Watched>>>,
    /// Gone when the watch is over.
    over: oneshot::Sender<()>,
    task: JoinHandle<Option<Recording>>,
}

#[derive(Debug)]
struct Watched {
    node: String,
    product: Product,
    process: Process,
    state: DaemonState,
}

/// Where a link's counters are: a thread in the machine at its far end, and the interface there.
#[derive(Debug)]
struct Counter {
    link: String,
    tid: i32,
    interface: String,
    /// Before the scenario.
    first: Traffic,
    last: Traffic,
}

impl World {
    /// Begins to write down what happens in the network that now stands, if anything is to be written.
    pub(super) async fn watch(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        let (Some(record), Ok(lab)) = (&self.stage()?.record, self.lab()) else {
            return Ok(());
        };
        let venues = scenario.venues.iter();
        let venues = venues
            .map(|venue| (venue.name.get_ref().clone(), venue.like.get_ref().clone()))
            .collect();
        record.write(Event::Network(Drawing::new(lab.plan(), venues)));
        let recording = if record.captures.begin() {
            let dir = &self.stage()?.logs;
            fs::create_dir_all(dir).await?;
            let about = format!("Scenario: {}", record.name);
            Some(Recording::start(lab, &dir.join(RECORDING), &about).await?)
        } else {
            None
        };
        let daemons = Arc::<Mutex<Vec<Watched>>>::default();
        let (over, end) = oneshot::channel();
        let task = tokio::spawn(go_on(
            record.clone(),
            counters(lab),
            Arc::clone(&daemons),
            recording,
            end,
        ));
        self.watch = Some(Watch {
            daemons,
            over,
            task,
        });
        Ok(())
    }
}

impl Watch {
    /// Looks after a daemon that was just started, and no longer after those before it that have ended on the machine:
    /// that they are down is told before it is up.
    pub(super) fn daemon(&self, record: &Record, node: &str, daemon: &Daemon) {
        let watched = Watched {
            node: node.to_owned(),
            product: daemon.product(),
            process: daemon.process().clone(),
            state: DaemonState::Up,
        };
        let mut daemons = all(&self.daemons);
        daemons.retain_mut(|other| {
            if other.node != node {
                return true;
            }
            other.glance(record);
            other.state != DaemonState::Down
        });
        watched.tell(record);
        daemons.push(watched);
    }

    /// Ends with what is to be told at last; the recording of the links, if there is one, is whole then.
    pub(super) async fn end(self) -> io::Result<()> {
        drop(self.over);
        match self.task.await.map_err(io::Error::other)? {
            Some(recording) => recording.end().await,
            None => Ok(()),
        }
    }
}

impl Watched {
    fn tell(&self, record: &Record) {
        record.write(Event::Daemon {
            node: self.node.clone(),
            product: self.product.to_string(),
            state: self.state,
        });
    }

    /// Writes down its state, if that has changed.
    fn glance(&mut self, record: &Record) {
        let state = match self.process.status() {
            Some(_) => DaemonState::Down,
            None if self.process.is_frozen() => DaemonState::Frozen,
            None => DaemonState::Up,
        };
        if state != self.state {
            self.state = state;
            self.tell(record);
        }
    }
}

async fn go_on(
    record: Record,
    mut counters: Vec<Counter>,
    daemons: Arc<Mutex<Vec<Watched>>>,
    recording: Option<Recording>,
    mut end: oneshot::Receiver<()>,
) -> Option<Recording> {
    let mut news = record.journal.listen();
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0;
    loop {
        tokio::select! {
            _ = &mut end => break,
            (at, step) = next_step(&record, &mut news), if recording.is_some() => {
                if let Some(recording) = &recording {
                    recording.note(at, step);
                }
            }
            _ = glances.tick() => {
                all(&daemons).iter_mut().for_each(|daemon| daemon.glance(&record));
                if round % COUNT == 0 {
                    count(&record, &mut counters);
                }
                round += 1;
            }
        }
    }
    all(&daemons)
        .iter_mut()
        .for_each(|daemon| daemon.glance(&record));
    count(&record, &mut counters);
    recording
}

/// What stands at the frames of a recording: the next step of this scenario that begins or fails.
async fn next_step(
    record: &Record,
    news: &mut Receiver<(SystemTime, events::Record)>,
) -> (SystemTime, String) {
    loop {
        match news.recv().await {
            Ok((at, told)) if told.scenario.as_deref() == Some(&record.id) => match told.event {
                Event::StepStarted { text } => return (at, text),
                Event::StepEnded {
                    text,
                    reason: Some(reason),
                    ..
                } => return (at, format!("FAILED: {text}: {reason}")),
                _ => {}
            },
            // Of others, or too many of others at once.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn counters(lab: &Lab) -> Vec<Counter> {
    let links = lab.plan().links.iter();
    let counters = links.filter_map(|link| {
        let [_, end] = &link.ends;
        let tid = lab.node(&end.node).ok()?.tid();
        let first = *observe::traffic(tid).ok()?.get(&end.interface)?;
        Some(Counter {
            link: link.name.clone(),
            tid,
            interface: end.interface.clone(),
            first,
            last: first,
        })
    });
    counters.collect()
}

/// Writes down what has passed on the links on which anything has.
fn count(record: &Record, counters: &mut [Counter]) {
    let mut machines = BTreeMap::new();
    let mut links = Vec::new();
    for counter in counters {
        // An interface may have been taken away, a machine not.
        let now = machines
            .entry(counter.tid)
            .or_insert_with(|| observe::traffic(counter.tid).unwrap_or_default());
        let Some(now) = now.get(&counter.interface) else {
            continue;
        };
        if *now == counter.last {
            continue;
        }
        counter.last = *now;
        links.push(LinkTraffic {
            link: counter.link.clone(),
            down: now.received.saturating_sub(counter.first.received),
            up: now.sent.saturating_sub(counter.first.sent),
        });
    }
    if !links.is_empty() {
        record.write(Event::Traffic { links });
    }
}

fn all(daemons: &Mutex<Vec<Watched>>) -> MutexGuard<'_, Vec<Watched>> {
    daemons.lock().unwrap_or_else(PoisonError::into_inner)
}
