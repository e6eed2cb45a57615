//! A host file, and what only looks like one.

use std::fs;
use std::path::{Path, PathBuf};

use v6router_core::crypto::rsa::PublicKey;
use v6router_core::name::NodeName;

use crate::config::{BadValue, ConfigSet, FileError, HostError, HostFile, Layout};
use crate::keys::KeyError;

/// One host file.
pub(crate) struct Host {
    pub(crate) path: PathBuf,
    pub(crate) set: Result<ConfigSet, FileError>,
    /// `None`: not known, since something else is wrong.
    pub(crate) key: Option<Result<PublicKey, KeyError>>,
    pub(crate) wrong: Option<BadValue>,
    pub(crate) doubtful: Vec<BadValue>,
    /// Line on which a private key begins.
    pub(crate) private_key: Option<usize>,
}

impl Host {
    pub(super) fn read(layout: &Layout, node: &NodeName, path: PathBuf) -> Self {
        let set = ConfigSet::host(layout, node, &[]);
        let text = fs::read(&path).unwrap_or_default();
        let mut lines = text.split(|byte| *byte == b'\n');
        let private_key = lines.position(begins_private_key).map(|n| n + 1);
        let mut host = Self {
            path,
            set,
            key: None,
            wrong: None,
            doubtful: Vec::new(),
            private_key,
        };
        match HostFile::read(layout, node, &[]) {
            Ok(file) => {
                host.key = Some(Ok(file.config.public_key));
                host.doubtful = file.complaints;
            }
            Err(HostError::Key(error)) => host.key = Some(Err(error)),
            Err(HostError::Bad(bad)) => host.wrong = Some(bad),
            // The set has it too.
            Err(HostError::File(_)) => {}
        }
        host
    }
}

/// Whether a line is that of PEM (RFC 7468).
fn begins_private_key(line: &[u8]) -> bool {
    line.starts_with(b"-----BEGIN") && line.trim_ascii_end().ends_with(b"PRIVATE KEY-----")
}

/// Whether editors and packages leave files of that name.
pub(super) fn is_leftover(name: &str) -> bool {
    let endings = [
        "~",
        ".bak",
        ".orig",
        ".swp",
        ".tmp",
        ".old",
        ".example",
        ".disabled",
        ".new",
    ];
    name.starts_with(['.', '#'])
        || name.contains(".dpkg-")
        || endings.iter().any(|end| name.ends_with(end))
}

/// Whether somebody's content is in it, whatever it is called.
pub(in crate::check) fn looks_like_a_host_file(path: &Path) -> bool {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().any(|line| {
        let key = line.split([' ', '\t', '=']).next().unwrap_or_default();
        line.starts_with("-----BEGIN RSA PUBLIC")
            || ["address", "subnet", "port"].contains(&key.to_ascii_lowercase().as_str())
    })
}
