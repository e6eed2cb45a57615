//! Files below `/proc/sys/net`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use v6router_core::router::wish::Item;

use super::journal::Before;

/// What has a setting of its own for each interface, for all, and for those that come.
const INTERFACES: &str = "ipv6/conf";
/// Passing packets on.
const FORWARDING: &str = "forwarding";
/// Writing here writes to every interface.
const OF_ALL: &str = "ipv6/conf/all/forwarding";
/// What an interface that comes begins with.
const OF_NEW: &str = "ipv6/conf/default/forwarding";

/// The kernel's.
pub(super) const KERNEL: Settings<'static> = Settings {
    root: "/proc/sys/net",
};

/// Settings, each a file below a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'a> {
    root: &'a str,
}

impl Settings<'_> {
    /// How things stand before `item` is put in force; `None` if it is not to be. `ours` is how
    /// forwarding was before us, if it is we who have switched it on.
    ///
    /// # Errors
    /// If a setting that is there cannot be read.
    pub(super) fn before(self, item: &Item, ours: Option<&Before>) -> io::Result<Option<Before>> {
        match item {
            Item::Setting { key, only, .. } => {
                // The interface is gone already, or has no IPv6.
                let Some(value) = self.held(key)? else {
                    return Ok(None);
                };
                let holds = match only {
                    Some(only) if only.instead_of != value => false,
                    Some(only) => self.forwards_by_us(&only.forwards_by_us, ours)?,
                    None => true,
                };
                Ok(holds.then(|| Before::Settings(BTreeMap::from([(key.clone(), value)]))))
            }
            Item::Forwarding => self.forwarding().map(|all| Some(Before::Settings(all))),
            _ => Ok(Some(Before::Absent)),
        }
    }

    /// Whether a setting is as wished; not if it is gone.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub(super) fn has(self, item: &Item) -> io::Result<bool> {
        let (key, value) = match item {
            Item::Setting { key, value, .. } => (key.as_str(), value.as_str()),
            Item::Forwarding => (OF_ALL, "1"),
            _ => return Ok(false),
        };
        Ok(self.held(key)?.is_some_and(|held| held == value))
    }

    pub(super) fn put_in_force(self, item: &Item) -> io::Result<()> {
        match item {
            Item::Setting { key, value, .. } => self.write(key, value),
            _ => self.write(OF_ALL, "1"),
        }
    }

    /// Puts settings back, unless somebody has changed them after us, or they are gone.
    ///
    /// # Errors
    /// If one is not as it was before: that it cannot be read does not mean that it is gone.
    pub(super) fn undo(self, item: &Item, before: &BTreeMap<String, String>) -> io::Result<()> {
        if !self.has(item)? {
            return Ok(());
        }
        // That of all first, since it changes the others.
        if let Some(value) = before.get(OF_ALL) {
            self.write(OF_ALL, value)?;
        }
        let mut outcome = Ok(());
        for (key, value) in before {
            // Whatever became of the others.
            let put_back = self.put_back(key, value);
            outcome = outcome.and(put_back);
        }
        outcome
    }

    fn put_back(self, key: &str, value: &str) -> io::Result<()> {
        match self.held(key)? {
            Some(held) if held != value => self.write(key, value),
            _ => Ok(()),
        }
    }

    /// Whether an interface passes packets on, or is about to, and would not without us.
    fn forwards_by_us(self, interface: &str, ours: Option<&Before>) -> io::Result<bool> {
        let key = forwarding_of(interface);
        let was = match ours {
            // One that came after us would be as those are that come.
            Some(Before::Settings(all)) => all.get(&key).or_else(|| all.get(OF_NEW)).cloned(),
            // It is somebody else's, and so is what is heard with it.
            _ if self.has(&Item::Forwarding)? => None,
            _ => self.held(&key)?,
        };
        Ok(was.is_some_and(|was| was == "0"))
    }

    /// Of every interface, of all, and of those that come.
    fn forwarding(self) -> io::Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(self.path(INTERFACES))? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let key = forwarding_of(name);
            if let Some(value) = self.held(&key)? {
                found.insert(key, value);
            }
        }
        Ok(found)
    }

    fn path(self, key: &str) -> PathBuf {
        Path::new(self.root).join(key)
    }

    /// What a setting is; `None` if it is gone, as with its interface.
    fn held(self, key: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.path(key)) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            // Where `/proc` is out of sight everything seems to be gone.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.path(INTERFACES).is_dir() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes no file: the kernel would refuse that as forbidden where an interface is gone.
    fn write(self, key: &str, value: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.path(key))?;
        file.write_all(value.as_bytes())
    }
}

fn forwarding_of(interface: &str) -> String {
    format!("{INTERFACES}/{interface}/{FORWARDING}")
}

#[cfg(test)]
mod tests {
    use v6router_core::router::wish::Only;

    use super::*;
    use crate::testing::TempDir;

    fn accept_ra(interface: &str) -> String {
        format!("{INTERFACES}/{interface}/accept_ra")
    }

    /// Routers are heard on an interface, although it forwards.
    fn heard(interface: &str) -> Item {
        Item::Setting {
            key: accept_ra(interface),
            value: "2".to_owned(),
            only: Some(Only {
                instead_of: "1".to_owned(),
                forwards_by_us: interface.to_owned(),
            }),
        }
    }

    /// Sets `forwarding` and `accept_ra` of interfaces.
    fn set(dir: &TempDir, interfaces: &[(&str, &str, &str)]) {
        for (interface, forwarding, value) in interfaces {
            dir.write(&forwarding_of(interface), &format!("{forwarding}\n"));
            dir.write(&accept_ra(interface), &format!("{value}\n"));
        }
    }

    fn settings(dir: &TempDir) -> Settings<'_> {
        Settings {
            root: dir.path().to_str().unwrap(),
        }
    }

    /// Where hearing routers would be switched on.
    fn raised(dir: &TempDir, ours: Option<&Before>) -> Vec<&'static str> {
        let mut interfaces = vec!["eth0", "eth1", "eth2", "new0"];
        interfaces.retain(|one| settings(dir).before(&heard(one), ours).unwrap().is_some());
        interfaces
    }

    #[test]
    fn routers_are_heard_where_we_make_an_interface_forward_and_on_no_other() {
        for (of_new, expected) in [("0", vec!["eth0", "new0"]), ("1", vec!["eth0"])] {
            let dir = TempDir::new();
            set(&dir, &[("all", "0", "1"), ("default", of_new, "1")]);
            // One that forwards before us, and one that is told to hear nobody.
            let there = [("eth0", "0", "1"), ("eth1", "1", "1"), ("eth2", "0", "0")];
            set(&dir, &there);
            assert_eq!(raised(&dir, None), ["eth0"]);
            let ours = settings(&dir).before(&Item::Forwarding, None).unwrap();
            set(&dir, &there.map(|(name, _, value)| (name, "1", value)));
            set(&dir, &[("all", "1", "1"), ("new0", "1", "1")]);
            assert_eq!(raised(&dir, ours.as_ref()), expected);
            // The same settings, made by somebody else.
            assert!(raised(&dir, None).is_empty());
            // He lets one interface be a host, which hears routers anyhow.
            set(&dir, &[("eth0", "0", "1")]);
            assert!(raised(&dir, None).is_empty());
        }
    }

    #[test]
    fn what_is_gone_is_undone_and_what_cannot_be_read_is_not() {
        let undo = |settings: Settings<'_>, interface: &str| {
            let before = BTreeMap::from([(accept_ra(interface), "1".to_owned())]);
            settings.undo(&heard(interface), &before)
        };
        let dir = TempDir::new();
        set(&dir, &[("eth0", "1", "2"), ("eth1", "1", "0")]);
        // Not even root can read what is no file.
        fs::create_dir_all(dir.path().join(accept_ra("eth2"))).unwrap();
        undo(settings(&dir), "gone0").unwrap();
        undo(settings(&dir), "eth2").unwrap_err();
        undo(settings(&TempDir::new()), "eth0").unwrap_err();
        undo(settings(&dir), "eth0").unwrap();
        undo(settings(&dir), "eth1").unwrap();
        let held = |interface| settings(&dir).held(&accept_ra(interface)).unwrap();
        assert_eq!(held("eth0").as_deref(), Some("1"));
        // Changed after us.
        assert_eq!(held("eth1").as_deref(), Some("0"));
    }

    #[test]
    fn forwarding_is_put_back_for_each_interface_unless_somebody_has_changed_it() {
        for (all, expected) in [("1", ["0", "1", "0"]), ("2", ["2", "1", "1"])] {
            let dir = TempDir::new();
            set(
                &dir,
                &[("all", "0", "1"), ("eth0", "1", "1"), ("eth1", "0", "1")],
            );
            let before = settings(&dir).before(&Item::Forwarding, None).unwrap();
            let Some(Before::Settings(before)) = before else {
                panic!()
            };
            set(
                &dir,
                &[("all", all, "1"), ("eth0", "1", "1"), ("eth1", "1", "1")],
            );
            settings(&dir).undo(&Item::Forwarding, &before).unwrap();
            let held = |interface| settings(&dir).held(&forwarding_of(interface)).unwrap();
            let held = ["all", "eth0", "eth1"].map(|one| held(one).unwrap());
            assert_eq!(held, expected);
        }
    }
}
