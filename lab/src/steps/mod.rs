//! The vocabulary of the features: one file a topic, each step a sentence about machines, never about interfaces of
//! the lab itself. A step says what is to be seen and within what time; none just waits.

mod bundle;
mod check;
mod commands;
mod daemons;
mod events;
mod flood;
mod forger;
mod intruder;
mod kernel;
mod kit;
mod line;
mod mistakes;
mod network;
mod packets;
mod portal;
mod radio;
mod reach;
mod record;
mod refusals;
mod rogue;
mod router;
mod service;
mod status;
mod venue;
mod vocabulary;
mod watch;
mod way;
mod wire;

pub(crate) use network::network_of;
pub use record::{Captures, Record};
pub(crate) use vocabulary::mistake;
pub use vocabulary::{Sentence, vocabulary};

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use crate::actors::{Daemon, Daemons, KeyRing, Pose, Product, Programs, Reception, tail};
use crate::fabric::{ExecOutput, Lab, Node};
use crate::observe::{Capture, KernelState, Talk};
use crate::plan::{Overlay, Plan};
use crate::probe::Proofs;
use crate::report::Notes;
use crate::report::events::Event;

/// What the scenarios of one run have in common.
#[derive(Debug)]
pub struct Setting {
    /// Which daemons are put to the test.
    pub daemons: Daemons,
    /// Where their programs are.
    pub programs: Programs,
    /// Keys for their machines.
    pub keys: KeyRing,
    /// NAT kinds that were found to be what their files say.
    pub proofs: Proofs,
    /// Decides whatever is left to chance in their networks.
    pub seed: u64,
    /// What is to be told beside the steps' outcomes.
    pub notes: Arc<Notes>,
}

/// One scenario's network, and what was seen there so far.
#[derive(Debug, Default, cucumber::World)]
pub struct World {
    stage: Option<Stage>,
    lab: Option<Lab>,
    /// What runs on machines for which a scenario does not leave that to the run.
    cast: BTreeMap<String, Product>,
    daemons: BTreeMap<String, Daemon>,
    /// The machine whose daemon was started last, after an earlier one there had ended.
    restarted: Option<String>,
    noted: BTreeMap<String, KernelState>,
    capture: Option<Capture>,
    ran: Option<(String, ExecOutput)>,
    siege: Option<flood::Siege>,
    /// How an intruder posed, and how far that got him.
    intrusion: Option<(Pose, Reception)>,
    /// A connection on which something is said all the time.
    talk: Option<Talk>,
    /// IPv4 packets that were kept to be sent again.
    kept: Vec<Vec<u8>>,
    /// From when figures are told, until somebody reaches somebody: when that was, and what.
    since: Option<(Instant, &'static str)>,
    /// What was measured, in sentences.
    measured: Vec<String>,
    /// What is written down meanwhile.
    watch: Option<watch::Watch>,
}

/// Where a scenario plays.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What it shares with the others.
    pub setting: Arc<Setting>,
    /// The feature's file.
    pub feature: PathBuf,
    /// Directory for the logs of its daemons.
    pub logs: PathBuf,
    /// What else is written down of it.
    pub record: Option<Record>,
}

/// What a step comes to. The text of a failure is all that its reader gets, so it holds the whole chain of reasons.
type Outcome<T = ()> = Result<T, Failure>;

/// Why a step did not come to what it says.
#[derive(Debug)]
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

/// Fails a step with a reason.
macro_rules! fail {
    ($($reason:tt)*) => {
        return Err($crate::steps::Failure(anyhow::anyhow!($($reason)*)))
    };
}
use fail;

impl World {
    /// Puts the scenario on its stage, before its first step.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = Some(stage);
    }

    /// Takes everything down, after its last step, and fails if anything is left of it.
    pub(crate) async fn leave(&mut self) -> anyhow::Result<()> {
        self.siege = None;
        self.talk = None;
        self.capture = None;
        self.daemons.clear();
        if let Some(lab) = self.lab.take() {
            let traces = lab.traces();
            lab.down().await?;
            traces.gone().await?;
        }
        Ok(())
    }

    /// What is to be told after the last step: what was measured and, of a failure, the last words of the daemons and
    /// where the others are.
    pub(crate) async fn remark(&self, failed: bool) -> Option<String> {
        let mut lines = self.measured.clone();
        if failed && !self.daemons.is_empty() {
            lines.push(format!("logs: {}", self.stage.as_ref()?.logs.display()));
            for (node, daemon) in &self.daemons {
                let words = daemon.words().await;
                let words = words.unwrap_or_else(|error| error.to_string());
                lines.push(format!("{} on {node} said:", daemon.product()));
                lines.push(tail(&words).trim_end().to_owned());
            }
        }
        let text = (!lines.is_empty()).then(|| lines.join("\n"))?;
        if let Some(record) = &self.stage.as_ref()?.record {
            record.write(Event::Remark { text: text.clone() });
        }
        Some(text)
    }

    fn stage(&self) -> anyhow::Result<&Stage> {
        self.stage
            .as_ref()
            .context("the scenario was not put on a stage")
    }

    fn lab(&self) -> anyhow::Result<&Lab> {
        self.lab
            .as_ref()
            .context("no network stands yet: begin with `Given the network \"NAME\"`")
    }

    fn plan(&self) -> anyhow::Result<&Plan> {
        Ok(self.lab()?.plan())
    }

    fn node(&self, name: &str) -> anyhow::Result<&Node> {
        Ok(self.lab()?.node(name)?)
    }

    fn overlay(&self) -> anyhow::Result<&Overlay> {
        self.plan()?
            .overlay
            .as_ref()
            .context("this network has no overlay")
    }

    /// The machines that run a daemon, the server first.
    fn members(&self) -> anyhow::Result<Vec<String>> {
        let overlay = self.overlay()?;
        let pis = overlay.sites.iter().map(|site| site.node.clone());
        Ok([overlay.server.clone()].into_iter().chain(pis).collect())
    }

    /// What runs, or is to run, on a machine.
    fn product(&self, node: &str) -> anyhow::Result<Product> {
        let chosen = self.cast.get(node).copied();
        let setting = &self.stage()?.setting;
        Ok(chosen.unwrap_or(setting.daemons.on(self.overlay()?, node)))
    }

    fn daemon(&self, node: &str) -> anyhow::Result<&Daemon> {
        self.daemons
            .get(node)
            .with_context(|| format!("no daemon was started on {node}"))
    }

    /// The address that is meant by a machine's name: on the overlay if it has one there, otherwise its own.
    fn address(&self, name: &str) -> anyhow::Result<IpAddr> {
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        let overlay = self.plan()?.overlay.as_ref();
        let on_overlay = overlay.and_then(|overlay| {
            let site = overlay.sites.iter().find(|site| site.node == name);
            let server = (overlay.server == name).then_some(overlay.address);
            site.map(|site| site.address).or(server)
        });
        if let Some(address) = on_overlay {
            return Ok(address.into());
        }
        let interfaces = self.node(name)?.interfaces().iter();
        let addresses = interfaces
            .flat_map(|interface| &interface.addresses)
            .map(|address| address.net.addr);
        let best = addresses
            .filter(|address| !is_link_local(*address))
            .max_by_key(IpAddr::is_ipv6);
        best.ok_or_else(|| anyhow!("{name} has no address"))
    }

    /// Whose address it is; the address itself for nobody's.
    fn name_of(&self, address: IpAddr) -> String {
        let known = self.lab.as_ref().and_then(|lab| {
            let has = |name: &&str| {
                let node = lab
                    .plan()
                    .node(name)
                    .into_iter()
                    .flat_map(|node| &node.interfaces);
                let mut own = node.flat_map(|interface| &interface.addresses);
                own.any(|own| own.net.addr == address)
                    || self.address(name).is_ok_and(|meant| meant == address)
            };
            lab.nodes().iter().map(Node::name).find(has)
        });
        known.map_or_else(|| address.to_string(), str::to_owned)
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// A time limit as written in a step.
fn seconds(number: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(number).with_context(|| format!("{number} s is no time limit"))
}
