//! A network's directory, made whole beside its place and moved there at once.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::net::Ipv6Addr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use v6router_core::crypto::rsa::PrivateKey;
use v6router_core::name::NodeName;
use v6router_core::router::{InterfaceAddress, Prefix};

use super::wrong;
use crate::config::{Layout, describe, router};
use crate::store::Draft;

/// What a node shall be.
pub(crate) struct Init {
    pub(crate) name: NodeName,
    /// On the VPN.
    pub(crate) address: InterfaceAddress,
    pub(crate) role: Role,
    /// Bits of the key.
    pub(crate) bits: usize,
}

/// Who hands out and who is given.
pub(crate) enum Role {
    Server {
        pool: Prefix,
        /// Where Pis reach it: addresses or names, each perhaps with a port after a blank.
        listen: Vec<String>,
    },
    Pi {
        server: NodeName,
        gateway: Ipv6Addr,
        /// The server's own host file, copied from there.
        server_file: Option<PathBuf>,
        advertise: Option<Advertise>,
    },
}

/// A prefix and who gets a /64 of it.
pub(crate) struct Advertise {
    pub(crate) prefix: Prefix,
    pub(crate) interfaces: Vec<String>,
}

impl Init {
    /// Makes the directory of `layout`, which must not be there, or empty.
    ///
    /// # Errors
    /// If it is there, if the values do not fit each other, or whatever the file system says; nothing was made then.
    pub(crate) fn write(&self, layout: &Layout) -> anyhow::Result<()> {
        let dir = layout.confbase();
        if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
            bail!("{} is there already; nothing was changed", dir.display());
        }
        // The host file of a server that is to be dialled is read before anything is made.
        let server_file = match &self.role {
            Role::Pi {
                server_file: Some(file),
                ..
            } => {
                let text = fs::read(file)
                    .map_err(|error| anyhow::anyhow!("{}: {}", file.display(), describe(&error)))?;
                Some(text)
            }
            _ => None,
        };
        let making = Making::begin(dir)?;
        let beside = Layout::new(None, Some(making.dir.clone()), None, None)?;
        let router = self.router_toml();
        router::parse(&beside, router.clone()).map_err(|errors| wrong(&errors))?;
        let key = PrivateKey::generate(&mut rand::rng(), self.bits)?;
        let public = key.public().to_pem()?;
        let host = format!("{}\n{public}", self.host_file());
        let mut files = vec![
            ("tinc.conf".to_owned(), self.tinc_conf().into_bytes(), 0o644),
            ("router.toml".to_owned(), router.into_bytes(), 0o644),
            (
                format!("hosts/{}", self.name),
                host.trim_start().as_bytes().to_vec(),
                0o644,
            ),
        ];
        if let (Role::Pi { server, .. }, Some(text)) = (&self.role, server_file) {
            files.push((format!("hosts/{server}"), text, 0o644));
        }
        for (name, content, mode) in &files {
            making.write(name, content, *mode)?;
        }
        making.write("rsa_key.priv", key.to_pem()?.as_bytes(), 0o600)?;
        making.finish(dir)
    }

    fn tinc_conf(&self) -> String {
        let mut text = format!("Name = {}\nMode = switch\nMACLength = 16\n", self.name);
        if let Role::Pi { server, .. } = &self.role {
            let _ = writeln!(text, "ConnectTo = {server}");
        }
        text
    }

    fn host_file(&self) -> String {
        let Role::Server { listen, .. } = &self.role else {
            return String::new();
        };
        listen
            .iter()
            .map(|address| format!("Address = {address}\n"))
            .collect()
    }

    fn router_toml(&self) -> String {
        let mut text = format!("address = \"{}\"\n", self.address);
        match &self.role {
            Role::Server { pool, .. } => {
                let _ = writeln!(text, "pool = \"{pool}\"");
            }
            Role::Pi {
                gateway, advertise, ..
            } => {
                let _ = writeln!(text, "gateway = \"{gateway}\"");
                let Some(Advertise { prefix, interfaces }) = advertise else {
                    return text;
                };
                let _ = writeln!(text, "prefix = \"{prefix}\"");
                for interface in interfaces {
                    let interface = toml::Value::from(interface.as_str());
                    let _ = write!(text, "\n[[advertise]]\ninterface = {interface}\n");
                }
            }
        }
        text
    }
}

/// A directory in the making; dropping it removes it.
struct Making {
    dir: PathBuf,
}

impl Making {
    fn begin(target: &Path) -> anyhow::Result<Self> {
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            bail!("{} is no place for a network", target.display());
        };
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}", std::process::id()));
        let making = Self {
            dir: parent.join(beside),
        };
        let mut builder = DirBuilder::new();
        builder.mode(0o755);
        let failed = || format!("cannot make {}", making.dir.display());
        builder.create(&making.dir).with_context(failed)?;
        builder
            .create(making.dir.join("hosts"))
            .with_context(failed)?;
        Ok(making)
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        let written = Draft::write(&path, content, mode).and_then(Draft::commit);
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Moves it to its place, where at most an empty directory may be.
    fn finish(self, target: &Path) -> anyhow::Result<()> {
        fs::rename(&self.dir, target)
            .with_context(|| format!("cannot make {}", target.display()))?;
        if let Some(parent) = target.parent() {
            fs::File::open(parent)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // Once it was moved there is nothing under this name.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Look, examine};
    use crate::testing::TempDir;

    const BITS: usize = 2048;

    fn server() -> Init {
        Init {
            name: "v6router".parse().unwrap(),
            address: "2001:db8:85a3:ef00::1/64".parse().unwrap(),
            role: Role::Server {
                pool: "2001:db8:85a3:ef00::/56".parse().unwrap(),
                listen: vec!["198.51.100.10".to_owned()],
            },
            bits: BITS,
        }
    }

    fn pi(server_file: Option<PathBuf>) -> Init {
        Init {
            name: "node_one".parse().unwrap(),
            address: "2001:db8:85a3:ef00::11/64".parse().unwrap(),
            role: Role::Pi {
                server: "v6router".parse().unwrap(),
                gateway: "2001:db8:85a3:ef00::1".parse().unwrap(),
                server_file,
                advertise: Some(Advertise {
                    prefix: "2001:db8:85a3:ef12::/63".parse().unwrap(),
                    interfaces: vec!["eth1".to_owned(), "bt0".to_owned()],
                }),
            },
            bits: BITS,
        }
    }

    fn layout(dir: &TempDir, net: &str) -> Layout {
        Layout::new(Some(net.to_owned()), Some(dir.path().join(net)), None, None).unwrap()
    }

    #[test]
    fn what_is_made_passes_the_check() {
        let dir = TempDir::new();
        let (at_server, at_pi) = (layout(&dir, "vpn"), layout(&dir, "pi"));
        server().write(&at_server).unwrap();
        let file = at_server.host(&"v6router".parse().unwrap());
        pi(Some(file)).write(&at_pi).unwrap();
        let report =
            examine(dir.path(), None, Look::Files).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.worst(), None, "{report}");
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["pi", "vpn"]);
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let dir = TempDir::new();
        let layout = layout(&dir, "vpn");
        dir.write("vpn/hosts/friend", "");
        let error = server().write(&layout).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert!(!layout.tinc_conf().exists());
    }

    #[test]
    fn values_that_do_not_fit_each_other_make_nothing() {
        let dir = TempDir::new();
        let mut init = server();
        init.address = "2001:db8:85a3:ef00::1/48".parse().unwrap();
        let error = init.write(&layout(&dir, "vpn")).unwrap_err().to_string();
        assert!(
            error.starts_with("nothing was written: ") && error.contains("all on link"),
            "{error}"
        );
        assert!(
            pi(Some("/nonexistent".into()))
                .write(&layout(&dir, "pi"))
                .is_err()
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
