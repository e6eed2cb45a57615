//! A venue's NAT64, by Debian's tayga: a translator of single packets (RFC 7915) on a TUN, behind which the router's
//! own NAT of IPv4 makes many hosts one address, as stateful ones (RFC 6146) do in one box.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{CommandSpec, FabricError, Lab, Node, Result, check};
use crate::built;
use crate::model::Ipv6;
use crate::plan::{NodePlan, Role};

/// Its program within the unpacked peer.
const PROGRAM: &str = "usr/sbin/tayga";

/// Its configuration in a node.
const CONFIGURATION: &str = "/etc/tayga.conf";

/// Its interface, which rulesets know too.
const INTERFACE: &str = "nat64";

/// Which IPv4 addresses guests have between it and the NAT, and its own: of the network for benchmarks (RFC 2544
/// appendix C.2.2), since no venue has it as its own.
const POOL: &str = "198.18.0.0/16";
const OWN: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// How long it may take until something passes, and how long one datagram is waited for.
const LIMIT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_millis(200);

/// Where its program is, if it is unpacked.
fn unpacked() -> PathBuf {
    built::peer("tayga").join(PROGRAM)
}

/// Whether it need not be installed.
pub(super) fn is_unpacked() -> bool {
    unpacked().is_file()
}

/// Starts the translator of a router.
pub(super) async fn start(node: &Node, ipv6: &Ipv6) -> Result<()> {
    let Some(nat64) = ipv6.nat64 else {
        return Ok(());
    };
    // One that is installed will do.
    if is_unpacked() {
        node.install(&unpacked(), "tayga").await?;
    }
    let text =
        format!("tun-device {INTERFACE}\nipv4-addr {OWN}\nprefix {nat64}\ndynamic-pool {POOL}\n");
    node.write_file(CONFIGURATION, text, 0o644).await?;
    let prefix = nat64.to_string();
    let commands: [&[&str]; 4] = [
        &["tayga", "--mktun", "--config", CONFIGURATION],
        &["ip", "link", "set", INTERFACE, "up"],
        &["ip", "route", "add", POOL, "dev", INTERFACE],
        &["ip", "-6", "route", "add", &prefix, "dev", INTERFACE],
    ];
    for argv in commands {
        let output = node.exec(argv).await?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let reason = format!("{}; `./prepare` unpacks tayga", words.trim());
            return Err(failed(node.name(), &argv.join(" "), reason));
        }
    }
    let tayga = CommandSpec::new("tayga")
        .args(["--nodetach", "--config", CONFIGURATION])
        .log_to(node.var_log().join("tayga.log"));
    node.spawn(tayga).await.map(drop)
}

/// Asks, as a guest of each router that translates, whether a server of IPv4 hears it from the venue's own address and
/// whether its answer comes back.
pub(super) async fn proven(lab: &Lab) -> Result<()> {
    for router in &lab.plan.nodes {
        let told = router.advertisement.as_ref();
        let Some(ipv6) = told.map(|told| told.ipv6).filter(|it| it.nat64.is_some()) else {
            continue;
        };
        let guest = lab.plan.nodes.iter().find(|node| {
            let told = node.guest.told_of.as_ref();
            told.is_some_and(|(_, prefix)| *prefix == ipv6.prefix)
        });
        let servers = lab
            .plan
            .nodes
            .iter()
            .filter(|node| node.role == Role::Server);
        let server = servers
            .into_iter()
            .find_map(|node| Some((node, ipv4(node, None)?)));
        if let (Some(guest), Some((server, address))) = (guest, server) {
            let passed = async {
                let by = ipv6.translated(address)?;
                Some(
                    pass(
                        lab,
                        &guest.name,
                        by,
                        (&server.name, address),
                        ipv4(router, Some("wan0"))?,
                    )
                    .await,
                )
            };
            passed.await.transpose()?;
        }
    }
    Ok(())
}

/// The first IPv4 address of a machine, of one interface or of any.
fn ipv4(node: &NodePlan, interface: Option<&str>) -> Option<Ipv4Addr> {
    let interfaces = node.interfaces.iter();
    let wanted = interfaces.filter(|found| interface.is_none_or(|name| found.name == name));
    wanted
        .flat_map(|found| &found.addresses)
        .find_map(|address| match address.net.addr {
            std::net::IpAddr::V4(address) => Some(address),
            std::net::IpAddr::V6(_) => None,
        })
}

async fn pass(
    lab: &Lab,
    guest: &str,
    by: Ipv6Addr,
    (server, address): (&str, Ipv4Addr),
    seen_as: Ipv4Addr,
) -> Result<()> {
    let what = format!("reach {server} by IPv4 as {by}, seen as {seen_as}");
    let wrong = |reason: String| failed(guest, &what, reason);
    let inner = check::socket(lab.node(guest)?, Ipv6Addr::UNSPECIFIED, 0).await?;
    let outer = check::socket(lab.node(server)?, address, 0).await?;
    let port = outer
        .local_addr()
        .map_err(|error| wrong(error.to_string()))?
        .port();
    let to = SocketAddr::from((by, port));
    let deadline = Instant::now() + LIMIT;
    let mut buffer = [0; 16];
    // It has just been started, so that the first may be lost.
    let source = loop {
        // No route yet is as good as no answer yet.
        let _ = inner.send_to(b"there", to).await;
        match timeout(ANSWER, outer.recv_from(&mut buffer)).await {
            Ok(heard) => break heard.map_err(|error| wrong(error.to_string()))?.1,
            Err(_) if Instant::now() > deadline => return Err(wrong("nothing arrived".to_owned())),
            Err(_) => {}
        }
    };
    if source.ip() != seen_as {
        return Err(wrong(format!("the server saw {source}")));
    }
    let sent = outer.send_to(b"back", source).await;
    sent.map_err(|error| wrong(error.to_string()))?;
    match timeout(LIMIT, inner.recv_from(&mut buffer)).await {
        Ok(Ok((_, from))) if from == to => Ok(()),
        Ok(Ok((_, from))) => Err(wrong(format!("the answer came from {from}"))),
        Ok(Err(error)) => Err(wrong(error.to_string())),
        Err(_) => Err(wrong("no answer came back".to_owned())),
    }
}

fn failed(node: &str, what: &str, reason: String) -> FabricError {
    FabricError::Node {
        node: node.to_owned(),
        what: what.to_owned(),
        reason,
    }
}
