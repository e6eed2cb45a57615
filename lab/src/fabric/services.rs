//! What venues serve, by Debian's own programs: dnsmasq on their routers, which gives addresses and answers for names,
//! and dhcpcd on the machines of their guests.
//!
//! dnsmasq is what most small routers run. dhcpcd is the client Raspberry Pi OS had for years, writes `/etc/resolv.conf`,
//! notices that a cable was plugged in elsewhere, and heeds option 108 (RFC 8925). Both log beside the node's other logs
//! and end with the lab.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::advertiser;
use super::resolver::{self, INNER_PORT, PORT};
use super::translator;
use super::{CommandSpec, FabricError, Lab, Node, Result};
use crate::model::Answers;
use crate::plan::{DOMAIN, Net, NodePlan, Plan, Role, Ruleset, Service};

/// How long a server may take to start, or a client to get what it is to have.
const LIMIT: Duration = Duration::from_secs(30);

/// How often is looked whether it is so.
const GLANCE: Duration = Duration::from_millis(10);

/// What dnsmasq says once its sockets are open.
const SERVING: &str = "started, version";

/// The router's names without those that have IPv6 addresses only, in a node.
const HALF_HOSTS: &str = "/run/hosts.ipv4";

/// The addresses that a resolver with DNS64 makes up, in a node.
const MADE_UP_HOSTS: &str = "/run/hosts.dns64";

/// By which name hosts ask for the prefix of a NAT64, and its IPv4 addresses (RFC 7050 section 8).
const IPV4_ONLY: &str = "ipv4only.arpa";
const IPV4_ONLY_ADDRESSES: [Ipv4Addr; 2] =
    [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// What dhcpcd says when a server sends it option 108.
const DOES_WITHOUT: &str = "IPv6-Only Preferred received";

/// The client's configuration in a node.
const CLIENT_CONF: &str = "/etc/dhcpcd.conf";

/// IPv4 only, since the kernel takes care of IPv6; no waiting at random before the first question, and none for others
/// who might have the address, which would take 5 s; resolv.conf is the only thing beside the interface to be written.
const CLIENT: &str = "\
hostname
noipv6
noipv4ll
nodelay
noarp
option domain_name_servers, interface_mtu, ipv6_only_preferred
nohook hostname, ntp-common.conf, chrony.conf, timesyncd.conf, openntpd.conf
";

/// What is added where the client is not to write resolv.conf.
const KEEPS_RESOLVER: &str = "nohook resolv.conf\n";

/// Starts what routers serve, then what their guests ask with, and waits until those have what the plan says.
pub(super) async fn start(lab: &Lab) -> Result<()> {
    let planned = || {
        lab.nodes
            .iter()
            .filter_map(|node| Some((node, lab.plan.node(node.name())?)))
    };
    try_join_all(planned().map(async |(node, plan)| {
        if let Some(service) = &plan.service {
            serve(node, service, &lab.plan).await?;
        }
        match &plan.advertisement {
            Some(advertisement) => {
                translator::start(node, &advertisement.ipv6).await?;
                advertiser::start(node, advertisement).await
            }
            None => Ok(()),
        }
    }))
    .await?;
    try_join_all(planned().map(async |(node, plan)| move_in(node, plan).await)).await?;
    translator::proven(lab).await?;
    resolver::proven(lab).await
}

/// Has a guest ask for what the plan says, and waits until it has it.
async fn move_in(node: &Node, plan: &NodePlan) -> Result<()> {
    if let Some((interface, prefix)) = &plan.guest.told_of {
        let has =
            async |addresses: &[Net]| Ok(addresses.iter().any(|found| prefix.contains(found.addr)));
        let wanted = format!("make itself an address of {prefix}");
        holds(node, interface, &wanted, has).await?;
    }
    let Some(interface) = &plan.guest.asks_on else {
        return Ok(());
    };
    ask(node, interface, plan.guest.resolver).await?;
    let mut addresses = plan
        .interfaces
        .iter()
        .flat_map(|interface| &interface.addresses);
    let given = addresses.find(|address| address.leased);
    let by = plan.routes.iter().find(|route| route.leased);
    match given.zip(by.and_then(|route| route.via)) {
        Some((address, router)) => {
            let has = async |addresses: &[Net]| {
                let conf = node.read_file("/etc/resolv.conf").await?;
                let conf = String::from_utf8_lossy(&conf);
                let resolves = plan
                    .guest
                    .resolver
                    .is_none_or(|resolver| conf.contains(&format!("nameserver {resolver}\n")));
                let route = node.default_route(interface).await?;
                let routes = route.map(IpAddr::V4) == Some(router);
                Ok(resolves && routes && addresses.contains(&address.net))
            };
            let wanted = format!("be given {} with a default route by {router}", address.net);
            holds(node, interface, &wanted, has).await
        }
        // It was asked to do without.
        None => {
            let has = async |_: &[Net]| Ok(said(&client_log(node)).contains(DOES_WITHOUT));
            holds(node, interface, "be asked to do without IPv4", has).await
        }
    }
}

/// Waits until something holds, which may be asked of the interface's addresses.
async fn holds(
    node: &Node,
    interface: &str,
    wanted: &str,
    has: impl AsyncFn(&[Net]) -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let addresses = node.addresses(interface).await?;
        if has(&addresses).await? {
            return Ok(());
        }
        if Instant::now() > deadline {
            let addresses: Vec<String> = addresses.iter().map(Net::to_string).collect();
            let reason = format!(
                "it has [{}]; its client said:\n{}",
                addresses.join(", "),
                said(&client_log(node))
            );
            return Err(failed(node, wanted, &reason));
        }
        sleep(GLANCE).await;
    }
}

/// Starts a router's dnsmasq and waits until it serves.
async fn serve(node: &Node, service: &Service, plan: &Plan) -> Result<()> {
    let mut args: Vec<String> = [
        // In the foreground and as the user it was started by, who in a lab is perhaps the only one there is.
        "--no-daemon",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--bind-dynamic",
    ]
    .map(str::to_owned)
    .into();
    args.push(format!("--interface={}", service.interface));
    if service
        .dns
        .is_some_and(|dns| dns.answers == Answers::NoAaaa)
    {
        node.write_file(HALF_HOSTS, half_hosts(plan), 0o644).await?;
    }
    if let Some(made_up) = made_up(service, plan) {
        node.write_file(MADE_UP_HOSTS, made_up, 0o644).await?;
    }
    args.extend(names(service));
    args.extend(addresses(service, plan));
    let log = node.var_log().join("dnsmasq.log");
    let dnsmasq = CommandSpec::new("dnsmasq").args(args).log_to(&log);
    let process = node.spawn(dnsmasq).await?;
    let deadline = Instant::now() + LIMIT;
    while !said(&log).contains(SERVING) {
        if process.status().is_some() || Instant::now() > deadline {
            return Err(failed(node, "serve its guests", &said(&log)));
        }
        sleep(GLANCE).await;
    }
    match service.dns {
        Some(dns) if dns.answers == Answers::Nothing => deafen(node, &service.interface).await,
        Some(dns) if dns.delay > 0 => {
            let by = Duration::from_millis(dns.delay.into());
            resolver::delay(node, service.address, by).await
        }
        _ => Ok(()),
    }
}

/// Loses questions, so that those who ask wait in vain: an error would tell them at once.
async fn deafen(node: &Node, interface: &str) -> Result<()> {
    let text = format!(
        "table inet deaf {{\n  chain input {{\n    type filter hook input priority -5;\n    \
         iifname {interface} meta l4proto {{ tcp, udp }} th dport {PORT} drop\n  }}\n}}\n"
    );
    let kind = "deaf".to_owned();
    node.load(Ruleset { kind, text }).await
}

/// What dnsmasq is told of names. Those of the router's own `/etc/hosts` are the true ones.
fn names(service: &Service) -> Vec<String> {
    let Some(dns) = service.dns else {
        return vec!["--port=0".to_owned()];
    };
    let port = if dns.delay > 0 { INNER_PORT } else { PORT };
    let mut args = vec![format!("--port={port}")];
    match dns.answers {
        Answers::Truth => args.push("--local=/#/".to_owned()),
        Answers::Dns64 => {
            args.extend([
                "--local=/#/".to_owned(),
                format!("--addn-hosts={MADE_UP_HOSTS}"),
            ]);
        }
        Answers::NoAaaa => {
            args.extend(["--local=/#/", "--no-hosts"].map(str::to_owned));
            args.push(format!("--addn-hosts={HALF_HOSTS}"));
        }
        Answers::Itself => {
            args.push("--no-hosts".to_owned());
            args.push(format!("--address=/#/{}", service.address));
        }
        Answers::Nxdomain => args.extend(["--no-hosts", "--address=/#/"].map(str::to_owned)),
        // Questions reach nobody then, not even one who would refuse them.
        Answers::Nothing => return vec!["--port=0".to_owned()],
    }
    args
}

/// `/etc/hosts` of a world without IPv6.
fn half_hosts(plan: &Plan) -> String {
    let hosts = plan.hosts();
    let lines = hosts.lines().filter(|line| {
        let address = line.split_whitespace().next();
        address.is_some_and(|address| address.parse::<Ipv4Addr>().is_ok())
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// What is made up (RFC 6147 section 5.1): an IPv6 address for each of IPv4 that a name without IPv6 has. The names
/// do not change, so that all is known when the router starts.
fn made_up(service: &Service, plan: &Plan) -> Option<String> {
    let ipv6 = service.ipv6?;
    if service.dns?.answers != Answers::Dns64 {
        return None;
    }
    let mut text = String::new();
    let mut add = |address: IpAddr, name: &str| text.push_str(&format!("{address} {name}\n"));
    for address in IPV4_ONLY_ADDRESSES {
        add(address.into(), IPV4_ONLY);
        add(ipv6.translated(address)?.into(), IPV4_ONLY);
    }
    for server in plan.nodes.iter().filter(|node| node.role == Role::Server) {
        for address in resolver::made_up(plan, &server.name, &ipv6) {
            add(address, &format!("{}.{DOMAIN}", server.name));
        }
    }
    Some(text)
}

/// What dnsmasq is told of addresses.
fn addresses(service: &Service, plan: &Plan) -> Vec<String> {
    let Some(dhcp) = &service.dhcp else {
        return Vec::new();
    };
    let [first, last] = dhcp.range;
    let mut args = vec![
        format!(
            "--dhcp-range={},{},{}",
            first.addr, last.addr, dhcp.terms.lease
        ),
        "--dhcp-leasefile=/run/dnsmasq.leases".to_owned(),
        "--dhcp-authoritative".to_owned(),
        // It would ping an address for 3 s before it offers it.
        "--no-ping".to_owned(),
        "--log-dhcp".to_owned(),
        match service.dns {
            Some(_) => format!("--dhcp-option=option:dns-server,{}", service.address),
            None => "--dhcp-option=option:dns-server".to_owned(),
        },
    ];
    for (end, address) in &dhcp.reserved {
        let interface = plan
            .node(&end.node)
            .and_then(|node| node.interface(&end.interface));
        if let Some(interface) = interface {
            let mac = interface.mac.map(|byte| format!("{byte:02x}")).join(":");
            args.push(format!("--dhcp-host={mac},{address}"));
        }
    }
    if let Some(seconds) = dhcp.terms.ipv6_only {
        let bytes = seconds.to_be_bytes().map(|byte| format!("{byte:02x}"));
        args.push(format!("--dhcp-option=108,{}", bytes.join(":")));
    }
    args
}

/// Starts a guest's dhcpcd.
async fn ask(node: &Node, interface: &str, resolver: Option<IpAddr>) -> Result<()> {
    // Who was told to do without IPv4 has its resolver by IPv6, and the client would put nobody in its place.
    let told_otherwise = resolver.is_some_and(|resolver| resolver.is_ipv6());
    let conf = if told_otherwise { KEEPS_RESOLVER } else { "" };
    node.write_file(CLIENT_CONF, format!("{CLIENT}{conf}"), 0o644)
        .await?;
    let dhcpcd = CommandSpec::new("dhcpcd")
        .args(["--nobackground", "--config", CLIENT_CONF, interface])
        .log_to(client_log(node));
    node.spawn(dhcpcd).await.map(drop)
}

/// Where a node's dhcpcd logs, as the lab's runner sees it.
fn client_log(node: &Node) -> std::path::PathBuf {
    node.var_log().join("dhcpcd.log")
}

fn said(log: &Path) -> String {
    std::fs::read(log).map_or_else(
        |error| error.to_string(),
        |text| String::from_utf8_lossy(&text).into_owned(),
    )
}

fn failed(node: &Node, what: &str, reason: &str) -> FabricError {
    FabricError::Node {
        node: node.name().to_owned(),
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}
