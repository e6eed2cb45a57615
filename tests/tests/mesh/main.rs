//! A mesh of twelve: six of ours, four tincd 1.0, two tinc 1.1, on one internet, of which one or two at a time are
//! killed or stopped and started again. After each, everybody reaches everybody within 15 s; two nodes of the reference,
//! who may lose each other without any of ours on their way, within a minute more.
//!
//! Plays for 35 s, with `V6_LONG=1` for five minutes. `V6_SEED` chooses who and when; the default is the same each time.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep_until};
use v6lab::actors::Product;
use v6lab::fabric::Lab;
use v6lab::observe;
use v6lab::plan::{Plan, Segment};
use v6tests::cases::{self, Setting};
use v6tests::dump;
use v6tests::members::{self, Daemons, Member};

/// How many of each there are.
const CAST: [(Product, usize); 3] = [
    (Product::V6router, 6),
    (Product::Tincd, 4),
    (Product::Tinc11, 2),
];

/// For how long nodes are restarted.
const SHORT: Duration = Duration::from_secs(35);
const LONG: Duration = Duration::from_secs(300);

/// Within what time after a restart everybody reaches everybody.
const HEALS: Duration = Duration::from_secs(15);

/// What two nodes of the reference may take longer: see [`checks`].
const AMONG_THEMSELVES: Duration = Duration::from_secs(60);

/// Within what time twelve that start at once have found each other: a tincd that dials one which is not there yet
/// tries again after 5 s.
const GATHERS: Duration = Duration::from_secs(30);

/// A tincd that is started twice within one second makes up the same nonces, and is taken for its own echo.
const BETWEEN_STARTS: Duration = Duration::from_millis(1100);

/// Whom a node dials, by distance in the ring of names: several, so that the mesh stays whole without any one.
const DIALS: [usize; 3] = [1, 2, 5];

struct MixedMesh;

impl fmt::Display for MixedMesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("twelve_nodes_heal_after_every_restart")
    }
}

fn main() -> ExitCode {
    cases::main(vec![MixedMesh], 1, play)
}

async fn play(setting: &Setting, case: &MixedMesh) -> anyhow::Result<String> {
    let seed: u64 = match std::env::var("V6_SEED") {
        Ok(seed) => seed.parse().with_context(|| format!("V6_SEED={seed}"))?,
        Err(_) => 1,
    };
    let length = if std::env::var_os("V6_LONG").is_some() {
        LONG
    } else {
        SHORT
    };
    println!("seed {seed}, {} s", length.as_secs());
    let logs = setting.logs_of(case)?;
    let members = cast();
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let networks = ["198.51.100.0/24".parse().map_err(anyhow::Error::msg)?];
    let internet = Segment {
        networks: &networks,
        members: &names,
    };
    let lab = Lab::up(&Plan::segments("a mixed mesh", &[internet])).await?;
    members::furnish(setting, &lab, &members).await?;
    let mut mesh = Mesh {
        lab,
        members,
        daemons: Daemons::default(),
        started: BTreeMap::new(),
        rng: StdRng::seed_from_u64(seed),
    };
    let told = mesh.live(length, &logs).await;
    let down = mesh.lab.down().await;
    let told = told.with_context(|| format!("V6_SEED={seed}"))?;
    down?;
    Ok(told)
}

/// Everybody, with one address in the overlay.
fn cast() -> Vec<Member> {
    let products = CAST.iter().flat_map(|(product, n)| vec![*product; *n]);
    // Kinds next to each other in the ring should differ.
    let mut products: Vec<Product> = products.collect();
    let half = products.split_off(products.len() / 2);
    let mixed = products.into_iter().zip(half).flat_map(|(a, b)| [a, b]);
    let mut members: Vec<Member> = mixed
        .enumerate()
        .map(|(n, product)| {
            let mut member = Member::new(&format!("{product}_{n}"), product);
            member.conf = "Mode = switch\n".to_owned();
            let address = overlay(n);
            member.up = format!("ip addr add {address}/24 dev $INTERFACE\n");
            member.conf += checks(product);
            if product != Product::V6router {
                // Else the neighbours would go on sending to the address before.
                let mac = format!("02:76:36:00:00:{n:02x}");
                member.up += &format!("ip link set dev $INTERFACE address {mac}\n");
            }
            member
        })
        .collect();
    let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    for (n, member) in members.iter_mut().enumerate() {
        let others = DIALS.map(|distance| names[(n + distance) % names.len()].clone());
        member.dials = others.to_vec();
    }
    members
}

/// A tincd that comes up sends a neighbour its first key by a relay, as long as it has not heard of the other end of
/// their connection, and the next one directly. The neighbour keeps what came last: where that is the first, what it
/// sends is lost until it checks the path again, with the defaults after 65 s. A dozen tincds without anybody else lost
/// a pair in each of three runs, twice at the start. With v6router at one end the old key is noticed and replaced.
fn checks(product: Product) -> &'static str {
    match product {
        Product::V6router => "",
        Product::Tincd => "PingInterval = 6\n",
        Product::Tinc11 => {
            "PingInterval = 6\nUDPDiscoveryKeepaliveInterval = 2\nUDPDiscoveryTimeout = 6\n"
        }
    }
}

fn overlay(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 66, 0, u8::try_from(n + 1).unwrap_or(u8::MAX))
}

struct Mesh {
    lab: Lab,
    members: Vec<Member>,
    daemons: Daemons,
    /// When each was started last.
    started: BTreeMap<String, Instant>,
    rng: StdRng,
}

impl Mesh {
    async fn live(&mut self, length: Duration, logs: &Path) -> anyhow::Result<String> {
        let began = Instant::now();
        for n in 0..self.members.len() {
            self.start(n, logs).await?;
        }
        let gathered = self
            .all_reach_all(GATHERS)
            .await
            .context("after the start")?;
        println!(
            "all pairs {:.1} s after the last start",
            gathered.as_secs_f64()
        );
        let mut restarts = 0;
        let mut slowest = Duration::ZERO;
        while began.elapsed() < length {
            let (what, took) = self.restart(logs).await?;
            restarts += 1;
            slowest = slowest.max(took);
            println!(
                "{:5.1} s: {what}; all pairs after {:.1} s",
                began.elapsed().as_secs_f64(),
                took.as_secs_f64()
            );
        }
        ensure!(restarts > 0, "there was no time for a restart");
        Ok(format!(
            "{restarts} restarts, all pairs after {:.1} s at most",
            slowest.as_secs_f64()
        ))
    }

    /// Ends one or two and starts them again; what was done, and how long it took from then until all was well.
    async fn restart(&mut self, logs: &Path) -> anyhow::Result<(String, Duration)> {
        let count = *[1, 1, 2].choose(&mut self.rng).context("a choice")?;
        let orderly: bool = self.rng.random();
        let chosen = (0..self.members.len()).sample(&mut self.rng, count);
        let names: Vec<String> = chosen
            .iter()
            .map(|n| self.members[*n].name.clone())
            .collect();
        for name in &names {
            self.daemons.end(name, orderly).await?;
        }
        let pause = Duration::from_millis(self.rng.random_range(0..1500));
        sleep_until(Instant::now() + pause).await;
        for n in chosen {
            self.start(n, logs).await?;
        }
        let how = if orderly { "stopped" } else { "killed" };
        let what = format!(
            "{} {how}, away for {} ms",
            names.join(" and "),
            pause.as_millis()
        );
        let took = self.all_reach_all(HEALS).await;
        let took = took.with_context(|| format!("after {what}"))?;
        Ok((what, took))
    }

    async fn start(&mut self, n: usize, logs: &Path) -> anyhow::Result<()> {
        let member = &self.members[n];
        if let Some(before) = self.started.get(&member.name) {
            sleep_until(*before + BETWEEN_STARTS).await;
        }
        self.started.insert(member.name.clone(), Instant::now());
        self.daemons.start(&self.lab, member, logs).await
    }

    /// Waits until each pair has exchanged a ping.
    async fn all_reach_all(&self, limit: Duration) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (lab, members) = (&self.lab, &self.members);
        let pairs = (0..members.len()).flat_map(|n| (0..n).map(move |m| (n, m)));
        let silent = try_join_all(pairs.map(async |(n, m)| {
            let from = lab.node(&members[n].name)?;
            let ours = [n, m].map(|n| members[n].product == Product::V6router);
            let limit = if ours == [false, false] {
                limit + AMONG_THEMSELVES
            } else {
                limit
            };
            let report = observe::reach(from, IpAddr::V4(overlay(m)), limit).await?;
            let pair = format!("{} and {}", members[n].name, members[m].name);
            anyhow::Ok(report.first_reply.is_none().then_some(pair))
        }))
        .await?;
        let silent: Vec<String> = silent.into_iter().flatten().collect();
        if silent.is_empty() {
            return Ok(began.elapsed());
        }
        for member in members {
            // What everybody knows is in the logs then.
            let node = lab.node(&member.name)?;
            dump::ask(node, self.daemons.on(&member.name)?).await?;
        }
        bail!("no ping in time between {}", silent.join(", "))
    }
}
