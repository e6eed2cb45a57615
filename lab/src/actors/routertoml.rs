//! A machine's `router.toml`: what the scripts of the how-to did, in our daemon's own words.

use std::fmt::Write as _;

use super::Result;
use super::tincdir::Directory;
use crate::fabric::{FabricError, Node};
use crate::plan::{Overlay, Site};
use crate::radio;

/// Exchanges the scripts of `node` for a `router.toml` that asks for the same, and for advertisements on its
/// downstream interfaces.
pub fn by_router_toml(directory: &mut Directory, overlay: &Overlay, node: &str) {
    directory.remove("tinc-up");
    directory.remove("tinc-down");
    let site = overlay.sites.iter().find(|site| site.node == node);
    let own = site.map_or(overlay.address, |site| site.address);
    let mut text = format!("address = \"{own}/{}\"\n", overlay.network.len);
    match site {
        Some(site) => {
            let _ = writeln!(text, "gateway = \"{}\"", overlay.address);
            let whole = site.links.iter().any(|link| link.prefix == site.prefix);
            if !whole {
                let _ = writeln!(text, "prefix = \"{}\"", site.prefix);
            }
            for link in &site.links {
                let _ = write!(
                    text,
                    "\n[[advertise]]\ninterface = \"{}\"\n",
                    link.interface
                );
                if whole {
                    let _ = writeln!(text, "prefix = \"{}\"", link.prefix);
                }
            }
        }
        None => {
            let _ = writeln!(text, "pool = \"{}\"", overlay.pool);
            for site in &overlay.sites {
                let _ = write!(
                    text,
                    "\n[[site]]\nnode = \"{}\"\nvia = \"{}\"\nprefix = \"{}\"\n",
                    site.node, site.address, site.prefix
                );
            }
        }
    }
    directory.add("router.toml", text, 0o644);
}

/// Takes from a Pi the addresses on its downstream interfaces that the plan gave it, so that the daemon is the one to have
/// put them there. A radio's interface has none yet.
///
/// # Errors
/// What `ip` said.
pub async fn leave_addresses(node: &Node, site: &Site) -> Result<()> {
    for link in site
        .links
        .iter()
        .filter(|link| link.interface != radio::INTERFACE)
    {
        let address = format!("{}/{}", link.gateway, link.prefix.len);
        let words = [
            "ip",
            "-6",
            "address",
            "del",
            &address,
            "dev",
            &link.interface,
        ];
        let output = node.exec(&words).await?;
        if !output.status.success() {
            let error = FabricError::Node {
                node: node.name().to_owned(),
                what: words.join(" "),
                reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            };
            return Err(error.into());
        }
    }
    Ok(())
}
