//! A star: a server, and leaves that all dial it from one source address.
//!
//! Each leaf is a process of its own with a directory, a port and a dummy device of its own; all live in one network
//! namespace, and so the server sees them as it sees the kits behind one NAT.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::subject::{Mode, Side};
use crate::actors::{ActorError, Daemon, KeyPair, LIBRARY_PATH, Product, Programs, path};
use crate::fabric::{CommandSpec, Lab, Node, Process};
use crate::plan::{Net, Plan, Segment};

/// The machines, and the server's name in the mesh.
const SERVER: &str = "hub";
const FIELD: &str = "field";

/// The network between them.
const OUTSIDE: Net = Net {
    addr: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)),
    len: 24,
};

/// The port of the first leaf, TCP and UDP; below those that the kernel gives to who dials (32,768 and above).
const FIRST_PORT: usize = 20_000;

/// How many leaves there are ports for.
pub(super) const MOST_LEAVES: usize = 10_000;

const _: () = assert!(FIRST_PORT + MOST_LEAVES <= 32_768);

/// Where the leaves have their files.
const LEAVES: &str = "/run/leaves";

/// How often the server's log is read, and how long a daemon may take to begin.
const GLANCE: Duration = Duration::from_millis(50);
const READY_LIMIT: Duration = Duration::from_secs(15);

/// What daemons say of a neighbour that has proved who it is, between these words.
const ACTIVATED: [&str; 2] = ["onnection with ", " activated"];

/// A server and leaves that were set up and do not run yet.
pub(super) struct Star {
    lab: Lab,
    size: usize,
    leaves: Side,
    server: Option<Daemon>,
    running: Vec<Process>,
    log: PathBuf,
}

/// How a star came together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Joined {
    /// Leaves that the server had reached in the end.
    pub(super) reached: usize,
    /// From the start of the first leaf to that of the last one.
    pub(super) starting: Duration,
    /// When it had reached them all, counted from the start of the last one.
    pub(super) took: Option<Duration>,
}

impl Star {
    /// Builds the lab and writes all files. `keys` are the server's and then one pair for each leaf.
    ///
    /// # Errors
    /// When something cannot be built or written.
    pub(super) async fn build(
        sides: &[Side; 2],
        programs: &[Programs; 2],
        keys: &[KeyPair],
    ) -> Result<Self> {
        let segment = Segment {
            networks: &[OUTSIDE],
            members: &[SERVER, FIELD],
        };
        let lab = Lab::up(&Plan::segments("scale", &[segment])).await?;
        let [server, leaves] = sides;
        let [servers, leafs] = programs;
        let (own, keys) = keys.split_first().context("the server has no keys")?;
        let (hub, field) = (lab.node(SERVER)?, lab.node(FIELD)?);
        servers.install(hub, server.product).await?;
        leafs.install(field, leaves.product).await?;
        let address = hub
            .interfaces()
            .first()
            .and_then(|eth0| eth0.addresses.first())
            .context("the server has no address")?;
        let hub_host = format!("Address = {}\n{}", address.net.addr, own.public);
        let conf = tinc_conf(server, SERVER, "");
        hub.write_file(path("tinc.conf"), conf, 0o644).await?;
        hub.write_file(path("rsa_key.priv"), own.private.clone(), 0o600)
            .await?;
        hub.write_file(path("hosts/hub"), hub_host.clone(), 0o644)
            .await?;
        for (n, pair) in keys.iter().enumerate() {
            let name = leaf(n);
            let subnet = match leaves.mode {
                Mode::Router => format!("Subnet = 2001:db8:85a3:{n:x}::/64\n"),
                Mode::Switch | Mode::Hub => String::new(),
            };
            let host = format!("{subnet}{}", pair.public);
            hub.write_file(path(&format!("hosts/{name}")), host.clone(), 0o644)
                .await?;
            let more = format!("ConnectTo = {SERVER}\nPort = {}\n", FIRST_PORT + n);
            let folder = format!("{LEAVES}/{name}");
            for (file, text, mode) in [
                ("tinc.conf", tinc_conf(leaves, &name, &more), 0o644),
                ("rsa_key.priv", pair.private.clone(), 0o600),
                ("hosts/hub", hub_host.clone(), 0o644),
                (&format!("hosts/{name}"), host, 0o644),
            ] {
                field
                    .write_file(format!("{folder}/{file}"), text, mode)
                    .await?;
            }
        }
        let log = hub.var_log().join("tincd.log");
        let mut star = Self {
            lab,
            size: keys.len(),
            leaves: leaves.clone(),
            server: None,
            running: Vec::new(),
            log,
        };
        star.start_server(server.product).await?;
        Ok(star)
    }

    async fn start_server(&mut self, product: Product) -> Result<()> {
        let daemon = Daemon::start(self.lab.node(SERVER)?, product, &self.log).await?;
        daemon.says("Ready", READY_LIMIT).await?;
        self.server = Some(daemon);
        Ok(())
    }

    /// The server, while it runs.
    ///
    /// # Errors
    /// That it has ended, with what it said.
    pub(super) async fn server(&self) -> Result<&Daemon> {
        let server = self.server.as_ref().context("the server was not started")?;
        if let Some(status) = server.status() {
            let words = server.words().await?;
            return Err(ActorError::Silent {
                node: SERVER.to_owned(),
                wanted: "anything more".to_owned(),
                seconds: 0.0,
                instead: format!("it ended ({status}) with:\n{}", crate::actors::tail(&words)),
            }
            .into());
        }
        Ok(server)
    }

    /// Starts all leaves at once and waits, at most for `patience`, until each of them has said that its connection with
    /// the server is activated. The server's own log does not tell of every one: ours leaves out lines like those before.
    ///
    /// # Errors
    /// When a leaf cannot be started, or the server ends.
    pub(super) async fn join(&mut self, patience: Duration) -> Result<Joined> {
        let field = self.lab.node(FIELD)?;
        for n in 0..self.size {
            match std::fs::remove_file(field.var_log().join(log_of(&leaf(n)))) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let first = Instant::now();
        let starts = (0..self.size).map(|n| field.spawn(command(&self.leaves, &leaf(n))));
        self.running = try_join_all(starts).await?;
        let (last, starting) = (Instant::now(), first.elapsed());
        // Leaves before this one have joined.
        let mut next = 0;
        loop {
            while next < self.size && joins(field, next)? > 0 {
                next += 1;
            }
            if next == self.size {
                return Ok(Joined {
                    reached: next,
                    starting,
                    took: Some(last.elapsed()),
                });
            }
            self.server().await?;
            if last.elapsed() > patience {
                let mut reached = 0;
                for n in 0..self.size {
                    reached += usize::from(joins(field, n)? > 0);
                }
                return Ok(Joined {
                    reached,
                    starting,
                    took: None,
                });
            }
            sleep(GLANCE).await;
        }
    }

    /// How often leaves have said that their connection with the server is activated, since they were started.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub(super) fn joins(&self) -> Result<usize> {
        let field = self.lab.node(FIELD)?;
        (0..self.size).map(|n| joins(field, n)).sum()
    }

    /// Leaves that have ended by themselves.
    pub(super) fn ended(&self) -> usize {
        let ended = self.running.iter().filter(|leaf| leaf.status().is_some());
        ended.count()
    }

    /// Kills all leaves (SIGKILL); their kernel closes their connections.
    ///
    /// # Errors
    /// When one does not end.
    pub(super) async fn kill(&mut self) -> Result<()> {
        for leaf in &self.running {
            leaf.signal(Signal::SIGKILL)?;
        }
        try_join_all(self.running.iter().map(Process::kill)).await?;
        self.running.clear();
        Ok(())
    }

    /// Takes the lab down.
    ///
    /// # Errors
    /// What is left of it.
    pub(super) async fn down(self) -> Result<()> {
        Ok(self.lab.down().await?)
    }
}

fn leaf(n: usize) -> String {
    format!("leaf{n:05}")
}

/// A leaf's log in its machine's directory for logs.
fn log_of(name: &str) -> String {
    format!("{name}.log")
}

/// How often a leaf has said that its connection with the server is activated.
fn joins(field: &Node, n: usize) -> Result<usize> {
    let path = field.var_log().join(log_of(&leaf(n)));
    let log = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        log => log.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let log = String::from_utf8_lossy(&log);
    let lines = log.lines().filter(|line| activated(line) == Some(SERVER));
    Ok(lines.count())
}

fn tinc_conf(side: &Side, name: &str, more: &str) -> String {
    let legacy = side.product.legacy();
    let lines = side.lines.iter();
    let lines: String = lines
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    format!(
        "Name = {name}\nMode = {}\nDeviceType = dummy\n{legacy}{more}{lines}",
        side.mode
    )
}

fn command(side: &Side, name: &str) -> CommandSpec {
    let folder = format!("{LEAVES}/{name}");
    let pid_file = format!("--pidfile={folder}/pid");
    let log_file = format!("--logfile=/var/log/{}", log_of(name));
    let command = CommandSpec::new("tincd").args(["-c", &folder, &pid_file, &log_file, "-D"]);
    // The reference tells of its connections from this level on.
    match side.product {
        Product::Tinc11 => command.args(["-d1"]).env(LIBRARY_PATH.0, LIBRARY_PATH.1),
        Product::Tincd => command.args(["-d1"]),
        Product::V6router => command,
    }
}

/// Of whom a line says that its connection was activated.
fn activated(line: &str) -> Option<&str> {
    let [before, after] = ACTIVATED;
    let (_, rest) = line.split_once(before)?;
    let (who, _) = rest.split_once(after)?;
    who.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_daemons_word_for_a_neighbour_is_understood() {
        for line in [
            "Connection with leaf00007 (198.51.100.11 port 20007) activated",
            "connection with leaf00007 (198.51.100.11 port 41000) activated",
        ] {
            assert_eq!(activated(line), Some("leaf00007"), "{line}");
        }
        for line in [
            "Connection from 198.51.100.11 port 1",
            "Closing connection with leaf00007 (a)",
        ] {
            assert_eq!(activated(line), None, "{line}");
        }
    }
}
