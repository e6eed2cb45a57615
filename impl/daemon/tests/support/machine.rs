//! A machine beside ours: a network namespace at the other end of cables.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// Runs `ip` on our machine.
pub(crate) fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status().unwrap();
    assert!(status.success(), "ip {words}");
}

/// A network namespace, as long as the value lives.
pub(crate) struct Machine(Child);

impl Machine {
    pub(crate) fn new() -> Self {
        let mut holder = Command::new("unshare");
        holder
            .args(["--net", "sh", "-c", "echo here; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut machine = Self(holder.spawn().unwrap());
        let mut line = String::new();
        let stdout = machine.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        machine
    }

    /// A cable from our machine, where its end is called `near`, to this one.
    pub(crate) fn cable(&self, near: &str, far: &str) {
        let pid = self.0.id();
        ip(&format!(
            "link add {near} type veth peer name {far} netns {pid}"
        ));
    }

    /// A command that runs there.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.0.id()));
        command
    }

    /// Runs a script there.
    pub(crate) fn run(&self, script: &str) {
        let status = self.command().args(["sh", "-c", script]).status().unwrap();
        assert!(status.success(), "{script}");
    }

    /// What a script says there.
    pub(crate) fn ask(&self, script: &str) -> String {
        let output = self.command().args(["sh", "-c", script]).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Does something on a thread that is there.
    pub(crate) fn visit<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let there = File::open(format!("/proc/{}/ns/net", self.0.id())).unwrap();
        thread::scope(|threads| {
            let visit = threads.spawn(|| {
                setns(&there, CloneFlags::CLONE_NEWNET).unwrap();
                body()
            });
            visit.join().unwrap()
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
