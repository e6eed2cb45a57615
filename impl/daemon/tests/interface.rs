//! A machine with two cables to another: on which of them we listen, dial and look for nodes.

mod support;

use std::process::{Command, Stdio};

use support::machine::{Machine, ip};
use support::{BOTH, Kind, Site, TempDir, alone};

fn nft(words: &str) {
    let status = Command::new("nft").arg(words).status().unwrap();
    assert!(status.success(), "nft {words}");
}

/// The machine at the other end of both cables: it has 10.1.0.2 and 10.2.0.2, and we have 10.1.0.1 and 10.2.0.1.
struct Far(Machine);

impl Far {
    fn new() -> Self {
        let far = Self(Machine::new());
        for n in [1, 2] {
            far.0.cable(&format!("near{n}"), &format!("far{n}"));
            ip(&format!("address add 10.{n}.0.1/24 dev near{n}"));
            ip(&format!("link set near{n} up"));
            far.run(&format!(
                "ip address add 10.{n}.0.2/24 dev far{n} && ip link set far{n} up"
            ));
        }
        far
    }

    fn run(&self, script: &str) {
        self.0.run(script);
    }

    /// Whether something listens on port 655 of an address of ours.
    fn can_connect(&self, to: &str) -> bool {
        let mut bash = self.0.command();
        bash.args(["bash", "-c", &format!("exec 3<>/dev/tcp/{to}/655")]);
        bash.stderr(Stdio::null()).status().unwrap().success()
    }

    /// A tincd there.
    fn start(&self, site: &Site) -> support::Daemon {
        let inner = site.command(Kind::Tincd);
        let mut command = self.0.command();
        command.arg(inner.get_program()).args(inner.get_args());
        command.args(["-D", "-d3"]);
        site.spawn(command)
    }
}

/// How many datagrams have left for port 655 of all nodes on the first cable.
fn sent_to_all_nodes() -> u32 {
    let output = Command::new("nft")
        .args(["list", "table", "inet", "watch"])
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let (_, rest) = text.split_once("counter packets ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// IPv6 has no broadcast: the probes go to ff02::1 (RFC 4291 section 2.7.1), as tincd's do.
#[test]
fn nodes_nearby_are_looked_for_by_multicast_where_they_are_known_by_ipv6() {
    alone(
        "nodes_nearby_are_looked_for_by_multicast_where_they_are_known_by_ipv6",
        || {
            let far = Far::new();
            ip("address add fd00:1::1/64 dev near1 nodad");
            far.run("ip address add fd00:1::2/64 dev far1 nodad");
            // Else the kernel chooses the interface that was ready first, which may be the other or a device of ours.
            ip("-6 route add multicast ff02::1 dev near1 table local");
            for (kind, look) in [(Kind::Ours, true), (Kind::Tincd, true), (Kind::Ours, false)] {
                nft("add table inet watch");
                nft("add chain inet watch out { type filter hook output priority 0; }");
                nft(
                    "add rule inet watch out oifname near1 ip6 daddr ff02::1 udp dport 655 counter",
                );
                let dir = TempDir::new();
                let hosts = [("node_one", ""), ("node_two", "Address = fd00:1::2")];
                let yes = if look { "yes" } else { "no" };
                let conf = format!("LocalDiscovery = {yes}\nConnectTo = node_two\n");
                let one = Site::new(dir.path(), "node_one", &conf, &hosts);
                let two = Site::new(dir.path(), "node_two", "", &hosts);
                // What the kernel says on a new link is what the key is wanted for.
                one.script("tinc-up", "ip link set $INTERFACE up");
                let _two = far.start(&two);
                two.wait_for_log("Ready");
                let _one = one.start(kind, &[]);
                one.wait_for_log("activated");
                if look {
                    one.wait_for("probe to all nodes", || sent_to_all_nodes() > 0);
                } else {
                    one.wait_for_log("UDP path to node_two");
                    assert_eq!(sent_to_all_nodes(), 0);
                }
                nft("delete table inet watch");
            }
        },
    );
}

/// The first address of the other is on the second cable.
#[test]
fn bound_to_an_interface_we_listen_and_dial_there_only() {
    alone(
        "bound_to_an_interface_we_listen_and_dial_there_only",
        || {
            let far = Far::new();
            for kind in BOTH {
                for (conf, from, both) in [
                    ("", "10.2.0.1", true),
                    ("BindToInterface = near1\n", "10.1.0.1", false),
                ] {
                    let dir = TempDir::new();
                    let other = ("node_two", "Address = 10.2.0.2\nAddress = 10.1.0.2");
                    let hosts = [("node_one", ""), other];
                    let conf = format!("{conf}ConnectTo = node_two\n");
                    let one = Site::new(dir.path(), "node_one", &conf, &hosts);
                    let two = Site::new(dir.path(), "node_two", "", &hosts);
                    let _two = far.start(&two);
                    two.wait_for_log("Ready");
                    let _one = one.start(kind, &[]);
                    one.wait_for_log("Ready");
                    two.wait_for_log("activated");
                    let seen = two.log();
                    let connected = |from| seen.contains(&format!("Connection from {from} port"));
                    assert!(connected(from), "{kind:?} {conf}: {seen}");
                    assert_eq!(connected("10.2.0.1"), both, "{kind:?} {conf}: {seen}");
                    assert!(far.can_connect("10.1.0.1"), "{kind:?} {conf}");
                    assert_eq!(far.can_connect("10.2.0.1"), both, "{kind:?} {conf}");
                }
            }
        },
    );
}

#[test]
fn another_interface_is_dialled_from_after_hup() {
    alone("another_interface_is_dialled_from_after_hup", || {
        let far = Far::new();
        for kind in BOTH {
            let dir = TempDir::new();
            let other = ("node_two", "Address = 10.2.0.2\nAddress = 10.1.0.2");
            let hosts = [("node_one", ""), other];
            let one = Site::new(dir.path(), "node_one", "ConnectTo = node_two\n", &hosts);
            let two = Site::new(dir.path(), "node_two", "", &hosts);
            let first = far.start(&two);
            two.wait_for_log("Ready");
            let _one = one.start(kind, &[]);
            two.wait_for_log("Connection from 10.2.0.1 port");
            two.wait_for_log("activated");
            assert!(!two.log().contains("Connection from 10.1.0.1 port"));
            let conf = std::fs::read_to_string(one.dir.join("tinc.conf")).unwrap();
            one.write("tinc.conf", &format!("{conf}BindToInterface = near1\n"));
            assert!(one.kill(kind, "HUP").success());
            first.kill();
            let _second = far.start(&two);
            two.wait_for_log("Connection from 10.1.0.1 port");
        }
    });
}
