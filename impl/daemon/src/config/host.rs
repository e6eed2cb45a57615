//! A peer's host file: where to reach it, how to speak to it, and its public key.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use v6router_core::addr::Port;
use v6router_core::constants::DEFAULT_PORT;
use v6router_core::name::NodeName;
use v6router_core::node::HostConfig;

use super::layout::Layout;
use super::numbers::pmtu;
use super::rsa_keys;
use super::server::port;
use super::set::ConfigSet;
use super::syntax::{FileError, Override};
use super::values::{BadValue, Reader};
use crate::keys::KeyError;

/// One place to reach a node at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Numeric or a name to look up.
    pub(crate) host: String,
    pub(crate) port: Port,
}

/// Tells whether a file was written again. Other than the time of the last look, it does not
/// depend on the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Version {
    /// That of the file as it is now; `None` if there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self {
            file: (meta.dev(), meta.ino()),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// What `hosts/NAME` says.
pub(crate) struct HostFile {
    /// In the order to try them.
    pub(crate) addresses: Vec<Address>,
    pub(crate) config: HostConfig,
    /// What is wrong without making the file useless, one line each.
    pub(crate) complaints: Vec<BadValue>,
}

/// Why a host file is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value that cannot be used.
    #[error(transparent)]
    Bad(#[from] BadValue),
    /// No public key, or a broken one.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl HostFile {
    /// Reads the host file of `name`, as it is now.
    ///
    /// # Errors
    /// If it is missing or malformed, or has no usable public key.
    pub(crate) fn read(
        layout: &Layout,
        name: &NodeName,
        overrides: &[Override],
    ) -> Result<Self, HostError> {
        let set = ConfigSet::host(layout, name, overrides)?;
        let mut r = Reader::new(&set);
        let public_key = rsa_keys::public(&r, &layout.host(name))?;
        let default_port = match r.text("Port") {
            Some(entry) => port(entry, &entry.value)?,
            None => DEFAULT_PORT.into(),
        };
        let mut addresses = Vec::new();
        for entry in r.all("Address") {
            let mut words = entry.value.split_whitespace();
            if let Some(host) = words.next() {
                let port = words.next().map(|text| port(entry, text)).transpose()?;
                addresses.push(Address {
                    host: host.to_owned(),
                    port: port.unwrap_or_else(|| default_port.clone()),
                });
            }
        }
        let config = HostConfig {
            public_key,
            indirect: r.yes_no("IndirectData"),
            tcp_only: r.yes_no("TCPOnly"),
            clamp_mss: r.yes_no("ClampMSS"),
            weight: r.integer("Weight"),
            pmtu: pmtu(&mut r),
        };
        Ok(Self {
            addresses,
            config,
            complaints: r.into_complaints(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PUBLIC_KEY, TempDir};

    fn read(text: &str) -> Result<HostFile, HostError> {
        let dir = TempDir::new();
        dir.write("hosts/node_one", text);
        HostFile::read(&dir.layout(), &"node_one".parse().unwrap(), &[])
    }

    #[test]
    fn addresses_keep_their_order_and_take_the_files_port() {
        let text = format!("Address = a.example 1655\nPort = 700\nAddress = ::1\n{PUBLIC_KEY}");
        let host = read(&text).unwrap_or_else(|e| panic!("{e}"));
        let address = |host: &str, port: u16| Address {
            host: host.to_owned(),
            port: port.into(),
        };
        assert_eq!(
            host.addresses,
            [address("a.example", 1655), address("::1", 700)]
        );
    }

    #[test]
    fn a_host_file_without_key_names_the_file_and_the_remedy() {
        let error = read("Address = ::1\n").err().unwrap().to_string();
        assert!(error.contains("hosts/node_one"), "{error}");
        assert!(error.contains("RSA PUBLIC KEY"), "{error}");
    }

    #[test]
    fn a_missing_host_file_reads_as_in_tincd() {
        let dir = TempDir::new();
        let error = HostFile::read(&dir.layout(), &"nobody".parse().unwrap(), &[]);
        let text = error.err().unwrap().to_string();
        assert!(text.starts_with("Cannot open config file "), "{text}");
        assert!(
            text.ends_with("hosts/nobody: No such file or directory"),
            "{text}"
        );
    }

    #[test]
    fn options_of_a_peer_are_read() {
        let text = format!("TCPOnly = yes\nClampMSS = no\nWeight = 7\nPMTU = 1000\n{PUBLIC_KEY}");
        let config = read(&text).unwrap_or_else(|e| panic!("{e}")).config;
        assert_eq!(config.tcp_only, Some(true));
        assert_eq!(config.indirect, None);
        assert_eq!(config.clamp_mss, Some(false));
        assert_eq!(config.weight, Some(7));
        assert_eq!(config.pmtu, Some(1000));
    }
}
