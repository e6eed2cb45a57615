//! Where networks are looked for, and by whom.

use std::fs::{Permissions, remove_file, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::unistd::{Uid, setfsuid};

use super::mended;
use crate::check::{Look, NoNetwork, examine, whole};

/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

/// Codes, and files below `root`, of what an ordinary user finds. Only this thread becomes one.
fn found_by_nobody(
    root: &Path,
    net: Option<&str>,
) -> Result<Vec<(&'static str, String)>, NoNetwork> {
    let report = std::thread::scope(|threads| {
        let checked = threads.spawn(|| {
            setfsuid(Uid::from_raw(NOBODY));
            examine(root, net, Look::Files)
        });
        checked.join().unwrap()
    })?;
    let findings = report.findings().iter();
    let found = findings.map(|one| {
        let file = one.file.strip_prefix(root).unwrap();
        (one.code.name(), file.display().to_string())
    });
    Ok(found.collect())
}

#[test]
fn what_only_root_may_read_is_not_called_wrong() {
    let tree = mended();
    let root = tree.0.path().join("etc/tinc");
    let set_mode = |name: &str, mode: u32| {
        set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    };
    for open in [
        "../..",
        "..",
        ".",
        "pi",
        "pi/hosts",
        "v6router",
        "v6router/hosts",
    ] {
        set_mode(open, 0o755);
    }
    set_mode("pi/rsa_key.priv", 0);
    set_mode("v6router/rsa_key.priv", 0);
    tree.write("pi/router.toml", "address = \"nonsense\"\n");
    let found_without = |closed: &str, mode: u32| {
        set_mode(closed, 0);
        let found = found_by_nobody(&root, Some("pi")).unwrap_or_else(|error| panic!("{error}"));
        set_mode(closed, mode);
        found
    };
    let unreadable = |name: &str| ("unreadable", name.to_owned());
    let key = unreadable("pi/rsa_key.priv");
    let found = found_without("pi/router.toml", 0o644);
    assert_eq!(found, [unreadable("pi/router.toml"), key.clone()]);
    remove_file(root.join("pi/router.toml")).unwrap();
    let found = found_without("pi/tinc.conf", 0o644);
    assert_eq!(found, [key.clone(), unreadable("pi/tinc.conf")]);
    for mode in ["switch", "router"] {
        tree.change("pi/tinc.conf", "Mode = switch", &format!("Mode = {mode}"));
        for (closed, mode) in [("pi/hosts", 0o755), ("pi/hosts/node_one", 0o644)] {
            let found = found_without(closed, mode);
            assert_eq!(found, [unreadable(closed), key.clone()]);
        }
    }
    // Whether it is a network at all cannot be told then.
    set_mode("pi", 0);
    let found = found_by_nobody(&root, None).unwrap_or_else(|error| panic!("{error}"));
    let picked = found_by_nobody(&root, Some("pi"));
    set_mode("pi", 0o755);
    let other_key = unreadable("v6router/rsa_key.priv");
    assert_eq!(found, [unreadable("pi"), other_key]);
    assert!(matches!(picked, Err(NoNetwork::Unreadable { .. })));
}

#[test]
fn the_same_is_found_however_the_directory_is_spelled() {
    let tree = mended();
    let root = tree.0.path().join("etc/tinc");
    tree.write("nets.boot", "v6router\n");
    remove_file(root.join("pi/tinc.conf")).unwrap();
    for spelled in [
        "v6router",
        "v6router/",
        "v6router/hosts/..",
        "pi/../v6router",
    ] {
        let report = examine(&root.join(spelled), None, Look::Files);
        let report = report.unwrap_or_else(|error| panic!("{error}"));
        let codes = report.findings().iter().map(|one| one.code.name());
        let codes: Vec<_> = codes.collect();
        assert_eq!(codes, ["nets-boot", "stray-directory"], "{spelled}");
    }
    let here = std::env::current_dir().unwrap();
    assert_eq!(whole(Path::new("vpn")), here.join("vpn"));
    assert_eq!(whole(Path::new(".")), here);
    assert_eq!(whole(Path::new("..")), here.parent().unwrap());
}

#[test]
fn options_of_a_network_in_nets_boot_are_no_part_of_its_name() {
    let tree = mended();
    tree.0.write(
        "etc/systemd/system/multi-user.target.wants/tinc@v6router.service",
        "",
    );
    tree.write("nets.boot", "# net options\n  v6router -d2\n\npi -U tinc\n");
    tree.assert_found(&[("nets-boot", "nets.boot", Some(4))]);
    let pi = tree.0.path().join("etc/tinc/pi");
    let report = examine(&pi, None, Look::Files).unwrap_or_else(|error| panic!("{error}"));
    let fixes: Vec<_> = report.findings().iter().map(|one| &one.fix).collect();
    assert_eq!(fixes, ["systemctl enable --now tinc@pi"]);
}
