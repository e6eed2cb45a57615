//! Machines that are routers by `router.toml`, and hosts that take their addresses from what those advertise.

use std::time::Duration;

use anyhow::{Context, ensure};
use cucumber::{given, then, when};
use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::network::set_up_changed;
use super::{Outcome, World, fail, seconds};
use crate::actors::{self, Directory};
use crate::fabric::Node;
use crate::plan::Site;

/// How often is looked whether something has come about.
const GLANCE: Duration = Duration::from_millis(20);

/// The addresses that plans give Pis on their downstream interfaces are left to the daemon as well.
#[given("tinc is set up as it should be, by router.toml")]
async fn set_up_by_router_toml(world: &mut World) -> Outcome {
    let overlay = world.overlay()?.clone();
    let change =
        |node: &str, directory: &mut Directory| actors::by_router_toml(directory, &overlay, node);
    set_up_changed(world, change).await?;
    try_join_all(overlay.sites.iter().map(async |site| {
        let node = world.node(&site.node)?;
        let address = format!("{}/{}", site.gateway, site.prefix.len);
        let words = [
            "ip",
            "-6",
            "address",
            "del",
            &address,
            "dev",
            &site.interface,
        ];
        ran(node, &words).await
    }))
    .await?;
    Ok(())
}

/// It forgets what the plan gave it. Of its address the second half stays, as a token, so that others know where to
/// find it.
#[given(expr = "{word} knows no more than routers tell it")]
#[when(expr = "{word} forgets all but what routers tell it")]
async fn knows_nothing(world: &mut World, host: String) -> Outcome {
    let site = site_of(world, &host)?.clone();
    let node = world.node(&host)?;
    let (interface, address) = place(world, &host, &site)?;
    let token = std::net::Ipv6Addr::from_bits(address.to_bits() & u128::from(u64::MAX));
    let setting = |name: &str| format!("net/ipv6/conf/{interface}/{name}=1");
    ran(node, &["sysctl", "-qw", &setting("accept_ra")]).await?;
    ran(node, &["sysctl", "-qw", &setting("autoconf")]).await?;
    // The kernel asks for routers when the link comes up.
    ran(node, &["ip", "link", "set", &interface, "down"]).await?;
    let token = token.to_string();
    ran(node, &["ip", "token", "set", &token, "dev", &interface]).await?;
    ran(node, &["ip", "link", "set", &interface, "up"]).await?;
    let left = node.addresses(&interface).await?;
    if left.iter().any(|net| net.addr == address) {
        fail!("{host} still has {address}");
    }
    Ok(())
}

#[then(expr = "{word} has made itself an address within {float} s")]
async fn has_an_address(world: &mut World, host: String, limit: f64) -> Outcome {
    let begun = Instant::now();
    let limit = seconds(limit)?;
    let site = site_of(world, &host)?.clone();
    let (interface, address) = place(world, &host, &site)?;
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

fn site_of<'w>(world: &'w World, host: &str) -> anyhow::Result<&'w Site> {
    let mut sites = world.overlay()?.sites.iter();
    let found = sites.find(|site| site.clients.iter().any(|client| client == host));
    found.with_context(|| format!("{host} is behind nobody"))
}

/// The interface of a host on the link of its site, and its address there.
fn place(world: &World, host: &str, site: &Site) -> anyhow::Result<(String, std::net::Ipv6Addr)> {
    let node = world.plan()?.node(host);
    let interfaces = node.into_iter().flat_map(|node| &node.interfaces);
    let mut places = interfaces.flat_map(|interface| {
        let addresses = interface.addresses.iter();
        addresses.filter_map(|address| match address.net.addr {
            std::net::IpAddr::V6(v6) if site.prefix.contains(v6.into()) => {
                Some((interface.name.clone(), v6))
            }
            _ => None,
        })
    });
    let found = places.next();
    found.with_context(|| format!("{host} has no address of {}", site.prefix))
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
