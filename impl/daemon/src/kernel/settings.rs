//! Files below `/proc/sys/net`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use v6router_core::router::wish::Item;

use super::journal::Before;

/// Where they are.
const ROOT: &str = "/proc/sys/net";
/// What has a setting of its own for each interface, and two for all.
const INTERFACES: &str = "ipv6/conf";
/// Passing packets on.
const FORWARDING: &str = "forwarding";
/// Writing here writes to every interface.
const OF_ALL: &str = "ipv6/conf/all/forwarding";

/// How things stand before `item` is put in force; `None` if it is not to be.
pub(super) fn before(item: &Item) -> io::Result<Option<Before>> {
    match item {
        Item::Setting {
            key, instead_of, ..
        } => {
            let value = read(key)?;
            let replaces = instead_of.as_ref().is_none_or(|it| *it == value);
            Ok(replaces.then(|| Before::Settings(BTreeMap::from([(key.clone(), value)]))))
        }
        Item::Forwarding => forwarding().map(|all| Some(Before::Settings(all))),
        _ => Ok(Some(Before::Absent)),
    }
}

/// Whether a setting is as wished.
pub(super) fn has(item: &Item) -> bool {
    match item {
        Item::Setting { key, value, .. } => read(key).is_ok_and(|found| found == *value),
        Item::Forwarding => read(OF_ALL).is_ok_and(|found| found == "1"),
        _ => false,
    }
}

pub(super) fn put_in_force(item: &Item) -> io::Result<()> {
    match item {
        Item::Setting { key, value, .. } => write(key, value),
        _ => write(OF_ALL, "1"),
    }
}

/// Puts settings back, unless somebody has changed them after us.
pub(super) fn undo(item: &Item, before: &BTreeMap<String, String>) -> io::Result<()> {
    if !has(item) {
        return Ok(());
    }
    // That of all first, since it changes the others.
    if let Some(value) = before.get(OF_ALL) {
        write(OF_ALL, value)?;
    }
    for (key, value) in before {
        match read(key) {
            Ok(found) if found != *value => write(key, value)?,
            // An interface may be gone.
            _ => {}
        }
    }
    Ok(())
}

/// Of every interface, and of all.
fn forwarding() -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(Path::new(ROOT).join(INTERFACES))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let key = format!("{INTERFACES}/{name}/{FORWARDING}");
        if let Ok(value) = read(&key) {
            found.insert(key, value);
        }
    }
    Ok(found)
}

fn path(key: &str) -> PathBuf {
    Path::new(ROOT).join(key)
}

fn read(key: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path(key))?.trim_end().to_owned())
}

fn write(key: &str, value: &str) -> io::Result<()> {
    fs::write(path(key), value)
}
