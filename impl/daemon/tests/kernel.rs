//! What a router does to a kernel that somebody else has set up before, and how it leaves it.

mod support;

use std::fs;
use std::process::Command;

use support::machine::{Machine, ip};
use support::{Kind, ONE, Site, TempDir, alone};

const ROUTER: &str = "address = \"2001:db8:85a3:ef00::11/64\"\ngateway = \"2001:db8:85a3:ef00::1\"\n\
    [[advertise]]\ninterface = \"lan\"\nprefix = \"2001:db8:85a3:ef11::/64\"\n";

/// A machine with a cable to a venue, and one to clients.
fn cables() -> Machine {
    let others = Machine::new();
    others.cable("wan", "venue");
    others.cable("lan", "client");
    others.run("ip link set venue up; ip link set client up");
    ip("link set wan up");
    ip("link set lan up");
    others
}

/// A router that nobody is connected to.
fn router(dir: &TempDir) -> Site {
    let site = Site::new(dir.path(), "node_one", "", &[ONE]);
    site.write("router.toml", ROUTER);
    site
}

fn sysctl(words: &str) -> String {
    let mut sysctl = Command::new("sysctl");
    let output = sysctl.args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "sysctl {words}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn routes() -> String {
    let mut ip = Command::new("ip");
    let output = ip.args("-6 route show table 655".split(' ')).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn what_somebody_else_has_put_in_the_way_is_named_and_left_alone() {
    alone(
        "what_somebody_else_has_put_in_the_way_is_named_and_left_alone",
        || {
            let _others = cables();
            ip("-6 route add 2001:db8:85a3:ef11::/64 via fe80::9 dev lan table 655");
            let before = routes();
            let dir = TempDir::new();
            let site = router(&dir);
            let mut daemon = site.start(Kind::Ours, &[]);
            site.wait_for_log("Ready");
            let told =
                "2001:db8:85a3:ef11::/64 via fe80::9 dev lan table 655 metric 1024 is in the way";
            site.wait_for_log(told);
            site.kill(Kind::Ours, "TERM");
            daemon.ended();
            assert_eq!(routes(), before);
            let left = fs::read_to_string(site.dir.join("pid.kernel")).unwrap_or_default();
            assert_eq!(left, "");
        },
    );
}

#[test]
fn routers_are_heard_on_where_forwarding_is_ours_and_nowhere_else() {
    alone(
        "routers_are_heard_on_where_forwarding_is_ours_and_nowhere_else",
        || {
            let _others = cables();
            let heard = || sysctl("-n net.ipv6.conf.wan.accept_ra");
            for (before, meanwhile) in [("0", "2"), ("1", "1")] {
                sysctl(&format!("-qw net.ipv6.conf.all.forwarding={before}"));
                assert_eq!(heard(), "1");
                let dir = TempDir::new();
                let site = router(&dir);
                let mut daemon = site.start(Kind::Ours, &[]);
                site.wait_for_log("Ready");
                assert_eq!(heard(), meanwhile, "forwarding was {before}");
                assert_eq!(sysctl("-n net.ipv6.conf.all.forwarding"), "1");
                site.kill(Kind::Ours, "TERM");
                daemon.ended();
                assert_eq!(heard(), "1");
                assert_eq!(sysctl("-n net.ipv6.conf.all.forwarding"), before);
            }
        },
    );
}
