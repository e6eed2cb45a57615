//! What a node sees as its file system: the host's, except for what a machine has for itself.
//!
//! `/etc` is an overlay over a copy of the host's (the part anybody may read, without `/etc/tinc`), so that any of it
//! may be changed; `/run`, `/tmp`, `/var/log`, `/root` and what dhcpcd remembers start empty. All of it lies on the session's tmpfs. `/sys`
//! is mounted afresh, since it shows the devices of the network namespace it was mounted in.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::mount::{MsFlags, mount};

use crate::plan::Guest;

/// Files larger than this are not configuration; they are left out of a node's `/etc`.
const MAX_ETC_FILE: u64 = 1 << 20;

/// Where a node's processes look for programs; the first directory holds what was installed into the node.
pub(super) const PATH: &str =
    "/run/v6lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Directory, inside a node, of programs installed under names of their own.
pub(crate) const NODE_BIN: &str = "/run/v6lab/bin";

/// Directory, inside a node, of the programs those names stand for; the same in all nodes of a lab.
pub(super) const NODE_TOOLS: &str = "/run/v6lab/tools";

/// Directory, inside a node, in which Bluetooth devices find each other; the same in all nodes of a lab.
pub(super) const NODE_AIR: &str = "/run/v6lab/air";

/// Where dhcpcd keeps what it was given; there is no such directory where it is not installed.
const LEASES: &str = "/var/lib/dhcpcd";

/// A step that failed and what the kernel said.
pub(super) type Failure = (String, String);

/// The directories of one lab.
#[derive(Debug, Clone)]
pub(super) struct Directories {
    /// The lab's own.
    pub(super) lab: PathBuf,
    /// The copy of the host's `/etc` that all labs of a session share.
    pub(super) etc: PathBuf,
}

impl Directories {
    /// Prepares the directories of lab number `number` below the session's `root`.
    pub(super) fn prepare(root: &Path, number: u32) -> Result<Self, Failure> {
        /// What all labs of a session share is made once, by whichever comes first.
        static FIRST: Mutex<()> = Mutex::new(());
        let all = Self {
            lab: root.join(format!("lab-{number}")),
            etc: root.join("etc"),
        };
        for shared in [all.tools(), all.air()] {
            step("create", &shared, |path| fs::create_dir_all(path))?;
        }
        let _first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.etc.exists() {
            step("copy /etc to", &all.etc, |to| {
                copy_whole(Path::new("/etc"), to)
            })?;
        }
        Ok(all)
    }

    /// Programs installed into nodes.
    pub(super) fn tools(&self) -> PathBuf {
        self.lab.join("tools")
    }

    /// Where Bluetooth devices find each other.
    fn air(&self) -> PathBuf {
        self.lab.join("air")
    }

    /// What is `/var/log` in a node.
    pub(super) fn var_log(&self, name: &str) -> PathBuf {
        self.node(name).join("log")
    }

    fn node(&self, name: &str) -> PathBuf {
        self.lab.join("nodes").join(name)
    }

    /// Gives the calling thread, which must have a mount namespace of its own, the node's view of the file system.
    pub(super) fn furnish(&self, name: &str, hosts: &str, guest: &Guest) -> Result<(), Failure> {
        let none: Option<&str> = None;
        let own = self.node(name);
        let at = |target: &str,
                  flags: MsFlags,
                  kind: Option<&str>,
                  source: Option<&Path>,
                  data: Option<&str>| {
            mount(source, target, kind, flags, data)
                .map_err(|error| (format!("mount {target}"), error.to_string()))
        };
        at("/", MsFlags::MS_REC | MsFlags::MS_PRIVATE, None, None, None)?;
        for folder in [
            "etc",
            "etc.work",
            "tmp",
            "log",
            "root",
            "leases",
            "run/v6lab/bin",
            "run/v6lab/tools",
            "run/v6lab/air",
            "run/lock",
        ] {
            step("create", &own.join(folder), |path| fs::create_dir_all(path))?;
        }
        step("open", &own.join("tmp"), |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o1777))
        })?;
        let overlay = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.etc.display(),
            own.join("etc").display(),
            own.join("etc.work").display()
        );
        at(
            "/etc",
            MsFlags::empty(),
            Some("overlay"),
            Some(Path::new("overlay")),
            Some(&overlay),
        )?;
        etc_of(name, hosts, guest)?;
        let bind = MsFlags::MS_BIND;
        at("/tmp", bind, None, Some(&own.join("tmp")), None)?;
        at("/var/log", bind, None, Some(&own.join("log")), None)?;
        at("/root", bind, None, Some(&own.join("root")), None)?;
        if Path::new(LEASES).is_dir() {
            at(LEASES, bind, None, Some(&own.join("leases")), None)?;
        }
        let sysfs = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        // Refused in containers that cover parts of /sys; there, only sysfs itself shows other devices than it should.
        let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), sysfs, none);
        let run = own.join("run");
        for (shared, name) in [(self.tools(), "v6lab/tools"), (self.air(), "v6lab/air")] {
            let place = run.join(name);
            mount(Some(&shared), &place, none, bind, none)
                .map_err(|error| (format!("mount {}", place.display()), error.to_string()))?;
        }
        if fs::canonicalize("/var/run").is_ok_and(|path| path != Path::new("/run")) {
            at("/var/run", bind | MsFlags::MS_REC, None, Some(&run), None)?;
        }
        // Last, since everything above lies below it.
        at("/run", bind | MsFlags::MS_REC, None, Some(&run), None)
    }

    /// Removes what the lab had on the session's tmpfs.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.lab)
    }
}

/// The files that say who a machine is.
fn etc_of(name: &str, hosts: &str, guest: &Guest) -> Result<(), Failure> {
    let loopback = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    let (hosts, resolvers) = match (guest.resolver, &guest.asks_on) {
        (None, _) => (
            hosts,
            "# This network has no resolver; its machines are in /etc/hosts.\n".to_owned(),
        ),
        // Of an IPv6 one the venue's router tells in its advertisements (RFC 8106), for which a Pi as installed has no ear.
        (Some(IpAddr::V4(_)), Some(_)) => {
            ("", "# Nobody has said yet who knows names.\n".to_owned())
        }
        (Some(resolver), _) => ("", format!("nameserver {resolver}\n")),
    };
    let files = [
        ("/etc/hostname", format!("{name}\n")),
        (
            "/etc/hosts",
            format!("{loopback}127.0.1.1\t{name}\n{hosts}"),
        ),
        ("/etc/resolv.conf", resolvers),
    ];
    for (path, text) in files {
        // It may be a symbolic link to a place that the node does not have.
        let _ = fs::remove_file(path);
        step("write", Path::new(path), |path| fs::write(path, &text))?;
    }
    step("create", Path::new("/etc/tinc"), |path| {
        fs::create_dir_all(path)
    })
}

/// Copies `/etc` whole or not at all: what is there is not copied again.
fn copy_whole(from: &Path, to: &Path) -> io::Result<()> {
    let draft = to.with_extension("new");
    match fs::remove_dir_all(&draft) {
        // Else an earlier copy has failed.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed?,
    }
    copy_etc(from, &draft)?;
    fs::rename(&draft, to)
}

/// Copies what anybody may read of the host's `/etc`, the tinc networks of the host excepted.
fn copy_etc(from: &Path, to: &Path) -> io::Result<()> {
    let Some(entries) = if_there(fs::read_dir(from))? else {
        return Ok(());
    };
    fs::create_dir(to)?;
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let (Ok(kind), Ok(meta)) = (entry.file_type(), entry.metadata()) else {
            continue;
        };
        let readable = meta.permissions().mode() & 0o004 != 0;
        if kind.is_symlink() {
            if let Some(aim) = if_there(fs::read_link(&source))? {
                symlink(aim, &target)?;
            }
        } else if source == Path::new("/etc/tinc") || !readable {
            continue;
        } else if kind.is_dir() && meta.permissions().mode() & 0o001 != 0 {
            copy_etc(&source, &target)?;
        } else if kind.is_file() && meta.len() <= MAX_ETC_FILE {
            if_there(fs::copy(&source, &target))?;
        }
    }
    Ok(())
}

/// What was read of the host's, unless it has gone meanwhile, or is forbidden by more than its mode.
fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(None)
        }
        read => read.map(Some),
    }
}

fn step<T>(
    what: &str,
    path: &Path,
    act: impl FnOnce(&Path) -> io::Result<T>,
) -> Result<T, Failure> {
    act(path).map_err(|error| (format!("{what} {}", path.display()), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_whatever_an_earlier_one_has_left() {
        let root = std::env::temp_dir().join(format!("v6lab-etc-{}", std::process::id()));
        let (from, to) = (root.join("host"), root.join("etc"));
        fs::create_dir_all(from.join("folder")).unwrap();
        fs::write(from.join("folder/file"), "text").unwrap();
        fs::write(from.join("secret"), "text").unwrap();
        for (name, mode) in [("folder", 0o755), ("folder/file", 0o644), ("secret", 0o640)] {
            fs::set_permissions(from.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("nowhere", from.join("link")).unwrap();
        fs::create_dir_all(root.join("etc.new/half")).unwrap();
        copy_whole(&from, &to).unwrap();
        let entries = fs::read_dir(&to).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let text = fs::read(to.join("folder/file"));
        let aim = fs::read_link(to.join("link"));
        let draft = root.join("etc.new").exists();
        let nothing = copy_whole(&root.join("gone"), &root.join("other"));
        let made = root.join("other").exists();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(names, ["folder", "link"]);
        assert_eq!(text.unwrap(), b"text");
        assert_eq!(aim.unwrap(), Path::new("nowhere"));
        assert!(!draft);
        assert!(nothing.is_err() && !made);
    }
}
