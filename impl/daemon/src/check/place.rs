//! Which networks there are in a directory, and what lies beside them. All reading of files
//! begins here: what comes out is looked at, and never changes.

use std::fs;
use std::path::{Path, PathBuf};

use super::network::Network;
use crate::config::NetnameError;

/// Directories looked at; ours.
const MAX_ENTRIES: usize = 4096;
/// Files of a key pair that was made where no network is set up.
const KEYS: [&str; 2] = ["rsa_key.priv", "rsa_key.pub"];

/// A directory with networks, as it was when it was read.
pub(crate) struct Place {
    pub(crate) networks: Vec<Network>,
    /// Keys in directories that have no tinc.conf.
    pub(crate) stray_keys: Vec<PathBuf>,
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
    Unreadable { dir: PathBuf, error: std::io::Error },
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
        let is_net = |dir: &PathBuf| dir.join("tinc.conf").exists();
        let own = dir.to_owned();
        let mut found: Vec<PathBuf> = match net {
            Some(net) => vec![dir.join(net)],
            None => [own]
                .into_iter()
                .chain(below.clone())
                .filter(is_net)
                .collect(),
        };
        // Somebody's network without its first file.
        let looks_like_one = ["hosts", "tinc-up", "rsa_key.priv"]
            .iter()
            .any(|name| dir.join(name).exists());
        if found.is_empty() && looks_like_one {
            found.push(dir.to_owned());
        }
        if found.is_empty() {
            return Err(NoNetwork::Empty(dir.to_owned()));
        }
        let (root, siblings) = match found.as_slice() {
            [only] if only == dir => {
                let root = dir.parent().unwrap_or(dir);
                (root, directories(root).unwrap_or_default())
            }
            _ => (dir, below),
        };
        let keys = siblings
            .iter()
            .filter(|dir| !is_net(dir) && !found.contains(dir))
            .flat_map(|dir| KEYS.map(|key| dir.join(key)))
            .filter(|key| key.exists());
        Ok(Self {
            stray_keys: keys.collect(),
            nets_boot: nets_boot(root),
            networks: found
                .iter()
                .map(|dir| Network::read(dir))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The directories in `dir`, by name.
fn directories(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
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
    let nets = lines
        .map(|(n, line)| (n + 1, line.trim().to_owned()))
        .filter(|(_, net)| !net.is_empty() && !net.starts_with('#'))
        .collect();
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
        nets,
        enabled,
    })
}
