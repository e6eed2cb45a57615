//! Where the files of a network are (tincd manual, "Configuration files").

use std::path::{Path, PathBuf};

use v6router_core::name::NodeName;

/// Below it lies one directory a network.
const CONFIG_ROOT: &str = "/etc/tinc";
/// Pid files.
const RUN_ROOT: &str = "/run";
/// Log files of `--logfile` without a name.
const LOG_ROOT: &str = "/var/log";

/// The files of one network. All paths are absolute, since detaching changes the directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    netname: Option<String>,
    confbase: PathBuf,
    pidfile: PathBuf,
    logfile: Option<PathBuf>,
}

impl Layout {
    /// From the options `-n`, `-c`, `--pidfile` and `--logfile` (outer `None`: no log file;
    /// inner `None`: the usual one).
    pub(crate) fn new(
        netname: Option<String>,
        confbase: Option<PathBuf>,
        pidfile: Option<PathBuf>,
        logfile: Option<Option<PathBuf>>,
    ) -> Result<Self, NetnameError> {
        if let Some(name) = &netname
            && (name == ".." || name.contains(|c: char| c == '/' || c.is_control()))
        {
            return Err(NetnameError(name.clone()));
        }
        let ident = ident(netname.as_deref());
        let confbase = confbase.unwrap_or_else(|| {
            let root = Path::new(CONFIG_ROOT);
            netname
                .as_ref()
                .map_or_else(|| root.into(), |net| root.join(net))
        });
        let pidfile = pidfile.unwrap_or_else(|| Path::new(RUN_ROOT).join(format!("{ident}.pid")));
        let logfile = logfile
            .map(|given| given.unwrap_or_else(|| Path::new(LOG_ROOT).join(format!("{ident}.log"))));
        Ok(Self {
            netname,
            confbase: absolute(confbase),
            pidfile: absolute(pidfile),
            logfile: logfile.map(absolute),
        })
    }

    /// The configuration directory has become the root directory.
    pub(crate) fn root_changed(&mut self) {
        self.confbase = PathBuf::from("/");
    }

    /// The network's name, if it has one.
    pub(crate) fn netname(&self) -> Option<&str> {
        self.netname.as_deref()
    }

    /// The name of the log entries: `tinc` or `tinc.NET`.
    pub(crate) fn ident(&self) -> String {
        ident(self.netname.as_deref())
    }

    /// The configuration directory.
    pub(crate) fn confbase(&self) -> &Path {
        &self.confbase
    }

    /// The pid file.
    pub(crate) fn pidfile(&self) -> &Path {
        &self.pidfile
    }

    /// What was done to the kernel and is to be undone.
    pub(crate) fn journal(&self) -> PathBuf {
        self.beside_pidfile("kernel")
    }

    /// Where a running daemon says what it knows.
    pub(crate) fn status_socket(&self) -> PathBuf {
        self.beside_pidfile("status")
    }

    /// Only `.pid` gives way to another ending: `tincd.a` and `tincd.b` are two networks.
    fn beside_pidfile(&self, ending: &str) -> PathBuf {
        if self.pidfile.extension().is_some_and(|it| it == "pid") {
            return self.pidfile.with_extension(ending);
        }
        let mut path = self.pidfile.clone().into_os_string();
        path.push(".");
        path.push(ending);
        path.into()
    }

    /// The log file, if one was asked for.
    pub(crate) fn logfile(&self) -> Option<&Path> {
        self.logfile.as_deref()
    }

    /// The server's configuration.
    pub(crate) fn tinc_conf(&self) -> PathBuf {
        self.confbase.join("tinc.conf")
    }

    /// The directory of further configuration files.
    pub(crate) fn conf_d(&self) -> PathBuf {
        self.confbase.join("conf.d")
    }

    /// What of an IPv6 router this node is.
    pub(crate) fn router_toml(&self) -> PathBuf {
        self.confbase.join("router.toml")
    }

    /// The directory of host files.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.confbase.join("hosts")
    }

    /// The host file of a node.
    pub(crate) fn host(&self, name: &NodeName) -> PathBuf {
        self.hosts().join(name.as_str())
    }

    /// The usual place of the private key.
    pub(crate) fn private_key(&self) -> PathBuf {
        self.confbase.join("rsa_key.priv")
    }

    /// Where `-K` puts the public key of a node that has no name yet.
    pub(crate) fn nameless_public_key(&self) -> PathBuf {
        self.confbase.join("rsa_key.pub")
    }

    /// Names of the networks that are set up beside this one; for hints.
    pub(crate) fn neighbours(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(CONFIG_ROOT) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().join("tinc.conf").exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

/// A netname that is no plain directory name.
#[derive(Debug, thiserror::Error)]
#[error(
    "Invalid netname `{0}'; it names a directory below {CONFIG_ROOT}, so it has no slash and no control character."
)]
pub(crate) struct NetnameError(String);

fn ident(netname: Option<&str>) -> String {
    netname.map_or_else(|| "tinc".to_owned(), |net| format!("tinc.{net}"))
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_own_directory_pid_file_and_log() {
        let net = Layout::new(Some("vpn".into()), None, None, Some(None)).unwrap();
        assert_eq!(net.tinc_conf(), Path::new("/etc/tinc/vpn/tinc.conf"));
        assert_eq!(net.pidfile(), Path::new("/run/tinc.vpn.pid"));
        assert_eq!(net.logfile(), Some(Path::new("/var/log/tinc.vpn.log")));
        assert_eq!(net.ident(), "tinc.vpn");
        let plain = Layout::new(None, None, None, None).unwrap();
        assert_eq!(plain.private_key(), Path::new("/etc/tinc/rsa_key.priv"));
        assert_eq!(plain.pidfile(), Path::new("/run/tinc.pid"));
        assert_eq!(plain.logfile(), None);
    }

    #[test]
    fn what_is_beside_a_pid_file_is_of_that_pid_file_alone() {
        let beside = |pidfile: &str| {
            let layout = Layout::new(None, None, Some(pidfile.into()), None).unwrap();
            [layout.journal(), layout.status_socket()]
        };
        for (pidfile, stem) in [
            ("/run/tinc.vpn.pid", "/run/tinc.vpn"),
            ("/run/tincd.a", "/run/tincd.a"),
            ("/run/tincd.b", "/run/tincd.b"),
            ("/run/pid", "/run/pid"),
        ] {
            let expected = ["kernel", "status"].map(|it| PathBuf::from(format!("{stem}.{it}")));
            assert_eq!(beside(pidfile), expected);
        }
    }

    #[test]
    fn a_netname_stays_below_the_configuration_root() {
        for bad in ["..", "a/b", "../x", "a\nb"] {
            assert!(Layout::new(Some(bad.into()), None, None, None).is_err());
        }
    }
}
