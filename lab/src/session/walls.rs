//! The namespaces themselves and what must be mounted in them.

use std::fs;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{getegid, geteuid, sethostname};

use super::{DIR, SessionError};

/// Told when the kernel forbids what a session needs; the doctor finds out which setting it is.
const ASK_THE_DOCTOR: &str = "`v6lab doctor` tells what to change";

/// Moves this process, and for process numbers its children, into namespaces of their own.
pub(super) fn leave_common_namespaces() -> Result<(), SessionError> {
    let (uid, gid) = (geteuid(), getegid());
    let mut wanted = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    if !uid.is_root() {
        wanted |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(wanted)
        .map_err(|error| SessionError::new("create namespaces", error).hint(ASK_THE_DOCTOR))?;
    if !uid.is_root() {
        // user_namespaces(7): without privileges the group map may be written only after setgroups was given up.
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
        write("/proc/self/gid_map", &format!("0 {gid} 1"))?;
    }
    Ok(())
}

/// Makes mounts private, shows the new process numbers, and lays the session's own directory over `/run`.
pub(super) fn furnish() -> Result<(), SessionError> {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let none: Option<&str> = None;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| failed("/", error))?;
    mount(
        Some("proc"),
        "/proc",
        Some("proc"),
        quiet | MsFlags::MS_NOEXEC,
        none,
    )
    .map_err(|error| failed("/proc", error))?;
    mount(
        Some("v6lab"),
        "/run",
        Some("tmpfs"),
        quiet,
        Some("mode=755"),
    )
    .map_err(|error| failed("/run", error))?;
    fs::create_dir(Path::new(DIR))
        .map_err(|error| SessionError::new(format!("create {DIR}"), error))?;
    sethostname("v6lab").map_err(|error| SessionError::new("set the host name", error))
}

fn write(path: &str, text: &str) -> Result<(), SessionError> {
    fs::write(path, text).map_err(|error| {
        SessionError::new(format!("write {text:?} to {path}"), error).hint(ASK_THE_DOCTOR)
    })
}

fn failed(path: &str, error: nix::Error) -> SessionError {
    SessionError::new(format!("mount {path}"), error).hint(ASK_THE_DOCTOR)
}
