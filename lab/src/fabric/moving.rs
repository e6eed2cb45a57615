//! What happens to machines and venues while a lab stands: cables pulled and plugged in elsewhere, routers that lose
//! their memory or their address, machines that sleep.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{Instant, sleep};

use super::{FabricError, Lab, Node, Result};
use crate::places;
use crate::plan::{End, Net};

/// The bridge inside of a venue's router, and the interface outside.
const INSIDE: &str = "lan0";
const OUTSIDE: &str = "wan0";

/// How long a kernel may take to tell that a carrier is gone, and how often it is looked.
const CARRIER_LIMIT: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// `AF_NETLINK` and `NETLINK_NETFILTER` of linux/socket.h and linux/netlink.h.
const AF_NETLINK: i32 = 16;
const NETLINK_NETFILTER: i32 = 12;

/// A request of `IPCTNL_MSG_CT_DELETE` that names no flow, which means all (linux/netfilter/nfnetlink_conntrack.h): an
/// `nlmsghdr` of length 20, type `NFNL_SUBSYS_CTNETLINK << 8 | 2`, flags `NLM_F_REQUEST | NLM_F_ACK`, and a `nfgenmsg`.
const FORGET: [u16; 10] = [20, 0, 0x102, 0x5, 1, 0, 0, 0, 0, 0];

impl Lab {
    /// Pulls a guest's cable out of the router it is in; both ends lose their carrier. Nothing, if it is out.
    ///
    /// # Errors
    /// When the machine is nobody's guest.
    pub async fn unplug(&self, guest: &str) -> Result<()> {
        let port = self.port_of(guest)?;
        let node = self.node(&port.node)?;
        ip(node, &["link", "set", "dev", &port.interface, "down"]).await
    }

    /// Plugs a guest's cable, pulled or not, into the router of a venue, perhaps the one it was in.
    ///
    /// # Errors
    /// When the machine is nobody's guest, or the venue another that gives no addresses.
    pub async fn plug_in(&mut self, guest: &str, venue: &str) -> Result<()> {
        let port = self.port_of(guest)?;
        if port.node == venue {
            let node = self.node(venue)?;
            return ip(node, &["link", "set", "dev", &port.interface, "up"]).await;
        }
        let planned = self.plan.node(venue);
        let gives = planned.is_some_and(|node| {
            let service = node.service.as_ref();
            service.is_some_and(|service| service.dhcp.is_some())
        });
        let asks = self
            .plan
            .node(guest)
            .is_some_and(|node| node.guest.asks_on.is_some());
        let there = self.node(venue)?;
        if !gives || !asks {
            let whose = if gives { &port.node } else { venue };
            let reason = format!(
                "{whose} gives no addresses, so {guest} would have none there; its venue needs [dhcp]"
            );
            return Err(failed(there, format!("plug {guest} in"), reason));
        }
        let cable = self.cable_at(&port).to_owned();
        let line = self.take_line(&cable).await?;
        let there = self.node(venue)?;
        let planned = self.plan.node(venue);
        let taken = |name: &String| planned.is_some_and(|node| node.interface(name).is_some());
        let mut names = (1..).map(|n| format!("lan{n}"));
        let name = names.find(|name| !taken(name)).unwrap_or_default();
        let here = self.node(&port.node)?;
        let namespace = there.tid().to_string();
        // Which also takes it down, so that the guest notices.
        ip(
            here,
            &[
                "link",
                "set",
                "dev",
                &port.interface,
                "name",
                &name,
                "netns",
                &namespace,
            ],
        )
        .await?;
        self.carrier_missed(guest).await?;
        ip(
            there,
            &["link", "set", "dev", &name, "master", INSIDE, "up"],
        )
        .await?;
        if self.plan.place(venue).is_some_and(|place| place.isolation) {
            places::isolate(there, &name).await?;
        }
        self.replan(guest, &port, venue, &name);
        match line {
            // It is the guest's own, and came along.
            Some(line) => self.put_line(&cable_of(venue, guest), line).await,
            None => Ok(()),
        }
    }

    /// Name of the cable that ends there.
    fn cable_at(&self, port: &End) -> &str {
        let mut links = self.plan.links.iter();
        let link = links.find(|link| link.ends.contains(port));
        link.map_or("", |link| &link.name)
    }

    /// Waits until a guest's kernel has told that the carrier is gone. It tells changes at most once a second and passes
    /// over what has changed back by then, so that who is plugged in elsewhere at once would not hear of it, as nobody
    /// with hands could manage.
    async fn carrier_missed(&self, guest: &str) -> Result<()> {
        let port = self.port_of(guest)?;
        let links = &self.plan.links;
        let link = links.iter().find(|link| link.ends.contains(&port));
        let ends = link.into_iter().flat_map(|link| &link.ends);
        let Some(end) = ends.into_iter().find(|end| end.node == guest) else {
            return Ok(());
        };
        let node = self.node(guest)?;
        let deadline = Instant::now() + CARRIER_LIMIT;
        loop {
            let show = ["ip", "-o", "link", "show", "dev", &end.interface];
            let shown = node.exec(&show).await?;
            if String::from_utf8_lossy(&shown.stdout).contains(" state DOWN ") {
                return Ok(());
            }
            if Instant::now() > deadline {
                let what = format!("pull the cable of {}", end.interface);
                return Err(failed(node, what, "its carrier is still there".to_owned()));
            }
            sleep(GLANCE).await;
        }
    }

    /// The plan is of what is.
    fn replan(&mut self, guest: &str, from: &End, venue: &str, name: &str) {
        let to = End {
            node: venue.to_owned(),
            interface: name.to_owned(),
        };
        for link in &mut self.plan.links {
            if link.ends.contains(from) {
                link.name = cable_of(venue, guest);
                for end in &mut link.ends {
                    if *end == *from {
                        *end = to.clone();
                    }
                }
            }
        }
        let mut moved = None;
        for node in self
            .plan
            .nodes
            .iter_mut()
            .filter(|node| node.name == from.node)
        {
            let at = node
                .interfaces
                .iter()
                .position(|found| found.name == from.interface);
            moved = at.map(|at| node.interfaces.remove(at));
        }
        for node in self.plan.nodes.iter_mut().filter(|node| node.name == venue) {
            node.interfaces.extend(moved.take().map(|mut port| {
                port.name = name.to_owned();
                port
            }));
        }
    }

    /// The router's end of a guest's cable.
    fn port_of(&self, guest: &str) -> Result<End> {
        let node = self.node(guest)?;
        let links = self.plan.links.iter();
        let routers = links.filter_map(|link| match &link.ends {
            [near, far] if far.node == guest => Some(near),
            _ => None,
        });
        let mut ports = routers.filter(|end| {
            let router = self.plan.node(&end.node);
            let port = router.and_then(|router| router.interface(&end.interface));
            port.is_some_and(|port| port.port_of.as_deref() == Some(INSIDE))
        });
        let found = ports.next().cloned();
        found.ok_or_else(|| {
            failed(
                node,
                "find its venue".to_owned(),
                "it is in none".to_owned(),
            )
        })
    }

    /// Makes a router forget every flow it knows, as if it had been switched off and on.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn forget_flows(&self, router: &str) -> Result<()> {
        let node = self.node(router)?;
        let done = node.run(|| Box::pin(async { forget() })).await?;
        done.map_err(|error| failed(node, "forget its flows".to_owned(), error.to_string()))
    }

    /// Gives a venue's router another public address in place of the one it has, in the same network.
    ///
    /// # Errors
    /// When the address is not in that network, or the venue's NAT speaks of the old one.
    pub async fn renumber(&mut self, venue: &str, address: IpAddr) -> Result<()> {
        let node = self.node(venue)?;
        let refuse = |reason: String| failed(node, format!("be {address} on the internet"), reason);
        let planned = self.plan.node(venue);
        let outside = planned.and_then(|planned| planned.interface(OUTSIDE));
        let before = outside
            .and_then(|outside| outside.addresses.first())
            .map(|found| found.net);
        let (Some(before), Some(planned)) = (before, planned) else {
            return Err(refuse("it is no venue".to_owned()));
        };
        let gateway = before.nth(1).filter(|gateway| gateway.addr != address);
        let (true, Some(gateway)) = (before.contains(address), gateway) else {
            let reason = format!(
                "that is not among the addresses of {} for guests",
                before.network()
            );
            return Err(refuse(reason));
        };
        let ruleset = planned.ruleset.as_ref();
        // Every ruleset says once, in its head, what the word means.
        let speaks = |text: &str| {
            text.contains("$public") || text.matches(&before.addr.to_string()).count() > 1
        };
        if let Some(ruleset) = ruleset.filter(|found| speaks(&found.text)) {
            let reason = format!(
                "its NAT, {}, speaks of {}; take a kind that masquerades",
                ruleset.kind, before.addr
            );
            return Err(refuse(reason));
        }
        let after = Net {
            addr: address,
            len: before.len,
        };
        ip(
            node,
            &["address", "del", &before.to_string(), "dev", OUTSIDE],
        )
        .await?;
        ip(
            node,
            &["address", "add", &after.to_string(), "dev", OUTSIDE],
        )
        .await?;
        let gateway = gateway.addr.to_string();
        ip(
            node,
            &[
                "route", "replace", "default", "via", &gateway, "dev", OUTSIDE,
            ],
        )
        .await?;
        let nodes = self.plan.nodes.iter_mut().filter(|node| node.name == venue);
        let outside = nodes
            .flat_map(|node| &mut node.interfaces)
            .filter(|found| found.name == OUTSIDE);
        for found in outside.flat_map(|outside| &mut outside.addresses) {
            if found.net == before {
                found.net = after;
            }
        }
        Ok(())
    }

    /// Sends a guest to sleep: no carrier, and nothing of it runs.
    ///
    /// # Errors
    /// As [`Lab::unplug`], or what the kernel said.
    pub async fn suspend(&self, guest: &str) -> Result<()> {
        self.unplug(guest).await?;
        self.signal_all(guest, Signal::SIGSTOP)
    }

    /// Wakes a guest that was sent to sleep, in the venue it is in.
    ///
    /// # Errors
    /// As [`Lab::suspend`].
    pub async fn wake(&mut self, guest: &str) -> Result<()> {
        self.signal_all(guest, Signal::SIGCONT)?;
        let venue = self.port_of(guest)?.node;
        self.plug_in(guest, &venue).await
    }

    /// To every process of a machine.
    fn signal_all(&self, machine: &str, signal: Signal) -> Result<()> {
        let node = self.node(machine)?;
        for pid in self.processes() {
            let namespace = fs::metadata(format!("/proc/{pid}/ns/net")).map(|meta| meta.ino());
            let (Ok(namespace), Ok(number)) = (namespace, i32::try_from(pid)) else {
                continue;
            };
            if Some(namespace) == node.netns() {
                let sent = kill(Pid::from_raw(number), signal);
                // One that has just ended needs no signal.
                if let Err(error) = sent
                    && error != nix::errno::Errno::ESRCH
                {
                    return Err(failed(
                        node,
                        format!("send {signal} to {pid}"),
                        error.to_string(),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Name of a guest's cable in a venue.
fn cable_of(venue: &str, guest: &str) -> String {
    format!("{venue}--{guest}")
}

fn forget() -> io::Result<()> {
    let socket = Socket::new(
        Domain::from(AF_NETLINK),
        Type::RAW,
        Some(Protocol::from(NETLINK_NETFILTER)),
    )?;
    let request: Vec<u8> = FORGET.iter().flat_map(|word| word.to_ne_bytes()).collect();
    socket.send(&request)?;
    // The answer stands there when the request is done: an `nlmsghdr`, and the error's number, negative, or 0.
    let mut answer = [0; 64];
    let len = io::Read::read(&mut &socket, &mut answer)?;
    let error = answer.get(16..20).filter(|_| len >= 20);
    match error
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes)
    {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("the kernel's answer is cut off")),
    }
}

async fn ip(node: &Node, args: &[&str]) -> Result<()> {
    let output = node.exec(&[&["ip"], args].concat()).await?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(failed(node, format!("ip {}", args.join(" ")), reason))
}

fn failed(node: &Node, what: String, reason: String) -> FabricError {
    FabricError::Node {
        node: node.name().to_owned(),
        what,
        reason,
    }
}
