//! Writes down what happens in a run while it happens.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::broadcast;

use super::events::{EVENTS, Event, Record};

/// How many events one who listens may be behind.
const BEHIND: usize = 1024;

/// The journal of a run, `events.jsonl` in a directory of its own.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    began: SystemTime,
    out: Mutex<Out>,
    news: broadcast::Sender<(SystemTime, Record)>,
}

#[derive(Debug)]
struct Out {
    file: File,
    /// The first that went wrong.
    failure: Option<io::Error>,
}

impl Journal {
    /// Begins one in `dir`, which is made.
    ///
    /// # Errors
    /// What the kernel said, also when there is a journal in it already.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            began: SystemTime::now(),
            out: Mutex::new(Out {
                file: File::create_new(dir.join(EVENTS))?,
                failure: None,
            }),
            news: broadcast::Sender::new(BEHIND),
        })
    }

    /// Where it is, together with whatever else is kept of the run.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// When it was begun.
    #[must_use]
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// Writes down what happens now. An error is kept for [`Journal::end`], since nobody who has something to write can
    /// do anything about it.
    pub fn write(&self, scenario: Option<&str>, event: Event) {
        self.write_at(SystemTime::now(), scenario, event);
    }

    /// Writes down what happened at a time.
    pub fn write_at(&self, time: SystemTime, scenario: Option<&str>, event: Event) {
        let since = time.duration_since(self.began).unwrap_or_default();
        let record = Record {
            // To the millisecond, which is what anybody can read from it.
            at: (since.as_secs_f64() * 1000.0).round() / 1000.0,
            scenario: scenario.map(str::to_owned),
            event,
        };
        let mut out = self.out();
        let written = serde_json::to_vec(&record)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                // At once and whole, so that a run that is killed leaves what it knew.
                out.file.write_all(&line)
            });
        if let Err(error) = written {
            out.failure.get_or_insert(error);
        }
        drop(out);
        // There need not be anybody who listens.
        let _ = self.news.send((time, record));
    }

    /// Everything that is written from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<(SystemTime, Record)> {
        self.news.subscribe()
    }

    /// Nothing more will be written.
    ///
    /// # Errors
    /// The first that went wrong with writing.
    pub fn end(&self) -> io::Result<()> {
        self.out().failure.take().map_or(Ok(()), Err)
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events;
    use super::*;

    #[test]
    fn a_directory_keeps_one_run() {
        let dir = std::env::temp_dir().join(format!("v6lab-journal-{}", std::process::id()));
        let journal = Journal::create(&dir).unwrap();
        let text = "laptop reached www after 0.5 s".to_owned();
        let event = Event::Remark { text };
        journal.write(Some("works::One:3"), event.clone());
        journal.end().unwrap();
        let records = events::read(&dir).unwrap();
        let again = Journal::create(&dir).unwrap_err();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].scenario.as_deref(), Some("works::One:3"));
        assert_eq!(records[0].event, event);
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
