//! Debian's radvd, which advertised prefixes before daemons did.

use super::unpacked::{LIBRARY_PATH, Unpacked};
use super::{ActorError, Result};
use crate::fabric::{CommandSpec, Node, Process};
use crate::plan::Site;

/// Its program within the unpacked peer.
const PROGRAM: &str = "usr/sbin/radvd";

/// Its configuration in a node.
const CONFIGURATION: &str = "/etc/radvd.conf";

/// Starts radvd on a Pi for all its links, with the few lines that everybody writes.
///
/// # Errors
/// When it is not there or cannot be started.
pub async fn radvd(node: &Node, site: &Site) -> Result<Process> {
    let unpacked = Unpacked::locate("radvd", PROGRAM).map_err(|looked| ActorError::Missing {
        product: "radvd".to_owned(),
        searched: format!("looked for {}", looked.display()),
        remedy: "unpack it with `./prepare`",
    })?;
    unpacked.install(node, &[PROGRAM]).await?;
    let links = site.links.iter().map(|link| {
        format!(
            "interface {} {{\n  AdvSendAdvert on;\n  prefix {} {{ }};\n}};\n",
            link.interface, link.prefix
        )
    });
    let text: String = links.collect();
    node.write_file(CONFIGURATION, text, 0o644).await?;
    let (variable, folder) = LIBRARY_PATH;
    let command = CommandSpec::new("radvd")
        .args([
            "-n",
            "-C",
            CONFIGURATION,
            "-p",
            "/run/radvd.pid",
            "-m",
            "stderr",
        ])
        .env(variable, folder)
        .log_to(node.var_log().join("radvd.log"));
    Ok(node.spawn(command).await?)
}
