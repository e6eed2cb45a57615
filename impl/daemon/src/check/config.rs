//! tinc.conf, the variables of all files, and router.toml.

use std::io;

use super::finding::{At, Code, Findings};
use super::network::Network;
use crate::config::{FileError, OwnNameError};

/// What of the configuration cannot be used, or does not mean what it seems to.
pub(super) fn check(network: &Network, found: &mut Findings) {
    match &network.set {
        Ok(_) => {}
        Err(error) if error.is_missing() => found.error(
            Code::NoTincConf,
            At::file(&network.tinc_conf),
            "there is no tinc.conf",
            "without it the daemon does not start",
            "write at least `Name = NAME' into it; `v6router init' makes a whole directory",
        ),
        Err(error) => {
            let why = "the daemon does not start";
            unreadable(error, At::file(&network.tinc_conf), why, found);
        }
    }
    for host in network.hosts.values() {
        if let Err(error) = &host.set {
            let why = "of one's own host file what follows is lost, of another node's all is";
            unreadable(error, At::file(&host.path), why, found);
        }
    }
    for path in &network.closed {
        found.closed(path);
    }
    name(network, found);
    let of_hosts = network
        .hosts
        .values()
        .filter_map(|host| host.wrong.as_ref());
    for bad in network.wrong.iter().chain(of_hosts) {
        let why =
            "the daemon does not start with it, or knows nothing of the node whose file it is";
        found.error(
            Code::BadValue,
            At::span(bad.at()),
            bad.what(),
            why,
            "write one that is expected",
        );
    }
    for what in &network.missing {
        let at = At::file(&network.tinc_conf);
        found.error(
            Code::BadValue,
            at,
            what,
            "the daemon does not start",
            "add it",
        );
    }
    let of_hosts = network.hosts.values().flat_map(|host| &host.doubtful);
    for value in network.doubtful.iter().chain(of_hosts) {
        let why = "the daemon takes it, but not as it may be meant";
        found.warning(
            Code::DoubtfulValue,
            At::span(value.at()),
            value.what(),
            why,
            "say what is meant, or take it out",
        );
    }
    for value in &network.without_effect {
        let why = "the line has no effect";
        found.warning(
            Code::UnknownVariable,
            At::span(value.at()),
            value.what(),
            why,
            "correct the variable, or take the line out",
        );
    }
    for error in network.router.as_ref().err().into_iter().flatten() {
        let at = match error.line {
            Some(line) => At::line(&error.file, line),
            None => At::file(&error.file),
        };
        let why = "the daemon does not start with a router.toml that is wrong";
        found.error(Code::RouterToml, at, &error.reason, why, "correct the line");
    }
}

fn unreadable(error: &FileError, file: At, why: &str, found: &mut Findings) {
    let at = match error {
        FileError::NoValue(line) => At::span(line.at()),
        FileError::Open(path, error) if error.kind() == io::ErrorKind::PermissionDenied => {
            found.closed(path);
            return;
        }
        FileError::Open(..) => file,
    };
    found.error(
        Code::Unreadable,
        at,
        error.to_string(),
        why,
        "a line is `Variable = Value'",
    );
}

fn name(network: &Network, found: &mut Findings) {
    match &network.bad_name {
        None => {}
        Some(OwnNameError::Bad(bad)) => found.error(
            Code::InvalidName,
            At::span(bad.at()),
            bad.what(),
            "the daemon ends with `Invalid name for myself'",
            "letters, digits and underscores make a name; the host file is called like it everywhere",
        ),
        Some(error @ OwnNameError::Missing(_)) => found.error(
            Code::NoName,
            At::file(&network.tinc_conf),
            error.to_string(),
            "the daemon ends",
            "write `Name = NAME' into tinc.conf",
        ),
    }
}
