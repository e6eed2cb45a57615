//! What stands in a machine's tinc directory: the configuration of the how-to, mended.

use std::fmt::Write as _;

use super::{ActorError, KeyPair, Product, Result};
use crate::plan::{Overlay, Plan};

/// Name of the tinc network, of its directory and of its interface.
pub const NETNAME: &str = "v6router";

/// Where, in a node, every script leaves a line, once asked to by [`note_every_script`].
pub const NOTES: &str = "/run/scripts.notes";

/// A file for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute path in the node.
    pub path: String,
    /// Its contents.
    pub text: String,
    /// Its permission bits.
    pub mode: u32,
}

/// One machine's tinc directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The files to be written.
    pub files: Vec<File>,
}

impl Directory {
    /// The file of that name below the directory.
    pub fn file_mut(&mut self, name: &str) -> Option<&mut File> {
        let path = path(name);
        self.files.iter_mut().find(|file| file.path == path)
    }

    /// Takes a file out.
    pub fn remove(&mut self, name: &str) {
        let path = path(name);
        self.files.retain(|file| file.path != path);
    }

    pub(super) fn add(&mut self, name: &str, text: String, mode: u32) {
        self.files.push(File {
            path: path(name),
            text,
            mode,
        });
    }
}

/// Absolute path, in a node, of a file in the tinc directory.
pub fn path(name: &str) -> String {
    format!("/etc/tinc/{NETNAME}/{name}")
}

/// The directory of `node`, which runs `product`; `keys` are those of all machines of the overlay, by name.
///
/// # Errors
/// [`ActorError::NoPlace`] when the overlay does not know the machine, or its keys are not among `keys`.
pub fn directory(
    plan: &Plan,
    node: &str,
    product: Product,
    keys: &[(String, KeyPair)],
) -> Result<Directory> {
    let no_place = || ActorError::NoPlace {
        node: node.to_owned(),
    };
    let overlay = plan.overlay.as_ref().ok_or_else(no_place)?;
    let site = overlay.sites.iter().find(|site| site.node == node);
    let is_server = overlay.server == node;
    let (_, own) = keys
        .iter()
        .find(|(name, _)| name == node)
        .ok_or_else(no_place)?;
    let mut directory = Directory { files: Vec::new() };
    let dials = if is_server {
        String::new()
    } else {
        format!("ConnectTo = {}\n", overlay.server)
    };
    let legacy = product.legacy();
    directory.add(
        "tinc.conf",
        format!("Name = {node}\nMode = switch\nInterface = {NETNAME}\n{legacy}{dials}"),
        0o644,
    );
    directory.add("rsa_key.priv", own.private.clone(), 0o600);
    for (name, pair) in keys {
        // The server knows every Pi; a Pi knows the server.
        if name == node || is_server || *name == overlay.server {
            let address = server_address(plan, overlay, name);
            directory.add(
                &format!("hosts/{name}"),
                format!("{address}{}", pair.public),
                0o644,
            );
        }
    }
    let (up, down) = match site {
        Some(site) => pi_scripts(overlay, &site.address.to_string()),
        None if is_server => server_scripts(overlay),
        None => return Err(no_place()),
    };
    directory.add(
        "tinc-up",
        format!("#!/bin/sh\n{}{up}", steady_mac(product, overlay, node)),
        0o755,
    );
    directory.add("tinc-down", format!("#!/bin/sh\n{down}"), 0o755);
    Ok(directory)
}

/// The line by which Pis find the server: its public IPv4 address, since no venue has IPv6.
fn server_address(plan: &Plan, overlay: &Overlay, name: &str) -> String {
    let addresses = plan
        .node(name)
        .filter(|_| name == overlay.server)
        .map(|node| &node.interfaces);
    addresses
        .into_iter()
        .flatten()
        .flat_map(|interface| &interface.addresses)
        .find(|address| address.net.is_ipv4())
        .map(|address| format!("Address = {}\n", address.net.addr))
        .unwrap_or_default()
}

/// tincd takes a new random hardware address at every start, and the neighbours go on sending to the old one for up to
/// a minute; so whoever wants a restarted tincd back soon fixes the address. v6router keeps its own.
fn steady_mac(product: Product, overlay: &Overlay, node: &str) -> String {
    let place = overlay
        .sites
        .iter()
        .position(|site| site.node == node)
        .map_or(0, |n| n + 1);
    match product {
        Product::Tincd | Product::Tinc11 => {
            format!("ip link set dev $INTERFACE address 02:76:36:00:00:{place:02x}\n")
        }
        Product::V6router => String::new(),
    }
}

/// Keeps what was before the first start, not what a daemon that was killed left behind.
pub(super) const FORWARD: &str = "test -e /run/forwarding.before || cat /proc/sys/net/ipv6/conf/all/forwarding > /run/forwarding.before
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
";

pub(super) const FORWARD_AS_BEFORE: &str =
    "cat /run/forwarding.before > /proc/sys/net/ipv6/conf/all/forwarding
rm /run/forwarding.before
";

fn server_scripts(overlay: &Overlay) -> (String, String) {
    let mut up = format!(
        "ip link set $INTERFACE up\nip -6 addr add {}/{} dev $INTERFACE\n",
        overlay.address, overlay.network.len
    );
    for site in &overlay.sites {
        let _ = writeln!(up, "ip -6 route add {} via {}", site.prefix, site.address);
    }
    // `replace`, since a route without an interface outlives a daemon that was killed.
    let _ = writeln!(up, "ip -6 route replace unreachable {}", overlay.pool);
    let down = format!(
        "{FORWARD_AS_BEFORE}ip -6 route del unreachable {}\nip link set $INTERFACE down\n",
        overlay.pool
    );
    (up + FORWARD, down)
}

/// Forwarding first: the kernel gives up the default routes that it has from a venue's advertisements when it becomes a
/// router, and beside one of those it takes no other.
fn pi_scripts(overlay: &Overlay, address: &str) -> (String, String) {
    let up = format!(
        "{FORWARD}ip link set $INTERFACE up\nip -6 addr add {address}/{} dev $INTERFACE\nip -6 route add default via {}\n",
        overlay.network.len, overlay.address
    );
    let down = format!(
        "{FORWARD_AS_BEFORE}ip -6 route del default via {}\nip link set $INTERFACE down\n",
        overlay.address
    );
    (up, down)
}

/// Makes every script of the directory say in [`NOTES`] that it ran, and for whom.
pub fn note_every_script(directory: &mut Directory) {
    for name in ["tinc-up", "tinc-down"] {
        if let Some(file) = directory.file_mut(name) {
            file.text = file
                .text
                .replacen('\n', &format!("\necho {name} >> {NOTES}\n"), 1);
        }
    }
    let hosts: Vec<String> = directory
        .files
        .iter()
        .filter_map(|file| {
            file.path
                .strip_prefix(path("hosts/").as_str())
                .map(str::to_owned)
        })
        .collect();
    for change in ["up", "down"] {
        let note = |what: &str| format!("#!/bin/sh\necho {what} >> {NOTES}\n");
        directory.add(
            &format!("host-{change}"),
            note(&format!("host-{change} $NODE")),
            0o755,
        );
        directory.add(
            &format!("subnet-{change}"),
            note(&format!("subnet-{change} $NODE")),
            0o755,
        );
        for host in &hosts {
            directory.add(
                &format!("hosts/{host}-{change}"),
                note(&format!("hosts/{host}-{change}")),
                0o755,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Scenario;

    fn how_to() -> Plan {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/how-to.toml");
        Plan::new(&Scenario::load(&path).unwrap())
    }

    fn keys() -> Vec<(String, KeyPair)> {
        let pair = |name: &str| KeyPair {
            private: format!("PRIVATE {name}\n"),
            public: format!("PUBLIC {name}\n"),
        };
        ["v6router", "node_one"]
            .map(|name| (name.to_owned(), pair(name)))
            .to_vec()
    }

    fn text<'a>(directory: &'a Directory, name: &str) -> &'a str {
        let wanted = path(name);
        &directory
            .files
            .iter()
            .find(|file| file.path == wanted)
            .unwrap()
            .text
    }

    #[test]
    fn the_pi_dials_the_servers_public_address_and_keeps_its_key_to_itself() {
        let pi = directory(&how_to(), "node_one", Product::V6router, &keys()).unwrap();
        assert!(text(&pi, "tinc.conf").contains("ConnectTo = v6router\n"));
        assert_eq!(
            text(&pi, "hosts/v6router"),
            "Address = 198.51.100.10\nPUBLIC v6router\n"
        );
        assert_eq!(text(&pi, "hosts/node_one"), "PUBLIC node_one\n");
        let private = pi
            .files
            .iter()
            .find(|file| file.text.contains("PRIVATE"))
            .unwrap();
        assert_eq!(
            (private.path.as_str(), private.mode),
            ("/etc/tinc/v6router/rsa_key.priv", 0o600)
        );
    }

    #[test]
    fn the_server_routes_each_site_over_the_overlay_and_refuses_the_rest() {
        let server = directory(&how_to(), "v6router", Product::V6router, &keys()).unwrap();
        let up = text(&server, "tinc-up");
        assert!(
            up.contains("ip -6 route add 2001:db8:85a3:ef11::/64 via 2001:db8:85a3:ef00::11\n"),
            "{up}"
        );
        assert!(
            up.contains("ip -6 route replace unreachable 2001:db8:85a3:ef00::/56\n"),
            "{up}"
        );
        assert!(!text(&server, "tinc.conf").contains("ConnectTo"));
    }

    #[test]
    fn only_tincd_needs_its_hardware_address_held() {
        let up = |product| {
            let directory = directory(&how_to(), "node_one", product, &keys()).unwrap();
            text(&directory, "tinc-up").to_owned()
        };
        assert!(up(Product::Tincd).contains("address 02:76:36:00:00:01"));
        assert!(!up(Product::V6router).contains("address 02"));
    }

    #[test]
    fn whoever_has_no_place_in_the_overlay_is_named() {
        let error = directory(&how_to(), "www", Product::V6router, &keys()).unwrap_err();
        assert!(error.to_string().contains("www"), "{error}");
    }

    #[test]
    fn every_script_notes_that_it_ran() {
        let mut pi = directory(&how_to(), "node_one", Product::V6router, &keys()).unwrap();
        note_every_script(&mut pi);
        assert!(text(&pi, "tinc-up").starts_with("#!/bin/sh\necho tinc-up >> /run/"));
        assert!(text(&pi, "subnet-down").contains("subnet-down $NODE"));
        assert!(text(&pi, "hosts/v6router-up").contains("hosts/v6router-up"));
    }
}
