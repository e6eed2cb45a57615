//! Notes about labs that run in the background: one small file each, by which the other commands find them.
//!
//! A note is true while the process it names lives; process numbers are used again, so its start time goes with it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nix::unistd::{Pid, geteuid};
use serde::{Deserialize, Serialize};
use v6lab::session;

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
}

impl Note {
    /// Whether the lab is still there.
    pub(super) fn is_true(&self) -> bool {
        start_time(self.keeper) == Some(self.started)
    }

    /// Writes it, whole or not at all, and not over another.
    pub(super) fn write(&self) -> Result<()> {
        let path = file(&self.name);
        let draft = path.with_extension(format!("draft-{}", self.keeper));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(&serde_json::to_vec(self)?))
            .and_then(|()| fs::hard_link(&draft, &path));
        let _ = fs::remove_file(&draft);
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(self.already_up()),
            written => written.with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// What to tell somebody who wants its name for another lab.
    pub(super) fn already_up(&self) -> anyhow::Error {
        anyhow!(
            "a lab named {:?} is up; `v6lab down {}` ends it",
            self.name,
            self.name
        )
    }

    /// Removes it with the log beside it.
    pub(super) fn remove(name: &str) -> Result<()> {
        for path in [file(name), log_file(name)] {
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
        let directory = directory();
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", directory.display()))?,
        };
        let mut notes = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let text = match fs::read(&path) {
                    // Somebody has just taken that lab down.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    text => text.with_context(|| format!("cannot read {}", path.display()))?,
                };
                let note: serde_json::Result<Self> = serde_json::from_slice(&text);
                notes.push(note.with_context(|| {
                    format!("{} is not a note of this v6lab; remove it", path.display())
                })?);
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

/// The keeper's own log.
pub(super) fn log_file(name: &str) -> PathBuf {
    directory().join(format!("{name}.log"))
}

fn file(name: &str) -> PathBuf {
    directory().join(format!("{name}.json"))
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
    let meta = fs::symlink_metadata(&path)
        .with_context(|| format!("cannot look at {}", path.display()))?;
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
}
