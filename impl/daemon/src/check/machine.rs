//! The machine we run on, apart from any directory: what is in force, and who listens.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{At, Code, Findings};

/// State of a listening socket (Linux, include/net/tcp_states.h).
const LISTEN: &str = "0A";
/// `0.0.0.0` as the kernel shows it.
const ANY_V4: &str = "00000000";
const FORWARDING: &str = "net.ipv6.conf.all.forwarding";

/// What was read of a machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// IPv6 packets of others are forwarded.
    pub(crate) forwards: bool,
    /// Where files say that they shall be.
    paper: Option<(PathBuf, usize)>,
    /// Interfaces that take advertisements unless they forward.
    accept_ra_is_one: Vec<(PathBuf, String)>,
    /// The table of sockets, with line and port of each that listens to all of IPv4 and has no twin for IPv6.
    ipv4_only: (PathBuf, Vec<(usize, u16)>),
}

impl Machine {
    /// Reads `/proc` and `/etc` below `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let conf = root.join("proc/sys/net/ipv6/conf");
        let forwards = |name: &str| {
            let value = fs::read_to_string(conf.join(name).join("forwarding"));
            value.is_ok_and(|value| value.trim() != "0")
        };
        let tcp = root.join("proc/net/tcp");
        let v6: BTreeSet<u16> = listeners(&root.join("proc/net/tcp6"))
            .map(|(_, _, port)| port)
            .collect();
        let v4 =
            listeners(&tcp).filter(|(_, address, port)| address == ANY_V4 && !v6.contains(port));
        let v4 = v4.map(|(line, _, port)| (line, port)).collect();
        Self {
            forwards: forwards("all"),
            paper: paper(root),
            accept_ra_is_one: accept_ra_is_one(&conf),
            ipv4_only: (tcp, v4),
        }
    }
}

/// What is wrong with the machine whatever its networks are.
pub(super) fn check(machine: &Machine, found: &mut Findings) {
    if let (false, Some((path, line))) = (machine.forwards, &machine.paper) {
        found.warning(
            Code::ForwardingOff,
            At::line(path, *line),
            "forwarding is only written down",
            "it is not in force: the file is read at the start of the machine",
            format!("sysctl -w {FORWARDING}=1, or sysctl --system"),
        );
    }
    if machine.forwards {
        for (path, interface) in &machine.accept_ra_is_one {
            found.note(
                Code::AcceptRa,
                At::file(path),
                format!("accept_ra of {interface} is 1, and forwarding is on"),
                "together they mean that the venue's router advertisements are ignored there",
                format!(
                    "echo 2 > {}, if {interface} leads to somebody else's network",
                    path.display()
                ),
            );
        }
    }
    let (table, ports) = &machine.ipv4_only;
    for (line, port) in ports {
        found.warning(
            Code::Ipv4OnlyListener,
            At::line(table, *line),
            format!("port {port} is listened to by IPv4 only"),
            "who comes by IPv6 finds it closed",
            "have the service listen to `::' as well: inetd and xinetd want tcp6 or `flags = IPv6'",
        );
    }
}

/// Line, local address and port of those who listen, from the kernel's table.
fn listeners(table: &Path) -> impl Iterator<Item = (usize, String, u16)> {
    let text = fs::read_to_string(table).unwrap_or_default();
    let found: Vec<_> = text
        .lines()
        .enumerate()
        .filter_map(|(n, line)| {
            let mut words = line.split_whitespace();
            let (address, port) = words.nth(1)?.split_once(':')?;
            let state = words.nth(1)?;
            let port = u16::from_str_radix(port, 16).ok()?;
            (state == LISTEN).then(|| (n + 1, address.to_owned(), port))
        })
        .collect();
    found.into_iter()
}

/// The first line of sysctl's files that switches forwarding on.
fn paper(root: &Path) -> Option<(PathBuf, usize)> {
    let mut files = vec![root.join("etc/sysctl.conf")];
    let more = fs::read_dir(root.join("etc/sysctl.d"))
        .into_iter()
        .flatten()
        .flatten();
    let mut more: Vec<PathBuf> = more.map(|entry| entry.path()).collect();
    more.sort();
    files.extend(more);
    files.into_iter().find_map(|path| {
        let text = fs::read_to_string(&path).ok()?;
        let line = text.lines().position(|line| {
            let (key, value) = line.split_once('=').unwrap_or_default();
            key.trim().trim_start_matches('-').replace('/', ".") == FORWARDING
                && value.trim() == "1"
        })?;
        Some((path, line + 1))
    })
}

fn accept_ra_is_one(conf: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(conf).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            Some((
                entry.path().join("accept_ra"),
                entry.file_name().into_string().ok()?,
            ))
        })
        .filter(|(_, name)| !matches!(name.as_str(), "all" | "default" | "lo"))
        .filter(|(path, _)| fs::read_to_string(path).is_ok_and(|value| value.trim() == "1"))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    const HEAD: &str = "  sl  local_address rem_address   st\n";

    fn said(dir: &TempDir) -> Vec<(Code, Option<usize>)> {
        let mut found = Findings::default();
        check(&Machine::read(dir.path()), &mut found);
        found
            .sorted()
            .iter()
            .map(|one| (one.code, one.line))
            .collect()
    }

    #[test]
    fn a_service_that_knows_only_ipv4_is_named_by_its_port() {
        let dir = TempDir::new();
        let of = |lines: &[&str]| format!("{HEAD}{}\n", lines.join("\n"));
        let any = "0: 00000000:0016 00000000:0000 0A";
        let echo = "1: 00000000:0007 00000000:0000 0A";
        let local = "2: 0100007F:0277 00000000:0000 0A";
        let connected = "3: 00000000:0050 0101A8C0:1234 01";
        dir.write("proc/net/tcp", &of(&[any, echo, local, connected]));
        dir.write(
            "proc/net/tcp6",
            &of(&[
                "0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A",
            ]),
        );
        assert_eq!(said(&dir), [(Code::Ipv4OnlyListener, Some(3))]);
    }

    #[test]
    fn forwarding_on_paper_is_told_from_forwarding_in_force() {
        let dir = TempDir::new();
        dir.write(
            "etc/sysctl.conf",
            "# net.ipv6.conf.all.forwarding=1\n\nnet.ipv6.conf.all.forwarding = 1\n",
        );
        let forwarding = "proc/sys/net/ipv6/conf/all/forwarding";
        dir.write(forwarding, "0\n");
        assert_eq!(said(&dir), [(Code::ForwardingOff, Some(3))]);
        dir.write(forwarding, "1\n");
        assert_eq!(said(&dir), []);
        dir.write("proc/sys/net/ipv6/conf/eth0/accept_ra", "1\n");
        assert_eq!(said(&dir), [(Code::AcceptRa, None)]);
        dir.write("proc/sys/net/ipv6/conf/eth0/accept_ra", "2\n");
        assert_eq!(said(&dir), []);
    }

    #[test]
    fn a_machine_that_tells_nothing_has_nothing_wrong() {
        assert_eq!(said(&TempDir::new()), []);
    }
}
