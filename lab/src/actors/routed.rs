//! The how-to in router mode, which is tinc's default: no shared link, but subnets in the host files.

use std::net::Ipv4Addr;

use super::tincdir::{Directory, FORWARD, FORWARD_AS_BEFORE};
use crate::plan::Overlay;

/// IPv4 addresses inside the overlay, beside the IPv6 ones that the plan has: the server's ends in 1, those of the sites
/// in 11 and on.
const V4_NETWORK: [u8; 2] = [10, 87];

/// What the server says it leads to: the addresses of the internet (IANA, global unicast). Not everything, so that there
/// are addresses which nobody has.
const INTERNET: &str = "2000::/3";

/// Turns the directory of `node` into one for router mode.
pub fn route(directory: &mut Directory, overlay: &Overlay, node: &str) {
    if let Some(file) = directory.file_mut("tinc.conf") {
        file.text = file.text.replace("Mode = switch\n", "");
    }
    let sites = overlay.sites.iter().map(|site| &site.node);
    for name in sites.chain([&overlay.server]) {
        if let Some(file) = directory.file_mut(&format!("hosts/{name}")) {
            file.text = format!("{}{}", subnets(overlay, name), file.text);
        }
    }
    if let Some(file) = directory.file_mut("tinc-up") {
        file.text = up(overlay, node);
    }
    if let Some(file) = directory.file_mut("tinc-down") {
        file.text = format!("#!/bin/sh\n{FORWARD_AS_BEFORE}ip link set $INTERFACE down\n");
    }
}

/// The IPv4 address of a machine inside the overlay.
fn v4(overlay: &Overlay, node: &str) -> Ipv4Addr {
    let site = overlay.sites.iter().position(|site| site.node == node);
    let host = site.map_or(1, |n| u8::try_from(11 + n).unwrap_or(u8::MAX));
    let [a, b] = V4_NETWORK;
    Ipv4Addr::new(a, b, 0, host)
}

fn subnets(overlay: &Overlay, node: &str) -> String {
    let v4 = v4(overlay, node);
    match overlay.sites.iter().find(|site| site.node == node) {
        Some(site) => format!(
            "Subnet = {v4}\nSubnet = {}\nSubnet = {}\n",
            site.address, site.prefix
        ),
        None => format!(
            "Subnet = {v4}\nSubnet = {}\nSubnet = {INTERNET}\n",
            overlay.address
        ),
    }
}

fn up(overlay: &Overlay, node: &str) -> String {
    let site = overlay.sites.iter().find(|site| site.node == node);
    let address = site.map_or(overlay.address, |site| site.address);
    // Everything from a Pi; from the server what its provider routes to it.
    let beyond = match site {
        Some(_) => "default".to_owned(),
        None => overlay.pool.to_string(),
    };
    let [a, b] = V4_NETWORK;
    format!(
        "#!/bin/sh\n\
         {FORWARD}\
         ip link set $INTERFACE up\n\
         ip -6 addr add {address}/128 dev $INTERFACE\n\
         ip addr add {} dev $INTERFACE\n\
         ip -6 route add {beyond} dev $INTERFACE\n\
         ip route add {a}.{b}.0.0/16 dev $INTERFACE\n",
        v4(overlay, node)
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::actors::{File, KeyPair, Product, directory, path};
    use crate::model::Scenario;
    use crate::plan::Plan;

    fn routed(node: &str) -> Directory {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/how-to.toml");
        let plan = Plan::new(&Scenario::load(&file).unwrap());
        let pair = |name: &str| KeyPair {
            private: format!("PRIVATE {name}\n"),
            public: format!("PUBLIC {name}\n"),
        };
        let keys = ["v6router", "node_one"].map(|name| (name.to_owned(), pair(name)));
        let mut directory = directory(&plan, node, Product::Tincd, &keys).unwrap();
        route(&mut directory, plan.overlay.as_ref().unwrap(), node);
        directory
    }

    fn text<'a>(directory: &'a Directory, name: &str) -> &'a str {
        let mut files = directory.files.iter();
        let file: Option<&File> = files.find(|file| file.path == path(name));
        &file.unwrap().text
    }

    #[test]
    fn the_mode_is_left_to_its_default_and_the_subnets_are_in_the_host_files() {
        let pi = routed("node_one");
        assert!(!text(&pi, "tinc.conf").contains("Mode"));
        assert_eq!(
            text(&pi, "hosts/node_one"),
            "Subnet = 10.87.0.11\nSubnet = 2001:db8:85a3:ef00::11\nSubnet = 2001:db8:85a3:ef11::/64\n\
             PUBLIC node_one\n"
        );
        let server = text(&pi, "hosts/v6router");
        assert!(
            server.contains("Subnet = 2000::/3\nAddress = 198.51.100.10\n"),
            "{server}"
        );
    }

    #[test]
    fn routes_lead_into_the_tunnel_and_through_nobody() {
        let pi = routed("node_one");
        let up = text(&pi, "tinc-up");
        assert!(
            up.contains("ip -6 route add default dev $INTERFACE\n"),
            "{up}"
        );
        assert!(
            !up.contains("link set dev"),
            "a tun device has no hardware address: {up}"
        );
        let server = routed("v6router");
        let up = text(&server, "tinc-up");
        assert!(
            up.contains("ip -6 route add 2001:db8:85a3:ef00::/56 dev $INTERFACE\n"),
            "{up}"
        );
    }
}
