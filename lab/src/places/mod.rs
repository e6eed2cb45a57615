//! What a venue is furnished with when its network stands and its NAT was tried: walls that keep packets in, a portal, a
//! proxy, and isolation of its devices from one another.
//!
//! Every rule is tried from inside, with real sockets, as soon as it is in force: a venue that does not do as its file
//! says is no lab. A wall is tried alone, so that what it states is held against nothing but itself; then all are raised.

mod dns;
mod http;
mod login;
mod portal;
mod prove;
mod proxy;

use std::net::Ipv4Addr;

use crate::fabric::{FabricError, Lab, Node, Result};
use crate::plan::{Place, Ruleset};
pub use login::{forget_guests, log_in};
use prove::Outlook;

/// Where a portal answers to names; the venue's own resolver may have port 53.
pub(crate) const DNS_PORT: u16 = 1053;

/// Puts the rules of every venue of a lab in force.
pub(crate) async fn furnish(lab: &Lab) -> Result<()> {
    // One after the other: all are tried at the same ports of one server.
    for place in &lab.plan().places {
        rules(lab, place).await?;
    }
    Ok(())
}

async fn rules(lab: &Lab, place: &Place) -> Result<()> {
    let router = lab.node(&place.router)?;
    if let Some(proxy) = &place.proxy {
        proxy::start(router, place.address, proxy).await?;
    }
    if place.portal.is_some() {
        portal::start(router, place).await?;
    }
    if place.isolation {
        let ports = router.interfaces().iter();
        for port in ports.filter(|port| port.port_of.is_some()) {
            isolate(router, &port.name).await?;
        }
    }
    // Where nobody is, nobody sees what becomes of packets.
    let outlook = Outlook::of(lab, place)?;
    if let Some(outlook) = &outlook {
        for wall in &place.walls {
            router.load(wall.ruleset.clone()).await?;
            outlook.wall(wall).await?;
            if wall.table == PORTAL {
                outlook.portal().await?;
            }
            router.load(taken_down(&wall.table)).await?;
        }
    }
    for wall in &place.walls {
        router.load(wall.ruleset.clone()).await?;
    }
    if let Some(outlook) = &outlook {
        if let Some(proxy) = &place.proxy {
            outlook.proxy(proxy).await?;
        }
        if place.isolation {
            outlook.isolation().await?;
        }
    }
    Ok(())
}

/// Name of the portal's table, and of the set in it of those who have logged in.
const PORTAL: &str = "portal";
const GUESTS: &str = "guests";

fn taken_down(table: &str) -> Ruleset {
    Ruleset {
        kind: format!("without {table}"),
        text: format!("delete table inet {table}\n"),
    }
}

/// Frames that come in by this port of the router's bridge do not leave by another such.
pub(crate) async fn isolate(router: &Node, port: &str) -> Result<()> {
    let set = ["ip", "link", "set", "dev", port];
    let isolated = ["type", "bridge_slave", "isolated", "on"];
    let output = router.exec(&[&set[..], &isolated].concat()).await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(failed(router, "isolate a guest", words.trim()))
}

fn failed(node: &Node, what: &str, reason: impl ToString) -> FabricError {
    FabricError::Node {
        node: node.name().to_owned(),
        what: what.to_owned(),
        reason: reason.to_string(),
    }
}

/// The first IPv4 address of a machine.
fn address_of(node: &Node) -> Option<Ipv4Addr> {
    let addresses = node.interfaces().iter().flat_map(|found| &found.addresses);
    addresses
        .filter_map(|address| match address.net.addr {
            std::net::IpAddr::V4(address) => Some(address),
            std::net::IpAddr::V6(_) => None,
        })
        .next()
}
