//! Whole directories: with every mistake of the how-to, without any, and right in other ways.

mod layouts;
mod mistakes;
mod places;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::OnceLock;

use proptest::prelude::*;
use v6router_core::crypto::rsa::PrivateKey;

use super::*;
use crate::testing::TempDir;

/// Private and public halves of the server's key and the Pi's.
fn keys() -> &'static [(String, String); 2] {
    static KEYS: OnceLock<[(String, String); 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [(); 2].map(|()| {
            let key = PrivateKey::generate(&mut rand::rng(), 2048).unwrap();
            (
                key.to_pem().unwrap().to_string(),
                key.public().to_pem().unwrap(),
            )
        })
    })
}

/// `etc/tinc` with networks in it.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(TempDir::new())
    }

    /// Writes a file below `etc/tinc`; scripts may be executed, and secrets be read by nobody.
    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.0.write(&format!("etc/tinc/{name}"), text);
        let mode = match name {
            _ if name.ends_with("-up") || name.ends_with("-down") => 0o755,
            _ if name.ends_with(".priv") => 0o600,
            _ => 0o644,
        };
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
        self
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let path = self.0.path().join("etc/tinc").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    /// Code, file below `etc/tinc` and line of everything found.
    fn found(&self) -> Vec<(&'static str, String, Option<usize>)> {
        let root = self.0.path().join("etc/tinc");
        let report = examine(&root, None, Look::Files).unwrap_or_else(|error| panic!("{error}"));
        let findings = report.findings().iter();
        findings
            .map(|one| {
                let file = one.file.strip_prefix(&root).unwrap_or(&one.file);
                (one.code.name(), file.display().to_string(), one.line)
            })
            .collect()
    }

    fn assert_found(&self, wanted: &[(&'static str, &str, Option<usize>)]) {
        let mut wanted: Vec<_> = wanted
            .iter()
            .map(|(code, file, line)| (*code, (*file).to_owned(), *line))
            .collect();
        let mut found = self.found();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
    }
}

const SERVER_UP: &str = "\
#!/bin/sh
ip link set $INTERFACE up
ip -6 addr add 2001:db8:85a3:ef00::1/64 dev $INTERFACE
ip -6 route add 2001:db8:85a3:ef11::/64 via 2001:db8:85a3:ef00::11
ip -6 route replace unreachable 2001:db8:85a3:ef00::/56
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
";
const PI_UP: &str = "\
#!/bin/sh
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
ip link set $INTERFACE up
ip -6 addr add 2001:db8:85a3:ef00::11/64 dev $INTERFACE
ip -6 route add default via 2001:db8:85a3:ef00::1
echo 2 > /proc/sys/net/ipv6/conf/eth0/accept_ra
";

/// The how-to, mended: the server's directory and the Pi's, side by side.
fn mended() -> Tree {
    let tree = Tree::new();
    let [server, pi] = keys();
    tree.write(
        "v6router/tinc.conf",
        "Name = v6router\nMode = switch\nMACLength = 16\n",
    )
    .write("v6router/rsa_key.priv", &server.0)
    .write(
        "v6router/hosts/v6router",
        &format!("Address = 198.51.100.10\n{}", server.1),
    )
    .write("v6router/hosts/node_one", &pi.1)
    .write("v6router/tinc-up", SERVER_UP)
    .write(
        "v6router/tinc-down",
        "#!/bin/sh\nip link set $INTERFACE down\n",
    );
    tree.write(
        "pi/tinc.conf",
        "Name = node_one\nMode = switch\nMACLength = 16\nConnectTo = v6router\n",
    )
    .write("pi/rsa_key.priv", &pi.0)
    .write("pi/hosts/node_one", &pi.1)
    .write(
        "pi/hosts/v6router",
        &format!("Address = 198.51.100.10\n{}", server.1),
    )
    .write("pi/tinc-up", PI_UP);
    tree
}

#[test]
fn a_network_may_be_picked_or_given_as_such() {
    let tree = mended();
    let root = tree.0.path().join("etc/tinc");
    std::fs::remove_file(root.join("pi/tinc.conf")).unwrap();
    let codes = |dir: &Path, net: Option<&str>| -> Vec<&'static str> {
        let report = examine(dir, net, Look::Files).unwrap_or_else(|error| panic!("{error}"));
        report
            .findings()
            .iter()
            .map(|one| one.code.name())
            .collect()
    };
    // With keys and without tinc.conf it is a stray beside the others, and a mistake by itself.
    assert_eq!(codes(&root, None), ["stray-directory"]);
    assert_eq!(codes(&root, Some("pi")), ["no-tinc-conf"]);
    assert_eq!(codes(&root.join("pi"), None), ["no-tinc-conf"]);
    // Of nets.boot only its own line counts then.
    tree.write(
        "pi/tinc.conf",
        "Name = node_one\nMode = switch\nMACLength = 16\n",
    );
    tree.write("nets.boot", "v6router\npi\n");
    assert_eq!(codes(&root, None), ["nets-boot", "nets-boot"]);
    assert_eq!(codes(&root, Some("pi")), ["nets-boot"]);
    assert_eq!(codes(&root.join("pi"), None), ["nets-boot"]);
    std::fs::remove_file(root.join("pi/tinc.conf")).unwrap();
    assert!(examine(&root.join("nowhere"), None, Look::Files).is_err());
    assert!(examine(&root.join("pi/hosts"), None, Look::Files).is_err());
}

#[test]
fn programs_get_the_same_by_stable_names() {
    let tree = mended();
    tree.change("pi/tinc.conf", "node_one", "node-one");
    let root = tree.0.path().join("etc/tinc");
    let report = examine(&root, None, Look::Files).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.worst(), Some(Severity::Error));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["errors"], &json["warnings"], &json["notes"]),
        (&1.into(), &0.into(), &0.into())
    );
    assert_eq!(json["networks"].as_array().unwrap().len(), 2);
    let one = &json["findings"][0];
    for (field, value) in [("code", "invalid-name"), ("severity", "error")] {
        assert_eq!(one[field], value);
    }
    assert_eq!(one["line"], 1);
    assert!(one["file"].as_str().unwrap().ends_with("pi/tinc.conf"));
    assert!(
        ["what", "why", "fix"]
            .iter()
            .all(|field| one[*field].is_string())
    );
    let text = report.to_string();
    assert!(
        text.contains("pi/tinc.conf line 1: error: Name = node-one: "),
        "{text}"
    );
    assert!(text.contains("node_one would do"), "{text}");
    assert!(
        text.ends_with("2 networks: 1 error, 0 warnings, 0 notes\n"),
        "{text}"
    );
}

/// What scripts are made of, right or wrong.
const WORDS: &str = "(ip|-6|link|addr|route|add|set|dev|via|up|ifconfig|sysctl|echo|tee|>|>>|;|\n|if|fi|\\$INTERFACE|\
    '|\"|\\$\\(|<<|END|default|unreachable|10.0.0.1/8|::/0|2001:db8::1/129|fe80::1|/proc/sys/|net.ipv6.conf..x=1| )";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_directory_holds_is_looked_at(
        script in prop::collection::vec(WORDS, 0..60),
        conf in "(Name|Mode|Subnet|ConnectTo|Address|=| |\n|a|switch|10.0.0.0/8){0,30}",
        anything in any::<Vec<u8>>(),
    ) {
        let tree = Tree::new();
        tree.write("vpn/tinc.conf", &conf).write("vpn/tinc-up", &script.join(" ")).write("vpn/hosts/a", &conf);
        let dir = tree.0.path().join("etc/tinc/vpn");
        for name in ["host-up", "hosts/b", "router.toml", "rsa_key.priv"] {
            std::fs::write(dir.join(name), &anything).unwrap();
        }
        prop_assert!(examine(&dir, None, Look::Files).is_ok());
    }
}

#[test]
fn every_code_is_explained() {
    let page = include_str!("../../../../../docs/CHECK.md");
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code)
        .collect();
    let known: Vec<&str> = finding::Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(rows, known);
}
