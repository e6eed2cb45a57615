//! The status in the text format of Prometheus, version 0.0.4.

use std::fmt::{self, Write as _};

use super::{PathKind, Peer, Status};

/// The last line, by which a page that was cut short is told from a whole one (OpenMetrics 1.0); a comment to whoever
/// expects none.
pub(super) const END: &str = "# EOF\n";

/// The whole status, a line a sample.
pub(crate) fn metrics(status: &Status) -> String {
    let mut page = Page::default();
    page.about_us(status);
    page.about_peers(&status.peers);
    if let Some(router) = &status.router {
        page.about_router(router);
    }
    page.0.push_str(END);
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn about_us(&mut self, status: &Status) {
        self.family("v6router_info", "gauge", "Who is asked; always 1.");
        let net = status.net.as_deref().unwrap_or_default();
        let labels = [
            ("name", status.name.as_str()),
            ("net", net),
            ("version", &status.version),
        ];
        self.sample("v6router_info", &labels, 1);
        self.alone(
            "v6router_uptime_seconds",
            "gauge",
            "Time since the start.",
            status.uptime_s,
        );
        self.alone(
            "v6router_device_in_bytes_total",
            "counter",
            "Bytes from the kernel to the VPN.",
            status.device_in_bytes,
        );
        self.alone(
            "v6router_device_out_bytes_total",
            "counter",
            "Bytes from the VPN to the kernel.",
            status.device_out_bytes,
        );
    }

    fn about_peers(&mut self, peers: &[Peer]) {
        self.of_each(
            peers,
            "v6router_peer_reachable",
            "Whether the node is reached.",
            |peer| Some(u8::from(peer.path.is_some())),
        );
        self.of_each(
            peers,
            "v6router_peer_connected",
            "Whether the node has a meta connection with us.",
            |peer| Some(u8::from(peer.connection.is_some())),
        );
        self.of_each(
            peers,
            "v6router_peer_mtu_bytes",
            "Longest frame that is known to pass by UDP.",
            |peer| peer.mtu,
        );
        self.of_each(
            peers,
            "v6router_peer_rtt_seconds",
            "Round-trip time to the node by the way that packets take.",
            // To the microsecond.
            |peer| peer.rtt_ms.map(|ms| (ms * 1000.0).round() / 1_000_000.0),
        );
        let name = "v6router_peer_path";
        self.family(
            name,
            "gauge",
            "How packets go to the node: 1 at one kind, 0 at the others.",
        );
        for peer in peers {
            let taken = peer.path.as_ref().map(|path| path.kind);
            for (kind, word) in PathKind::EACH {
                let labels = [("name", peer.name.as_str()), ("kind", word)];
                self.sample(name, &labels, u8::from(taken == Some(kind)));
            }
        }
    }

    fn about_router(&mut self, router: &super::Router) {
        self.alone(
            "v6router_way_out_by_tunnel",
            "gauge",
            "Whether what we send ourselves leaves by the tunnel.",
            u8::from(router.way_out.by_tunnel),
        );
        if let Some(answers) = router.way_out.gateway.as_ref().and_then(|it| it.answers) {
            self.alone(
                "v6router_gateway_answers",
                "gauge",
                "Whether the gateway has answered the kernel.",
                u8::from(answers),
            );
        }
        let name = "v6router_clients";
        self.family(
            name,
            "gauge",
            "Who has been seen lately on a network of ours.",
        );
        for network in &router.networks {
            let labels = [("interface", network.interface.as_str())];
            self.sample(name, &labels, network.clients.len());
        }
        let advertised = &router.advertised;
        for (name, help, count) in [
            (
                "v6router_router_advertisements_sent_total",
                "Router advertisements sent.",
                advertised.sent,
            ),
            (
                "v6router_router_solicitations_heard_total",
                "Router solicitations heard.",
                advertised.solicited,
            ),
            (
                "v6router_router_solicitations_void_total",
                "Router solicitations that were void.",
                advertised.void,
            ),
        ] {
            self.alone(name, "counter", help, count);
        }
        let name = "v6router_border_dropped_frames_total";
        self.family(
            name,
            "counter",
            "Frames that were not let across the border.",
        );
        for (reason, count) in router.dropped.each() {
            self.sample(name, &[("reason", reason)], count);
        }
    }

    /// A gauge that some peers have.
    fn of_each<Value: fmt::Display>(
        &mut self,
        peers: &[Peer],
        name: &str,
        help: &str,
        value: impl Fn(&Peer) -> Option<Value>,
    ) {
        self.family(name, "gauge", help);
        for peer in peers {
            if let Some(value) = value(peer) {
                self.sample(name, &[("name", &peer.name)], value);
            }
        }
    }

    /// A family of one sample.
    fn alone(&mut self, name: &str, kind: &str, help: &str, value: impl fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    // Writing to a string cannot fail.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.0.push_str(name);
        for (nth, (label, text)) in labels.iter().enumerate() {
            let before = if nth == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{after} {value}");
    }
}

impl PathKind {
    /// Those that are known, as JSON has them.
    const EACH: [(Self, &'static str); 4] = [
        (Self::Udp, "udp"),
        (Self::Tcp, "tcp"),
        (Self::Proxy, "proxy"),
        (Self::Relay, "relay"),
    ];
}

/// The text of a label: three characters stand for something else there.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\");
    text.replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Network, Path, Router};
    use super::*;

    #[test]
    fn a_label_may_have_any_text() {
        let mut page = Page::default();
        page.sample("m", &[("a", "\"\\\n")], 1);
        assert_eq!(page.0, "m{a=\"\\\"\\\\\\n\"} 1\n");
    }

    #[test]
    fn every_sample_follows_the_help_and_the_type_of_its_family() {
        let peer = Peer {
            name: "node_one".to_owned(),
            path: Some(Path {
                kind: PathKind::Udp,
                ..Path::default()
            }),
            mtu: Some(1451),
            rtt_ms: Some(12.5),
            ..Peer::default()
        };
        let router = Router {
            networks: vec![Network::default()],
            ..Router::default()
        };
        let text = metrics(&Status {
            peers: vec![peer, Peer::default()],
            router: Some(router),
            ..Status::default()
        });
        let mut family = "";
        for line in text.strip_suffix(END).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", "HELP", name, ..] => family = name,
                ["#", "TYPE", name, kind] => {
                    assert_eq!(name, family);
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                }
                _ => {
                    let name = line.split(['{', ' ']).next();
                    assert_eq!(name, Some(family), "{line}");
                    let value = line.rsplit(' ').next().unwrap();
                    value.parse::<f64>().unwrap();
                }
            }
        }
        for line in [
            "v6router_peer_rtt_seconds{name=\"node_one\"} 0.0125",
            "v6router_peer_path{name=\"node_one\",kind=\"udp\"} 1",
            "v6router_peer_path{name=\"node_one\",kind=\"relay\"} 0",
            "v6router_peer_mtu_bytes{name=\"node_one\"} 1451",
            "v6router_border_dropped_frames_total{reason=\"redirects\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
