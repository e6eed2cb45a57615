//! Log lines: to the terminal, to a file in tincd's form, or to syslog.
//!
//! One event is one line. tincd's debug levels map to ours: 0 and 1 tell what happened (`info`),
//! 2 to 4 the details (`debug`), 5 everything (`trace`).

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::syslog::{self, Facility, LogFlags, Severity};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::ration::{Ration, Skipped};

/// The debug level that INT switches to (tincd manual, "Signals").
const ALL: u32 = 5;
/// Target of lists that an operator asked for.
pub(crate) const LIST: &str = "v6router::list";
/// Lines that one place of the program may write at once, and how soon it may write one more;
/// ours. Strangers can cause lines, and must not fill the disk.
const BURST: u32 = 100;
const REFILL: Duration = Duration::from_secs(1);

/// The log of the process: where lines go and how many.
pub(crate) struct Log {
    shared: &'static Shared,
    /// The level to go back to.
    before_all: Option<u32>,
}

struct Shared {
    level: AtomicU32,
    ident: String,
    sinks: Mutex<Sinks>,
    /// By callsite: what one place of the program may say.
    rations: Mutex<HashMap<Identifier, Ration>>,
}

#[derive(Default)]
struct Sinks {
    terminal: bool,
    file: Option<(PathBuf, File)>,
    syslog: bool,
}

impl Log {
    /// Starts logging to the terminal, and to `file` if there is one.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) fn start(ident: String, level: u32, file: Option<&Path>) -> io::Result<Self> {
        let file = match file {
            Some(path) => Some((path.to_owned(), open(path)?)),
            None => None,
        };
        let shared: &'static Shared = Box::leak(Box::new(Shared {
            level: AtomicU32::new(level),
            ident,
            sinks: Mutex::new(Sinks {
                terminal: true,
                file,
                syslog: false,
            }),
            rations: Mutex::default(),
        }));
        // A second start within one process is a test's; the first one's log then stays.
        let _ = tracing_subscriber::registry()
            .with(Lines(shared))
            .try_init();
        Ok(Self {
            shared,
            before_all: None,
        })
    }

    /// The daemon's set-up begins: from now on the terminal is used only if there is nothing else.
    ///
    /// # Errors
    /// If syslog is needed and refuses.
    pub(crate) fn settle(&self, detached: bool) -> nix::Result<()> {
        let mut sinks = self.shared.sinks();
        sinks.terminal = !detached && sinks.file.is_none();
        sinks.syslog = detached && sinks.file.is_none();
        if sinks.syslog {
            let ident = CString::new(self.shared.ident.clone()).unwrap_or_default();
            // At once, so that a later change of root does not cut us off.
            let flags = LogFlags::LOG_PID | LogFlags::LOG_NDELAY;
            let ident: &'static CStr = Box::leak(ident.into_boxed_c_str());
            syslog::openlog(Some(ident), flags, Facility::LOG_DAEMON)?;
        }
        Ok(())
    }

    /// Opens the log file again, for log rotation; the old one stays if that fails.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let mut sinks = self.shared.sinks();
        if let Some((path, file)) = &mut sinks.file {
            *file = open(path)?;
        }
        Ok(())
    }

    /// Switches between everything and the level before; returns the new level and the one to
    /// go back to.
    pub(crate) fn toggle_all(&mut self) -> (u32, Option<u32>) {
        let level = match self.before_all.take() {
            Some(level) => level,
            None => {
                self.before_all = Some(self.level());
                ALL
            }
        };
        self.shared.level.store(level, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
        (level, self.before_all)
    }

    /// The debug level in force.
    pub(crate) fn level(&self) -> u32 {
        self.shared.level.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn sinks(&self) -> MutexGuard<'_, Sinks> {
        // A panic while writing a line leaves nothing half-changed.
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn filter(&self) -> LevelFilter {
        match self.level.load(Ordering::Relaxed) {
            0 | 1 => LevelFilter::INFO,
            2..=4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }

    /// Whether one more line of this callsite is welcome. Details are wanted without limit, as
    /// are the lists that an operator asks for.
    fn allows(&self, metadata: &'static Metadata<'static>) -> Option<Skipped> {
        if *metadata.level() > Level::INFO || metadata.target() == LIST {
            return Some(Skipped::default());
        }
        let mut rations = self.rations.lock().unwrap_or_else(PoisonError::into_inner);
        rations
            .entry(metadata.callsite())
            .or_insert_with(|| Ration::new(BURST, REFILL))
            .take(Instant::now())
    }

    fn write(&self, level: Level, text: &str) {
        let mut sinks = self.sinks();
        // A log that cannot be written must not stop the daemon.
        if sinks.terminal {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
        if let Some((_, file)) = &mut sinks.file {
            let line = file_line(
                &jiff::ZonedDateTime::now(),
                &self.ident,
                std::process::id(),
                text,
            );
            let _ = file.write_all(line.as_bytes());
        }
        if sinks.syslog {
            let _ = syslog::syslog(severity(level), text);
        }
    }
}

/// The layer that turns events into lines.
struct Lines(&'static Shared);

impl<S: Subscriber> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Called again for every callsite when the level changes.
        match self.wants(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(skipped) = self.0.allows(event.metadata()) {
            let mut line = Line::default();
            event.record(&mut line);
            let text = line.finish();
            self.0
                .write(*event.metadata().level(), &format!("{text}{skipped}"));
        }
    }
}

impl Lines {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        // The crates we use have their own ideas of what is worth a line.
        metadata.target().starts_with("v6router") && *metadata.level() <= self.0.filter()
    }
}

/// An event as text: the message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

impl Line {
    fn finish(self) -> String {
        let mut text = self.message;
        text.push_str(&self.fields);
        if text.chars().any(char::is_control) {
            text = text.replace(char::is_control, "?");
        }
        text
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

fn file_line(now: &jiff::ZonedDateTime, ident: &str, pid: u32, text: &str) -> String {
    format!(
        "{} {ident}[{pid}]: {text}\n",
        now.strftime("%Y-%m-%d %H:%M:%S")
    )
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::LOG_ERR,
        Level::WARN => Severity::LOG_WARNING,
        Level::INFO => Severity::LOG_NOTICE,
        Level::DEBUG | Level::TRACE => Severity::LOG_DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_line_has_tincds_form() {
        let now: jiff::ZonedDateTime = "2024-03-02T01:02:03+01:00[+01:00]".parse().unwrap();
        assert_eq!(
            file_line(&now, "tinc.vpn", 42, "Ready"),
            "2024-03-02 01:02:03 tinc.vpn[42]: Ready\n"
        );
    }

    #[test]
    fn a_line_stays_one_line_whatever_it_tells() {
        let line = Line {
            message: "peer said \x1b[31m\nfaked line".into(),
            fields: String::new(),
        };
        assert_eq!(line.finish(), "peer said ?[31m?faked line");
    }

    #[test]
    fn debug_levels_map_to_info_debug_and_trace() {
        for (level, filter) in [
            (0, LevelFilter::INFO),
            (1, LevelFilter::INFO),
            (2, LevelFilter::DEBUG),
            (5, LevelFilter::TRACE),
            (9, LevelFilter::TRACE),
        ] {
            let shared = Shared {
                level: AtomicU32::new(level),
                ident: String::new(),
                sinks: Mutex::default(),
                rations: Mutex::default(),
            };
            assert_eq!(shared.filter(), filter);
        }
    }
}
