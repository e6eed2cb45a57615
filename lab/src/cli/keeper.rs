//! Notes about labs that run in the background: one small file each, by which the other commands find them.
//!
//! A note is true while the process it names lives; process numbers are used again, so its start time goes with it. One
//! that is no longer true may say why its lab did not end as it should.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nix::unistd::{Pid, geteuid};
use serde::{Deserialize, Serialize};
use v6lab::session;

/// What the names of notes, of logs, and of notes on their way to their place end with; after the last is the keeper.
const NOTE: &str = "json";
const LOG: &str = "log";
const DRAFT: &str = "draft-";

/// What is noted about a lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// Its name.
    pub(super) name: String,
    /// The scenario's own title.
    pub(super) scenario: String,
    /// The process that keeps it; it ends the lab on SIGTERM.
    pub(super) keeper: i32,
    /// When that process started, in clock ticks since boot (field 22 of proc(5)'s stat).
    pub(super) started: u64,
    /// The process to enter the session by.
    pub(super) session: i32,
    /// Names of its nodes.
    pub(super) nodes: Vec<String>,
    /// Why it could not be taken down in order, if its keeper has left that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

impl Note {
    /// Whether the lab is still there.
    pub(super) fn is_true(&self) -> bool {
        start_time(self.keeper) == Some(self.started)
    }

    /// Writes it, whole or not at all, and not over another.
    pub(super) fn write(&self) -> Result<()> {
        let path = file(&self.name);
        match self.draft(|draft| fs::hard_link(draft, &path)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(self.already_up()),
            written => written.with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// Leaves the reason why its lab could not be taken down in order, for whoever is told that it is down.
    pub(super) fn fail(mut self, reason: String) -> Result<()> {
        self.failure = Some(reason);
        let path = file(&self.name);
        let written = self.draft(|draft| fs::rename(draft, &path));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes it beside its place, to be put there.
    fn draft(&self, put: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let draft = file(&self.name).with_extension(format!("{DRAFT}{}", self.keeper));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(&serde_json::to_vec(self)?))
            .and_then(|()| put(&draft));
        let _ = fs::remove_file(&draft);
        written
    }

    /// The note as it is now, if it is still there and not that of another lab of its name.
    pub(super) fn now(&self) -> Result<Option<Self>> {
        let found = Self::read(&file(&self.name))?;
        Ok(found.filter(|found| (found.keeper, found.started) == (self.keeper, self.started)))
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read(path) {
            // Somebody has just taken that lab down.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let note: serde_json::Result<Self> = serde_json::from_slice(&text);
        let not_one = || format!("{} is not a note of this v6lab; remove it", path.display());
        note.map(Some).with_context(not_one)
    }

    /// What to tell somebody who wants its name for another lab.
    pub(super) fn already_up(&self) -> anyhow::Error {
        anyhow!(
            "a lab named {:?} is up; `v6lab down {}` ends it",
            self.name,
            self.name
        )
    }

    /// Removes it with the log beside it, unless they are another lab's by now.
    pub(super) fn remove(&self) -> Result<()> {
        if self.now()?.is_none() {
            return Ok(());
        }
        // The note last, since it keeps others from that log.
        for path in [log_file(&self.name), file(&self.name)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        // The last note takes the directory with it.
        let _ = fs::remove_dir(directory());
        Ok(())
    }

    /// Every note, true or not, by name.
    pub(super) fn all() -> Result<Vec<Self>> {
        let mut notes = Vec::new();
        for path in files(&directory())? {
            if path.extension().is_some_and(|found| found == NOTE) {
                notes.extend(Self::read(&path)?);
            }
        }
        notes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(notes)
    }

    /// The lab that is up under that name, or the only one.
    pub(super) fn find(name: Option<&str>) -> Result<Self> {
        let mut up: Vec<Self> = Self::all()?.into_iter().filter(Self::is_true).collect();
        let names = up
            .iter()
            .map(|note| note.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        if let Some(name) = name {
            let found = up.into_iter().find(|note| note.name == name);
            return found.with_context(|| match names.as_str() {
                "" => format!(
                    "no lab named {name:?} is up, nor any other; `v6lab up SCENARIO` builds one"
                ),
                names => format!("no lab named {name:?} is up; there are {names}"),
            });
        }
        match (up.pop(), up.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => bail!("several labs are up ({names}); say which by its name"),
            (None, _) => bail!("no lab is up; `v6lab up SCENARIO` builds one"),
        }
    }
}

/// Threads in the nodes of the session's lab, by name, as written inside it.
pub(super) type Roster = BTreeMap<String, i32>;

/// Where a session keeps its roster, as seen from within.
pub(super) fn roster_file(inside: &Path) -> PathBuf {
    inside.join("nodes.json")
}

/// Reads the roster of the session that was just joined.
pub(super) fn roster() -> Result<Roster> {
    let path = roster_file(session::path());
    let text = fs::read(&path).context("the lab is not ready yet")?;
    Ok(serde_json::from_slice(&text)?)
}

/// Opens the log of a lab that begins, which stays as long as the keeper or anybody it starts has it open.
pub(super) fn open_log(name: &str) -> Result<File> {
    let path = log_file(name);
    hold(&path).with_context(|| format!("cannot open {}", path.display()))
}

/// Opens a log and locks it, which lasts until the last who was given it has ended.
fn hold(path: &Path) -> io::Result<File> {
    loop {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        log.lock_shared()?;
        // Between the two it may have been swept away.
        if log.metadata()?.nlink() > 0 {
            return Ok(log);
        }
    }
}

/// Removes what labs have left that were never noted, and returns where it was: logs that nobody has open, and drafts
/// of notes whose keeper has ended. Those of a lab that is just coming up stay.
pub(super) fn sweep() -> Result<Vec<PathBuf>> {
    let directory = directory();
    if !directory.exists() {
        return Ok(Vec::new());
    }
    // Nobody may have us remove files elsewhere.
    make_sure(&directory)?;
    let mut found = files(&directory)?;
    // Somebody else may have been faster.
    found.retain(|path| swept(path).unwrap_or_default());
    let _ = fs::remove_dir(&directory);
    Ok(found)
}

/// Removes a file if it is such a log or draft; whether it was.
fn swept(path: &Path) -> io::Result<bool> {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if extension == LOG {
        // Held until it is removed, so that nobody begins to write it.
        let log = File::open(path)?;
        if log.try_lock().is_err() || path.with_extension(NOTE).exists() {
            return Ok(false);
        }
        return fs::remove_file(path).map(|()| true);
    }
    let keeper = extension
        .strip_prefix(DRAFT)
        .and_then(|pid| pid.parse().ok());
    match keeper {
        Some(keeper) if start_time(keeper).is_none() => fs::remove_file(path).map(|()| true),
        _ => Ok(false),
    }
}

/// The keeper's own log.
fn log_file(name: &str) -> PathBuf {
    directory().join(format!("{name}.{LOG}"))
}

fn file(name: &str) -> PathBuf {
    directory().join(format!("{name}.{NOTE}"))
}

/// What is in a directory; nothing, if there is none.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(cannot)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().with_context(cannot)
}

/// Where notes are kept.
fn directory() -> PathBuf {
    let uid = geteuid();
    match std::env::var_os("XDG_RUNTIME_DIR") {
        _ if uid.is_root() => PathBuf::from("/run/v6lab"),
        Some(runtime) if Path::new(&runtime).is_dir() => Path::new(&runtime).join("v6lab"),
        _ => PathBuf::from(format!("/tmp/v6lab-{uid}")),
    }
}

/// Makes the directory of notes if it is not there, and makes sure that it is nobody else's.
pub(super) fn prepare() -> Result<()> {
    let path = directory();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.with_context(|| format!("cannot create {}", path.display()))?;
    make_sure(&path)
}

/// Makes sure that the directory of notes is nobody else's.
fn make_sure(path: &Path) -> Result<()> {
    let meta =
        fs::symlink_metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        bail!(
            "{} is not a directory that only you can write to; remove it",
            path.display()
        );
    }
    Ok(())
}

/// When a process started, in clock ticks since boot.
pub(super) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the command in parentheses, may itself contain anything; the 22nd is the 20th after it.
    let after = stat.rsplit_once(") ")?.1;
    let mut fields = after.split(' ');
    let alive = fields.next()? != "Z";
    alive.then(|| fields.nth(18)?.parse().ok())?
}

/// This process's number and start time.
pub(super) fn ourselves() -> Result<(i32, u64)> {
    let pid = Pid::this().as_raw();
    Ok((
        pid,
        start_time(pid).context("cannot read this process's start time from /proc")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_true_for_one_process_only() {
        let (keeper, started) = ourselves().unwrap();
        let note = Note {
            name: "x".to_owned(),
            scenario: String::new(),
            keeper,
            started,
            session: 0,
            nodes: Vec::new(),
            failure: None,
        };
        assert!(note.is_true());
        assert!(
            !Note {
                started: started + 1,
                ..note.clone()
            }
            .is_true(),
            "the number was used again"
        );
        assert!(!Note { keeper: 0, ..note }.is_true());
    }

    #[test]
    fn only_what_is_nobodys_is_swept() {
        let folder = std::env::temp_dir().join(format!("v6lab-notes-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let ours = format!("begins.{DRAFT}{}", std::process::id());
        let gone = format!("failed.{DRAFT}{}", i32::MAX);
        let others = ["failed.log", "noted.log", "noted.json", "other.text"];
        for name in others.into_iter().chain([ours.as_str(), gone.as_str()]) {
            fs::write(folder.join(name), "").unwrap();
        }
        let held = hold(&folder.join("begins.log")).unwrap();
        let mut found = files(&folder).unwrap();
        assert_eq!(found.len(), 7);
        found.retain(|path| swept(path).unwrap());
        found.sort();
        drop(held);
        let later = swept(&folder.join("begins.log")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            found,
            [gone.as_str(), "failed.log"].map(|name| folder.join(name))
        );
        assert!(later, "nobody has it open any more");
    }
}
