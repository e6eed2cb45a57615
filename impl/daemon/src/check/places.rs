//! Keys and lists in places where nobody looks.

use super::finding::{At, Code, Findings};
use super::place::Place;

/// What lies beside the networks.
pub(super) fn check(place: &Place, found: &mut Findings) {
    let nets = place
        .networks
        .iter()
        .map(|network| network.dir.display().to_string());
    let nets = nets.collect::<Vec<_>>().join(", ");
    for dir in &place.closed {
        found.closed(dir);
    }
    for stray in &place.strays {
        let dir = stray.parent().unwrap_or(stray);
        let is_host = dir.file_name().is_some_and(|name| name == "hosts");
        let (kind, dir) = match dir.parent().filter(|_| is_host) {
            Some(above) => ("host file", above),
            None => ("key", dir),
        };
        let fix = match is_host {
            true => "move what is needed to the network's directory, or write a tinc.conf",
            false => {
                "make keys with `tincd -n NET -K', where NET is the directory of tinc.conf, and remove these"
            }
        };
        found.error(
            Code::StrayDirectory,
            At::file(stray),
            format!("a {kind} in {}, where there is no tinc.conf", dir.display()),
            format!("no network is set up there, so no daemon reads it; set up is {nets}"),
            fix,
        );
    }
    let Some(boot) = &place.nets_boot else {
        return;
    };
    for (line, net) in boot
        .nets
        .iter()
        .filter(|(_, net)| !boot.enabled.contains(net))
    {
        found.warning(
            Code::NetsBoot,
            At::line(&boot.path, *line),
            format!("{net} is to be started by nets.boot"),
            "the init script of old reads that file; systemd's units do not, so nothing starts it",
            format!("systemctl enable --now tinc@{net}"),
        );
    }
}
