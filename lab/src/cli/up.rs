//! `v6lab up`: a lab in the background.
//!
//! ```text
//!  v6lab up ── fork ──> keeper ── session ──> the lab
//!   waits for both       notes the lab,        built and kept
//!   to say so            hands SIGTERM on      until SIGTERM
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::fcntl::OFlag;
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use v6lab::actors::Daemons;
use v6lab::conditioner::any_seed;
use v6lab::fabric::{self, Lab};
use v6lab::plan::Plan;
use v6lab::session::{self, Session, Side};

use super::daemons::Cast;
use super::keeper::{self, Note, Roster};
use super::{ScenarioArg, daemons, explain};
use v6lab::say;

/// How much of its last words a lab can leave, bytes: what a pipe holds, see pipe(7).
const LAST_WORDS: usize = 64 << 10;

#[derive(Args)]
pub(super) struct Up {
    #[command(flatten)]
    scenario: ScenarioArg,
    /// What to call the lab; the scenario's title if not given
    #[arg(long)]
    name: Option<String>,
    /// Start daemons as well, set up as the how-to has it
    #[arg(long, value_enum, value_name = "DAEMON")]
    daemon: Option<Daemons>,
    /// Set v6router up by router.toml and not by scripts, so that it advertises prefixes as well; kits need that
    #[arg(long, requires = "daemon")]
    router_toml: bool,
    /// Decides what lines lose and the like; the same seed again, the same losses [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// What keeper and lab say to the process that waits for them, one line each.
#[derive(Serialize, Deserialize)]
enum Word {
    /// The lab is noted where other commands find it.
    Noted,
    /// It stands.
    Up,
    /// It does not, and this is the exit code.
    Failed(String, i32),
}

impl Up {
    pub(super) fn main(self) -> Result<i32> {
        let seed = self.seed.unwrap_or_else(any_seed);
        let plan = explain::plan(&self.scenario)?.seeded(seed);
        let name = self.name.unwrap_or_else(|| plan.title.clone());
        if name.is_empty()
            || !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            || name.starts_with('.')
        {
            bail!("{name:?} cannot be the name of a lab: letters, digits, '-', '_' and '.' only");
        }
        let cast = self
            .daemon
            .map(|daemons| Cast::choose(daemons, self.router_toml, &plan))
            .transpose()?;
        fabric::equipped(&[&plan])?;
        clear(&name)?;
        keeper::prepare()?;
        let started = Instant::now();
        let (ear, mouth) = pipe2(OFlag::O_CLOEXEC).context("cannot open a pipe")?;
        // SAFETY: nothing has started a thread yet.
        #[allow(unsafe_code)]
        let forked = unsafe { nix::unistd::fork() }.context("cannot fork")?;
        if matches!(forked, ForkResult::Child) {
            drop(ear);
            keep(&name, &plan, cast, &mut File::from(mouth));
        }
        drop(mouth);
        let code = listen(File::from(ear))?;
        if code != 0 {
            return Ok(code);
        }
        let elapsed = started.elapsed();
        say!("{}", plan.drawing());
        say!(
            "{name} is up after {} ms, with seed {seed}. Look around with",
            elapsed.as_millis()
        );
        let node = plan
            .overlay
            .as_ref()
            .and_then(|overlay| overlay.sites.first())
            .map(|site| &site.node);
        let node = node.or_else(|| plan.nodes.first().map(|node| &node.name));
        say!(
            "  v6lab exec {} -- ip address",
            node.map_or("NODE", String::as_str)
        );
        if self.daemon.is_some() {
            let log = daemons::LOG;
            say!(
                "  v6lab exec {} -- cat /var/log/{log}",
                node.map_or("NODE", String::as_str)
            );
        }
        say!("and end it with\n  v6lab down {name}");
        Ok(0)
    }
}

/// Makes room for a lab of that name, if what is noted under it is no longer true.
fn clear(name: &str) -> Result<()> {
    match Note::all()?.iter().find(|note| note.name == name) {
        Some(note) if note.is_true() => Err(note.already_up()),
        Some(note) => note.remove(),
        None => Ok(()),
    }
}

/// Waits until keeper and lab have both said their word or, where one has failed, until both are gone, and the lab's
/// note with them: the code to end with.
fn listen(ear: File) -> Result<i32> {
    let (mut awaited, mut failed) = (2, None);
    for line in BufReader::new(ear).lines() {
        match serde_json::from_str(&line?)? {
            Word::Noted | Word::Up => awaited -= 1,
            Word::Failed(reason, code) => failed = failed.or(Some((reason, code))),
        }
        if awaited == 0 {
            return Ok(0);
        }
    }
    let Some((reason, code)) = failed else {
        bail!("the lab's keeper has died before the lab was up");
    };
    eprintln!("v6lab: {reason}");
    Ok(code)
}

fn say(mouth: &mut File, word: &Word) -> io::Result<()> {
    writeln!(mouth, "{}", serde_json::to_string(word)?)
}

/// The background's side of it.
fn keep(name: &str, plan: &Plan, cast: Option<Cast>, mouth: &mut File) -> ! {
    let kept = detach(name).and_then(|()| {
        // Neither side waits for the other: what was said is there once the session has ended.
        let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let (ear, last) = pipe2(flags).context("cannot open a pipe")?;
        match session::split()? {
            Side::Inside => inside(plan, cast, mouth, &mut File::from(last)),
            Side::Outside(session) => outside(name, plan, session, mouth, &mut File::from(ear)),
        }
    });
    let code = kept.unwrap_or_else(|error| {
        let code = super::code(&error);
        // If nobody listens any more, there is still the log.
        let _ = say(mouth, &Word::Failed(format!("{error:#}"), code));
        eprintln!("v6lab: {error:#}");
        code
    });
    std::process::exit(code)
}

/// Leaves the terminal; what is still said goes to a log.
fn detach(name: &str) -> Result<()> {
    setsid().context("cannot leave the terminal")?;
    let log = keeper::open_log(name)?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(&log)?;
    dup2_stderr(&log)?;
    Ok(())
}

/// The keeper: notes the lab, ends with it, and leaves its last words, which come by `ear`.
fn outside(
    name: &str,
    plan: &Plan,
    session: Session,
    mouth: &mut File,
    ear: &mut File,
) -> Result<i32> {
    let (keeper, started) = keeper::ourselves()?;
    let note = Note {
        name: name.to_owned(),
        scenario: plan.title.clone(),
        keeper,
        started,
        session: session.pid().as_raw(),
        nodes: plan.nodes.iter().map(|node| node.name.clone()).collect(),
        failure: None,
    };
    note.write()?;
    let said = say(mouth, &Word::Noted);
    let code = if said.is_ok() { session.supervise() } else { 1 };
    let mut words = vec![0; LAST_WORDS];
    match ear.read(&mut words) {
        Ok(len @ 1..) => {
            let words = words.get(..len).unwrap_or_default();
            note.fail(String::from_utf8_lossy(words).into_owned())?;
        }
        // Nothing was said.
        _ => note.remove()?,
    }
    Ok(code)
}

/// The lab; why it cannot be taken down in order goes to `last`.
fn inside(plan: &Plan, cast: Option<Cast>, mouth: &mut File, last: &mut File) -> Result<i32> {
    fabric::take_rulesets(&[plan])?;
    super::runtime()?.block_on(async {
        // Before there is anything to end.
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let lab = Lab::up(plan).await?;
        let roster: Roster = lab
            .nodes()
            .iter()
            .map(|node| (node.name().to_owned(), node.tid()))
            .collect();
        write_roster(session::path(), &roster)?;
        if let Some(cast) = cast {
            cast.start(&lab).await?;
        }
        // Whoever asked for the lab may have been interrupted; then nobody wants it.
        if say(mouth, &Word::Up).is_ok() {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        lab.down().await.inspect_err(|error| {
            // Whoever asked for the lab has gone; who ends it reads the keeper's note.
            let _ = last.write_all(error.to_string().as_bytes());
        })?;
        Ok(0)
    })
}

fn write_roster(inside: &Path, roster: &Roster) -> Result<()> {
    std::fs::write(keeper::roster_file(inside), serde_json::to_vec(roster)?)
        .context("cannot write the list of nodes")
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use v6lab::session::CANNOT_RUN;

    use super::*;

    #[test]
    fn a_lab_that_failed_is_told_when_its_keeper_is_gone() {
        let (ear, mouth) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut keeper = File::from(mouth);
        let lasts = Duration::from_millis(50);
        let begun = Instant::now();
        let failing = thread::spawn(move || {
            say(&mut keeper, &Word::Noted).unwrap();
            say(
                &mut keeper,
                &Word::Failed("no reason".to_owned(), CANNOT_RUN),
            )
            .unwrap();
            thread::sleep(lasts);
        });
        assert_eq!(listen(File::from(ear)).unwrap(), CANNOT_RUN);
        assert!(begun.elapsed() >= lasts, "its note was still there");
        failing.join().unwrap();
    }
}
