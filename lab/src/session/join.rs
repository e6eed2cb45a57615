//! Entering a session that runs already, to execute a command inside one of its nodes.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use super::SessionError;
use super::supervise::{self, Forked, Signals};

/// What a shell says when a command is there but cannot be executed, and when it is not there.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Moves this process into the namespaces of the session that [`super::Session::pid`] stands for: from here on it has
/// the session's user, files and `/proc`, and its children have the session's process numbers.
///
/// # Errors
/// When the session is gone or belongs to somebody else. Must be called while there is one thread.
pub fn join(session: Pid) -> Result<(), SessionError> {
    super::single_threaded()?;
    let namespaces = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("pid_for_children", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    enter(session.as_raw(), &namespaces)
}

/// Moves this process, which has joined a session, into a node of it: that of the thread `tid`.
///
/// # Errors
/// When the node is gone.
pub fn join_node(tid: i32) -> Result<(), SessionError> {
    let namespaces = [
        ("net", CloneFlags::CLONE_NEWNET),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    enter(tid, &namespaces)
}

/// Runs a command as a child that dies with this process, handing signals on, and returns the code to end with: the
/// command's own, or what a shell would say. What kept it from starting is told on standard error.
///
/// # Errors
/// When there cannot be a child.
pub fn run(mut command: Command) -> Result<i32, SessionError> {
    let signals = Signals::take()?;
    match supervise::fork()? {
        Forked::Parent(child) => Ok(supervise::supervise(&child, &signals)),
        Forked::Child => {
            signals.give_back()?;
            let error = command.exec();
            eprintln!("v6lab: cannot run {:?}: {error}", command.get_program());
            std::process::exit(if error.kind() == ErrorKind::NotFound {
                NOT_FOUND
            } else {
                NOT_EXECUTABLE
            })
        }
    }
}

/// Enters namespaces of a task in the order given, after all of them were opened: in the first of them the others'
/// files may be out of sight.
fn enter(task: i32, namespaces: &[(&str, CloneFlags)]) -> Result<(), SessionError> {
    let gone = |error| SessionError::new(format!("find the namespaces of process {task}"), error);
    let mut opened = Vec::new();
    for (name, flag) in namespaces {
        let file = File::open(format!("/proc/{task}/ns/{name}")).map_err(gone)?;
        // The one user namespace one is already in cannot be entered.
        let ours = fs::metadata(format!("/proc/self/ns/{name}"));
        let same = ours.is_ok_and(|ours| {
            file.metadata()
                .is_ok_and(|theirs| theirs.ino() == ours.ino())
        });
        if !same {
            opened.push((name, file, *flag));
        }
    }
    for (name, file, flag) in opened {
        setns(file, flag).map_err(|error| {
            SessionError::new(
                format!("enter the {name} namespace of process {task}"),
                error,
            )
        })?;
    }
    Ok(())
}
