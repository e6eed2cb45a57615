//! One mistake at a time.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::{keys, mended};
use crate::testing::PUBLIC_KEY;

/// One change each, and what it is found as.
#[test]
fn each_mistake_is_found_by_itself() {
    type Case = (
        &'static str,
        &'static str,
        &'static str,
        (&'static str, &'static str, Option<usize>),
    );
    let cases: [Case; 28] = [
        (
            "pi/tinc.conf",
            "Name = node_one\n",
            "",
            ("no-name", "pi/tinc.conf", None),
        ),
        (
            "pi/tinc.conf",
            "= switch",
            "= switsch",
            ("bad-value", "pi/tinc.conf", Some(2)),
        ),
        (
            "pi/tinc.conf",
            "MACLength = 16",
            "MACLength = 16 # safe",
            ("doubtful-value", "pi/tinc.conf", Some(3)),
        ),
        (
            "pi/tinc.conf",
            "MACLength = 16",
            "MACLength = 16\nPortt = 655",
            ("unknown-variable", "pi/tinc.conf", Some(4)),
        ),
        (
            "pi/tinc.conf",
            "MACLength = 16",
            "MACLength = 16\nPort",
            ("unreadable", "pi/tinc.conf", Some(4)),
        ),
        (
            "pi/tinc.conf",
            "ConnectTo = v6router",
            "ConnectTo = v6server",
            ("unknown-peer", "pi/tinc.conf", Some(4)),
        ),
        (
            "pi/tinc.conf",
            "Name = node_one",
            "Name = node_six",
            ("no-own-host-file", "pi/tinc.conf", Some(1)),
        ),
        (
            "pi/hosts/v6router",
            "Address = 198.51.100.10\n",
            "",
            ("no-address", "pi/tinc.conf", Some(4)),
        ),
        (
            "pi/hosts/v6router",
            "Address",
            "Name = server\nAddress",
            ("name-differs", "pi/hosts/v6router", Some(1)),
        ),
        (
            "pi/hosts/v6router",
            "Address",
            "Address = fe80::1\nAddress",
            ("private-address", "pi/hosts/v6router", Some(1)),
        ),
        (
            "pi/hosts/v6router",
            "PUBLIC",
            "OLD PUBLIC",
            ("no-public-key", "pi/hosts/v6router", None),
        ),
        (
            "pi/rsa_key.priv",
            "PRIVATE",
            "OLD PRIVATE",
            ("no-private-key", "pi/rsa_key.priv", None),
        ),
        (
            "pi/tinc-up",
            "$INTERFACE up",
            "'$INTERFACE' up",
            ("empty-interface", "pi/tinc-up", Some(3)),
        ),
        (
            "pi/tinc-up",
            "default via",
            "2001:db8::/32 via fe80::1 dev eth0\nip -6 route add default via",
            ("", "", None),
        ),
        (
            "pi/tinc-up",
            "#!/bin/sh\n",
            "# no interpreter\n",
            ("script-without-interpreter", "pi/tinc-up", Some(1)),
        ),
        (
            "pi/tinc-up",
            "#!/bin/sh\n",
            "#!/bin/sh\r\n",
            ("script-crlf", "pi/tinc-up", Some(1)),
        ),
        (
            "pi/tinc-up",
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n",
            "",
            ("forwarding-off", "pi/tinc-up", Some(4)),
        ),
        (
            "pi/tinc-up",
            "ip link",
            "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra\nip link",
            ("accept-ra", "pi/tinc-up", Some(3)),
        ),
        (
            "v6router/tinc-up",
            "ip -6 route replace",
            "ip -6 route add 2001:db8:85a3:ef11::/64 via 2001:db8:85a3:ef00::12\nip -6 route replace",
            ("route-twice", "v6router/tinc-up", Some(5)),
        ),
        (
            "v6router/tinc.conf",
            "Mode = switch\n",
            "",
            ("mode-without-subnets", "v6router/tinc-up", Some(3)),
        ),
        (
            "v6router/hosts/v6router",
            "Address",
            "Subnet = 10.0.0.0/8\nAddress",
            ("subnets-without-use", "v6router/hosts/v6router", Some(1)),
        ),
        (
            "v6router/tinc-up",
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n",
            "",
            ("forwarding-off", "v6router/tinc-up", Some(4)),
        ),
        (
            "pi/tinc-up",
            "default via 2001:db8:85a3:ef00::1",
            "default via 2001:db8:85a3:ef00::11",
            ("default-gateway-off-link", "pi/tinc-up", Some(5)),
        ),
        (
            "v6router/tinc-up",
            "via 2001:db8:85a3:ef00::11",
            "via 2001:db8:85a3:ef00::1",
            ("gateway-off-link", "v6router/tinc-up", Some(4)),
        ),
        (
            "pi/tinc-up",
            "echo 2 > /proc/sys/net/ipv6/conf/eth0/accept_ra\n",
            "",
            ("accept-ra", "pi/tinc-up", Some(2)),
        ),
        (
            "v6router/tinc-up",
            "conf/all/forwarding",
            "conf/$INTERFACE/forwarding",
            ("forwarding-off", "v6router/tinc-up", Some(4)),
        ),
        (
            "pi/hosts/v6router",
            "198.51.100.10",
            "localhost",
            ("private-address", "pi/hosts/v6router", Some(1)),
        ),
        (
            "pi/hosts/v6router",
            "198.51.100.10",
            "raspberrypi.local. 655",
            ("private-address", "pi/hosts/v6router", Some(1)),
        ),
    ];
    for (file, from, to, wanted) in cases {
        let tree = mended();
        tree.change(file, from, to);
        let found = tree.found();
        let wanted = (wanted.0, wanted.1.to_owned(), wanted.2);
        // A key that is not there, or an interface that stays down, has its own consequences.
        match wanted.0 {
            "" => assert_eq!(found, [], "{to:?}"),
            _ => assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}"),
        }
        let consequences = ["unreadable", "empty-interface"].contains(&wanted.0);
        assert!(found.len() <= 1 || consequences, "{wanted:?}: {found:?}");
    }
}

#[test]
fn keys_that_do_not_fit_are_found() {
    let [server, pi] = keys();
    let tree = mended();
    tree.write("pi/hosts/node_one", &server.1);
    tree.assert_found(&[
        ("key-mismatch", "pi/hosts/node_one", None),
        ("key-shared", "pi/hosts/v6router", None),
    ]);
    let tree = mended();
    tree.write("pi/hosts/node_one", &format!("{}{}", pi.1, pi.0));
    tree.write("v6router/hosts/old_one", PUBLIC_KEY);
    tree.write("v6router/hosts/node-two", &server.1);
    let key = tree.0.path().join("etc/tinc/pi/rsa_key.priv");
    set_permissions(key, Permissions::from_mode(0o640)).unwrap();
    let up = tree.0.path().join("etc/tinc/pi/tinc-up");
    set_permissions(up, Permissions::from_mode(0o644)).unwrap();
    let line = 1 + pi.1.lines().count();
    tree.assert_found(&[
        ("private-key-in-host-file", "pi/hosts/node_one", Some(line)),
        ("key-exposed", "pi/rsa_key.priv", None),
        ("script-not-executable", "pi/tinc-up", None),
        ("weak-key", "v6router/hosts/old_one", None),
        ("odd-host-file-name", "v6router/hosts/node-two", None),
    ]);
}

#[test]
fn two_owners_of_a_subnet_are_found_and_an_order_among_them_is_not() {
    let tree = mended();
    let [server, pi] = keys();
    tree.write(
        "v6router/hosts/one",
        &format!("Subnet = 10.1.0.0/16\nSubnet = 10.2.0.0/16\n{}", server.1),
    );
    tree.write(
        "v6router/hosts/two",
        &format!("Subnet = 10.1.0.0/16\nSubnet = 10.2.0.0/16#20\n{}", pi.1),
    );
    let found = tree.found();
    let twice: Vec<_> = found.iter().filter(|one| one.0 == "subnet-twice").collect();
    assert_eq!(
        twice,
        [&("subnet-twice", "v6router/hosts/two".to_owned(), Some(1))]
    );
}

#[test]
fn a_subnet_inside_anothers_is_noted_once_unless_the_wider_one_is_the_way_out() {
    let tree = mended();
    let [server, pi] = keys();
    for net in ["v6router", "pi"] {
        tree.change(&format!("{net}/tinc.conf"), "Mode = switch\n", "");
    }
    for script in ["v6router/tinc-up", "pi/tinc-up"] {
        tree.write(script, "#!/bin/sh\n");
    }
    tree.write(
        "v6router/hosts/v6router",
        &format!(
            "Subnet = 0.0.0.0/0\nSubnet = 2000::/3\nSubnet = 10.1.0.0/16\n{}",
            server.1
        ),
    );
    tree.write(
        "v6router/hosts/node_one",
        &format!(
            "Subnet = 10.1.2.0/24\nSubnet = 10.1.3.0/24\nSubnet = 2001:db8::/48\n{}",
            pi.1
        ),
    );
    tree.assert_found(&[("subnet-within", "v6router/hosts/v6router", Some(3))]);
}

#[test]
fn host_files_where_no_network_is_are_found() {
    let tree = mended();
    tree.write("node-one/hosts/node_one", &keys()[1].1)
        .write("node-one/hosts/v6router", &keys()[0].1)
        .write("notes/hosts/list", "not of ours\n");
    tree.assert_found(&[("stray-directory", "node-one/hosts/node_one", None)]);
}
