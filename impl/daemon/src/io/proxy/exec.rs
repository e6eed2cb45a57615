//! `Proxy = exec`: a command whose standard input and output are the connection.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;

use tokio::net::UnixStream;
use tokio::process::Command;
use tracing::{debug, info};
use v6router_core::name::NodeName;

use super::Target;

/// What the command is told besides where to connect to.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Our own name.
    pub(crate) name: NodeName,
    /// Empty if the network has none.
    pub(crate) netname: String,
}

/// Starts the command for a connection to `node` at `target`; it ends when the connection does,
/// since it then reads the end of its input.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn run(
    command: &str,
    node: &NodeName,
    target: &Target,
    surroundings: &Surroundings,
) -> io::Result<UnixStream> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (address, port) = match target {
        Target::Address(address) => (address.ip().to_string(), address.port()),
        Target::Name(name, port) => (name.clone(), *port),
    };
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .env("NAME", surroundings.name.as_str())
        .env("NETNAME", &surroundings.netname)
        .env("NODE", node.as_str())
        .env("REMOTEADDRESS", address)
        .env("REMOTEPORT", port.to_string())
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .process_group(0)
        .spawn()?;
    let node = node.clone();
    tokio::spawn(async move {
        match child.wait().await {
            Ok(status) if status.success() => debug!("The proxy command for {node} has ended"),
            Ok(status) => info!("The proxy command for {node} failed: {status}"),
            Err(error) => debug!("The proxy command for {node} is lost: {error}"),
        }
    });
    UnixStream::from_std(ours)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::tests::{named, v4};
    use super::*;

    #[tokio::test]
    async fn the_command_is_the_connection_and_knows_where_it_leads() {
        let surroundings = Surroundings {
            name: "node_one".parse().unwrap(),
            netname: "vpn".into(),
        };
        let node = "node_two".parse().unwrap();
        let command = "echo $NAME $NETNAME $NODE $REMOTEADDRESS $REMOTEPORT; exec cat";
        for (target, place) in [(v4(), "192.0.2.7 655"), (named(), "pi.example 655")] {
            let mut stream = run(command, &node, &target, &surroundings).unwrap();
            stream.write_all(b"echo").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut got = String::new();
            stream.read_to_string(&mut got).await.unwrap();
            assert_eq!(got, format!("node_one vpn node_two {place}\necho"));
        }
    }
}
