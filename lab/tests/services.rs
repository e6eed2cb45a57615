//! What venues serve, as their guests see it: addresses and names.

#[allow(dead_code, reason = "each test program takes what it needs")]
mod support;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use v6lab::fabric::{Lab, Node};
use v6lab::model::Scenario;
use v6lab::observe::reach;
use v6lab::plan::{Net, Plan};

/// A machine that has IPv6 only.
const WWW: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x42);

/// How long an answer may take on a busy machine, and how long one that must not come is waited for.
const REACHED: Duration = Duration::from_secs(5);
const SILENT: Duration = Duration::from_millis(500);

fn main() {
    support::run(tests![
        a_guest_is_given_what_was_planned,
        two_guests_and_a_shared_wlan_are_given_different_addresses,
        a_resolver_answers_what_its_venue_says,
        a_slow_resolver_is_slow_to_a_program,
        native_ipv6_leads_out_and_lets_nothing_in,
        ipv6_that_leads_astray_or_nowhere_has_addresses_and_no_way,
        who_can_do_without_ipv4_is_given_none,
        who_has_no_ipv4_reaches_a_server_of_it_by_name,
    ]);
}

/// A server with both families and one Pi in a venue of a kind.
async fn guest_in(kind: &str) -> Lab {
    let scenario = Scenario::builder(kind)
        .server("v6router", ["198.51.100.10/24", "2001:db8:85a3:a1a1::1/64"])
        .server("www", ["2001:db8:ffff::42/64"])
        .venue("cafe", kind, "203.0.113.50/24", "192.168.1.0/24")
        .pi("node_one", "cafe")
        .alias("node_one", "192.168.1.6");
    Lab::up(&Plan::new(&scenario.build().unwrap()))
        .await
        .unwrap()
}

async fn words(node: &Node, argv: &[&str]) -> String {
    let output = node.exec(argv).await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

async fn a_guest_is_given_what_was_planned() {
    let lab = guest_in("cafe-dhcp").await;
    let pi = lab.node("node_one").unwrap();
    let addresses = words(pi, &["ip", "-4", "-o", "address", "show", "eth0"]).await;
    assert!(addresses.contains("192.168.1.100/24"), "{addresses}");
    // The alias stays, and an address that was leased says until when.
    assert!(addresses.contains("192.168.1.6/24"), "{addresses}");
    assert!(
        addresses.contains("valid_lft 2") || addresses.contains("valid_lft 300sec"),
        "{addresses}"
    );
    let routes = words(pi, &["ip", "-4", "route", "show", "default"]).await;
    assert!(
        routes.contains("via 192.168.1.1") && routes.contains("proto dhcp"),
        "{routes}"
    );
    let resolver = words(pi, &["cat", "/etc/resolv.conf"]).await;
    assert!(resolver.contains("nameserver 192.168.1.1"), "{resolver}");
    let leases = lab
        .node("cafe")
        .unwrap()
        .read_file("/run/dnsmasq.leases")
        .await
        .unwrap();
    assert!(
        String::from_utf8(leases)
            .unwrap()
            .contains("192.168.1.100 node_one")
    );
    lab.down().await.unwrap();
}

async fn two_guests_and_a_shared_wlan_are_given_different_addresses() {
    let scenario = Scenario::builder("a full cafe")
        .server("v6router", ["198.51.100.10/24"])
        .venue("cafe", "cafe-dhcp", "203.0.113.50/24", "192.168.1.0/24")
        .sharer("anna", "cafe", "10.42.0.0/24")
        .pi("node_one", "cafe")
        .pi("node_two", "cafe")
        .pi("node_three", "anna");
    let lab = Lab::up(&Plan::new(&scenario.build().unwrap()))
        .await
        .unwrap();
    let mut given = Vec::new();
    for (name, interface) in [
        ("anna", "wlan0"),
        ("node_one", "eth0"),
        ("node_two", "eth0"),
    ] {
        let addresses = lab.node(name).unwrap().addresses(interface).await.unwrap();
        given.extend(
            addresses
                .iter()
                .filter(|net| net.is_ipv4())
                .map(|net| net.addr.to_string()),
        );
    }
    assert_eq!(given, ["192.168.1.100", "192.168.1.101", "192.168.1.102"]);
    // Whoever is cabled to a guest asks the venue's resolver through it.
    let shared = lab.node("node_three").unwrap();
    let named = words(shared, &["getent", "ahostsv4", "v6router.example"]).await;
    assert!(named.starts_with("198.51.100.10"), "{named}");
    lab.down().await.unwrap();
}

async fn a_resolver_answers_what_its_venue_says() {
    for (kind, v4, v6) in [
        ("cafe-dhcp", "198.51.100.10", "2001:db8:85a3:a1a1::1"),
        ("dns-no-aaaa", "198.51.100.10", ""),
        ("dns-hijacked", "192.168.1.1", ""),
        ("dns-nxdomain", "", ""),
    ] {
        let lab = guest_in(kind).await;
        let pi = lab.node("node_one").unwrap();
        for (database, wanted) in [("ahostsv4", v4), ("ahostsv6", v6)] {
            let found = words(pi, &["getent", database, "v6router.example"]).await;
            let found = found.split_whitespace().next().unwrap_or_default();
            // The C library puts IPv4 addresses into IPv6 ones where it finds no others.
            let found = if found.starts_with("::ffff:") {
                ""
            } else {
                found
            };
            assert_eq!(found, wanted, "{kind}, {database}");
        }
        lab.down().await.unwrap();
    }
}

async fn a_slow_resolver_is_slow_to_a_program() {
    let lab = guest_in("dns-slow").await;
    let pi = lab.node("node_one").unwrap();
    let begun = std::time::Instant::now();
    let found = words(pi, &["getent", "ahostsv4", "v6router.example"]).await;
    assert!(found.starts_with("198.51.100.10"), "{found}");
    assert!(
        begun.elapsed() >= Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    lab.down().await.unwrap();
}

/// The address that a guest made itself of a prefix.
async fn made_of(lab: &Lab, prefix: &str) -> IpAddr {
    let prefix: Net = prefix.parse().unwrap();
    let addresses = lab
        .node("node_one")
        .unwrap()
        .addresses("eth0")
        .await
        .unwrap();
    let found = addresses.iter().find(|net| prefix.contains(net.addr));
    found
        .unwrap_or_else(|| panic!("none of {prefix} in {addresses:?}"))
        .addr
}

async fn answers(lab: &Lab, from: &str, to: IpAddr, limit: Duration) -> bool {
    let report = reach(lab.node(from).unwrap(), to, limit).await.unwrap();
    report.first_reply.is_some()
}

async fn native_ipv6_leads_out_and_lets_nothing_in() {
    let lab = guest_in("home-good").await;
    let ours = made_of(&lab, "2001:db8:cafe:1::/64").await;
    assert!(answers(&lab, "node_one", WWW.into(), REACHED).await);
    assert!(!answers(&lab, "www", ours, SILENT).await);
    lab.down().await.unwrap();
}

async fn ipv6_that_leads_astray_or_nowhere_has_addresses_and_no_way() {
    for (kind, prefix, preference) in [
        ("broken-v6", "2001:db8:cafe:2::/64", "pref medium"),
        ("rogue-ra", "2001:db8:dead:1::/64", "pref high"),
    ] {
        let lab = guest_in(kind).await;
        let pi = lab.node("node_one").unwrap();
        made_of(&lab, prefix).await;
        let routes = words(pi, &["ip", "-6", "route", "show", "default"]).await;
        assert!(
            routes.contains("proto ra") && routes.contains(preference),
            "{kind}: {routes}"
        );
        assert!(
            !answers(&lab, "node_one", WWW.into(), SILENT).await,
            "{kind}"
        );
        lab.down().await.unwrap();
    }
}

async fn who_can_do_without_ipv4_is_given_none() {
    let lab = guest_in("conference-v6mostly").await;
    let pi = lab.node("node_one").unwrap();
    made_of(&lab, "2001:db8:cafe:4::/64").await;
    let routes = words(pi, &["ip", "-4", "route", "show", "default"]).await;
    assert_eq!(routes, "");
    assert!(answers(&lab, "node_one", WWW.into(), REACHED).await);
    lab.down().await.unwrap();
}

async fn who_has_no_ipv4_reaches_a_server_of_it_by_name() {
    let scenario = Scenario::builder("v6mostly")
        .server("old", ["198.51.100.20/24"])
        .venue(
            "cafe",
            "conference-v6mostly",
            "203.0.113.50/24",
            "192.168.1.0/24",
        )
        .pi("node_one", "cafe");
    let lab = Lab::up(&Plan::new(&scenario.build().unwrap()))
        .await
        .unwrap();
    let pi = lab.node("node_one").unwrap();
    let by = "2001:db8:cafe:64::c633:6414";
    let found = words(pi, &["getent", "ahostsv6", "old.example"]).await;
    assert!(found.contains(by), "{found}");
    let prefix = words(pi, &["getent", "ahostsv6", "ipv4only.arpa"]).await;
    assert!(prefix.contains("2001:db8:cafe:64::c000:aa"), "{prefix}");
    assert!(answers(&lab, "node_one", by.parse().unwrap(), REACHED).await);
    lab.down().await.unwrap();
}
