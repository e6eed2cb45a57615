//! A Linux host at the other end of a cable, and tshark, which knows nothing of us.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddrV6;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use v6router_core::wire::ndp::{ALL_ROUTERS, Preference};

use super::*;
use crate::alone::{TempDir, alone, wait_for};
use crate::machine::{Machine, ip};

const PREFIX: &str = "2001:db8:85a3:ef11::/64";

fn settings() -> AdvertiseSettings {
    AdvertiseSettings {
        prefixes: vec![PREFIX.parse().unwrap()],
        dns: vec![
            "2001:db8:85a3:ef00::1".parse().unwrap(),
            "2001:db8:ffff::53".parse().unwrap(),
        ],
        search: vec![
            "kits.example".parse().unwrap(),
            "example.net".parse().unwrap(),
        ],
        mtu: Some(1420),
        ..AdvertiseSettings::default()
    }
}

/// Runs a test in namespaces of its own, beside a thread that serves what is started there.
fn play(name: &str, body: impl FnOnce(&Handle)) {
    alone(&format!("io::advertiser::tests::{name}"), || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::scope(|threads| {
            threads.spawn(|| runtime.block_on(ended));
            let _inside = handle.enter();
            body(&handle);
            drop(end);
        });
    });
}

/// Waits until something is so, and says when that was.
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> SystemTime {
    wait_for(what, || is_so().then(SystemTime::now))
}

/// A switch of ours on which we are a router, and which has a station already.
fn lan() -> Advertiser {
    ip("link add lan address 02:00:00:00:00:01 type bridge");
    ip("link add station type veth peer name socket");
    ip("link set station up");
    ip("link set socket master lan up");
    ip("link set lan up");
    let advertiser = Advertiser::start([("lan".to_owned(), settings())].into()).unwrap();
    advertiser.tunnel_is(true);
    until("advertisements", || sent(&advertiser) > 0);
    advertiser
}

/// Plugs a host into the switch.
fn plug_in(host: &Machine) {
    host.cable("port", "eth0");
    ip("link set port master lan up");
    host.run("ip link set eth0 address 02:00:00:00:00:02 up");
}

fn sent(advertiser: &Advertiser) -> u64 {
    advertiser.counts().sent.load(Ordering::Relaxed)
}

/// The host's global address, with what its kernel says of it.
fn address(host: &Machine) -> String {
    host.ask("ip -6 -o address show dev eth0 scope global")
}

/// A recording of what passes our end of the switch.
struct Recording {
    dumper: Child,
    file: std::path::PathBuf,
}

impl Recording {
    fn start(dir: &TempDir) -> Self {
        let file = dir.path().join("lan.pcapng");
        // It gives up the right to write where only root may.
        File::create(&file).unwrap();
        let mut command = Command::new("tshark");
        command
            .args(["-q", "-i", "lan", "-f", "icmp6", "-w"])
            .arg(&file);
        let mut dumper = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(dumper.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Capture started")));
        std::thread::spawn(move || lines.for_each(drop));
        Self { dumper, file }
    }

    /// These fields of each packet so far that `filter` lets through.
    fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut tshark = Command::new("tshark");
        tshark
            .arg("-n")
            .arg("-r")
            .arg(&self.file)
            .args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            tshark.args(["-e", field]);
        }
        let output = tshark.output().unwrap();
        // The last packet may not be written wholly yet.
        let text = String::from_utf8(output.stdout).unwrap();
        let rows = text
            .lines()
            .map(|line| line.split('\t').map(spelt).collect());
        rows.collect()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.dumper.kill();
        let _ = self.dumper.wait();
    }
}

/// Versions of tshark spell flags differently.
fn spelt(field: &str) -> String {
    match field {
        "False" => "0".to_owned(),
        "True" => "1".to_owned(),
        other => other.to_owned(),
    }
}

fn seconds_since_epoch(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[test]
fn a_linux_host_has_an_address_soon_after_it_has_asked() {
    let name = "a_linux_host_has_an_address_soon_after_it_has_asked";
    play(name, |runtime| {
        let (dir, host) = (TempDir::new(), Machine::new());
        let advertiser = lan();
        let recording = Recording::start(&dir);
        plug_in(&host);
        let has_address = || address(&host).contains("2001:db8:85a3:ef11:0:ff:fe00:2/64");
        let given = until("an address", has_address);
        let usable = until("a usable address", || !address(&host).contains("tentative"));
        let routes = host.ask("ip -6 route show default");
        assert!(
            routes.contains("via fe80::ff:fe00:1 dev eth0 proto ra"),
            "{routes}"
        );
        let mtu = host.ask("cat /proc/sys/net/ipv6/conf/eth0/mtu");
        assert_eq!(mtu.trim(), "1420");
        let retransmit = host.ask("cat /proc/sys/net/ipv6/neigh/eth0/retrans_time_ms");
        assert_eq!(retransmit.trim(), "500");
        let counts = advertiser.counts();
        assert!(counts.solicited.load(Ordering::Relaxed) > 0);
        assert_eq!(counts.void.load(Ordering::Relaxed), 0);
        let fields = ["frame.time_epoch", "icmpv6.type", "ipv6.dst"];
        let heard = |kind: &str, to: &str| {
            let rows = recording.fields("icmpv6.type in {133, 134}", &fields);
            let row = rows.iter().find(|row| row[1..] == [kind, to]);
            row.map(|row| row[0].parse::<f64>().unwrap())
        };
        let told = || heard("134", "fe80::ff:fe00:2");
        until("its recording", || told().is_some());
        let (asked, told) = (heard("133", "ff02::2").unwrap(), told().unwrap());
        let waited = told - asked;
        assert!((0.0..1.0).contains(&waited), "{waited}");
        let given = seconds_since_epoch(given) - asked;
        assert!(given < 2.0, "{given}");
        // Looking for a duplicate takes the kernel that half a second, after waiting for up to one.
        let usable = seconds_since_epoch(usable) - asked;
        println!(
            "told after {waited:.2} s, address after {given:.2} s, usable after {usable:.2} s"
        );
        assert!(usable < 2.5, "{usable}");
        runtime.block_on(advertiser.stop());
    });
}

/// Every field as tshark reads it, of an advertisement that all nodes got.
#[test]
fn an_independent_decoder_agrees_on_every_field() {
    let name = "an_independent_decoder_agrees_on_every_field";
    play(name, |runtime| {
        let (dir, host) = (TempDir::new(), Machine::new());
        let advertiser = lan();
        let recording = Recording::start(&dir);
        plug_in(&host);
        until("an address", || address(&host).contains("2001:db8:"));
        let other = AdvertiseSettings {
            preference: Preference::High,
            on_link: false,
            ..settings()
        };
        advertiser.configure([("lan".to_owned(), other)].into());
        let route = || host.ask("ip -6 route show default");
        until("a better route", || route().contains("pref high"));
        runtime.block_on(advertiser.stop());
        until("that the host heard it", || {
            address(&host).contains("deprecated")
        });
        let expected = [
            ("eth.dst", "33:33:00:00:00:01"),
            ("ipv6.src", "fe80::ff:fe00:1"),
            ("ipv6.dst", "ff02::1"),
            ("ipv6.hlim", "255"),
            ("icmpv6.code", "0"),
            ("icmpv6.checksum.status", "1"),
            ("icmpv6.nd.ra.cur_hop_limit", "64"),
            ("icmpv6.nd.ra.flag.m", "0"),
            ("icmpv6.nd.ra.flag.o", "0"),
            ("icmpv6.nd.ra.flag.prf", "1"),
            ("icmpv6.nd.ra.router_lifetime", "1800"),
            ("icmpv6.nd.ra.reachable_time", "0"),
            ("icmpv6.nd.ra.retrans_timer", "0"),
            ("icmpv6.opt.type", "1,5,3,25,31"),
            ("icmpv6.opt.length", "1,1,4,5,5"),
            ("icmpv6.opt.src_linkaddr", "02:00:00:00:00:01"),
            ("icmpv6.opt.mtu", "1420"),
            ("icmpv6.opt.prefix", "2001:db8:85a3:ef11::"),
            ("icmpv6.opt.prefix.length", "64"),
            ("icmpv6.opt.prefix.flag.l", "0"),
            ("icmpv6.opt.prefix.flag.a", "1"),
            ("icmpv6.opt.prefix.valid_lifetime", "5400"),
            ("icmpv6.opt.prefix.preferred_lifetime", "2700"),
            ("icmpv6.opt.rdnss.lifetime", "1800"),
            (
                "icmpv6.opt.rdnss",
                "2001:db8:85a3:ef00::1,2001:db8:ffff::53",
            ),
            ("icmpv6.opt.dnssl.lifetime", "1800"),
            ("icmpv6.opt.dnssl", "kits.example,example.net"),
            ("_ws.malformed", ""),
        ];
        let fields = expected.map(|(field, _)| field);
        let filter = "icmpv6.type == 134 && ipv6.dst == ff02::1";
        let lifetime = fields
            .iter()
            .position(|field| field.ends_with("router_lifetime"));
        let lifetime = lifetime.unwrap();
        let rows = || recording.fields(filter, &fields);
        let is_last = |row: &Vec<String>| row[lifetime] == "0";
        until("its recording", || rows().last().is_some_and(is_last));
        let rows = rows();
        let high = rows.iter().find(|row| row[9] == "1").unwrap();
        for ((field, value), seen) in expected.iter().zip(high) {
            assert_eq!(seen, value, "{field}");
        }
        // And the last one, of no router: no resolvers, an address that is not to be chosen.
        let zero = ["preferred_lifetime", "rdnss.lifetime", "dnssl.lifetime"];
        let last = rows.last().unwrap();
        for (field, seen) in fields.iter().zip(last) {
            if zero.iter().any(|end| field.ends_with(end)) {
                assert_eq!(seen, "0", "{field}");
            }
        }
        assert_eq!(route(), "");
    });
}

/// Asks for routers ten thousand times a second.
fn flood(count: u32) -> Duration {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
    socket.set_multicast_hops_v6(255).unwrap();
    let index = nix::net::if_::if_nametoindex("eth0").unwrap();
    let routers: SockAddr = SocketAddrV6::new(ALL_ROUTERS, 0, 0, index).into();
    let began = Instant::now();
    for nth in 0..count {
        let due = Duration::from_micros(100) * nth;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        // A full queue loses some, as a flood may.
        let _ = socket.send_to(&[133, 0, 0, 0, 0, 0, 0, 0], &routers);
    }
    began.elapsed()
}

#[test]
fn a_flood_of_solicitations_is_answered_within_bounds() {
    let name = "a_flood_of_solicitations_is_answered_within_bounds";
    play(name, |runtime| {
        let host = Machine::new();
        let advertiser = lan();
        plug_in(&host);
        until("an address", || address(&host).contains("2001:db8:"));
        let before = sent(&advertiser);
        let took = host.visit(|| flood(30_000));
        let counts = advertiser.counts();
        let asked = counts.solicited.load(Ordering::Relaxed);
        assert!(asked > 1000, "{asked}");
        // One host is answered each time that it waited; all of them, every three seconds.
        let answers = sent(&advertiser) - before;
        println!("{asked} questions in {took:?}: {answers} answers");
        let to_it = 50 + 50 * (took.as_secs() + 1);
        let to_all = 2 + took.as_secs() / MIN_DELAY_BETWEEN.as_secs();
        assert!(
            (1..=to_it + to_all).contains(&answers),
            "{answers} in {took:?}"
        );
        runtime.block_on(advertiser.stop());
    });
}

/// As with Bluetooth, whose interface is there only while somebody is connected.
#[test]
fn an_interface_that_is_made_anew_advertises_again() {
    play(
        "an_interface_that_is_made_anew_advertises_again",
        |runtime| {
            let both = ["bt0", "bt1"].map(|name| (name.to_owned(), settings()));
            let advertiser = Advertiser::start(both.into()).unwrap();
            for time in 0..2 {
                let host = Machine::new();
                host.cable("bt0", "eth0");
                host.run("ip link set eth0 up");
                ip("link set bt0 up");
                until("an address", || {
                    address(&host).contains("2001:db8:85a3:ef11:")
                });
                if time == 1 {
                    let prefixes = vec!["2001:db8:85a3:ef21::/64".parse().unwrap()];
                    let renumbered = AdvertiseSettings {
                        prefixes,
                        ..settings()
                    };
                    advertiser.configure([("bt0".to_owned(), renumbered)].into());
                    until("another address", || address(&host).contains(":ef21:"));
                    let all = address(&host);
                    let old = all.lines().find(|line| line.contains(":ef11:")).unwrap();
                    let new = all.lines().find(|line| line.contains(":ef21:")).unwrap();
                    assert!(
                        old.contains("deprecated") && !new.contains("deprecated"),
                        "{all}"
                    );
                }
                ip("link delete bt0");
            }
            let began = Instant::now();
            runtime.block_on(advertiser.stop());
            assert!(
                began.elapsed() < GRACE,
                "nobody is there who could hear a last word"
            );
        },
    );
}
