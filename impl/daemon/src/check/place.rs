//! Which networks there are in a directory, and what lies beside them. All reading of files
//! begins here: what comes out is looked at, and never changes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::network::{Network, looks_like_a_host_file};
use crate::config::NetnameError;

/// Directories looked at; ours.
const MAX_ENTRIES: usize = 4096;
/// Files of a key pair that was made where no network is set up.
const KEYS: [&str; 2] = ["rsa_key.priv", "rsa_key.pub"];

/// A directory with networks, as it was when it was read.
pub(crate) struct Place {
    pub(crate) networks: Vec<Network>,
    /// Directories of which this user cannot tell what they are.
    pub(crate) closed: Vec<PathBuf>,
    /// Keys and host files in directories that have no tinc.conf.
    pub(crate) strays: Vec<PathBuf>,
    /// `nets.boot`, if there is one.
    pub(crate) nets_boot: Option<NetsBoot>,
}

/// The list of networks that an init script started.
pub(crate) struct NetsBoot {
    pub(crate) path: PathBuf,
    /// Line, counted from 1, and network.
    pub(crate) nets: Vec<(usize, String)>,
    /// Networks of which a systemd unit is enabled beside it.
    pub(crate) enabled: Vec<String>,
}

/// Nothing there is a network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoNetwork {
    /// Not a directory that can be read.
    #[error("{}: {error}", .dir.display())]
    Unreadable { dir: PathBuf, error: io::Error },
    /// No tinc.conf in it or one below.
    #[error("{}: there is no network here: neither a tinc.conf nor directories that have one", .0.display())]
    Empty(PathBuf),
    /// The name of a directory cannot be a network's.
    #[error(transparent)]
    Name(#[from] NetnameError),
}

impl Place {
    /// Reads the networks in `dir`: itself if it is one, and those one below; or only `net` below it.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn read(dir: &Path, net: Option<&str>) -> Result<Self, NoNetwork> {
        let below = directories(dir).map_err(|error| NoNetwork::Unreadable {
            dir: dir.to_owned(),
            error,
        })?;
        let candidates = match net {
            Some(net) => vec![dir.join(net)],
            None => [dir.to_owned()].into_iter().chain(below.clone()).collect(),
        };
        let (mut found, mut closed) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match candidate.join("tinc.conf").try_exists() {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    closed.push(candidate);
                }
                Ok(false) if net.is_none() => {}
                // Whatever else is wrong is told when it is read.
                _ => found.push(candidate),
            }
        }
        // Somebody's network without its first file.
        let looks_like_one = ["hosts", "tinc-up", "rsa_key.priv"]
            .iter()
            .any(|name| dir.join(name).exists());
        if found.is_empty() && looks_like_one {
            found.push(dir.to_owned());
        }
        if found.is_empty() {
            return Err(match closed.into_iter().next() {
                Some(dir) => NoNetwork::Unreadable {
                    dir,
                    error: io::ErrorKind::PermissionDenied.into(),
                },
                None => NoNetwork::Empty(dir.to_owned()),
            });
        }
        let (root, siblings) = match found.as_slice() {
            [only] if only == dir => {
                let root = dir.parent().unwrap_or(dir);
                (root, directories(root).unwrap_or_default())
            }
            _ => (dir, below),
        };
        let strays = siblings
            .iter()
            .filter(|dir| !dir.join("tinc.conf").exists() && !found.contains(dir))
            .flat_map(|dir| strays(dir));
        // Of one network that was asked for, only its own line.
        let is_picked = net.is_some() || found == [dir];
        let only = found.first().filter(|_| is_picked);
        let only = only.and_then(|dir| dir.canonicalize().ok());
        let only = only.as_deref().and_then(Path::file_name);
        let mut boot = nets_boot(root);
        if let (Some(boot), Some(only)) = (&mut boot, only) {
            boot.nets.retain(|(_, net)| only == net.as_str());
        }
        Ok(Self {
            strays: strays.collect(),
            closed,
            nets_boot: boot,
            networks: found
                .iter()
                .map(|dir| Network::read(dir))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Keys in a directory, else the first host file.
fn strays(dir: &Path) -> Vec<PathBuf> {
    let keys = KEYS.map(|key| dir.join(key)).into_iter();
    let keys: Vec<PathBuf> = keys.filter(|key| key.exists()).collect();
    if !keys.is_empty() {
        return keys;
    }
    let hosts = fs::read_dir(dir.join("hosts")).into_iter().flatten();
    let mut hosts: Vec<PathBuf> = hosts
        .take(MAX_ENTRIES)
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && looks_like_a_host_file(path))
        .collect();
    hosts.sort();
    hosts.truncate(1);
    hosts
}

/// The directories in `dir`, by name.
fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.take(MAX_ENTRIES).flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    Ok(found)
}

fn nets_boot(root: &Path) -> Option<NetsBoot> {
    let path = root.join("nets.boot");
    let text = fs::read_to_string(&path).ok()?;
    let lines = text.lines().enumerate();
    let nets = lines.filter_map(|(n, line)| {
        // Behind the network are tincd's options.
        let net = line.split_whitespace().next();
        let net = net.filter(|net| !net.starts_with('#'))?;
        Some((n + 1, net.to_owned()))
    });
    // `/etc/tinc` and `/etc/systemd`, or their copies.
    let system = root.parent().map(|etc| etc.join("systemd/system"));
    let wants = system
        .and_then(|system| directories(&system).ok())
        .unwrap_or_default();
    let units = wants
        .iter()
        .filter_map(|dir| fs::read_dir(dir).ok())
        .flatten()
        .flatten();
    let enabled = units
        .filter_map(|unit| {
            let unit = unit.file_name().into_string().ok()?;
            let net = unit.strip_suffix(".service")?.split_once('@')?.1.to_owned();
            Some(net)
        })
        .collect();
    Some(NetsBoot {
        path,
        nets: nets.collect(),
        enabled,
    })
}
