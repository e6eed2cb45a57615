//! Whether the NATs of a lab that was just built do what their kinds promise: believed only once it was seen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{FabricError, Lab, Node, Result};
use crate::plan::Passage;

/// How long one datagram may take. It takes a millisecond where it arrives at all.
const LIMIT: Duration = Duration::from_secs(2);

/// Inner port of the first probe; each has its own, since two hosts with the same port are another matter to a NAT.
/// Below the range for outgoing connections, above what services use.
const FIRST_PORT: u16 = 20_000;

/// What a stranger sends, and what an endpoint that was sent to answers.
const STRAY: &[u8] = b"stray";
const ANSWER: &[u8] = b"answer";

/// Tries every passage of the plan.
pub(super) async fn passages(lab: &Lab) -> Result<()> {
    let probes = (FIRST_PORT..)
        .zip(&lab.plan.passages)
        .map(|(port, passage)| probe(lab, passage, port));
    try_join_all(probes).await.map(drop)
}

async fn probe(lab: &Lab, passage: &Passage, port: u16) -> Result<()> {
    let (inside, server) = (lab.node(&passage.from)?, lab.node(&passage.to)?);
    let Passage {
        address,
        seen_as,
        promise,
        ..
    } = passage;
    let differs = |reason: String| FabricError::Node {
        node: passage.from.clone(),
        what: format!("pass the NAT to {} as {seen_as}", passage.to),
        reason,
    };
    let host = socket(inside, Ipv4Addr::UNSPECIFIED, port).await?;
    let (first, second, stranger) = (
        socket(server, *address, 0).await?,
        socket(server, *address, 0).await?,
        socket(server, *address, 0).await?,
    );
    let mut seen = Vec::new();
    for peer in [&first, &second] {
        let to = peer
            .local_addr()
            .map_err(|error| differs(error.to_string()))?;
        host.send_to(b"hello", to)
            .await
            .map_err(|error| differs(error.to_string()))?;
        let (source, _) = hear(peer)
            .await
            .map_err(|reason| differs(format!("from the inside {reason}")))?;
        seen.push(source);
    }
    let (Some(mapped), Some(other)) = (seen.first(), seen.last()) else {
        return Ok(());
    };
    if mapped.ip() != IpAddr::V4(*seen_as) {
        return Err(differs(format!("the server saw {mapped}")));
    }
    if (mapped.port() == port) != promise.preserves_ports {
        return Err(differs(format!("port {port} became {}", mapped.port())));
    }
    if (mapped == other) != promise.endpoint_independent {
        return Err(differs(format!(
            "one socket was {mapped} to one peer and {other} to another"
        )));
    }
    // The stray one is sent first and would arrive first, so that nobody has to wait for what does not come.
    for (peer, words) in [(&stranger, STRAY), (&first, ANSWER)] {
        peer.send_to(words, mapped)
            .await
            .map_err(|error| differs(error.to_string()))?;
    }
    let (_, words) = hear(&host)
        .await
        .map_err(|reason| differs(format!("from the outside {reason}")))?;
    if (words == ANSWER) == promise.filters_by_port {
        return Ok(());
    }
    Err(differs(format!(
        "a stranger was {}",
        if promise.filters_by_port {
            "let in"
        } else {
            "kept out"
        }
    )))
}

/// A socket of the node's, for use here.
pub(crate) async fn socket(
    node: &Node,
    address: impl Into<IpAddr>,
    port: u16,
) -> Result<UdpSocket> {
    let address = address.into();
    let opened = node.run(move || {
        Box::pin(async move {
            let socket = std::net::UdpSocket::bind((address, port))?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        })
    });
    opened
        .await?
        .and_then(UdpSocket::from_std)
        .map_err(|error| FabricError::Node {
            node: node.name().to_owned(),
            what: format!("open a socket on {address}"),
            reason: error.to_string(),
        })
}

async fn hear(socket: &UdpSocket) -> Result<(SocketAddr, Vec<u8>), String> {
    let mut buffer = [0; 16];
    match timeout(LIMIT, socket.recv_from(&mut buffer)).await {
        Ok(Ok((len, source))) => Ok((source, buffer.get(..len).unwrap_or_default().to_vec())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("nothing arrived within {} s", LIMIT.as_secs())),
    }
}
