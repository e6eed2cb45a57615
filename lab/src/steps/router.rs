//! Machines that are routers by `router.toml`, and hosts that take their addresses from what those advertise.

use std::time::Duration;

use anyhow::{Context, ensure};
use cucumber::{given, then, when};
use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::network::set_up_changed;
use super::{Outcome, World, fail, seconds};
use crate::actors::{self, Directory, Product};
use crate::fabric::Node;
use crate::plan::Downstream;

/// How often is looked whether something has come about.
const GLANCE: Duration = Duration::from_millis(20);

/// The addresses that plans give Pis on their downstream interfaces are left to the daemon as well. Machines whose daemon
/// does not read the file have their scripts.
#[given("tinc is set up as it should be, by router.toml")]
async fn set_up_by_router_toml(world: &mut World) -> Outcome {
    let overlay = world.overlay()?.clone();
    let members = world.members()?;
    let ours: Vec<&String> = members.iter().filter(|node| reads(world, node)).collect();
    let change = |node: &str, directory: &mut Directory| {
        if ours.iter().any(|ours| *ours == node) {
            actors::by_router_toml(directory, &overlay, node);
        }
    };
    set_up_changed(world, change).await?;
    let sites = overlay.sites.iter();
    let sites = sites.filter(|site| ours.contains(&&site.node));
    try_join_all(sites.map(async |site| {
        let node = world.node(&site.node)?;
        anyhow::Ok(actors::leave_addresses(node, site).await?)
    }))
    .await?;
    Ok(())
}

/// Whether a machine's daemon reads the file.
fn reads(world: &World, node: &str) -> bool {
    let product = world.product(node);
    product.is_ok_and(|product| product == Product::V6router)
}

/// On all its links, as the how-to had it.
#[when(expr = "radvd is started on {word}")]
async fn old_way(world: &mut World, pi: String) -> Outcome {
    let site = world.overlay()?.sites.iter().find(|site| site.node == pi);
    let site = site.with_context(|| format!("{pi} brings IPv6 to nobody"))?;
    let process = actors::radvd(world.node(&pi)?, site).await?;
    if let Some(status) = process.status() {
        fail!("it ended with {status}");
    }
    Ok(())
}

#[given(expr = "{word} knows no more than routers tell it")]
#[when(expr = "{word} forgets all but what routers tell it")]
async fn knows_nothing(world: &mut World, host: String) -> Outcome {
    let link = link_of(world, &host)?.clone();
    let node = world.node(&host)?;
    let (interface, address) = place(world, &host, &link)?;
    let token = std::net::Ipv6Addr::from_bits(address.to_bits() & u128::from(u64::MAX));
    let setting = |name: &str| format!("net/ipv6/conf/{interface}/{name}=1");
    ran(node, &["sysctl", "-qw", &setting("accept_ra")]).await?;
    ran(node, &["sysctl", "-qw", &setting("autoconf")]).await?;
    // The kernel asks for routers when the link comes up, and may have the same address again at once.
    ran(node, &["ip", "link", "set", &interface, "down"]).await?;
    let left = node.addresses(&interface).await?;
    if left.iter().any(|net| net.addr == address) {
        fail!("{host} still has {address}");
    }
    let token = token.to_string();
    ran(node, &["ip", "token", "set", &token, "dev", &interface]).await?;
    ran(node, &["ip", "link", "set", &interface, "up"]).await?;
    Ok(())
}

#[then(expr = "{word} has made itself an address within {float} s")]
async fn has_an_address(world: &mut World, host: String, limit: f64) -> Outcome {
    let begun = Instant::now();
    let limit = seconds(limit)?;
    let link = link_of(world, &host)?.clone();
    let (interface, address) = place(world, &host, &link)?;
    let node = world.node(&host)?;
    loop {
        let found = node.addresses(&interface).await?;
        if found.iter().any(|net| net.addr == address) {
            let after = begun.elapsed().as_secs_f64();
            world
                .measured
                .push(format!("{host} had its address after {after:.2} s"));
            return Ok(());
        }
        if begun.elapsed() > limit {
            fail!("{host} has no {address} on {interface}, but {found:?}");
        }
        sleep(GLANCE).await;
    }
}

fn link_of<'w>(world: &'w World, host: &str) -> anyhow::Result<&'w Downstream> {
    let mut links = world.overlay()?.sites.iter().flat_map(|site| &site.links);
    let found = links.find(|link| link.hosts.iter().any(|other| other == host));
    found.with_context(|| format!("{host} is behind nobody"))
}

/// The interface of a host on its link, and its address there.
fn place(
    world: &World,
    host: &str,
    link: &Downstream,
) -> anyhow::Result<(String, std::net::Ipv6Addr)> {
    let node = world.plan()?.node(host);
    let interfaces = node.into_iter().flat_map(|node| &node.interfaces);
    let mut places = interfaces.flat_map(|interface| {
        let addresses = interface.addresses.iter();
        addresses.filter_map(|address| match address.net.addr {
            std::net::IpAddr::V6(v6) if link.prefix.contains(v6.into()) => {
                Some((interface.name.clone(), v6))
            }
            _ => None,
        })
    });
    let found = places.next();
    found.with_context(|| format!("{host} has no address of {}", link.prefix))
}

async fn ran(node: &Node, words: &[&str]) -> anyhow::Result<()> {
    let output = node.exec(words).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} on {}: {said}",
        words.join(" "),
        node.name()
    );
    Ok(())
}
