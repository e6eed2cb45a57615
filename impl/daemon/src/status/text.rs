//! The status for people.
//!
//! Whatever came over the socket may have been somebody else's word once: nothing of it reaches
//! the terminal but what can be seen there.

use std::fmt::Write as _;

use super::{Network, Path, PathKind, Peer, Router, Status, WayOut, Why};

/// How many prefixes of a node are named.
const NAMED: usize = 3;

/// The whole status.
pub(crate) fn text(status: &Status) -> String {
    let mut text = safe(&status.name);
    if let Some(net) = &status.net {
        // Writing to a string cannot fail.
        let _ = write!(text, " in network {}", safe(net));
    }
    let _ = writeln!(
        text,
        ": v6router {}, pid {}, up {}, interface {}",
        safe(&status.version),
        status.pid,
        span(status.uptime_s),
        safe(&status.interface)
    );
    let heads = ["PEER", "PATH", "MTU", "RTT", "BEHIND IT"].map(str::to_owned);
    let mut rows = vec![heads.to_vec()];
    rows.extend(status.peers.iter().map(peer));
    text.push('\n');
    match status.peers.is_empty() {
        true => text.push_str("Nobody else is known.\n"),
        false => text.push_str(&table(&rows, "")),
    }
    if let Some(it) = &status.router {
        router(it, &mut text);
    }
    text
}

fn peer(peer: &Peer) -> Vec<String> {
    let path = match &peer.path {
        Some(path) => way(peer, path),
        None if peer.wanted => "unreachable, dialled again and again".to_owned(),
        None => "unreachable".to_owned(),
    };
    let mtu = peer.mtu.map_or_else(none, |mtu| mtu.to_string());
    let rtt = peer.rtt_ms.map_or_else(none, |ms| format!("{ms:.1} ms"));
    vec![safe(&peer.name), path, mtu, rtt, behind(peer)]
}

fn none() -> String {
    "-".to_owned()
}

/// The path and why it is not a better one.
fn way(peer: &Peer, path: &Path) -> String {
    let connection = peer.connection.as_ref();
    let address = connection.map(|it| safe(&it.address)).unwrap_or_default();
    let mut text = match path.kind {
        PathKind::Udp => format!("udp {}", path.udp.as_deref().map(safe).unwrap_or_default()),
        PathKind::Tcp => format!("tcp {address}"),
        PathKind::Proxy => {
            let proxy = connection.and_then(|it| it.proxy.as_deref());
            format!("proxy {}", proxy.map(safe).unwrap_or_default())
        }
        PathKind::Relay => {
            let relay = path.relay.as_deref().map(safe).unwrap_or_default();
            let by = if path.udp.is_some() { "udp" } else { "tcp" };
            format!("relay {relay} by {by}")
        }
        PathKind::Unknown => "of a kind newer than this program".to_owned(),
    };
    let reason = match path.why {
        None => return text,
        Some(Why::Indirect) => "IndirectData is set".to_owned(),
        Some(Why::TcpOnly) => "TCPOnly is set".to_owned(),
        Some(Why::NoKey) => "no key for UDP yet".to_owned(),
        Some(Why::NoAnswer) => "no answer by UDP yet".to_owned(),
        Some(Why::Silent) => match path.udp_since_s {
            Some(since) => format!("UDP silent for {}", span(since)),
            None => "UDP silent".to_owned(),
        },
        Some(Why::NoAddress) => "its address is not known".to_owned(),
        Some(Why::Unknown) => "for a reason newer than this program".to_owned(),
    };
    let _ = write!(text, ": {reason}");
    text
}

fn behind(peer: &Peer) -> String {
    if peer.prefixes.is_empty() {
        return match peer.macs.len() {
            0 => none(),
            1 => "1 MAC address".to_owned(),
            many => format!("{many} MAC addresses"),
        };
    }
    let named = peer.prefixes.iter().take(NAMED);
    let mut text = named.map(|it| safe(it)).collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = peer.prefixes.len().checked_sub(NAMED) {
        let _ = write!(text, " and {more} more");
    }
    text
}

fn router(router: &Router, text: &mut String) {
    if let Some(pool) = &router.pool {
        let _ = writeln!(text, "\nPool {}", safe(pool));
    }
    way_out(&router.way_out, text);
    for it in &router.networks {
        network(it, text);
    }
    let advertised = &router.advertised;
    if !router.networks.is_empty() {
        let _ = writeln!(
            text,
            "\nAdvertised {} times; asked for it {} times, and {} times by void messages",
            advertised.sent, advertised.solicited, advertised.void
        );
    }
    let dropped = router.dropped.each().into_iter();
    let dropped = dropped.filter(|(_, count)| *count > 0);
    let dropped: Vec<_> = dropped
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    if !dropped.is_empty() {
        let _ = writeln!(text, "\nNot let across the border: {}", dropped.join(", "));
    }
}

fn way_out(way: &WayOut, text: &mut String) {
    let Some(gateway) = &way.gateway else { return };
    let by = if way.by_tunnel {
        "by the tunnel"
    } else {
        "as the venue has it, nobody is reached by the tunnel"
    };
    let _ = writeln!(text, "\nWay out: {by}");
    let mut rows = Vec::new();
    let mut row = |what: &str, how: String| rows.push(vec![what.to_owned(), how]);
    row(
        "gateway",
        format!("{}{}", safe(&gateway.address), answers(gateway.answers)),
    );
    for native in &way.native {
        row(
            "venue has IPv6",
            format!("{} on {}", safe(&native.address), safe(&native.interface)),
        );
    }
    for other in &way.defaults {
        let router = other
            .router
            .as_deref()
            .map_or_else(String::new, |it| format!("{} ", safe(it)));
        let (interface, by) = (safe(&other.interface), safe(&other.by));
        row(
            "venue's router",
            format!(
                "{router}on {interface} by {by}, metric {}{}",
                other.metric,
                answers(other.answers)
            ),
        );
    }
    for end in &way.endpoints {
        let to = format!("{} at {}", safe(&end.node), safe(&end.address));
        let how = match (&end.error, &end.interface) {
            (Some(error), _) => format!("{to}: {}", safe(error)),
            (None, interface) => {
                let router = end
                    .router
                    .as_deref()
                    .map_or_else(String::new, |it| format!(" by {}", safe(it)));
                let interface = interface.as_deref().map(safe).unwrap_or_default();
                format!("{to}{router} on {interface}")
            }
        };
        row("tunnel leaves to", how);
    }
    text.push_str(&table(&rows, "  "));
}

fn answers(answers: Option<bool>) -> &'static str {
    match answers {
        Some(true) => ", answers",
        Some(false) => ", does not answer",
        None => ", not asked lately",
    }
}

fn network(network: &Network, text: &mut String) {
    let state = match (network.present, network.clients.len()) {
        (false, _) => "the interface is not there".to_owned(),
        (true, 0) => "nobody was seen".to_owned(),
        (true, 1) => "1 client".to_owned(),
        (true, many) => format!("{many} clients"),
    };
    let (interface, prefix) = (safe(&network.interface), safe(&network.prefix));
    let _ = writeln!(text, "\nNetwork {interface}, {prefix}: {state}");
    let rows = network.clients.iter().map(|client| {
        let addresses = client.addresses.iter().map(|it| safe(it));
        let state = if client.confirmed {
            "there"
        } else {
            "seen before"
        };
        vec![
            safe(&client.mac),
            state.to_owned(),
            addresses.collect::<Vec<_>>().join(", "),
        ]
    });
    text.push_str(&table(&rows.collect::<Vec<_>>(), "  "));
}

/// Rows of columns, each as wide as its widest cell but the last.
fn table(rows: &[Vec<String>], indent: &str) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A time in its two largest units.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A text without what a terminal would act on.
fn safe(text: &str) -> String {
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Address, Client, Connection, Default6, Dropped, Endpoint, Gateway};
    use super::*;

    fn path(kind: PathKind, why: Option<Why>) -> Option<Path> {
        Some(Path {
            kind,
            why,
            relay: Some("v6router".to_owned()),
            udp: (kind == PathKind::Udp).then(|| "203.0.113.50:655".to_owned()),
            udp_since_s: Some(200),
        })
    }

    fn peer_by(name: &str, path: Option<Path>) -> Peer {
        Peer {
            name: name.to_owned(),
            path,
            connection: Some(Connection {
                address: "198.51.100.10:655".to_owned(),
                proxy: Some("http 192.168.1.1:3128".to_owned()),
                ..Connection::default()
            }),
            ..Peer::default()
        }
    }

    #[test]
    fn each_path_is_told_with_the_reason_for_it() {
        let mut first = peer_by("v6router", path(PathKind::Udp, None));
        first.mtu = Some(1451);
        first.rtt_ms = Some(12.34);
        first.prefixes = ["a/64", "b/64", "c/64", "d/64"].map(str::to_owned).to_vec();
        let peers = vec![
            first,
            peer_by("two", path(PathKind::Tcp, Some(Why::Silent))),
            peer_by("three", path(PathKind::Proxy, Some(Why::NoAnswer))),
            peer_by("four", path(PathKind::Relay, Some(Why::NoKey))),
            peer_by("five", None),
        ];
        let status = Status {
            version: "0.1.0".to_owned(),
            name: "node_one".to_owned(),
            net: Some("vpn".to_owned()),
            interface: "vpn".to_owned(),
            pid: 7,
            uptime_s: 7_980,
            peers,
            ..Status::default()
        };
        let expected = "\
node_one in network vpn: v6router 0.1.0, pid 7, up 2 h 13 min, interface vpn

PEER      PATH                                               MTU   RTT      BEHIND IT
v6router  udp 203.0.113.50:655                               1451  12.3 ms  a/64, b/64, c/64 and 1 more
two       tcp 198.51.100.10:655: UDP silent for 3 min        -     -        -
three     proxy http 192.168.1.1:3128: no answer by UDP yet  -     -        -
four      relay v6router by tcp: no key for UDP yet          -     -        -
five      unreachable                                        -     -        -
";
        assert_eq!(text(&status), expected);
    }

    #[test]
    fn a_router_tells_what_it_found() {
        let way_out = WayOut {
            gateway: Some(Gateway {
                address: "2001:db8:85a3:ef00::1".to_owned(),
                answers: Some(true),
            }),
            by_tunnel: true,
            native: vec![Address {
                interface: "eth0".to_owned(),
                address: "2001:db8:1::5".to_owned(),
            }],
            defaults: vec![Default6 {
                interface: "eth0".to_owned(),
                router: Some("fe80::1".to_owned()),
                by: "ra".to_owned(),
                metric: 1024,
                answers: Some(false),
            }],
            endpoints: vec![Endpoint {
                node: "v6router".to_owned(),
                address: "198.51.100.10:655".to_owned(),
                interface: Some("eth0".to_owned()),
                router: Some("192.168.1.1".to_owned()),
                ..Endpoint::default()
            }],
        };
        let client = Client {
            mac: "02:00:00:00:00:05".to_owned(),
            addresses: vec!["2001:db8:85a3:ef11::100".to_owned(), "fe80::5".to_owned()],
            confirmed: true,
        };
        let status = Status {
            router: Some(Router {
                pool: Some("2001:db8:85a3:ef00::/56".to_owned()),
                way_out,
                networks: vec![Network {
                    interface: "eth1".to_owned(),
                    present: true,
                    prefix: "2001:db8:85a3:ef11::/64".to_owned(),
                    clients: vec![client],
                }],
                dropped: Dropped {
                    redirects: 3,
                    ..Dropped::default()
                },
                ..Router::default()
            }),
            ..Status::default()
        };
        let expected = "
Nobody else is known.

Pool 2001:db8:85a3:ef00::/56

Way out: by the tunnel
  gateway           2001:db8:85a3:ef00::1, answers
  venue has IPv6    2001:db8:1::5 on eth0
  venue's router    fe80::1 on eth0 by ra, metric 1024, does not answer
  tunnel leaves to  v6router at 198.51.100.10:655 by 192.168.1.1 on eth0

Network eth1, 2001:db8:85a3:ef11::/64: 1 client
  02:00:00:00:00:05  there  2001:db8:85a3:ef11::100, fe80::5

Advertised 0 times; asked for it 0 times, and 0 times by void messages

Not let across the border: 3 redirects
";
        let told = text(&status);
        assert_eq!(told.split_once('\n').unwrap().1, expected);
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_act_on() {
        let bad = "\u{1b}[2Jx\u{202e}\r\u{9b}";
        let mut peer = peer_by(bad, path(PathKind::Tcp, None));
        peer.prefixes = vec![bad.to_owned()];
        peer.connection = Some(Connection {
            address: bad.to_owned(),
            ..Connection::default()
        });
        let told = text(&Status {
            name: bad.to_owned(),
            version: bad.to_owned(),
            peers: vec![peer],
            ..Status::default()
        });
        let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!told.contains(acts), "{told:?}");
    }

    #[test]
    fn a_newer_daemon_is_understood_as_far_as_it_goes() {
        let newer = r#"{"name": "pi", "moon": 1, "peers": [
            {"name": "a", "path": {"kind": "pigeon", "why": "storm"}, "wings": 2}]}"#;
        let status: Status = serde_json::from_str(newer).unwrap();
        let told = text(&status);
        assert!(
            told.contains("of a kind newer than this program: for a reason newer"),
            "{told}"
        );
    }

    #[test]
    fn a_time_has_its_two_largest_units() {
        let spans = [59, 60, 7_980, 100_000].map(span);
        assert_eq!(spans, ["59 s", "1 min", "2 h 13 min", "1 d 3 h"]);
    }
}
