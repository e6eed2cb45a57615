//! Who owns which subnet by the files, for `StrictSubnets` and `TunnelServer`.

use v6router_core::name::NodeName;
use v6router_core::node::Trust;
use v6router_core::subnet::Subnet;

use super::layout::Layout;
use super::set::{ConfigSet, list};
use super::syntax::{FileError, Override};
use super::values::{BadValue, Complaint, Reader};

/// `StrictSubnets` and `TunnelServer`, which implies it.
pub(super) fn trust(r: &mut Reader<'_>) -> Trust {
    let strict = r.yes_no("StrictSubnets") == Some(true);
    match r.yes_no("TunnelServer") {
        Some(true) => Trust::TunnelServer,
        _ if strict => Trust::StrictSubnets,
        _ => Trust::Mesh,
    }
}

/// The `Subnet` lines of `own` in the server's set, and those of all other host files as far as
/// they can be read; with one line for everything that is wrong and was skipped for it.
pub(crate) fn owners(
    own: &NodeName,
    set: &ConfigSet,
    layout: &Layout,
    overrides: &[Override],
) -> (Vec<(NodeName, Subnet)>, Vec<Complaint>) {
    let mut owners = Vec::new();
    let mut complaints = Vec::new();
    let mut take = |name: &NodeName, set: &ConfigSet| {
        for entry in set.all("Subnet") {
            match Subnet::parse_config(&entry.value) {
                Ok(subnet) => owners.push((name.clone(), subnet)),
                Err(error) => {
                    complaints.push(BadValue::new(entry, format!("{error}; skipped")).into())
                }
            }
        }
    };
    take(own, set);
    let mut unreadable = Vec::new();
    let names = names(layout).unwrap_or_else(|error| {
        unreadable.push(error);
        Vec::new()
    });
    for name in names.iter().filter(|name| *name != own) {
        let mut host = ConfigSet::default();
        unreadable.extend(host.add_host(layout, name, overrides).err());
        take(name, &host);
    }
    complaints.extend(unreadable.into_iter().map(Complaint::Owner));
    (owners, complaints)
}

/// The nodes that have a host file, in order; scripts beside them have names that no node has.
/// A directory is nobody's file.
fn names(layout: &Layout) -> Result<Vec<NodeName>, FileError> {
    let hosts = layout.hosts();
    let files = list(&hosts).map_err(|error| FileError::Open(hosts.into(), error))?;
    let mut names: Vec<NodeName> = files
        .iter()
        .filter(|file| !file.is_dir())
        .filter_map(|file| file.file_name()?.to_str()?.parse().ok())
        .collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::server::ServerConfig;
    use super::*;
    use crate::testing::TempDir;

    fn read(text: &str) -> (Trust, Vec<BadValue>) {
        let set = ConfigSet::from_text(text);
        let mut reader = Reader::new(&set);
        (trust(&mut reader), reader.into_complaints())
    }

    #[test]
    fn a_tunnel_server_is_strict_whatever_else_is_said() {
        assert_eq!(read("").0, Trust::Mesh);
        assert_eq!(read("StrictSubnets = yes\n").0, Trust::StrictSubnets);
        let both = read("TunnelServer = yes\nStrictSubnets = no\n");
        assert_eq!(both, (Trust::TunnelServer, Vec::new()));
        assert_eq!(read("StrictSubnets = maybe\n").1.len(), 1);
    }

    #[test]
    fn every_host_file_has_its_say_and_nonsense_is_named() {
        let dir = TempDir::new();
        dir.write("hosts/bob", "Subnet = 10.2.0.0/16\nSubnet = 10.2.0.1/16\n");
        dir.write("hosts/bob-up", "#!/bin/sh\nSubnet = 10.9.0.0/16\n");
        dir.write(
            "hosts/eve",
            "Subnet = 10.4.0.0/16\nSubnet\nSubnet = 10.5.0.0/16\n",
        );
        dir.write("hosts/old/bob", "Subnet\n");
        dir.write("hosts/me", "Subnet = 10.3.0.0/16\n");
        // Ours is part of the server's set already.
        let set = ConfigSet::from_text("Subnet = 10.1.0.0/16\nSubnet = 10.3.0.0/16\n");
        let me = "me".parse().unwrap();
        let (owners, complaints) = owners(&me, &set, &dir.layout(), &[]);
        let told: Vec<_> = owners
            .iter()
            .map(|(name, subnet)| format!("{name} {subnet}"))
            .collect();
        assert_eq!(
            told,
            [
                "me 10.1.0.0/16#10",
                "me 10.3.0.0/16#10",
                "bob 10.2.0.0/16#10",
                "eve 10.4.0.0/16#10"
            ]
        );
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        let said: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        assert!(said[0].contains("bob line 2"), "{said:?}");
        assert!(said[1].contains("eve"), "{said:?}");
    }

    #[test]
    fn a_directory_of_host_files_that_cannot_be_listed_is_named() {
        let dir = TempDir::new();
        let me = "me".parse().unwrap();
        let (_, complaints) = owners(&me, &ConfigSet::default(), &dir.layout(), &[]);
        let [complaint @ Complaint::Owner(_)] = &complaints[..] else {
            panic!("{complaints:?}");
        };
        let said = complaint.to_string();
        assert!(said.contains("hosts: No such file or directory"), "{said}");
    }

    #[test]
    fn a_slip_in_a_host_file_makes_owners_doubtful_where_files_name_them() {
        let dir = TempDir::new();
        let doubts = |text: &str| {
            let set = ConfigSet::from_text(&format!("Name = me\n{text}"));
            let config = ServerConfig::read(set, &dir.layout(), &[]).unwrap();
            config.doubtful_owners().len()
        };
        for (me, bob, expected) in [
            ("", "Subnet = 10.2.0.0/16\n", 0),
            ("Cipher\n", "", 1),
            ("", "Cipher\n", 1),
            ("", "Subnet = 10.2.0.1/16\n", 1),
        ] {
            dir.write("hosts/me", me);
            dir.write("hosts/bob", bob);
            assert_eq!(doubts("TunnelServer = yes\nPortt = 1\n"), expected);
            assert_eq!(doubts(""), 0);
        }
    }
}
