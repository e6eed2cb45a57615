//! Stars of several sizes and daemons: who is how fast together again.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::pool;
use super::star::{Joined, MOST_LEAVES, Star};
use super::subject::{Kind, Side};
use super::table::table;
use super::{Machine, Subject};
use crate::actors::{Product, Programs};

/// How long a star is given to come to rest, and then left alone to see what it costs.
const SETTLE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);

/// How it is measured, for who reads the results.
const METHOD: &str = "A server that is ready, and leaves, each a process with a key of 2,048 bits, a dummy device \
and a port of its own, all behind one source address, all started at once. starting: how long that took; joined: from the start of the last one \
until each has said in its log that its connection with the server is activated, or how many had in time. CPU: \
user and system time of the server from its start until then, its start included; of a restart, from the kill on. \
RSS, HWM: the server's memory 20 s later, and the most it had; idle: its share of one core in the last 10 s of these, \
when paths have been measured; later: connections made in these 20 s by leaves that came late or that it had lost \
again. restart: all leaves are killed \
(SIGKILL, so that their kernel closes their connections) and started at once again.";

/// Stars that are to be measured.
pub struct Stars {
    subjects: Vec<(Subject, [Programs; 2])>,
    sizes: Vec<usize>,
    patience: Duration,
    /// Who makes keys for all.
    maker: (Programs, Product),
}

/// Everything that was measured, and how.
#[derive(Debug, Serialize)]
pub struct ScaleReport {
    /// How it was measured.
    pub method: &'static str,
    /// Where.
    pub machine: Machine,
    /// How long a star had to come together, in seconds.
    pub patience: f64,
    /// Each subject in each size.
    pub stars: Vec<Measured>,
}

/// One star.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Its daemons, as they were asked for.
    pub name: String,
    /// How many leaves it has.
    pub leaves: usize,
    /// After the first start of all leaves.
    pub start: Option<Phase>,
    /// After the second.
    pub restart: Option<Phase>,
    /// Why it could not be measured to the end.
    pub trouble: Option<String>,
}

/// How a star came together, and what that cost its server.
#[derive(Debug, Serialize)]
pub struct Phase {
    /// Leaves that the server reached.
    pub reached: usize,
    /// Seconds from the start of the first leaf to that of the last one.
    pub starting_s: f64,
    /// Seconds from the start of the last leaf until it had reached all.
    pub joined_s: Option<f64>,
    /// The server's processor time, in seconds.
    pub cpu_s: f64,
    /// Its resident memory 20 s later, in bytes.
    pub resident: u64,
    /// The most it had, in bytes.
    pub peak: u64,
    /// Its share of one core in the last 10 s of these.
    pub idle_share: f64,
    /// Connections made in these 20 s, of leaves that came late or that it had lost again.
    pub later: usize,
    /// Leaves that have ended by themselves.
    pub ended: usize,
}

impl Stars {
    /// Looks for all programs that will be needed, before anything is built.
    ///
    /// # Errors
    /// What is missing, and how to get it, or who cannot be in a star.
    pub fn prepare(subjects: Vec<Subject>, sizes: Vec<usize>, patience: Duration) -> Result<Self> {
        if let Some(size) = sizes.iter().find(|size| !(1..=MOST_LEAVES).contains(*size)) {
            bail!("a star has 1 to {MOST_LEAVES} leaves, not {size}");
        }
        let subjects = subjects.into_iter().map(|subject| {
            let [server, leaves] = sides(&subject)?;
            let programs = |side: &Side| Programs::of(&[side.product], side.program.as_deref());
            let programs = [programs(server)?, programs(leaves)?];
            Ok((subject, programs))
        });
        let subjects: Vec<(Subject, [Programs; 2])> = subjects.collect::<Result<_>>()?;
        // tincd is fastest at it.
        let maker = match Programs::of(&[Product::Tincd], None) {
            Ok(programs) => (programs, Product::Tincd),
            Err(_) => {
                let (subject, [programs, _]) = subjects.first().context("there is no subject")?;
                (programs.clone(), sides(subject)?[0].product)
            }
        };
        Ok(Self {
            subjects,
            sizes,
            patience,
            maker,
        })
    }

    /// Measures, within a session; `tell` hears what is done.
    ///
    /// # Errors
    /// When no keys can be made. What fails later is in the report.
    pub async fn measure(self, machine: Machine, tell: impl Fn(&str)) -> Result<ScaleReport> {
        allow_files()?;
        let most = self.sizes.iter().max().copied().unwrap_or_default();
        let (programs, product) = &self.maker;
        let keys = pool::keys(programs, *product, most + 1, &tell).await?;
        let mut stars = Vec::new();
        for size in &self.sizes {
            for (subject, programs) in &self.subjects {
                let mut measured = Measured {
                    name: subject.name.clone(),
                    leaves: *size,
                    start: None,
                    restart: None,
                    trouble: None,
                };
                let tell =
                    |what: &str| tell(&format!("{} with {size} leaves: {what}", subject.name));
                tell("set up");
                let keys = keys.get(..=*size).context("there are too few keys")?;
                let built = Star::build(sides(subject)?, programs, keys).await;
                let done = match built {
                    Ok(mut star) => {
                        let played = self.play(&mut star, &mut measured, &tell).await;
                        // Whatever else happened, nothing may be left.
                        star.down().await?;
                        played
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = done {
                    let trouble = format!("{error:#}");
                    tell(&format!("FAILED: {trouble}"));
                    measured.trouble = Some(trouble);
                }
                stars.push(measured);
            }
        }
        Ok(ScaleReport {
            method: METHOD,
            machine,
            patience: self.patience.as_secs_f64(),
            stars,
        })
    }

    async fn play(
        &self,
        star: &mut Star,
        measured: &mut Measured,
        tell: &impl Fn(&str),
    ) -> Result<()> {
        tell("all leaves start");
        measured.start = Some(self.phase(star, 0.0).await?);
        tell("all leaves are killed and start again");
        let before = cpu(star).await?;
        star.kill().await?;
        measured.restart = Some(self.phase(star, before).await?);
        Ok(())
    }

    /// Starts the leaves; `before` is the server's processor time that does not count.
    async fn phase(&self, star: &mut Star, before: f64) -> Result<Phase> {
        let Joined {
            reached,
            starting,
            took,
        } = star.join(self.patience).await?;
        let (joined, joins) = (cpu(star).await?, star.joins()?);
        sleep(SETTLE).await;
        let (settled, since) = (cpu(star).await?, Instant::now());
        sleep(IDLE).await;
        let idle = (cpu(star).await? - settled) / since.elapsed().as_secs_f64();
        let memory = star.server().await?.memory().await?;
        Ok(Phase {
            reached,
            starting_s: starting.as_secs_f64(),
            joined_s: took.map(|took| took.as_secs_f64()),
            cpu_s: joined - before,
            resident: memory.now,
            peak: memory.peak,
            idle_share: idle,
            later: star.joins()? - joins,
            ended: star.ended(),
        })
    }
}

/// The server's daemon and the leaves'.
fn sides(subject: &Subject) -> Result<&[Side; 2]> {
    match &subject.kind {
        Kind::Tinc(sides) => Ok(sides),
        Kind::Plain | Kind::WireGuard => {
            bail!(
                "{} makes no star of nodes that find each other",
                subject.name
            )
        }
    }
}

async fn cpu(star: &Star) -> Result<f64> {
    let time = star.server().await?.process().cpu_time();
    Ok(time.context("the server has ended")?.as_secs_f64())
}

/// Lets daemons have as many files open as this process may: a server has one for each leaf.
fn allow_files() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(most > 0, "no files may be opened");
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

impl ScaleReport {
    /// Whether everything could be measured; a star that was not complete in time was.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.stars.iter().all(|star| star.trouble.is_none())
    }
}

impl fmt::Display for ScaleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(f, "stars had {} s to come together\n", self.patience)?;
        let head = [
            "leaves", "", "starting", "joined", "CPU s", "RSS MB", "HWM MB", "idle %", "later",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for star in &self.stars {
            for (what, phase) in [("start", &star.start), ("restart", &star.restart)] {
                rows.extend(phase.as_ref().map(|phase| phase.row(star, what)));
            }
        }
        writeln!(f, "{}", table(&rows))?;
        for star in &self.stars {
            if let Some(trouble) = &star.trouble {
                writeln!(f, "FAILED: {} with {}: {trouble}", star.name, star.leaves)?;
            }
            for (what, phase) in [("start", &star.start), ("restart", &star.restart)] {
                if let Some(ended) = phase.as_ref().map(|phase| phase.ended)
                    && ended > 0
                {
                    let Measured { name, leaves, .. } = star;
                    writeln!(f, "{name} with {leaves}, {what}: {ended} leaves have ended")?;
                }
            }
        }
        write!(f, "{}", self.method)
    }
}

impl Phase {
    fn row(&self, star: &Measured, what: &str) -> Vec<String> {
        let joined = match self.joined_s {
            Some(seconds) => format!("{seconds:.2} s"),
            None => format!("{} of {}", self.reached, star.leaves),
        };
        // Far below 2^53 bytes.
        let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        vec![
            format!("{} {}", star.leaves, star.name),
            what.to_owned(),
            format!("{:.2} s", self.starting_s),
            joined,
            format!("{:.2}", self.cpu_s),
            megabytes(self.resident),
            megabytes(self.peak),
            format!("{:.2}", self.idle_share * 100.0),
            self.later.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::*;

    fn phase(joined_s: Option<f64>) -> Phase {
        Phase {
            reached: 7,
            starting_s: 0.5,
            joined_s,
            cpu_s: 1.5,
            resident: 20_000_000,
            peak: 25_000_000,
            idle_share: 0.004,
            later: 0,
            ended: 1,
        }
    }

    #[test]
    fn who_was_not_done_in_time_is_told_by_how_many() {
        let star = Measured {
            name: "tincd".to_owned(),
            leaves: 10,
            start: Some(phase(None)),
            restart: Some(phase(Some(2.5))),
            trouble: Some("it ended".to_owned()),
        };
        let report = ScaleReport {
            method: METHOD,
            machine: Machine::look().unwrap(),
            patience: 60.0,
            stars: vec![star],
        };
        let said = report.to_string();
        assert!(
            said.contains("10 tincd    start    0.50 s  7 of 10"),
            "{said}"
        );
        assert!(
            said.contains("10 tincd  restart    0.50 s   2.50 s"),
            "{said}"
        );
        assert!(said.contains("FAILED: tincd with 10: it ended"), "{said}");
        assert!(said.contains("1 leaves have ended"), "{said}");
        assert!(!report.is_whole());
    }

    #[test]
    fn a_cable_is_no_star_and_sizes_have_a_limit() {
        let prepare = |word: &str, size| {
            let subject = Catalogue::new(&[]).subject(word).unwrap();
            let stars = Stars::prepare(vec![subject], vec![size], IDLE);
            stars.map(drop).unwrap_err().to_string()
        };
        assert!(prepare("veth", 3).contains("veth makes no star"));
        assert!(prepare("v6router", 0).contains("1 to 10000 leaves"));
    }
}
