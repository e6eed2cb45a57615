//! A daemon under question, in a network with two strangers, and a family of scripts put to both daemons.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use v6lab::actors::{self, Product};
use v6lab::fabric::Lab;
use v6lab::plan::{Plan, Segment};
use v6router_core::crypto::rsa::{PrivateKey, PublicKey};
use v6tests::cases::Setting;
use v6tests::dump::{self, Dump};
use v6tests::members::{self, Daemons, Member};

use crate::families::Family;
use crate::fixes;
use crate::outcome::{self, Outcome};
use crate::script::{Script, TALKER, WATCHER};
use crate::stranger::{HANDSHAKE, SUBJECT, Stranger, fresh_nonce};

/// Plays one script only.
const SEED: &str = "V6_SEED";

/// Scripts of a family, and with `V6_LONG=1`.
const SCRIPTS: u64 = 30;
const MANY_SCRIPTS: u64 = 300;

/// The reference serves ten connections a second, and a script takes two.
const PERIOD: Duration = Duration::from_millis(220);

/// How long a daemon may take to answer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(15);

/// Asked for last, and answered with its opposite by whoever has read everything before it.
const LAST: &str = "10.255.255.255";

/// What the last request is that a responder says once it has heard each of the handshake's.
const FOLLOWS: [u8; 5] = [1, 2, 2, 4, 4];

/// After what time a daemon that says nothing in a handshake is taken to be silent.
const SILENCE: Duration = Duration::from_millis(400);

/// Where daemons listen.
const PORT: u16 = 655;

/// Puts a family's scripts to both daemons.
pub(crate) async fn play(setting: &Setting, family: &Family) -> anyhow::Result<String> {
    let logs = setting.logs_of(family)?;
    let mut ours = Subject::new(setting, Product::V6router, &logs).await?;
    let mut theirs = Subject::new(setting, Product::Tincd, &logs).await?;
    let played = compare(family, &mut ours, &mut theirs).await;
    let down = (ours.lab.down().await, theirs.lab.down().await);
    let told = played?;
    down.0?;
    down.1?;
    Ok(told)
}

async fn compare(
    family: &Family,
    ours: &mut Subject,
    theirs: &mut Subject,
) -> anyhow::Result<String> {
    let seeds: Vec<u64> = match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().with_context(|| format!("{SEED}={seed}"))?],
        Err(_) if std::env::var_os("V6_LONG").is_some() => (0..MANY_SCRIPTS).collect(),
        Err(_) => (0..SCRIPTS).collect(),
    };
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for seed in &seeds {
        let script = family.script(*seed);
        let began = Instant::now();
        let (a, b) = tokio::join!(ours.hear_out(&script), theirs.hear_out_for_sure(&script));
        let at = |who: &str| format!("{who} at seed {seed}");
        let (a, b) = (
            a.with_context(|| at("v6router"))?,
            b.with_context(|| at("tincd"))?,
        );
        for difference in a.differences(&b) {
            let fix = fixes::of(&script)
                .iter()
                .find(|fix| fix.explains(&script, &difference));
            match fix {
                Some(fix) => *used.entry(fix.name).or_default() += 1,
                None => unexplained.push(format!(
                    "seed {seed}: {}:\n      ours:   {:?}\n      theirs: {:?}\n{}",
                    difference.what,
                    difference.ours,
                    difference.theirs,
                    said(&script)
                )),
            }
        }
        sleep_until(began + PERIOD).await;
    }
    if !unexplained.is_empty() {
        bail!(
            "{} differences that are not documented ({SEED}=N plays one seed alone):\n    {}",
            unexplained.len(),
            unexplained.join("\n    ")
        );
    }
    let used: Vec<String> = used
        .iter()
        .map(|(name, n)| format!("{n} of {name}"))
        .collect();
    Ok(format!(
        "{} scripts; differences: {}",
        seeds.len(),
        if used.is_empty() {
            "none".to_owned()
        } else {
            used.join(", ")
        }
    ))
}

/// A script as text.
fn said(script: &Script) -> String {
    let says = script.says.iter().map(|said| {
        let text = String::from_utf8_lossy(said);
        let line: String = text.trim_end().chars().take(120).collect();
        format!("        {line:?}\n")
    });
    says.collect()
}

/// A daemon, and what is needed to speak to it.
struct Subject {
    lab: Lab,
    member: Member,
    daemons: Daemons,
    logs: PathBuf,
    address: SocketAddr,
    key: PublicKey,
    /// The strangers' keys.
    talker: PrivateKey,
    watcher: PrivateKey,
}

impl Subject {
    async fn new(setting: &Setting, product: Product, logs: &Path) -> anyhow::Result<Self> {
        let networks = ["198.51.100.0/24".parse().map_err(anyhow::Error::msg)?];
        let segment = Segment {
            networks: &networks,
            members: &[SUBJECT, "strangers"],
        };
        let mut plan = Plan::segments("strangers", &[segment]);
        for node in &mut plan.nodes {
            // Or the kernel would make itself known on the interface of the mesh.
            let key = "net/ipv6/conf/default/disable_ipv6".to_owned();
            node.sysctls.push((key, "1".to_owned()));
        }
        let lab = Lab::up(&plan).await?;
        let mut member = Member::new(SUBJECT, product);
        member.conf = "Mode = switch\n".to_owned();
        member.host = "Subnet = 10.77.0.0/16\n".to_owned();
        members::furnish(setting, &lab, std::slice::from_ref(&member)).await?;
        let node = lab.node(SUBJECT)?;
        let mut keys = Vec::new();
        for name in [TALKER, WATCHER] {
            let pair = setting.keys.pair(Product::V6router, name).await?;
            let path = actors::path(&format!("hosts/{name}"));
            // So that no weight is measured.
            let text = format!("Weight = 9\n{}", pair.public);
            node.write_file(path, text, 0o644).await?;
            keys.push(PrivateKey::from_pem(&pair.private)?);
        }
        let own = setting.keys.pair(product, SUBJECT).await?;
        let address = members::nearby(&plan, "strangers", SUBJECT).context("no address")?;
        let (watcher, talker) = (keys.pop(), keys.pop());
        let mut subject = Self {
            daemons: Daemons::default(),
            logs: logs.join(product.to_string()),
            address: SocketAddr::new(address, PORT),
            key: PublicKey::from_pem(&own.public)?,
            talker: talker.context("two keys")?,
            watcher: watcher.context("two keys")?,
            lab,
            member,
        };
        std::fs::create_dir_all(&subject.logs)?;
        subject.start().await?;
        Ok(subject)
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        self.daemons
            .start(&self.lab, &self.member, &self.logs)
            .await
    }

    async fn start_again(&mut self) -> anyhow::Result<()> {
        self.daemons.forget(SUBJECT)?;
        self.start().await
    }

    async fn dial(&self, name: &str, key: &PrivateKey) -> anyhow::Result<Stranger> {
        let node = self.lab.node("strangers")?;
        let mut stranger = Stranger::dial(node, self.address, name, key, &self.key).await?;
        stranger.introduce().await?;
        Ok(stranger)
    }

    /// Says the script, once more if the daemon died: the reference's memory may have been corrupted by an earlier one,
    /// and a script that kills it does so again.
    async fn hear_out_for_sure(&mut self, script: &Script) -> anyhow::Result<Outcome> {
        match self.hear_out(script).await {
            Ok(outcome) if outcome.ended == "daemon" => self.hear_out(script).await,
            Err(_) if self.daemons.on(SUBJECT)?.status().is_some() => {
                self.start_again().await?;
                self.hear_out(script).await
            }
            heard => heard,
        }
    }

    /// Says the script, and tells what came of it.
    async fn hear_out(&mut self, script: &Script) -> anyhow::Result<Outcome> {
        if let Some(due) = script.in_handshake {
            return self.hear_out_handshake(script, due).await;
        }
        let mut watcher = self.dial(WATCHER, &self.watcher).await?;
        let mut talker = self.dial(TALKER, &self.talker).await?;
        watcher.settle().await?;
        for said in &script.says {
            talker.say(said).await;
        }
        talker
            .say(format!("10 {} {SUBJECT} {LAST}\n", fresh_nonce()).as_bytes())
            .await;
        let ended = self.until_read(&mut talker, &mut watcher).await?;
        let dump = if ended == "daemon" {
            self.start_again().await?;
            Dump::default()
        } else {
            watcher.catch_up().await?;
            self.dump().await?
        };
        talker.hang_up();
        watcher.hang_up();
        let lines = |heard: &[String]| -> Vec<String> {
            let lines = heard.iter().filter(|line| !line.contains(LAST));
            lines
                .filter_map(|heard| outcome::line(script, heard))
                .collect()
        };
        self.until_alone().await?;
        Ok(Outcome {
            answered: lines(&talker.heard),
            forwarded: lines(&watcher.heard),
            ended,
            known: outcome::known(script, &dump),
        })
    }

    /// Shakes hands, but for what the script says where request `due` is due.
    async fn hear_out_handshake(&self, script: &Script, due: u8) -> anyhow::Result<Outcome> {
        let node = self.lab.node("strangers")?;
        let mut talker =
            Stranger::dial(node, self.address, TALKER, &self.talker, &self.key).await?;
        let mut silent = false;
        for number in HANDSHAKE {
            if number != due {
                talker.say_right(number).await?;
            } else if let Some(rest) = script.meta_key {
                talker.say_meta_key(rest).await?;
            } else {
                for said in &script.says {
                    talker.say(said).await;
                }
            }
            // That nothing comes is a finding, and there is no need to wait for it again.
            let patience = if silent { Duration::ZERO } else { SILENCE };
            let follows = FOLLOWS[usize::from(number)];
            silent = timeout(patience, talker.hear_number(follows))
                .await
                .is_err();
        }
        talker.say(b"8\n").await;
        let active = timeout(SILENCE, talker.hear_number(9)).await;
        talker.hang_up();
        self.until_alone().await?;
        let heard = talker
            .heard
            .iter()
            .take_while(|line| !line.starts_with("10 ") && !line.starts_with("12 "));
        Ok(Outcome {
            answered: heard.map(|line| outcome::without_secrets(line)).collect(),
            ended: match active {
                Ok(Ok(())) => "nothing",
                _ => "connection",
            },
            ..Outcome::default()
        })
    }

    /// Waits until the daemon has read everything, or has given the one who speaks up, or has ended.
    async fn until_read(
        &self,
        talker: &mut Stranger,
        watcher: &mut Stranger,
    ) -> anyhow::Result<&'static str> {
        let deadline = Instant::now() + LIMIT;
        let given_up = |line: &String| {
            let words: Vec<&str> = line.split(' ').collect();
            matches!(words.as_slice(), ["13", _, SUBJECT, TALKER, ..])
        };
        loop {
            if talker.heard.iter().any(|line| line.contains(LAST)) {
                return Ok("nothing");
            }
            if watcher.heard.iter().any(given_up) {
                return Ok("connection");
            }
            if self.daemons.on(SUBJECT)?.status().is_some() {
                return Ok("daemon");
            }
            ensure!(
                Instant::now() < deadline,
                "it neither answers nor closes; {TALKER} heard {:?}, {WATCHER} heard {:?}",
                talker.heard,
                watcher.heard
            );
            tokio::select! {
                () = talker.hear(), if !talker.closed => {}
                () = watcher.hear(), if !watcher.closed => {}
                () = sleep(Duration::from_millis(20)) => {}
            }
        }
    }

    async fn dump(&self) -> anyhow::Result<Dump> {
        dump::ask(self.lab.node(SUBJECT)?, self.daemons.on(SUBJECT)?).await
    }

    /// Waits until the daemon has noticed that nobody is there any more.
    async fn until_alone(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let dump = self.dump().await?;
            let there = |name: &&str| dump.nodes.get(*name).is_some_and(|node| node.reachable);
            let Some(left) = [TALKER, WATCHER].into_iter().find(|name| there(name)) else {
                return Ok(());
            };
            ensure!(
                Instant::now() < deadline,
                "it does not notice that {left} left"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}
