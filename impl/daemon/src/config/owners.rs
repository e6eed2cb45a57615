//! Who owns which subnet by the files, for `StrictSubnets` and `TunnelServer`.

use v6router_core::name::NodeName;
use v6router_core::node::Trust;
use v6router_core::subnet::Subnet;

use super::layout::Layout;
use super::set::ConfigSet;
use super::syntax::Override;
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

/// The `Subnet` lines of all host files, ours among them, and those of `own` in the server's
/// set; with one line for everything that is wrong and was skipped for it.
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
    for name in names(layout) {
        match ConfigSet::host(layout, &name, overrides) {
            Ok(host) => take(&name, &host),
            Err(error) => unreadable.push(Complaint::Owner(error)),
        }
    }
    complaints.extend(unreadable);
    (owners, complaints)
}

/// The nodes that have a host file, in order; scripts beside them have names that no node has.
fn names(layout: &Layout) -> Vec<NodeName> {
    let entries = std::fs::read_dir(layout.hosts()).into_iter().flatten();
    let mut names: Vec<NodeName> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
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
        dir.write("hosts/eve", "Subnet\n");
        dir.write("hosts/me", "Subnet = 10.3.0.0/16\n");
        let set = ConfigSet::from_text("Subnet = 10.1.0.0/16\n");
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
                "bob 10.2.0.0/16#10",
                "me 10.3.0.0/16#10"
            ]
        );
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        let said: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        assert!(said[0].contains("bob line 2"), "{said:?}");
        assert!(said[1].contains("eve"), "{said:?}");
    }
}
