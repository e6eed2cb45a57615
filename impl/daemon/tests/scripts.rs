//! Scripts: the same calls in the same order with the same environment as from tincd.

mod support;

use std::fs;
use std::path::Path;

use support::{BOTH, Kind, Site, TempDir, alone, wait_for};

/// What the shell sets by itself.
const THE_SHELLS_OWN: [&str; 4] = ["_=", "SHLVL=", "PWD=", "OLDPWD="];
/// A daemon's own environment; scripts inherit it.
const INHERITED: [(&str, &str); 2] = [
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("COLOUR", "green"),
];

/// Notes its name and environment; every script of a site is this one.
const NOTE: &str =
    "{ echo \"== $0\"; env | sort; } >> \"$(dirname \"$0\" | sed 's,/hosts$,,')/calls\"";

/// The life of a node with a peer that comes and goes: what its scripts noted.
fn calls(kind: Kind, root: &Path, options: &[&str], conf: &str) -> String {
    let peer_host =
        "Address = 127.0.0.1 1655\nPort = 1655\nSubnet = 10.2.0.0/16\nSubnet = 10.3.0.0/16#5";
    let own_host = "Port = 655\nAddress = 127.0.0.1\nSubnet = 10.1.0.0/16";
    let nodes = [("node_one", own_host), ("node_two", peer_host)];
    let one = Site::new(root, "node_one", conf, &nodes);
    let two = Site::new(root, "node_two", "ConnectTo = node_one\n", &nodes);
    for name in [
        "tinc-up",
        "tinc-down",
        "host-up",
        "host-down",
        "subnet-up",
        "subnet-down",
        "hosts/node_two-up",
        "hosts/node_two-down",
    ] {
        one.script(name, NOTE);
    }
    // Neither a failure nor a missing permission stops anything.
    one.script("hosts/node_two-up", &format!("{NOTE}\nexit 3"));
    let mut command = one.command(kind);
    command
        .args(["-D", "-d3"])
        .args(options)
        .env_clear()
        .envs(INHERITED);
    let mut daemon = one.spawn(command);
    one.wait_for_log("Ready");
    let noted = || fs::read_to_string(one.dir.join("calls")).unwrap_or_default();
    let wait_for_calls = |name: &str, count: usize| {
        wait_for(name, || {
            (noted().matches(name).count() == count).then_some(())
        });
    };
    let peer = two.start(Kind::Tincd, &[]);
    wait_for_calls("/subnet-up\n", 3);
    peer.kill();
    wait_for_calls("/subnet-down\n", 2);
    one.kill(kind, "TERM");
    daemon.ended();
    wait_for_calls("/tinc-down\n", 1);
    let text = noted();
    text.lines()
        .filter(|line| !THE_SHELLS_OWN.iter().any(|own| line.starts_with(own)))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What our scripts noted, which is what those of tincd noted. Both kinds use one directory in
/// turn, so that all paths are the same.
fn compared(options: &[&str], conf: &str) -> String {
    let dir = TempDir::new();
    let [ours, tincds] = BOTH.map(|kind| {
        let root = dir.path().join("net");
        fs::create_dir(&root).unwrap();
        let calls = calls(kind, &root, options, conf);
        fs::remove_dir_all(&root).unwrap();
        calls
    });
    for (nth, (ours, tincds)) in ours.lines().zip(tincds.lines()).enumerate() {
        assert_eq!(ours, tincds, "line {nth}");
    }
    assert_eq!(ours.lines().count(), tincds.lines().count());
    ours
}

#[test]
fn every_script_sees_what_tincd_shows_it() {
    alone("every_script_sees_what_tincd_shows_it", || {
        let ours = compared(&["-n", "vpn"], "");
        let order: Vec<_> = ours
            .lines()
            .filter_map(|line| line.strip_prefix("== ")?.split("/node_one/").nth(1))
            .collect();
        let expected = [
            "tinc-up",
            "subnet-up",
            "host-up",
            "hosts/node_two-up",
            "subnet-up",
            "subnet-up",
            "host-down",
            "hosts/node_two-down",
            "subnet-down",
            "subnet-down",
            "subnet-down",
            "tinc-down",
        ];
        assert_eq!(order, expected);
        for part in [
            "NETNAME=vpn\n",
            "NODE=node_two\n",
            "REMOTEADDRESS=127.0.0.1\n",
            "REMOTEPORT=1655\n",
            "SUBNET=10.3.0.0/16\n",
            "WEIGHT=5\n",
            "INTERFACE=vpn\n",
        ] {
            assert!(ours.contains(part), "{part}");
        }
    });
}

#[test]
fn without_netname_the_variable_is_there_and_empty() {
    alone("without_netname_the_variable_is_there_and_empty", || {
        let ours = compared(&[], "ScriptsInterpreter = /bin/sh\n");
        assert!(ours.contains("NETNAME=\n"));
    });
}

#[test]
fn a_script_that_cannot_run_or_hangs_stops_nothing() {
    alone("a_script_that_cannot_run_or_hangs_stops_nothing", || {
        let dir = TempDir::new();
        let nodes = [
            ("node_one", "Port = 655\nAddress = 127.0.0.1"),
            ("node_two", "Port = 1655"),
        ];
        let one = Site::new(dir.path(), "node_one", "", &nodes);
        let two = Site::new(
            dir.path(),
            "node_two",
            "ConnectTo = node_one\nPingInterval = 2\nPingTimeout = 2\n",
            &nodes,
        );
        one.write("tinc-up", "#!/bin/sh\n");
        one.script("host-up", "touch \"$(dirname \"$0\")/began\"; sleep 1000");
        let mut daemon = one.start(Kind::Ours, &[]);
        one.wait_for_log("Ready");
        assert!(
            one.log()
                .contains("tinc-up cannot be executed: permission denied"),
            "{}",
            one.log()
        );
        let _peer = two.start(Kind::Tincd, &[]);
        wait_for("host-up", || one.dir.join("began").exists().then_some(()));
        // The peer's pings are answered while the script hangs.
        wait_for("pings", || {
            (two.log().matches("PONG").count() >= 3).then_some(())
        });
        // A second TERM does not wait for the script.
        one.kill(Kind::Ours, "TERM");
        one.wait_for_log("Got TERM signal");
        wait_for("the end", || {
            one.kill(Kind::Ours, "TERM");
            (!one.pidfile().exists()).then_some(())
        });
        assert_eq!(daemon.ended().code(), Some(0));
    });
}
