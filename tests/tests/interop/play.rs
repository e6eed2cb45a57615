//! One combination: its network, its daemons, its packets, and whether they took the way they should.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::{Instant, sleep};
use v6lab::actors::{NETNAME, Product};
use v6lab::fabric::Lab;
use v6lab::observe::Capture;
use v6lab::plan::{Net, Plan, Segment};
use v6tests::cases::Setting;
use v6tests::dump::{self, NodeState};
use v6tests::members::{self, Daemons, Member};

use crate::combination::{Combination, Dials, Mode, Outside, Transport};
use crate::sizes::{self, End, LARGEST};

const OURS: &str = "ours";
const PEER: &str = "peer";
const RELAY: &str = "relay";

/// How long two daemons may take to find each other. A tincd that finds nobody tries again after 5 s.
const MEET: Duration = Duration::from_secs(20);

/// How long UDP may take to be proven: tinc 1.1 tries only beside traffic, and not often.
const PROVEN: Duration = Duration::from_secs(20);

/// How often it is looked whether it is.
const GLANCE: Duration = Duration::from_millis(50);

/// What a frame has in front of its payload: Ethernet's header, and IP's and UDP's in router mode.
const HEADER: usize = 14 + 20 + 8;

/// Has ours take and give frames and datagrams one by one.
const WITHOUT_OFFLOADS: &str = "DeviceOffload = no\nUDPCoalescing = no\nUDPSegmentation = no\n";

/// What the meta connection and the packets use.
const UDP: &str = "UDP 655";

pub(crate) async fn play(setting: &Setting, combination: &Combination) -> anyhow::Result<String> {
    let logs = setting.logs_of(combination)?;
    let members = cast(combination);
    let lab = Lab::up(&plan(combination)).await?;
    members::furnish(setting, &lab, &members).await?;
    let mut daemons = Daemons::default();
    // In this order nobody dials before there is somebody.
    for member in &members {
        daemons.start(&lab, member, &logs).await?;
    }
    let told = exchange(combination, &lab, &daemons).await;
    // A failure is not to be hidden by another.
    let down = lab.down().await;
    let told = told?;
    down?;
    Ok(told)
}

/// Who takes part, the one that dials last.
fn cast(combination: &Combination) -> Vec<Member> {
    let mut ours = Member::new(OURS, Product::V6router);
    let mut peer = Member::new(PEER, combination.peer);
    let mut relay = Member::new(RELAY, Product::Tincd);
    for member in [&mut ours, &mut peer, &mut relay] {
        member.conf.push_str(match combination.mode {
            Mode::Switch => "Mode = switch\n",
            Mode::Router => "Mode = router\n",
        });
        if combination.mode == Mode::Router {
            let address = overlay(&member.name);
            member.host = format!("Subnet = {address}\n");
            member.up = format!("ip addr add {address}/24 dev $INTERFACE\n");
        }
        if combination.transport == Transport::TcpOnly {
            member.conf.push_str("TCPOnly = yes\n");
        }
    }
    if !combination.offloads {
        ours.conf.push_str(WITHOUT_OFFLOADS);
    }
    if let Some([for_ours, for_peer]) = combination.sealing {
        ours.host = for_ours.lines();
        peer.host = for_peer.lines();
    }
    let (mut dialer, answerer) = match combination.dials {
        Dials::Ours => (ours, peer),
        Dials::Peer => (peer, ours),
    };
    if combination.transport == Transport::Relayed {
        relay.dials.push(answerer.name.clone());
        dialer.dials.push(RELAY.to_owned());
        return vec![answerer, relay, dialer];
    }
    dialer.dials.push(answerer.name.clone());
    vec![answerer, dialer]
}

/// A machine's address in router mode.
fn overlay(name: &str) -> Ipv4Addr {
    Ipv4Addr::new(
        10,
        66,
        0,
        match name {
            OURS => 1,
            PEER => 2,
            _ => 3,
        },
    )
}

fn plan(combination: &Combination) -> Plan {
    let nets: [Net; 2] = match combination.outside {
        Outside::Ipv4 => ["198.51.100.0/24", "203.0.113.0/24"],
        Outside::Ipv6 => ["2001:db8:1::/64", "2001:db8:2::/64"],
    }
    .map(|net| net.parse().expect("written here"));
    let [first, second] = nets.each_ref().map(std::slice::from_ref);
    let segment = |networks, members| Segment { networks, members };
    let segments = match combination.transport {
        Transport::Relayed => vec![
            segment(first, &[OURS, RELAY]),
            segment(second, &[RELAY, PEER]),
        ],
        Transport::Udp | Transport::TcpOnly => vec![segment(first, &[OURS, PEER])],
    };
    let mut plan = Plan::segments(&combination.to_string(), &segments);
    if combination.mode == Mode::Router {
        for node in &mut plan.nodes {
            // Datagrams may be cut on the way, so that those which are too long arrive as well.
            let key = "net/ipv4/ip_no_pmtu_disc".to_owned();
            node.sysctls.push((key, "1".to_owned()));
        }
    }
    plan
}

async fn exchange(
    combination: &Combination,
    lab: &Lab,
    daemons: &Daemons,
) -> anyhow::Result<String> {
    let (ours, peer) = (lab.node(OURS)?, lab.node(PEER)?);
    let (mut a, mut b) = match combination.mode {
        Mode::Switch => End::frames(ours, peer, NETNAME).await?,
        Mode::Router => {
            let at = |name| SocketAddr::from((overlay(name), 4000));
            End::datagrams((ours, at(OURS)), (peer, at(PEER))).await?
        }
    };
    let captures = [
        Capture::start(ours, "eth0").await?,
        Capture::start(peer, "eth0").await?,
    ];
    sizes::meet(&mut a, &mut b, MEET).await?;
    // Who must have proven UDP to whom.
    let hops: &[(&str, &str)] = match combination.transport {
        Transport::Udp => &[(OURS, PEER), (PEER, OURS)],
        Transport::TcpOnly => &[],
        Transport::Relayed => &[(OURS, RELAY), (RELAY, OURS), (PEER, RELAY), (RELAY, PEER)],
    };
    let proven = prove(lab, daemons, hops, &a, &b).await?;
    if let Some([for_ours, for_peer]) = combination.sealing {
        // Each has heard what the other wants.
        for (one, other, wanted) in [(OURS, PEER, for_peer), (PEER, OURS, for_ours)] {
            let state = state(lab, daemons, one, other).await?;
            ensure!(
                state.sealing == wanted.numbers(),
                "{one} seals for {other} by {:?} instead of {:?}",
                state.sealing,
                wanted.numbers()
            );
        }
    }
    let before = udp_frames(&captures)?;
    let again = sizes::exchange(&mut a, &mut b).await?;
    let by_udp = udp_frames(&captures)?;
    if combination.transport == Transport::TcpOnly {
        // A tinc 1.1 sends two short probes every five seconds all the same, and gets its answers; payloads are
        // thousands.
        let stray = match combination.peer {
            Product::Tinc11 => 16,
            Product::V6router | Product::Tincd => 0,
        };
        ensure!(
            by_udp.iter().all(|heard| *heard <= stray),
            "{by_udp:?} datagrams were heard"
        );
        for (one, other) in [(OURS, PEER), (PEER, OURS)] {
            let min = min_mtu(lab, daemons, one, other).await?;
            ensure!(
                min == 0,
                "{one} takes UDP to {other} for proven up to {min}"
            );
        }
    } else {
        // What is no longer than that goes by UDP, there and back. A capture may miss some if the machine is busy.
        let payloads = LARGEST.min((proven as usize).saturating_sub(HEADER));
        let expected = 2 * payloads * 9 / 10;
        for (heard, before) in by_udp.iter().zip(before) {
            let heard = heard - before;
            ensure!(
                heard >= expected,
                "{heard} datagrams were heard of {expected} that were due (proven up to {proven})"
            );
        }
    }
    let again = if again > 0 {
        format!(", {again} sent again")
    } else {
        String::new()
    };
    Ok(format!("{} datagrams{again}", by_udp[0] - before[0]))
}

/// Waits until UDP is proven at every hop; the shortest length that is proven at one.
async fn prove(
    lab: &Lab,
    daemons: &Daemons,
    hops: &[(&str, &str)],
    a: &End,
    b: &End,
) -> anyhow::Result<u32> {
    let deadline = Instant::now() + PROVEN;
    let mut shortest = u32::MAX;
    for (from, to) in hops {
        loop {
            let min = min_mtu(lab, daemons, from, to).await?;
            if min > 0 {
                shortest = shortest.min(min);
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "{from} has not proven UDP to {to} after {} s",
                PROVEN.as_secs()
            );
            sizes::knock(a, b).await?;
            sleep(GLANCE).await;
        }
    }
    Ok(shortest)
}

async fn min_mtu(lab: &Lab, daemons: &Daemons, from: &str, to: &str) -> anyhow::Result<u32> {
    Ok(state(lab, daemons, from, to).await?.min_mtu)
}

/// What one daemon says of another.
async fn state(lab: &Lab, daemons: &Daemons, of: &str, about: &str) -> anyhow::Result<NodeState> {
    let dump = dump::ask(lab.node(of)?, daemons.on(of)?).await?;
    let state = dump.nodes.get(about).cloned();
    state.with_context(|| format!("{of} does not know {about}"))
}

fn udp_frames(captures: &[Capture; 2]) -> anyhow::Result<[usize; 2]> {
    let [a, b] = captures;
    let of = |capture: &Capture| {
        let kinds = capture.frames()?.kinds();
        anyhow::Ok(kinds.get(UDP).copied().unwrap_or_default())
    };
    Ok([of(a)?, of(b)?])
}
