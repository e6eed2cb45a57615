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
    for key in &place.stray_keys {
        let dir = key.parent().unwrap_or(key);
        found.error(
            Code::StrayDirectory,
            At::file(key),
            format!("a key in {}, where there is no tinc.conf", dir.display()),
            format!("no network is set up there, so no daemon reads it; set up is {nets}"),
            "make keys with `tincd -n NET -K', where NET is the directory of tinc.conf, and remove these",
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
