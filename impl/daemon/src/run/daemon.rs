//! The control loop: await one thing, feed it to the core, do what the core wants.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use rand::rngs::ThreadRng;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};
use v6router_core::node::{ConnId, Input, Node, Order};
use v6router_core::router::BorderRules;

use super::picture::Pictures;
use super::routing::Routing;
use super::streams::{DialResult, Dialling, Stream};
use crate::cli::Invocation;
use crate::config::ServerConfig;
use crate::io::admission::{Admission, Tarpit};
use crate::io::datapath::{Datapath, Deliveries, Reports};
use crate::io::device::Device;
use crate::io::listen::Pair;
use crate::io::meta::MetaEvent;
use crate::io::notify::Manager;
use crate::io::transport::Transport;
use crate::io::watch::Sleep;
use crate::logging::{LIST, Log};
use crate::scripts::{Runner, Scripts};
use crate::signals::{Caught, Signals};
use crate::status::{Asked, Server};

/// How long the stop waits for scripts; ours. tincd waits for ever.
const SCRIPTS_GRACE: Duration = Duration::from_secs(60);
/// Events of meta connections taken at once.
const EVENTS_AT_ONCE: usize = 64;
/// How long they are taken at most before anything else has its turn; ours. So many handshakes take about as long.
const EVENTS_TAKE: Duration = Duration::from_millis(100);
/// Reports of the packet threads taken at once.
const REPORTS_AT_ONCE: usize = 256;

/// What the daemon was started with.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) invocation: Invocation,
    pub(super) config: ServerConfig,
    /// Sockets that whoever started us has opened, until they are used.
    pub(super) inherited: Vec<TcpListener>,
    /// The sockets, if they are open before the daemon starts, until it does.
    pub(super) opened: Option<Vec<Pair>>,
}

/// The daemon at work.
pub(super) struct Daemon {
    pub(super) setup: Setup,
    pub(super) log: Log,
    pub(super) node: Node,
    pub(super) rng: ThreadRng,
    pub(super) device: Arc<Device>,
    pub(super) datapath: Datapath,
    /// Frames of meta connections that are for the device.
    pub(super) deliveries: Deliveries,
    /// The router beside us, if we are one.
    pub(super) routing: Option<Routing>,
    pub(super) reports: Reports,
    pub(super) runner: Runner,
    pub(super) streams: HashMap<ConnId, Stream>,
    pub(super) next_conn: u64,
    pub(super) admission: Admission<(TcpStream, SocketAddr)>,
    pub(super) tarpit: Tarpit<Arc<Transport>>,
    pub(super) dialling: Dialling,
    pub(super) channels: Channels,
    pub(super) acceptors: Vec<JoinHandle<()>>,
    pub(super) announcing: Announcing,
    pub(super) pictures: Pictures,
    pub(super) manager: Manager,
    /// When to tell the manager again that we are alive.
    pub(super) heartbeat: Option<Instant>,
    pub(super) sleep: Sleep,
    pub(super) began: Instant,
    /// Answers who asks for our status; removed with the daemon.
    pub(super) status_server: Option<Server>,
    /// Leave to look up the name of an address for the log.
    pub(super) name_lookups: Arc<Semaphore>,
}

/// When to tell the mesh again where our device's addresses are.
#[derive(Debug, Default)]
pub(super) struct Announcing {
    left: u32,
    at: Option<Instant>,
}

impl Announcing {
    /// How often an address is announced, and how far apart (RFC 4861 section 10:
    /// `MAX_NEIGHBOR_ADVERTISEMENT`, `RETRANS_TIMER`). Addresses are checked for duplicates in
    /// the second after `tinc-up` and must not be announced before that is done.
    const TIMES: u32 = 3;
    const APART: Duration = Duration::from_secs(1);

    /// From now on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.left = Self::TIMES;
        self.at = Some(now);
    }

    /// Whether to announce now.
    fn is_due(&mut self, now: Instant) -> bool {
        if self.at.is_none_or(|at| now < at) {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        self.at = (self.left > 0).then_some(now + Self::APART);
        true
    }
}

/// Where the loop hears from its tasks, and what new tasks are given to speak.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) meta: mpsc::Sender<(ConnId, MetaEvent)>,
    pub(super) from_meta: mpsc::Receiver<(ConnId, MetaEvent)>,
    pub(super) from_dials: mpsc::Receiver<DialResult>,
    pub(super) from_acceptors: mpsc::Receiver<(TcpStream, SocketAddr)>,
    pub(super) from_network: mpsc::Receiver<()>,
    pub(super) from_status: mpsc::Receiver<Asked>,
}

impl Daemon {
    /// The configuration directory has become the root directory.
    pub(super) fn root_changed(&mut self, scripts: Scripts) {
        self.setup.invocation.layout.root_changed();
        self.runner = Runner::start(scripts);
    }

    /// Everything stands and all privileges that were to go are gone.
    pub(super) fn ready(&mut self) {
        self.manager.ready();
        self.heartbeat = self.manager.heartbeat().map(|every| Instant::now() + every);
    }

    /// Runs until a signal says stop.
    ///
    /// # Errors
    /// If the packet path broke; the stop is then as orderly as after a signal.
    pub(super) async fn serve(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        loop {
            let deadline = self.deadline();
            let due = deadline.map_or_else(far_future, tokio::time::Instant::from_std);
            tokio::select! {
                caught = signals.next() => {
                    if let Caught::Stop(name) = caught {
                        info!("Got {name} signal");
                        return Ok(());
                    }
                    self.obey(caught);
                }
                Some((conn, event)) = self.channels.from_meta.recv() => {
                    let end = Instant::now() + EVENTS_TAKE;
                    self.heard(conn, event);
                    // What a crowd says is passed on together.
                    for _ in 0..EVENTS_AT_ONCE {
                        if self.node.has_much_to_do() || Instant::now() >= end { break }
                        let Ok((conn, event)) = self.channels.from_meta.try_recv() else { break };
                        self.heard(conn, event);
                    }
                }
                Some((stream, peer)) = self.channels.from_acceptors.recv() => self.accepted(stream, peer),
                Some(result) = self.channels.from_dials.recv() => self.dialled(result),
                Some(answer) = self.channels.from_status.recv() => {
                    // Who asked may be gone.
                    let _ = answer.send(self.status());
                }
                Some(up) = self.reports.up.recv() => {
                    self.feed(Input::Up(up));
                    for _ in 0..REPORTS_AT_ONCE {
                        let Ok(up) = self.reports.up.try_recv() else { break };
                        self.feed(Input::Up(up));
                    }
                }
                Some(frame) = self.reports.frames.recv() => {
                    self.feed(Input::Up(frame));
                    // Those that are dropped count for nothing, and must not keep us here.
                    for _ in 0..REPORTS_AT_ONCE {
                        if self.node.has_much_to_do() { break }
                        let Ok(frame) = self.reports.frames.try_recv() else { break };
                        self.feed(Input::Up(frame));
                    }
                }
                Some(why) = self.reports.broken.recv() => bail!("The packet path broke: {why}"),
                Some(()) = self.channels.from_network.recv() => self.reconsider("The network has changed"),
                () = tokio::time::sleep_until(due), if deadline.is_some() => self.feed(Input::Timer),
            }
            if let Some(slept) = self.sleep.noticed() {
                self.reconsider(&format!("This machine has slept for {} s", slept.as_secs()));
            }
            self.carry_out();
            self.do_what_is_due(Instant::now());
            self.serve_waiting();
            self.carry_out();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let picture = self
            .setup
            .config
            .graph_dump
            .as_ref()
            .and_then(|_| self.pictures.due(Instant::now()));
        [
            self.node.deadline(),
            self.announcing.at,
            picture,
            self.heartbeat,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What is the shell's own to do from time to time.
    fn do_what_is_due(&mut self, now: Instant) {
        if self.announcing.is_due(now) {
            self.announce();
        }
        if let Some(target) = &self.setup.config.graph_dump
            && self.pictures.due(now).is_some_and(|due| due <= now)
        {
            self.pictures.draw(target, self.node.dump_graph(), now);
        }
        if self.heartbeat.is_some_and(|due| due <= now) {
            self.manager.alive();
            self.heartbeat = self.manager.heartbeat().map(|every| now + every);
        }
    }

    /// Connects and pings at once: what failed before may succeed now, and what worked may not.
    fn reconsider(&mut self, why: &str) {
        info!("{why}: connecting and pinging now");
        // They speak from an address that may be gone.
        let now = Instant::now();
        let attempts = self.dialling.attempts.iter();
        let old: Vec<_> = attempts
            .filter(|(_, attempt)| attempt.may_begin_anew(now))
            .map(|(node, attempt)| (node.clone(), attempt.renewals + 1))
            .collect();
        for (node, renewals) in old {
            self.dial(node, renewals);
        }
        self.feed(Input::Order(Order::RetryNow));
    }

    /// Begins the attempts under way once more: they may speak to an address that is no longer configured.
    pub(super) fn dial_anew(&mut self) {
        let dialled: Vec<_> = self.dialling.attempts.keys().cloned().collect();
        for node in dialled {
            self.dial(node, 0);
        }
    }

    /// Closes everything in tincd's order. `tinc-down` is left to the caller.
    pub(super) async fn stop(mut self, signals: &mut Signals) {
        self.manager.stopping();
        drop(self.status_server.take());
        for task in self.acceptors.drain(..) {
            task.abort();
        }
        self.feed(Input::Order(Order::Shutdown));
        self.carry_out();
        tokio::select! {
            () = self.runner.idle() => {}
            () = tokio::time::sleep(SCRIPTS_GRACE) => warn!("A script does not end; it is left behind"),
            name = signals.stop() => warn!("Got {name} signal again, not waiting for scripts"),
        }
        self.list_traffic();
    }

    /// Hands one input to the core.
    pub(super) fn feed(&mut self, input: Input<'_>) {
        self.node.handle(input, Instant::now(), &mut self.rng);
    }

    fn heard(&mut self, conn: ConnId, event: MetaEvent) {
        // What a connection still had to say when we closed it does not matter.
        if !self.streams.contains_key(&conn) {
            return;
        }
        match event {
            MetaEvent::Bytes(bytes) => {
                self.feed(Input::Meta {
                    conn,
                    bytes: &bytes,
                });
                if self.admission.waits_for(conn) && self.node.has_proven(conn) {
                    self.admission.proved(conn);
                }
            }
            MetaEvent::Ended(why) => {
                debug!(%conn, "connection ended: {why}");
                self.forget(conn);
                self.feed(Input::Closed { conn });
            }
        }
    }

    fn obey(&mut self, caught: Caught) {
        match caught {
            // The caller's.
            Caught::Stop(_) => {}
            Caught::ToggleDebug => {
                info!("Got INT signal");
                match self.log.toggle_all() {
                    (level, Some(before)) => info!(
                        "Temporarily setting debug level to {level}.  \
                         Kill me with SIGINT again to go back to level {before}."
                    ),
                    (level, None) => info!("Reverting to old debug level ({level})"),
                }
            }
            Caught::Reload => {
                info!("Got HUP signal");
                self.reload();
            }
            Caught::Hurry => {
                info!("Got ALRM signal");
                self.feed(Input::Order(Order::RetryNow));
            }
            Caught::ListConnections => list(self.node.dump_connections()),
            Caught::ListAll => {
                self.list_traffic();
                list(self.node.dump_mesh());
            }
            Caught::Unexpected(number) => info!("Got unexpected signal {number}"),
            Caught::Purge => {
                info!("Purging unreachable nodes");
                self.feed(Input::Order(Order::Purge));
            }
        }
    }

    /// Whose addresses are whose is up to us where we are a router.
    pub(super) fn guard_border(&mut self) {
        let config = &self.setup.config;
        let router = config.router.as_ref();
        let rules = router.map(|router| BorderRules::of(router, &config.name));
        self.feed(Input::Order(Order::SetBorder(rules)));
    }

    fn list_traffic(&self) {
        let traffic = &self.datapath.shared().traffic;
        list(vec![
            format!(
                "Statistics for {} {}:",
                self.device.kind(),
                self.device.name()
            ),
            format!(" total bytes in:  {:>10}", traffic.bytes_in()),
            format!(" total bytes out: {:>10}", traffic.bytes_out()),
        ]);
        if let Some(dropped) = self.dropped() {
            let counts = dropped.each();
            let mut lines = vec!["Not let across the border:".to_owned()];
            lines.extend(
                counts.map(|(what, count)| format!(" {:<16} {count:>10}", format!("{what}:"))),
            );
            list(lines);
        }
    }
}

fn list(lines: Vec<String>) {
    for line in lines {
        info!(target: LIST, "{line}");
    }
}

fn far_future() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(86_400)
}
