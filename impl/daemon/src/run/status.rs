//! What we say of ourselves when asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use v6router_core::dataplane::Obstacle;
use v6router_core::node::{LinkReport, PeerReport, WayReport};
use v6router_core::router::RouterConfig;
use v6router_core::subnet::SubnetAddr;

use super::daemon::Daemon;
use crate::io::proxy::Target;
use crate::status::{
    Advertised, Connection, Dropped, Gateway, Network, Path, PathKind, Peer, Router, Status,
    WayOut, Why,
};

impl Daemon {
    /// All but what only the kernel knows.
    pub(super) fn status(&self) -> Status {
        let invocation = &self.setup.invocation;
        let traffic = &self.datapath.shared().traffic;
        let reports = self.node.report(Instant::now());
        let mut peers: BTreeMap<String, Peer> = BTreeMap::new();
        for report in reports {
            let peer = self.peer(&report);
            peers.insert(peer.name.clone(), peer);
        }
        let router = self.setup.config.router.as_ref();
        for site in router.iter().flat_map(|router| &router.sites) {
            // It may never have been heard of.
            let name = site.node.to_string();
            let peer = peers.entry(name).or_insert_with_key(|name| Peer {
                name: name.clone(),
                ..Peer::default()
            });
            peer.prefixes.push(site.prefix.to_string());
        }
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: self.setup.config.name.to_string(),
            net: invocation.layout.netname().map(str::to_owned),
            pid: std::process::id(),
            uptime_s: self.began.elapsed().as_secs(),
            interface: self.device.name().to_owned(),
            device_in_bytes: traffic.bytes_in(),
            device_out_bytes: traffic.bytes_out(),
            peers: peers.into_values().collect(),
            router: router.map(|router| self.router(router)),
        }
    }

    fn peer(&self, report: &PeerReport) -> Peer {
        let connection = report.link.as_ref().map(|link| self.connection(link));
        let way = report.way.as_ref();
        let path = way.map(|way| path(report, way, connection.as_ref()));
        let rtt_ms = match path.as_ref().map(|path| path.kind) {
            Some(PathKind::Udp) => report.round_trip.map(ms),
            Some(PathKind::Tcp | PathKind::Proxy) => connection.as_ref().and_then(|it| it.rtt_ms),
            _ => None,
        };
        let (mut prefixes, mut macs) = (Vec::new(), Vec::new());
        for subnet in &report.subnets {
            match subnet.addr {
                SubnetAddr::Mac(mac) => macs.push(mac.to_string()),
                SubnetAddr::V4 { addr, len } => prefixes.push(format!("{addr}/{len}")),
                SubnetAddr::V6 { addr, len } => prefixes.push(format!("{addr}/{len}")),
            }
        }
        Peer {
            name: report.name.to_string(),
            path,
            mtu: Some(report.proven).filter(|len| *len > 0),
            rtt_ms,
            prefixes,
            macs,
            connection,
            wanted: report.wanted,
        }
    }

    fn connection(&self, link: &LinkReport) -> Connection {
        let stream = self.streams.get(&link.conn);
        let target = stream.and_then(|stream| stream.dialled.as_ref());
        let proxy = self.dialling.setup.proxy.as_ref();
        Connection {
            address: target.map_or_else(|| link.address.to_string(), place),
            outgoing: target.is_some(),
            proxy: target.and(proxy).map(ToString::to_string),
            age_s: link.age.as_secs(),
            rtt_ms: link.round_trip.map(ms),
        }
    }

    fn router(&self, config: &RouterConfig) -> Router {
        let gateway = config.gateway.map(|address| Gateway {
            address: address.to_string(),
            answers: None,
        });
        let networks = config.downstream.iter().map(|one| Network {
            interface: one.interface.clone(),
            prefix: one.prefix.to_string(),
            ..Network::default()
        });
        Router {
            address: config.address.to_string(),
            pool: config.pool.map(|pool| pool.to_string()),
            way_out: WayOut {
                gateway,
                ..WayOut::default()
            },
            networks: networks.collect(),
            advertised: self.advertised(),
            dropped: self.dropped().unwrap_or_default(),
        }
    }

    fn advertised(&self) -> Advertised {
        let Some(routing) = &self.routing else {
            return Advertised::default();
        };
        let counts = routing.counts();
        Advertised {
            sent: count(&counts.sent),
            solicited: count(&counts.solicited),
            void: count(&counts.void),
        }
    }

    /// What a router has not let across its border.
    pub(super) fn dropped(&self) -> Option<Dropped> {
        let forwarding = self.node.forwarding();
        let counts = forwarding.border.as_ref()?.counts();
        Some(Dropped {
            advertisements: count(&counts.advertisements),
            redirects: count(&counts.redirects),
            dhcp_answers: count(&counts.dhcp_answers),
            disguised: count(&counts.disguised),
            sources: count(&counts.sources),
            targets: count(&counts.targets),
            strangers: count(&counts.strangers),
        })
    }
}

fn path(report: &PeerReport, way: &WayReport, connection: Option<&Connection>) -> Path {
    let is_direct = way.stop == report.name;
    let by_proxy = connection.is_some_and(|connection| connection.proxy.is_some());
    let kind = match way.udp {
        _ if !is_direct => PathKind::Relay,
        Some(_) => PathKind::Udp,
        None if by_proxy => PathKind::Proxy,
        None => PathKind::Tcp,
    };
    let turned = report.udp_turned;
    Path {
        kind,
        relay: (!is_direct).then(|| way.stop.to_string()),
        udp: way.udp.map(|address| address.to_string()),
        why: way.obstacle.map(|obstacle| match obstacle {
            Obstacle::Indirect => Why::Indirect,
            Obstacle::TcpOnly => Why::TcpOnly,
            Obstacle::NoKey => Why::NoKey,
            Obstacle::Unproven if turned.is_some() => Why::Silent,
            Obstacle::Unproven => Why::NoAnswer,
            Obstacle::NoAddress => Why::NoAddress,
        }),
        udp_since_s: turned.map(|turned| turned.as_secs()),
    }
}

/// An address, or a name that a proxy looks up, with its port.
fn place(target: &Target) -> String {
    match target {
        Target::Address(address) => address.to_string(),
        Target::Name(name, port) => format!("{name}:{port}"),
    }
}

/// To the microsecond.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> PeerReport {
        PeerReport {
            name: "node_two".parse().unwrap(),
            way: None,
            proven: 0,
            udp_turned: None,
            round_trip: None,
            subnets: Vec::new(),
            link: None,
            wanted: false,
        }
    }

    fn way(stop: &str, udp: Option<&str>, obstacle: Option<Obstacle>) -> WayReport {
        WayReport {
            stop: stop.parse().unwrap(),
            udp: udp.map(|address| address.parse().unwrap()),
            obstacle,
        }
    }

    #[test]
    fn a_path_is_udp_tcp_a_proxy_or_a_relay() {
        let udp = Some("192.0.2.1:655");
        let unproven = Some(Obstacle::Unproven);
        let proxied = Connection {
            proxy: Some("http 192.0.2.9:3128".to_owned()),
            ..Connection::default()
        };
        let kind = |way: &WayReport, connection| path(&report(), way, connection).kind;
        assert_eq!(
            kind(&way("node_two", udp, None), Some(&proxied)),
            PathKind::Udp
        );
        let tcp = way("node_two", None, unproven);
        assert_eq!(kind(&tcp, Some(&proxied)), PathKind::Proxy);
        assert_eq!(kind(&tcp, Some(&Connection::default())), PathKind::Tcp);
        let relayed = path(&report(), &way("node_one", udp, unproven), None);
        assert_eq!(relayed.kind, PathKind::Relay);
        assert_eq!(relayed.relay.as_deref(), Some("node_one"));
    }

    #[test]
    fn silence_is_something_else_than_no_answer_yet() {
        let way = way("node_two", None, Some(Obstacle::Unproven));
        assert_eq!(path(&report(), &way, None).why, Some(Why::NoAnswer));
        let mut worked = report();
        worked.udp_turned = Some(Duration::from_secs(9));
        let path = path(&worked, &way, None);
        assert_eq!((path.why, path.udp_since_s), (Some(Why::Silent), Some(9)));
    }
}
