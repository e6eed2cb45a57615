//! What lines do to packets, seen by the tools everybody knows. Needs what `v6lab doctor` asks for, ping and iperf3.

#[allow(dead_code, reason = "it plans networks of its own")]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use support::{SERVER, VENUE, socket};
use tokio::time::timeout;
use v6lab::conditioner::{Conditions, Line, Share};
use v6lab::fabric::{CommandSpec, FabricError, Lab};
use v6lab::model::{Link, Scenario, VenueKind};
use v6lab::plan::Plan;

fn main() {
    support::run(tests![
        pings_take_as_long_as_was_asked_for,
        cables_of_machines_take_as_long_as_was_asked_for,
        a_machine_takes_its_line_along,
        streams_are_as_fast_as_was_asked_for,
        as_much_is_lost_as_was_asked_for,
        the_seed_decides_which_datagrams_are_lost,
        a_line_that_carries_less_says_so_unless_it_is_a_black_hole,
        a_line_is_changed_cut_and_mended_while_it_is_in_use,
        a_line_that_cannot_be_had_is_no_lab,
    ]);
}

const MS: Duration = Duration::from_millis(1);

/// The cable between the internet and the venue.
const CABLE: &str = "internet--cafe";

/// A Pi behind a home router whose line is this one.
fn plan(line: Line, mtu: Option<u32>) -> Plan {
    let mut kind = VenueKind::find(Path::new("home-default")).unwrap();
    kind.link = Some(Link { line, mtu });
    let scenario = Scenario::builder("a line")
        .server("server", [format!("{SERVER}/24")])
        .venue_of("cafe", kind, format!("{VENUE}/24"), "192.168.1.0/24")
        .pi("pi", "cafe");
    Plan::new(&scenario.build().unwrap())
}

async fn lab(line: Line) -> Lab {
    Lab::up(&plan(line, None)).await.unwrap()
}

/// The same both ways.
fn each_way(conditions: Conditions) -> Line {
    Line {
        down: conditions,
        up: conditions,
        black_hole: false,
    }
}

/// What a command of the Pi's says, whatever its exit code.
async fn said(lab: &Lab, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let output = lab.node("pi").unwrap().exec(&words).await.unwrap();
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// The least of ping's `rtt min/avg/max/mdev = …` in milliseconds: a busy machine adds to the others.
async fn round_trip(lab: &Lab) -> f64 {
    let words = said(lab, &format!("ping -c 20 -i 0.02 {SERVER}")).await;
    let figures = words
        .split(" = ")
        .nth(1)
        .unwrap_or_else(|| panic!("{words}"));
    figures.split('/').next().unwrap().parse().unwrap()
}

/// A number in what iperf3 says of the whole run, a client on the Pi that asks for what `more` says.
async fn iperf(lab: &Lab, sum: &str, figure: &str, more: &str) -> f64 {
    let server = lab.node("server").unwrap();
    let command = CommandSpec::new("iperf3").args(["--server", "--one-off"]);
    let process = server.spawn(command).await.unwrap();
    let listens = async {
        loop {
            let sockets = server
                .exec(&["ss", "-Hltn", "sport = :5201"])
                .await
                .unwrap();
            if !sockets.stdout.is_empty() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), listens).await.unwrap();
    let words = said(lab, &format!("iperf3 --json --client {SERVER} {more}")).await;
    // It may be busy a little longer than its client, and the next one wants its port.
    process.wait(Duration::from_secs(20)).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&words).unwrap();
    let number = &report["end"][sum][figure];
    number.as_f64().unwrap_or_else(|| panic!("{words}"))
}

async fn pings_take_as_long_as_was_asked_for() {
    let asked = Line {
        down: Conditions {
            delay: 30 * MS,
            ..Conditions::default()
        },
        up: Conditions {
            delay: 10 * MS,
            ..Conditions::default()
        },
        black_hole: false,
    };
    let lab = lab(asked).await;
    let seen = round_trip(&lab).await;
    assert!((seen - 40.0).abs() < 2.0, "{seen} ms");
    lab.down().await.unwrap();
}

async fn cables_of_machines_take_as_long_as_was_asked_for() {
    let scenario = Scenario::builder("far from each other")
        .server("server", [format!("{SERVER}/24")])
        .line("server", [("delay", "20 ms")])
        .venue(
            "cafe",
            "home-default",
            format!("{VENUE}/24"),
            "192.168.1.0/24",
        )
        .pi("pi", "cafe")
        .line("pi", [("delay", "5 ms")]);
    let lab = Lab::up(&Plan::new(&scenario.build().unwrap()))
        .await
        .unwrap();
    let seen = round_trip(&lab).await;
    assert!((seen - 50.0).abs() < 2.0, "{seen} ms");
    lab.down().await.unwrap();
}

async fn a_machine_takes_its_line_along() {
    let far = |line: &mut Line| line.down.delay = 20 * MS;
    let mut lab = support::lab("roaming").await;
    lab.change_line("cafe--node_one", far).await.unwrap();
    // Where it is put, it is measured as well.
    lab.plug_in("node_one", "hotel").await.unwrap();
    for (venue, tables) in [("cafe", false), ("hotel", true)] {
        let rules = lab
            .node(venue)
            .unwrap()
            .exec(&["nft", "list", "tables", "netdev"]);
        let rules = rules.await.unwrap().stdout;
        assert_eq!(!rules.is_empty(), tables, "{venue}");
    }
    let slower = |line: &mut Line| {
        assert_eq!(line.down.delay, 20 * MS);
        line.up.delay = 10 * MS;
    };
    lab.change_line("hotel--node_one", slower).await.unwrap();
    lab.down().await.unwrap();
}

async fn streams_are_as_fast_as_was_asked_for() {
    let rate = |rate| Conditions {
        rate: Some(rate),
        ..Conditions::default()
    };
    let asked = Line {
        down: rate(20_000_000),
        up: rate(5_000_000),
        black_hole: false,
    };
    let lab = lab(asked).await;
    // Of a frame of 1,514 bytes, TCP has 1,448 for its data.
    for (more, asked) in [("--time 4", 5e6), ("--time 4 --reverse", 20e6)] {
        let more = format!("{more} --omit 1");
        let seen = iperf(&lab, "sum_received", "bits_per_second", &more).await;
        let frames = seen * 1514.0 / 1448.0;
        assert!((frames / asked - 1.0).abs() < 0.1, "{more}: {frames}");
    }
    lab.down().await.unwrap();
}

async fn as_much_is_lost_as_was_asked_for() {
    for (loss, burst) in [(Share(50_000), 1), (Share(20_000), 3)] {
        let lossy = Conditions {
            loss,
            burst,
            ..Conditions::default()
        };
        let down = Line {
            down: lossy,
            ..Line::default()
        };
        let lab = lab(down).await;
        let more = "--udp --reverse --length 100 --bitrate 4M --time 4";
        let seen = iperf(&lab, "sum", "lost_percent", more).await;
        assert!(
            (seen - loss.of_one() * 100.0).abs() < 1.0,
            "{seen} % of {loss}"
        );
        lab.down().await.unwrap();
    }
}

async fn the_seed_decides_which_datagrams_are_lost() {
    async fn arrived(seed: u64) -> BTreeSet<[u8; 2]> {
        /// As many as a socket has room for, however busy its reader is.
        const COUNT: u16 = 200;
        const LAST: [u8; 2] = COUNT.to_be_bytes();
        let lossy = Conditions {
            loss: Share(200_000),
            burst: 2,
            ..Conditions::default()
        };
        let plan = plan(each_way(lossy), None).seeded(seed);
        let lab = Lab::up(&plan).await.unwrap();
        let server = socket(lab.node("server").unwrap(), &format!("{SERVER}:7000")).await;
        let pi = socket(lab.node("pi").unwrap(), "0.0.0.0:7000").await;
        let mut arrived = BTreeSet::new();
        let hear = async {
            while !arrived.contains(&LAST) {
                let mut number = [0; 2];
                server.recv(&mut number).await.unwrap();
                arrived.insert(number);
            }
        };
        let send = async {
            for number in 0..COUNT {
                pi.send_to(&number.to_be_bytes(), (SERVER, 7000))
                    .await
                    .unwrap();
            }
            // As often as it takes for one to arrive.
            loop {
                pi.send_to(&LAST, (SERVER, 7000)).await.unwrap();
                tokio::time::sleep(5 * MS).await;
            }
        };
        let both = async {
            tokio::select! { () = hear => (), () = send => () }
        };
        timeout(Duration::from_secs(20), both).await.unwrap();
        lab.down().await.unwrap();
        arrived
    }
    let first = arrived(5).await;
    assert_eq!(first, arrived(5).await);
    assert_ne!(first, arrived(6).await);
    assert!(
        first.len() > 120 && first.len() < 195,
        "{} arrived",
        first.len()
    );
}

async fn a_line_that_carries_less_says_so_unless_it_is_a_black_hole() {
    for black_hole in [false, true] {
        let line = Line {
            black_hole,
            ..Line::default()
        };
        let lab = Lab::up(&plan(line, Some(1400))).await.unwrap();
        let fits = said(
            &lab,
            &format!("ping -c 3 -i 0.02 -W 5 -M do -s 1372 {SERVER}"),
        )
        .await;
        assert!(fits.contains(" 0% packet loss"), "{fits}");
        // The Pi is told by the venue's router, the server by the internet's.
        let long = "ping -c 3 -i 0.3 -W 1 -M do -s 1472";
        let pi = said(&lab, &format!("{long} {SERVER}")).await;
        let long: Vec<&str> = long.split(' ').chain([VENUE]).collect();
        let server = lab.node("server").unwrap().exec(&long).await.unwrap();
        for words in [pi, String::from_utf8_lossy(&server.stdout).into_owned()] {
            assert!(words.contains(" 100% packet loss"), "{words}");
            assert_eq!(words.contains("mtu = 1400"), !black_hole, "{words}");
        }
        lab.down().await.unwrap();
    }
}

async fn a_line_is_changed_cut_and_mended_while_it_is_in_use() {
    let mut lab = lab(Line::default()).await;
    assert!(round_trip(&lab).await < 5.0);
    let slower = |line: &mut Line| line.down.delay = 40 * MS;
    lab.change_line(CABLE, slower).await.unwrap();
    let seen = round_trip(&lab).await;
    assert!((seen - 40.0).abs() < 2.0, "{seen} ms");
    let cut = |is_cut| {
        move |line: &mut Line| {
            line.down.cut = is_cut;
            line.up.cut = is_cut;
        }
    };
    lab.change_line(CABLE, cut(true)).await.unwrap();
    let words = said(&lab, &format!("ping -c 3 -i 0.02 -W 1 {SERVER}")).await;
    assert!(words.contains(" 100% packet loss"), "{words}");
    lab.change_line(CABLE, cut(false)).await.unwrap();
    let seen = round_trip(&lab).await;
    assert!((seen - 40.0).abs() < 2.0, "{seen} ms");
    let error = lab.change_line("internet--caff", cut(true)).await;
    assert!(matches!(error, Err(FabricError::Line { .. })), "{error:?}");
    lab.down().await.unwrap();
}

async fn a_line_that_cannot_be_had_is_no_lab() {
    let fast = Conditions {
        rate: Some(10_000_000_000),
        ..Conditions::default()
    };
    let error = Lab::up(&plan(each_way(fast), None))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("10000.000 Mbit/s asked for"), "{error}");
    assert!(error.contains("Mbit/s seen"), "{error}");
}
