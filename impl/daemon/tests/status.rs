//! What a running daemon says of itself, as an operator asks it.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::machine::{Machine, ip};
use support::{BOTH, Kind, ONE, Site, TWO, TempDir, alone, pair};

/// `v6router status` with the options that find the daemon.
fn command(site: &Site, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6router"));
    command.args(["status", "-c"]).arg(&site.dir);
    command.arg("--pidfile").arg(site.pidfile()).args(words);
    command
}

fn ask(site: &Site, words: &[&str]) -> Output {
    command(site, words).output().unwrap()
}

fn told(site: &Site, words: &[&str]) -> String {
    let output = ask(site, words);
    assert!(output.status.success(), "{output:?}\n{}", site.log());
    String::from_utf8(output.stdout).unwrap()
}

fn json(site: &Site) -> Value {
    serde_json::from_str(&told(site, &["--json"])).unwrap()
}

#[test]
fn the_way_to_either_kind_of_daemon_is_told() {
    alone("the_way_to_either_kind_of_daemon_is_told", || {
        for kind in BOTH {
            let dir = TempDir::new();
            let (one, two) = pair(&dir, "");
            let key = fs::read_to_string(one.dir.join("hosts/node_one")).unwrap();
            let owner = format!("Subnet = 2001:db8:1::/48\n{key}");
            one.write("hosts/node_one", &owner);
            let _one = one.start(kind, &[]);
            one.wait_for_log("Ready");
            let _two = two.start(Kind::Ours, &[]);
            two.wait_for_log("activated");
            two.wait_for("long frames by UDP", || {
                let mtu = json(&two)["peers"][0]["mtu"].as_u64();
                mtu.is_some_and(|mtu| mtu > 1400)
            });
            let peer = json(&two)["peers"][0].clone();
            assert_eq!(peer["name"], "node_one");
            assert_eq!(peer["path"]["kind"], "udp", "{peer:#}");
            assert_eq!(peer["path"]["udp"], "127.0.0.1:655");
            assert_eq!(peer["path"]["why"], Value::Null);
            let rtt = peer["rtt_ms"].as_f64();
            assert!(rtt.is_some_and(|ms| ms < 1000.0), "{kind:?}: {peer:#}");
            assert_eq!(peer["prefixes"][0], "2001:db8:1::/48");
            assert_eq!(peer["connection"]["outgoing"], true);
            if kind == Kind::Ours {
                let peer = &json(&one)["peers"][0];
                assert_eq!(peer["connection"]["outgoing"], false);
            }
            let text = told(&two, &[]);
            assert!(text.contains("node_one  udp 127.0.0.1:655  1"), "{text}");
            let metrics = told(&two, &["--metrics"]);
            let sample = "v6router_peer_path{name=\"node_one\",kind=\"udp\"} 1\n";
            assert!(metrics.contains(sample), "{metrics}");
        }
    });
}

#[test]
fn who_wants_tcp_and_who_is_not_there_is_told_so() {
    alone("who_wants_tcp_and_who_is_not_there_is_told_so", || {
        let dir = TempDir::new();
        let (one, two) = pair(&dir, "TCPOnly = yes\n");
        let mut one_runs = one.start(Kind::Ours, &[]);
        one.wait_for_log("Ready");
        let _two = two.start(Kind::Ours, &[]);
        two.wait_for_log("activated");
        let path = json(&two)["peers"][0]["path"].clone();
        assert_eq!(
            (&path["kind"], &path["why"]),
            (&"tcp".into(), &"tcp-only".into())
        );
        assert!(one.kill(Kind::Ours, "TERM").success());
        one_runs.ended();
        two.wait_for("loss", || json(&two)["peers"][0]["path"].is_null());
        assert_eq!(json(&two)["peers"][0]["wanted"], true);
        let text = told(&two, &[]);
        assert!(
            text.contains("node_one  unreachable, dialled again and again"),
            "{text}"
        );
    });
}

#[test]
fn the_socket_is_private_from_start_to_stop_and_a_stale_one_is_replaced() {
    alone(
        "the_socket_is_private_from_start_to_stop_and_a_stale_one_is_replaced",
        || {
            let dir = TempDir::new();
            let site = Site::new(dir.path(), "a", "", &[("a", "")]);
            let socket = site.dir.join("pid.status");
            let none = ask(&site, &[]);
            let said = String::from_utf8_lossy(&none.stderr).into_owned();
            assert_eq!(none.status.code(), Some(1));
            assert!(
                said.contains(&format!("no daemon answers at {}", socket.display())),
                "{said}"
            );
            let daemon = site.start(Kind::Ours, &[]);
            site.wait_for_log("Ready");
            told(&site, &[]);
            let mode = fs::symlink_metadata(&socket).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            daemon.kill();
            assert!(socket.exists());
            assert_eq!(ask(&site, &["--json"]).status.code(), Some(1));
            // Also where the path is another one by then.
            let mut again = site.start(Kind::Ours, &["-R"]);
            site.wait_for("an answer", || ask(&site, &[]).status.success());
            assert!(site.kill(Kind::Ours, "TERM").success());
            assert!(again.ended().success());
            assert!(!socket.exists());
        },
    );
}

#[test]
fn a_daemon_runs_as_well_where_there_can_be_no_socket() {
    alone("a_daemon_runs_as_well_where_there_can_be_no_socket", || {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "a", "", &[("a", "")]);
        site.write("pid.status", "precious");
        let _daemon = site.start(Kind::Ours, &[]);
        site.wait_for_log("Ready");
        let log = site.log();
        assert!(log.contains("Nobody can ask for our status"), "{log}");
        let kept = fs::read_to_string(site.dir.join("pid.status")).unwrap();
        assert_eq!(kept, "precious");
    });
}

/// On a terminal it would draw the screen anew; here one status follows the other.
#[test]
fn who_watches_is_told_again_and_again_until_he_has_seen_enough() {
    alone(
        "who_watches_is_told_again_and_again_until_he_has_seen_enough",
        || {
            let dir = TempDir::new();
            let site = Site::new(dir.path(), "a", "", &[("a", "")]);
            let _daemon = site.start(Kind::Ours, &[]);
            site.wait_for_log("Ready");
            let mut watch = command(&site, &["--watch", "1"]);
            let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
            let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
            let heads = lines
                .map(Result::unwrap)
                .filter(|line| line.starts_with("a: v6router"));
            assert_eq!(heads.take(2).count(), 2);
            assert!(watch.wait().unwrap().success());
        },
    );
}

#[test]
fn the_user_of_the_daemon_may_ask() {
    alone("the_user_of_the_daemon_may_ask", || {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "a", "", &[("a", "")]);
        let _daemon = site.start(Kind::Ours, &["-U", "nobody"]);
        site.wait_for_log("Ready");
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        let owner = fs::symlink_metadata(site.dir.join("pid.status"))
            .unwrap()
            .uid();
        assert_eq!(owner, nobody.uid.as_raw());
        assert_eq!(json(&site)["name"], "a");
    });
}

/// Ten connections are open and say nothing while the mesh goes on.
#[test]
fn nobody_holds_up_the_daemon_by_asking() {
    alone("nobody_holds_up_the_daemon_by_asking", || {
        let dir = TempDir::new();
        let (one, two) = pair(&dir, "");
        let _one = one.start(Kind::Ours, &[]);
        one.wait_for_log("Ready");
        let socket = one.dir.join("pid.status");
        let silent: Vec<_> = (0..10)
            .map(|_| UnixStream::connect(&socket).unwrap())
            .collect();
        let _two = two.start(Kind::Ours, &[]);
        two.wait_for_log("UDP path to node_one");
        one.wait_for_log("UDP path to node_two");
        assert_eq!(json(&one)["peers"][0]["path"]["kind"], "udp");
        for mut stream in silent {
            // It has ended already, or is told what could have been asked.
            let _ = stream.write_all(b"what?\n");
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(
                answer.is_empty() || answer.starts_with("error: "),
                "{answer}"
            );
        }
    });
}

/// A venue with IPv6 of its own on `wan`, a client on `lan`.
#[test]
fn a_router_tells_of_its_clients_and_of_the_way_out() {
    alone("a_router_tells_of_its_clients_and_of_the_way_out", || {
        let venue = Machine::new();
        venue.cable("wan", "venue");
        venue.cable("lan", "client");
        venue.run("ip link set venue up; ip link set client address 02:00:00:00:00:05 up");
        // It has one address, whenever it hears an advertisement.
        venue.run("sysctl -qw net.ipv6.conf.client.accept_ra=0");
        venue.run("ip address add 2001:db8:9::1/64 dev venue nodad; ip address add 192.0.2.1/24 dev venue");
        venue.run("ip address add 2001:db8:85a3:ef11::100/64 dev client nodad");
        ip("link set wan up");
        ip("link set lan up");
        ip("address add 192.0.2.6/24 dev wan");
        ip("address add 2001:db8:9::6/64 dev wan nodad");
        ip("-6 route add default via 2001:db8:9::1 dev wan metric 500");
        ip("route add default via 192.0.2.1 dev wan");
        let dir = TempDir::new();
        let server = ("node_two", "Address = 127.0.0.1\nPort = 1655");
        let pi = Site::new(
            dir.path(),
            "node_one",
            "ConnectTo = node_two\n",
            &[ONE, server],
        );
        pi.write(
            "router.toml",
            "address = \"2001:db8:85a3:ef00::11/64\"\ngateway = \"2001:db8:85a3:ef00::1\"\n\
             [[advertise]]\ninterface = \"lan\"\nprefix = \"2001:db8:85a3:ef11::/64\"\n",
        );
        let other = Site::new(dir.path(), "node_two", "", &[ONE, TWO]);
        let _other = other.start(Kind::Ours, &[]);
        other.wait_for_log("Ready");
        let _pi = pi.start(Kind::Ours, &[]);
        pi.wait_for_log("activated");
        // Its address is checked for duplicates first.
        pi.wait_for("echo", || {
            let mut ping = venue.command();
            ping.args("ping -6 -q -c1 -W1 2001:db8:85a3:ef11::1".split(' '));
            ping.status().unwrap().success()
        });
        let router = json(&pi)["router"].clone();
        let network = &router["networks"][0];
        assert_eq!(
            (&network["interface"], &network["present"]),
            (&"lan".into(), &true.into())
        );
        let client = &network["clients"][0];
        assert_eq!(
            client["addresses"][0], "2001:db8:85a3:ef11::100",
            "{router:#}"
        );
        assert_eq!(client["mac"], "02:00:00:00:00:05");
        pi.wait_for("tunnel", || {
            json(&pi)["router"]["way_out"]["by_tunnel"] == true
        });
        let way_out = json(&pi)["router"]["way_out"].clone();
        assert_eq!(way_out["gateway"]["address"], "2001:db8:85a3:ef00::1");
        assert_eq!(way_out["native"][0]["address"], "2001:db8:9::6");
        let default = &way_out["defaults"][0];
        assert_eq!(
            (&default["router"], &default["metric"]),
            (&"2001:db8:9::1".into(), &500.into())
        );
        assert_eq!(
            way_out["defaults"].as_array().unwrap().len(),
            1,
            "{way_out:#}"
        );
        let endpoint = &way_out["endpoints"][0];
        assert_eq!(
            (&endpoint["node"], &endpoint["interface"]),
            (&"node_two".into(), &"lo".into())
        );
        let text = told(&pi, &[]);
        assert!(
            text.contains("Network lan, 2001:db8:85a3:ef11::/64: 1 client"),
            "{text}"
        );
    });
}
