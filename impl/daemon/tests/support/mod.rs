//! Daemons, ours and Debian's, run by a test in namespaces of its own.
#![allow(dead_code, reason = "each test binary uses its part")]

mod alone;
pub(crate) mod machine;

#[allow(unused_imports, reason = "each test binary uses its part")]
pub(crate) use alone::{PATIENCE, TempDir, alone, wait_for};

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Whose daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Tincd,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Ours, Kind::Tincd];

impl Kind {
    /// The command without options.
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_v6router"));
                command.arg("tincd");
                command
            }
            Self::Tincd => Command::new("/usr/sbin/tincd"),
        }
    }
}

/// One node: its configuration directory, pid file and log.
pub(crate) struct Site {
    pub(crate) dir: PathBuf,
}

impl Site {
    /// `NAME` below `root`, with a key, a host file for each of `nodes` and `conf` besides its
    /// name and mode. Everybody has the same key: it protects nothing here.
    pub(crate) fn new(root: &Path, name: &str, conf: &str, nodes: &[(&str, &str)]) -> Self {
        let dir = root.join(name);
        fs::create_dir_all(dir.join("hosts")).unwrap();
        let site = Self { dir };
        site.write(
            "tinc.conf",
            &format!("Name = {name}\nMode = switch\nDeviceType = tap\n{conf}"),
        );
        site.write("rsa_key.priv", include_str!("../../testdata/rsa_key.priv"));
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(site.dir.join("rsa_key.priv"), private).unwrap();
        let key = include_str!("../../testdata/rsa_key.pub");
        for (node, host) in nodes {
            site.write(&format!("hosts/{node}"), &format!("{host}\n{key}"));
        }
        site
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    /// An executable script.
    pub(crate) fn script(&self, name: &str, body: &str) {
        self.write(name, &format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(self.dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn pidfile(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// What the log file says so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Waits until the log says `text`.
    pub(crate) fn wait_for_log(&self, text: &str) {
        self.wait_for(text, || self.log().contains(text));
    }

    /// Waits for something of this daemon; its log tells why it was in vain.
    pub(crate) fn wait_for(&self, what: &str, mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(
                began.elapsed() < PATIENCE,
                "no {what:?}; log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The command with the options that say where everything is.
    pub(crate) fn command(&self, kind: Kind) -> Command {
        let mut command = kind.command();
        command
            .arg("-c")
            .arg(&self.dir)
            .arg("--pidfile")
            .arg(self.pidfile());
        command
    }

    /// Starts the daemon in the foreground.
    pub(crate) fn start(&self, kind: Kind, options: &[&str]) -> Daemon {
        let mut command = self.command(kind);
        command.args(["-D", "-d3"]).args(options);
        self.spawn(command)
    }

    /// Starts a command that is the daemon in the foreground.
    pub(crate) fn spawn(&self, mut command: Command) -> Daemon {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .unwrap();
        let child = command.stderr(log).stdout(Stdio::null()).spawn().unwrap();
        Daemon(child)
    }

    /// Sends a signal as an operator does.
    pub(crate) fn kill(&self, kind: Kind, signal: &str) -> ExitStatus {
        let mut command = self.command(kind);
        command.arg(format!("-k{signal}")).stderr(Stdio::null());
        command.status().unwrap()
    }
}

/// A running daemon.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the end of a daemon", || self.ended_already())
    }

    /// How it ended, if it has.
    pub(crate) fn ended_already(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Ends it without a word.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Hosts of the two nodes that most tests have.
pub(crate) const ONE: (&str, &str) = ("node_one", "Port = 655\nAddress = 127.0.0.1");
pub(crate) const TWO: (&str, &str) = ("node_two", "Port = 1655\nAddress = 127.0.0.1");

pub(crate) fn pair(root: &TempDir, conf: &str) -> (Site, Site) {
    let one = Site::new(root.path(), "node_one", conf, &[ONE, TWO]);
    let two = Site::new(
        root.path(),
        "node_two",
        "ConnectTo = node_one\n",
        &[ONE, TWO],
    );
    (one, two)
}
