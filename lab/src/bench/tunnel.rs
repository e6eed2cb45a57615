//! Two machines and what connects them: a lab with a daemon at each end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::{try_join, try_join_all};
use tokio::time::Instant;

use super::subject::{Kind, Side, Subject};
use crate::actors::{
    Daemon, KeyPair, KeyRing, Memory, NETNAME, Programs, WireGuard, WireGuardEnd, path, tail,
};
use crate::fabric::{Lab, Node, Process};
use crate::observe;
use crate::plan::{Net, Plan, Segment};
use crate::session;

/// Who sends, and to whom.
const ENDS: [&str; 2] = ["left", "right"];

/// The network of the cable.
const OUTSIDE: Net = Net {
    addr: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)),
    len: 24,
};

/// Addresses in the tunnel, or without one on the cable, left and right; each with the length of the network.
const INSIDE: [Ipv6Addr; 2] = [inside(1), inside(2)];
const INSIDE_LEN: u8 = 64;

/// Pause between the pings that look for the first answer, and how long they go on.
const KNOCK: Duration = Duration::from_millis(2);
const UP_LIMIT: Duration = Duration::from_secs(30);

/// How often neighbours are solicited, in milliseconds (RetransTimer of RFC 4861, which is a second otherwise): what is
/// measured is when the tunnel carries frames, not when the kernel asks next.
const RETRANS_TIMER: u32 = 10;

/// A subject with all it needs.
pub(super) struct Prepared {
    pub(super) subject: Subject,
    what: What,
}

enum What {
    Plain,
    WireGuard(WireGuard),
    Tinc(Box<[End; 2]>),
}

/// A daemon, its program and, once they are made, its keys.
struct End {
    side: Side,
    programs: Programs,
    keys: Option<KeyPair>,
}

/// Two machines, connected.
pub(super) struct Tunnel {
    lab: Lab,
    processes: Vec<Process>,
    /// The right machine's address in the tunnel.
    pub(super) target: Ipv6Addr,
    /// From the start of both daemons to the first answer.
    pub(super) first_ping: Option<Duration>,
}

impl Prepared {
    /// Looks for the programs, before anything is built.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub(super) fn new(subject: Subject) -> Result<Self> {
        let what = match &subject.kind {
            Kind::Plain => What::Plain,
            Kind::WireGuard => What::WireGuard(WireGuard::locate()?),
            Kind::Tinc(sides) => {
                let [left, right] = sides.as_ref();
                What::Tinc(Box::new([End::new(left)?, End::new(right)?]))
            }
        };
        Ok(Self { subject, what })
    }

    /// Makes what takes long and is the same in each round: keys.
    ///
    /// # Errors
    /// What the daemon said.
    pub(super) async fn keys(&mut self) -> Result<()> {
        let What::Tinc(ends) = &mut self.what else {
            return Ok(());
        };
        for (end, name) in ends.iter_mut().zip(ENDS) {
            let ring = KeyRing::new(end.programs.clone(), session::path());
            end.keys = Some(ring.pair(end.side.product, name).await?);
        }
        Ok(())
    }
}

impl End {
    fn new(side: &Side) -> Result<Self> {
        Ok(Self {
            side: side.clone(),
            programs: Programs::of(&[side.product], side.program.as_deref())?,
            keys: None,
        })
    }
}

impl Tunnel {
    /// Builds the lab, starts both daemons at the same moment and waits until the tunnel carries a ping.
    ///
    /// # Errors
    /// When it does not within half a minute, or something cannot be built or started. Nothing is left then.
    pub(super) async fn up(prepared: &Prepared) -> Result<Self> {
        let segment = Segment {
            networks: &[OUTSIDE],
            members: &ENDS,
        };
        let lab = Lab::up(&Plan::segments("bench", &[segment])).await?;
        let mut tunnel = Self {
            lab,
            processes: Vec::new(),
            target: INSIDE[1],
            first_ping: None,
        };
        match &prepared.what {
            What::Plain => tunnel.plain().await?,
            What::WireGuard(program) => tunnel.wireguard(program).await?,
            What::Tinc(ends) => tunnel.tinc(ends).await?,
        }
        Ok(tunnel)
    }

    /// The machine that sends.
    pub(super) fn left(&self) -> Result<&Node> {
        Ok(self.lab.node(ENDS[0])?)
    }

    /// The machine that receives.
    pub(super) fn right(&self) -> Result<&Node> {
        Ok(self.lab.node(ENDS[1])?)
    }

    /// Processor time of both daemons so far, in seconds; `None` without daemons.
    ///
    /// # Errors
    /// When one has ended.
    pub(super) fn cpu(&self) -> Result<Option<f64>> {
        if self.processes.is_empty() {
            return Ok(None);
        }
        let mut all = Duration::ZERO;
        for process in &self.processes {
            all += process.cpu_time().context("a daemon has ended")?;
        }
        Ok(Some(all.as_secs_f64()))
    }

    /// Memory of the left daemon and of the right one; nothing without daemons.
    ///
    /// # Errors
    /// When one has ended.
    pub(super) async fn memory(&self) -> Result<Vec<Memory>> {
        Ok(try_join_all(self.processes.iter().map(Memory::of)).await?)
    }

    /// Takes the lab down.
    ///
    /// # Errors
    /// What is left of it.
    pub(super) async fn down(self) -> Result<()> {
        Ok(self.lab.down().await?)
    }

    async fn plain(&mut self) -> Result<()> {
        for (n, name) in ENDS.iter().enumerate() {
            let line = format!("ip -6 addr add {} dev eth0 nodad", address(n));
            shell(self.lab.node(name)?, &line).await?;
        }
        self.answers().await
    }

    async fn wireguard(&mut self, program: &WireGuard) -> Result<()> {
        let (left, right) = (self.left()?, self.right()?);
        let (lefts, rights) = (program.install(left).await?, program.install(right).await?);
        let end = |own: usize, peer: String, endpoint| WireGuardEnd {
            address: address(own),
            peer,
            allowed: INSIDE[1 - own],
            endpoint,
        };
        let ends = [
            end(0, rights, Some(outside_of(right)?)),
            end(1, lefts, None),
        ];
        let began = Instant::now();
        let start = try_join(
            program.start(left, &ends[0]),
            program.start(right, &ends[1]),
        );
        let (one, other) = start.await?;
        self.processes = vec![one, other];
        self.answers().await?;
        self.first_ping = Some(began.elapsed());
        Ok(())
    }

    async fn tinc(&mut self, ends: &[End; 2]) -> Result<()> {
        for (n, end) in ends.iter().enumerate() {
            let node = self.lab.node(ENDS[n])?;
            end.programs.install(node, end.side.product).await?;
            for (name, text, mode) in self.directory(ends, n)? {
                node.write_file(path(&name), text, mode).await?;
            }
        }
        let began = Instant::now();
        let [left, right] = ends;
        let start = try_join(start(self.left()?, left), start(self.right()?, right));
        let (one, other) = start.await?;
        self.processes = vec![one.process().clone(), other.process().clone()];
        if let Err(error) = self.answers().await {
            let (left, right) = (tail(&one.words().await?), tail(&other.words().await?));
            return Err(error.context(format!(
                "the left daemon said\n{left}and the right one\n{right}"
            )));
        }
        self.first_ping = Some(began.elapsed());
        Ok(())
    }

    /// Names, texts and permissions of the files of end `n`. The left one dials.
    fn directory(&self, ends: &[End; 2], n: usize) -> Result<Vec<(String, String, u32)>> {
        let Side {
            product,
            mode,
            lines,
            ..
        } = &ends[n].side;
        let name = ENDS[n];
        let dials = match n {
            0 => format!("ConnectTo = {}\n", ENDS[1]),
            _ => String::new(),
        };
        let lines = lines
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"));
        let lines: String = lines.collect();
        let legacy = product.legacy();
        let conf =
            format!("Name = {name}\nMode = {mode}\nInterface = {NETNAME}\n{legacy}{dials}{lines}");
        let up = format!(
            "#!/bin/sh\necho {RETRANS_TIMER} > /proc/sys/net/ipv6/neigh/$INTERFACE/retrans_time_ms\n\
             ip link set $INTERFACE up\nip -6 addr add {} dev $INTERFACE nodad\n",
            address(n)
        );
        let mut files = vec![
            ("tinc.conf".to_owned(), conf, 0o644),
            ("tinc-up".to_owned(), up, 0o755),
        ];
        for (m, end) in ends.iter().enumerate() {
            let keys = end.keys.as_ref().context("no keys were made")?;
            let outside = outside_of(self.lab.node(ENDS[m])?)?;
            let host = format!(
                "Address = {outside}\nSubnet = {}/128\n{}",
                INSIDE[m], keys.public
            );
            files.push((format!("hosts/{}", ENDS[m]), host, 0o644));
            if m == n {
                files.push(("rsa_key.priv".to_owned(), keys.private.clone(), 0o600));
            }
        }
        Ok(files)
    }

    async fn answers(&self) -> Result<()> {
        let report = observe::knock(self.left()?, self.target.into(), KNOCK, UP_LIMIT).await?;
        ensure!(
            report.first_reply.is_some(),
            "no ping was answered within {} s",
            UP_LIMIT.as_secs()
        );
        for process in &self.processes {
            ensure!(process.status().is_none(), "a daemon has ended");
        }
        Ok(())
    }
}

async fn start(node: &Node, end: &End) -> Result<Daemon> {
    let log = node.var_log().join("tincd.log");
    Ok(Daemon::start(node, end.side.product, &log).await?)
}

const fn inside(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x85a3, 0xef00, 0, 0, 0, n)
}

/// A machine's address in the tunnel, with the length of the network.
fn address(n: usize) -> Net {
    Net {
        addr: INSIDE[n].into(),
        len: INSIDE_LEN,
    }
}

/// A machine's address on the cable.
fn outside_of(node: &Node) -> Result<IpAddr> {
    let mut addresses = node.interfaces().iter().flat_map(|at| &at.addresses);
    let found = addresses.next().map(|address| address.net.addr);
    found.with_context(|| format!("{} has no address", node.name()))
}

async fn shell(node: &Node, line: &str) -> Result<()> {
    let output = node.exec(&["sh", "-c", line]).await?;
    ensure!(
        output.status.success(),
        "{}: {line}: {}",
        node.name(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
