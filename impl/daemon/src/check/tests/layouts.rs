//! Whole directories that are all wrong, and others that are right in different ways.

use super::{Tree, keys, mended};
use crate::testing::PRIVATE_KEY;

#[test]
fn every_mistake_of_the_how_to_is_found_on_its_line() {
    let tree = mended();
    tree.write(
        "v6router/tinc-up",
        "#!/bin/sh\n\
         ip link set  up\n\
         ip -6 addr add 2001:db8:85a3:ef00::1/56 dev $INTERFACE\n\
         ip -6 route add 2001:db8:85a3:ff00::/64 dev $INTERFACE\n\
         ip -6 route add 2001:db8:85a3:ef11::/64 via 2001:db8:85a3::11\n\
         echo net.ipv6.conf.all.forwarding=1 >> /etc/sysctl.conf\n",
    );
    tree.change("v6router/tinc.conf", "MACLength = 16\n", "");
    tree.change("pi/tinc.conf", "node_one", "node-one");
    tree.change("pi/tinc-up", "ef00::1\n", ":1\n");
    tree.change("pi/hosts/v6router", "198.51.100.10", "10.0.0.1");
    tree.write("node-one/rsa_key.priv", PRIVATE_KEY);
    tree.write("nets.boot", "# Started at boot:\nv6router\n");
    tree.assert_found(&[
        ("empty-interface", "v6router/tinc-up", Some(2)),
        ("interface-down", "v6router/tinc-up", Some(4)),
        ("gateway-off-link", "v6router/tinc-up", Some(5)),
        ("invalid-name", "pi/tinc.conf", Some(1)),
        ("stray-directory", "node-one/rsa_key.priv", None),
        ("default-gateway-off-link", "pi/tinc-up", Some(5)),
        ("private-address", "pi/hosts/v6router", Some(1)),
        ("pool-on-link", "v6router/tinc-up", Some(3)),
        ("forwarding-off", "v6router/tinc-up", Some(6)),
        ("nets-boot", "nets.boot", Some(2)),
        ("weak-packets", "v6router/tinc.conf", None),
    ]);
}

#[test]
fn in_the_mended_one_there_is_nothing_to_find() {
    mended().assert_found(&[]);
}

#[test]
fn router_mode_with_subnets_is_right_too() {
    let tree = Tree::new();
    let [server, pi] = keys();
    let host_server = format!(
        "Address = vpn.example.org\nSubnet = 2000::/3\nSubnet = 10.87.0.1\nSubnet = 2001:db8:85a3:ef00::1\n{}",
        server.1
    );
    let host_pi = format!(
        "Subnet = 2001:db8:85a3:ef00::11\nSubnet = 10.87.0.11/32\nSubnet = 2001:db8:85a3:ef11::/64\n{}",
        pi.1
    );
    tree.write(
        "vpn/tinc.conf",
        "Name=node_one\nConnectTo=server\nMACLength=16\nInterface=tun7\n",
    )
    .write("vpn/rsa_key.priv", &pi.0)
    .write("vpn/hosts/server", &host_server)
    .write("vpn/hosts/node_one", &host_pi)
    .write(
        "vpn/hosts/server-up",
        "#!/bin/bash\nip route add $REMOTEADDRESS via $(cat /run/gateway)\n",
    )
    .write("vpn/hosts/node_one.bak", &host_pi)
    .write(
        "vpn/tinc-up",
        "#!/bin/sh\n\
             if ! ip link set \"$INTERFACE\" up; then logger failed; exit 1; fi\n\
             ip -6 addr add 2001:db8:85a3:ef00::11/128 dev tun7\n\
             ip addr add 10.87.0.11/32 dev $INTERFACE\n\
             ip -6 route add default dev $INTERFACE metric 100\n\
             ip route add 10.87.0.0/16 dev $INTERFACE\n\
             sysctl -q -w net.ipv6.conf.all.forwarding=1 net.ipv6.conf.wlan0.accept_ra=2\n",
    );
    tree.assert_found(&[]);
}

#[test]
fn routers_that_have_a_router_toml_are_right_too() {
    let tree = mended();
    std::fs::remove_file(tree.0.path().join("etc/tinc/v6router/tinc-up")).unwrap();
    tree.write(
        "v6router/router.toml",
        "address = \"2001:db8:85a3:ef00::1/64\"\npool = \"2001:db8:85a3:ef00::/56\"\n\n[[site]]\nnode = \"node_one\"\n\
         via = \"2001:db8:85a3:ef00::11\"\nprefix = \"2001:db8:85a3:ef11::/64\"\n",
    );
    tree.write(
        "pi/tinc-up",
        "#!/bin/sh\nip -6 route add 2001:db8:ffff::/48 via 2001:db8:85a3:ef00::1\n",
    );
    tree.write(
        "pi/router.toml",
        "address = \"2001:db8:85a3:ef00::11/64\"\ngateway = \"2001:db8:85a3:ef00::1\"\n\n[[advertise]]\n\
         interface = \"bt0\"\nprefix = \"2001:db8:85a3:ef11::/64\"\n",
    );
    tree.assert_found(&[]);
    tree.change("v6router/router.toml", "ef11::/64", "ff11::/64");
    tree.assert_found(&[("router-toml", "v6router/router.toml", Some(7))]);
}

#[test]
fn a_bridge_set_up_with_the_tools_of_old_is_right_too() {
    let tree = mended();
    tree.write(
        "v6router/tinc.conf",
        "Name = $HOST\nMode = switch\nMACLength = 16\nDeviceType = tap\n",
    );
    tree.write(
        "v6router/tinc-up",
        "#!/bin/sh\n# a bridge\nifconfig $INTERFACE 0.0.0.0 up\nbrctl addif br0 $INTERFACE\n\
         ifconfig br0 10.1.0.1 netmask 255.255.0.0\nroute add -net 10.2.0.0 netmask 255.255.0.0 gw 10.1.0.2\n\
         ip -6 addr add 2001:db8:85a3:ef00::1/64 dev br0\n\
         for n in 1 2 3; do\n  ip -6 route add 2001:db8:85a3:ef1$n::/64 via 2001:db8:85a3:ef00::1$n\ndone\n\
         echo 1 | tee /proc/sys/net/ipv6/conf/all/forwarding > /dev/null\n",
    );
    tree.assert_found(&[]);
}

#[test]
fn a_relay_without_interface_is_right_too() {
    let tree = mended();
    tree.write(
        "v6router/tinc.conf",
        "Name = v6router\nMACLength = 16\nDeviceType = dummy\n",
    );
    tree.write("v6router/tinc-up", "#!/bin/sh\nlogger $NETNAME is up\n");
    tree.assert_found(&[]);
}

#[test]
fn what_nobody_understands_is_not_complained_about() {
    let tree = mended();
    tree.write(
        "pi/tinc-up",
        "#!/bin/sh\n. /etc/default/site\n/usr/local/sbin/bring-up $INTERFACE\n\
         ip -6 route add default via 2001:db8:1::1\nip link set $WAN up\nip -6 route add $PREFIX via $GATEWAY\n",
    );
    tree.write(
        "v6router/tinc-up",
        "#!/usr/bin/python3\nprint('ip link set  up')\n",
    );
    tree.assert_found(&[]);
}

#[test]
fn in_router_mode_an_address_has_its_subnet() {
    let tree = mended();
    let [server, _] = keys();
    tree.write("v6router/tinc.conf", "Name = v6router\nMACLength = 16\n");
    let subnets = "Address = 198.51.100.10\nSubnet = 2001:db8:85a3:ef00::2\n";
    tree.write("v6router/hosts/v6router", &format!("{subnets}{}", server.1));
    tree.assert_found(&[("address-without-subnet", "v6router/tinc-up", Some(3))]);
    // Whose subnets they are is told by the name, which may be another machine's.
    tree.change("v6router/tinc.conf", "= v6router", "= $HOST");
    tree.assert_found(&[]);
}

#[test]
fn a_bridge_needs_no_forwarding_for_its_own_address() {
    let tree = mended();
    let up = "#!/bin/sh\nip link set $INTERFACE up master br0\nip -6 addr add 2001:db8:85a3:ef00::1/64 dev br0\n";
    tree.write("v6router/tinc-up", up);
    tree.assert_found(&[]);
}

#[test]
fn what_is_right_in_an_unusual_form_is_not_complained_about() {
    let address = "ip -6 addr add 2001:db8:85a3:ef00::11/64 dev $INTERFACE\n";
    let default = "ip -6 route add default via 2001:db8:85a3:ef00::1";
    let up = "ip link set $INTERFACE up\n";
    for script in [
        // The peer is the neighbour.
        format!(
            "{up}ip addr add 10.1.0.2 peer 10.1.0.1 dev $INTERFACE\nip route add 10.9.0.0/16 via 10.1.0.1\n\
             ip -6 addr add 2001:db8:85a3:ef00::11 peer 2001:db8:85a3:ef00::1 dev $INTERFACE\n{default}\n"
        ),
        "ifconfig $INTERFACE 10.1.0.2 pointopoint 10.1.0.1\nroute add -net 10.9.0.0/16 gw 10.1.0.1\n".to_owned(),
        // One of two cases.
        format!("if [ -e /run/again ]; then\n {default}\nelse\n {up}{address}{default}\nfi\n"),
        format!("{up}{address}{default} || {default} metric 7\n"),
        format!("{up}{address}{default} ||\n  ip -6 route add default via 2001:db8:85a3:ef00::2\n"),
        // Which settings they are, only a run could tell.
        format!("{up}{address}{default}\nfor f in /proc/sys/net/ipv6/conf/*/forwarding; do echo 1 > $f; done\n"),
    ] {
        let tree = mended();
        let rest = match script.contains("for f in") {
            true => "",
            false => "sysctl -w net.ipv6.conf.all.forwarding=1 net.ipv6.conf.eth0.accept_ra=2\n",
        };
        tree.write("pi/tinc-up", &format!("#!/bin/sh\n{script}{rest}"));
        assert_eq!(tree.found(), [], "{script}");
    }
}

#[test]
fn a_here_document_that_swallowed_every_interface_hides_no_other_mistake() {
    let tree = mended();
    let swallowed = super::SERVER_UP.replace("$INTERFACE", "");
    let wanted = [
        ("empty-interface", "v6router/tinc-up", Some(2)),
        ("empty-interface", "v6router/tinc-up", Some(3)),
    ];
    tree.write("v6router/tinc-up", &swallowed);
    let [link, address] = wanted;
    let down = ("interface-down", "v6router/tinc-up", Some(4));
    tree.assert_found(&[link, address, down]);
    tree.change("v6router/tinc-up", "ef00::1/64", "ef00::1/56");
    tree.change("v6router/tinc-up", "ef00::11", ":11");
    tree.assert_found(&[
        link,
        address,
        ("interface-down", "v6router/tinc-up", Some(3)),
        ("pool-on-link", "v6router/tinc-up", Some(3)),
        ("gateway-off-link", "v6router/tinc-up", Some(4)),
    ]);
}
