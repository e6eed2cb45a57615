//! Conditions on the lines of a lab: put there, measured, and changed while it is in use.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{try_join, try_join_all};
use tokio::time::sleep;

use super::{FabricError, Lab, Result, netlink};
use crate::conditioner::{Conditions, Line, MARK, Port, Prober, Wire, measure};
use crate::plan::{End, LinkPlan, Ruleset};

/// How many frames a TAP holds until its wire takes them: more than the kernel sends at a time.
const TAP_QUEUE: u32 = 10_000;

/// A line under conditions.
#[derive(Debug)]
pub(super) struct Conditioned {
    /// Name of its cable.
    name: String,
    now: Line,
    down: Wire,
    up: Wire,
    ends: Arc<[Prober; 2]>,
    /// How often it was changed; each time has chances of its own.
    changes: u64,
}

/// What was taken off a cable.
#[derive(Debug)]
pub(super) struct TakenLine {
    now: Line,
    changes: u64,
}

impl Lab {
    /// Puts the plan's conditions on its lines and measures them.
    pub(super) async fn condition(&mut self) -> Result<()> {
        let lines = self.plan.links.iter();
        let lines = lines.filter_map(|link| Some((link, link.line?)));
        let put = lines.map(|(link, line)| self.put(link, line));
        let mut lines = try_join_all(put).await?;
        try_join_all(lines.iter().map(|line| line.prove(false))).await?;
        // What was lost while measuring must not decide what is lost afterwards.
        let fresh = lines
            .iter_mut()
            .map(|line| line.become_like(line.now, self.plan.seed));
        try_join_all(fresh).await?;
        self.lines = lines;
        Ok(())
    }

    /// Changes what the line of that cable does while it is in use, and makes sure that it does.
    ///
    /// # Errors
    /// When there is no such cable; what was asked for and what was seen, where that differs.
    pub async fn change_line(&mut self, name: &str, change: impl FnOnce(&mut Line)) -> Result<()> {
        let mut line = match self.lines.iter().position(|line| line.name == name) {
            Some(at) => self.lines.swap_remove(at),
            None => self.put(self.known(name)?, Line::default()).await?,
        };
        let before = line.now;
        let mut asked = before;
        change(&mut asked);
        let changed = line.become_like(asked, self.plan.seed).await;
        let proven = match changed {
            Ok(()) => {
                sleep(kept_back(&before, &asked)).await;
                line.prove(true).await
            }
            Err(error) => Err(error),
        };
        self.lines.push(line);
        proven
    }

    /// Keeps from everybody, at both ends of the cable of that name, that a packet was too long for a line (a black hole
    /// for whoever relies on errors, RFC 2923).
    ///
    /// # Errors
    /// When there is no such cable, or nft does not take the rules.
    pub async fn silence(&self, name: &str) -> Result<()> {
        let ends = self.known(name)?.ends.iter();
        try_join_all(ends.map(async |end| self.node(&end.node)?.load(silence()).await)).await?;
        Ok(())
    }

    /// Takes the conditions off a cable that is about to be another; they can be put onto that one.
    pub(super) async fn take_line(&mut self, name: &str) -> Result<Option<TakenLine>> {
        let Some(at) = self.lines.iter().position(|line| line.name == name) else {
            return Ok(None);
        };
        let Conditioned { now, changes, .. } = self.lines.swap_remove(at);
        let ends = self.known(name)?.ends.iter();
        let bared = ends.map(async |end| self.node(&end.node)?.load(no_egress(end)).await);
        try_join_all(bared).await?;
        Ok(Some(TakenLine { now, changes }))
    }

    /// Puts what was taken off a cable onto another, and measures it.
    pub(super) async fn put_line(&mut self, name: &str, taken: TakenLine) -> Result<()> {
        let mut line = self.put(self.known(name)?, Line::default()).await?;
        line.changes = taken.changes;
        line.become_like(taken.now, self.plan.seed).await?;
        let proven = line.prove(true).await;
        self.lines.push(line);
        proven
    }

    fn known(&self, name: &str) -> Result<&LinkPlan> {
        let known = self.plan.link(name);
        known.ok_or_else(|| wrong(name, "there is no such cable"))
    }

    /// Leads a cable's frames through wires.
    async fn put(&self, link: &LinkPlan, line: Line) -> Result<Conditioned> {
        let [near, far] = &link.ends;
        let down = self.wire(near, line.down, format!("{} down", link.name));
        let up = self.wire(far, line.up, format!("{} up", link.name));
        let (down, up) = try_join(down, up).await?;
        let (near, far) = try_join(self.prober(near), self.prober(far)).await?;
        if line.black_hole {
            self.silence(&link.name).await?;
        }
        Ok(Conditioned {
            name: link.name.clone(),
            now: line,
            down,
            up,
            ends: Arc::new([near, far]),
            changes: 0,
        })
    }

    /// A wire from an interface onto its cable.
    async fn wire(&self, end: &End, conditions: Conditions, purpose: String) -> Result<Wire> {
        let node = self.node(&end.node)?;
        let tap = tap(end);
        let ruleset = egress(&end.interface, &tap);
        let interface = end.interface.clone();
        let opened = node.run(move || {
            Box::pin(async move {
                let failed = |error: io::Error| (format!("open {tap}"), error.to_string());
                let port = Port::open(&interface, &tap).map_err(failed)?;
                // What the kernel would send there of its own accord is nothing of the line's.
                let quiet = format!("/proc/sys/net/ipv6/conf/{tap}/disable_ipv6");
                std::fs::write(quiet, "1").map_err(failed)?;
                netlink::raise(&tap, TAP_QUEUE).await?;
                Ok(port)
            })
        });
        let port = opened.await?.map_err(|failure| node.failed(failure))?;
        let started = Wire::start(port, conditions, self.plan.seed, &purpose);
        let wire = started.map_err(|error| wrong(&purpose, error.to_string()))?;
        node.load(ruleset).await?;
        Ok(wire)
    }

    async fn prober(&self, end: &End) -> Result<Prober> {
        let node = self.node(&end.node)?;
        let interface = end.interface.clone();
        let opened = node.run(move || Box::pin(async move { Prober::open(&interface) }));
        let failed =
            |error: io::Error| node.failed(("measure a line".to_owned(), error.to_string()));
        opened.await?.map_err(failed)
    }
}

impl Conditioned {
    async fn become_like(&mut self, line: Line, seed: u64) -> Result<()> {
        self.changes += 1;
        let seed = seed.wrapping_add(self.changes);
        for (wire, conditions) in [(&self.down, line.down), (&self.up, line.up)] {
            let changed = wire.become_like(conditions, seed).await;
            changed.map_err(|error| wrong(&self.name, error.to_string()))?;
        }
        self.now = line;
        Ok(())
    }

    /// Measures it.
    async fn prove(&self, in_use: bool) -> Result<()> {
        let (ends, asked) = (Arc::clone(&self.ends), self.now);
        let measured = tokio::task::spawn_blocking(move || measure(&ends, &asked, in_use)).await;
        let measured = measured.unwrap_or_else(|error| Err(error.to_string()));
        measured.map_err(|reason| wrong(&self.name, reason))
    }
}

/// How long what was under way before a change keeps back what is sent after it, since frames keep their order: what is
/// measured until then is neither of the one line nor of the other. A cut loses it.
fn kept_back(before: &Line, after: &Line) -> Duration {
    [(before.down, after.down), (before.up, after.up)]
        .into_iter()
        .filter(|(_, after)| !after.cut)
        .map(|(before, _)| before.longest())
        .max()
        .unwrap_or_default()
}

/// Name of the TAP beside the interface at an end, and of the table that leads there.
fn tap(end: &End) -> String {
    format!("wire-{}", end.interface)
}

/// Nothing is led to a TAP any more.
fn no_egress(end: &End) -> Ruleset {
    let tap = tap(end);
    Ruleset {
        text: format!("delete table netdev {tap}\n"),
        kind: tap,
    }
}

/// Leads what leaves an interface to a TAP, except for what comes from there.
pub(super) fn egress(interface: &str, tap: &str) -> Ruleset {
    Ruleset {
        kind: format!(
            "{tap}, which needs a kernel with netfilter egress (CONFIG_NETFILTER_EGRESS, Linux 5.16)"
        ),
        text: format!(
            "table netdev {tap} {{\n  chain out {{\n    type filter hook egress device \"{interface}\" priority 0; \
             policy accept;\n    meta mark {MARK} accept\n    fwd to \"{tap}\"\n  }}\n}}\n"
        ),
    }
}

/// Drops what tells a sender that its packet was too long, from this machine and from those behind it.
fn silence() -> Ruleset {
    // Of IPv6 only what a machine says itself: what it passes on may be about another line, or about a tunnel.
    let text = "table inet silence {
  chain forward {
    type filter hook forward priority -5;
    icmp type destination-unreachable icmp code frag-needed drop
  }
  chain output {
    type filter hook output priority -5;
    icmp type destination-unreachable icmp code frag-needed drop
    icmpv6 type packet-too-big drop
  }
}
";
    Ruleset {
        kind: "silence".to_owned(),
        text: text.to_owned(),
    }
}

fn wrong(line: &str, reason: impl Into<String>) -> FabricError {
    FabricError::Line {
        line: line.to_owned(),
        reason: reason.into(),
    }
}
