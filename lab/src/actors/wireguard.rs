//! wireguard-go, the tunnel of another protocol that ours is measured beside. Nothing of it is installed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::unpacked::{LIBRARY_PATH, Unpacked};
use super::{ActorError, Result};
use crate::fabric::{CommandSpec, ExecOutput, FabricError, Node, Process};
use crate::plan::Net;

/// The peer's name, and its programs within it.
const PEER: &str = "wireguard";
const DAEMON: &str = "usr/bin/wireguard-go";
const COMMAND: &str = "usr/bin/wg";

/// Its interface, its private key and its control socket, in a node.
const INTERFACE: &str = "wg0";
const KEY: &str = "/etc/wireguard/key";
const SOCKET: &str = "/run/wireguard/wg0.sock";

/// The port it listens on: WireGuard's usual one.
const PORT: u16 = 51820;

/// How long the daemon may take until it can be told what to do, and how often that is looked at.
const READY_LIMIT: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(1);

/// An unpacked wireguard-go with the command that configures it.
#[derive(Debug, Clone)]
pub struct WireGuard(Unpacked);

/// One end of a tunnel: who it is, and where its peer is.
#[derive(Debug, Clone)]
pub struct WireGuardEnd {
    /// Its address in the tunnel, with the length of the network there.
    pub address: Net,
    /// The peer's public key, as `wg` prints it.
    pub peer: String,
    /// The peer's address in the tunnel.
    pub allowed: Ipv6Addr,
    /// The peer's address outside, if this end is the one that begins.
    pub endpoint: Option<IpAddr>,
}

impl WireGuard {
    /// Looks for it in the directory cargo builds into.
    ///
    /// # Errors
    /// [`ActorError::Missing`]: where it was looked for, and how to get it.
    pub fn locate() -> Result<Self> {
        let found = Unpacked::locate(PEER, DAEMON);
        let found = found.map_err(|looked| ActorError::Missing {
            product: "wireguard-go".to_owned(),
            searched: format!("looked for {}", looked.display()),
            remedy: "unpack it with `./prepare`",
        });
        found.map(Self)
    }

    /// Puts daemon and command into a node and makes its key; the public one, as `wg` prints it.
    ///
    /// # Errors
    /// What the node or `wg` said.
    pub async fn install(&self, node: &Node) -> Result<String> {
        self.0.install(node, &[DAEMON, COMMAND]).await?;
        node.write_file(KEY, "", 0o600).await?;
        let make = format!("wg genkey > {KEY} && wg pubkey < {KEY}");
        let made = run(node, &make).await?;
        Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
    }

    /// Starts the daemon and, as soon as it listens, tells it who it is and who its peer.
    ///
    /// # Errors
    /// When it cannot be started, does not listen in time or `wg` and `ip` are refused.
    pub async fn start(&self, node: &Node, end: &WireGuardEnd) -> Result<Process> {
        let log = node.var_log().join("wireguard-go.log");
        let (variable, folder) = LIBRARY_PATH;
        let command = CommandSpec::new("wireguard-go")
            .args(["-f", INTERFACE])
            .env(variable, folder)
            .log_to(log);
        let process = node.spawn(command).await?;
        let deadline = Instant::now() + READY_LIMIT;
        while !listens(node).await? {
            if process.status().is_some() || Instant::now() > deadline {
                return Err(ActorError::Silent {
                    node: node.name().to_owned(),
                    wanted: SOCKET.to_owned(),
                    seconds: READY_LIMIT.as_secs_f64(),
                    instead: "its control socket is not there".to_owned(),
                });
            }
            sleep(GLANCE).await;
        }
        run(node, &end.script()).await?;
        Ok(process)
    }
}

impl WireGuardEnd {
    /// What configures it, for a shell.
    fn script(&self) -> String {
        let Self {
            address,
            peer,
            allowed,
            endpoint,
        } = self;
        let endpoint = endpoint.map_or(String::new(), |outside| {
            format!(" endpoint {}", SocketAddr::new(outside, PORT))
        });
        format!(
            "wg set {INTERFACE} listen-port {PORT} private-key {KEY} peer {peer} allowed-ips {allowed}/128{endpoint} \
             && ip link set {INTERFACE} up && ip -6 addr add {address} dev {INTERFACE} nodad"
        )
    }
}

/// Whether the daemon's control socket is there.
async fn listens(node: &Node) -> Result<bool> {
    let there = node.run(|| Box::pin(async { std::path::Path::new(SOCKET).exists() }));
    Ok(there.await?)
}

/// Runs a line of shell, which must end well.
async fn run(node: &Node, line: &str) -> Result<ExecOutput> {
    let output = node.exec(&["sh", "-c", line]).await?;
    if output.status.success() {
        return Ok(output);
    }
    Err(ActorError::Node(FabricError::Node {
        node: node.name().to_owned(),
        what: line.to_owned(),
        reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(endpoint: Option<IpAddr>) -> WireGuardEnd {
        WireGuardEnd {
            address: "2001:db8::1/64".parse().unwrap(),
            peer: "KEY=".to_owned(),
            allowed: "2001:db8::2".parse().unwrap(),
            endpoint,
        }
    }

    #[test]
    fn only_who_begins_is_told_where_the_other_is() {
        let begins = end(Some("198.51.100.11".parse().unwrap())).script();
        assert!(
            begins.contains(" allowed-ips 2001:db8::2/128 endpoint 198.51.100.11:51820 "),
            "{begins}"
        );
        assert!(!end(None).script().contains("endpoint"));
    }
}
