//! Making a TCP connection to a node: its addresses in order, names looked up on the way.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};
use tracing::{debug, info};
use v6router_core::name::NodeName;

use super::listen::port_number;
use crate::config::{Address, Family, describe};

/// `IPTOS_LOWDELAY` (RFC 1349), as tincd marks its meta connections.
const LOW_DELAY: u32 = 0x10;

/// How outgoing connections are made.
#[derive(Debug, Clone)]
pub(crate) struct DialSetup {
    pub(crate) family: Family,
    /// `BindToInterface`.
    pub(crate) interface: Option<String>,
    /// The only listening address of a family, from which its connections start.
    pub(crate) sources: Vec<IpAddr>,
    /// For each address.
    pub(crate) timeout: Duration,
}

/// A connection that stands.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
}

/// Tries the addresses of `node` in order. Those in `doubtful` come last, in their order there:
/// something answered lately that did not prove to be the node, such as a captive portal.
pub(crate) async fn dial(
    node: &NodeName,
    addresses: &[Address],
    doubtful: &[SocketAddr],
    setup: &DialSetup,
) -> Option<Dialled> {
    let mut found_doubtful = Vec::new();
    for address in addresses {
        for peer in look_up(node, address, setup.family).await {
            if doubtful.contains(&peer) {
                found_doubtful.push(peer);
            } else if let Some(dialled) = attempt(node, peer, setup).await {
                return Some(dialled);
            }
        }
    }
    for peer in doubtful.iter().filter(|peer| found_doubtful.contains(peer)) {
        if let Some(dialled) = attempt(node, *peer, setup).await {
            return Some(dialled);
        }
    }
    None
}

async fn look_up(node: &NodeName, address: &Address, family: Family) -> Vec<SocketAddr> {
    let Address { host, port } = address;
    let Some(number) = port_number(port) else {
        info!("Cannot reach {node}: port {port} is no service of /etc/services");
        return Vec::new();
    };
    match tokio::net::lookup_host((host.as_str(), number)).await {
        Ok(found) => found.filter(|found| family.takes(found)).collect(),
        Err(error) => {
            info!("Cannot reach {node}: looking up {host} failed: {error}");
            Vec::new()
        }
    }
}

async fn attempt(node: &NodeName, peer: SocketAddr, setup: &DialSetup) -> Option<Dialled> {
    debug!(
        "Trying to connect to {node} ({} port {})",
        peer.ip(),
        peer.port()
    );
    let connected = match tokio::time::timeout(setup.timeout, connect(peer, setup)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    match connected {
        Ok(stream) => Some(Dialled { stream, peer }),
        Err(error) => {
            info!(
                "Cannot reach {node} at {} port {}: {}",
                peer.ip(),
                peer.port(),
                describe(&error)
            );
            None
        }
    }
}

async fn connect(peer: SocketAddr, setup: &DialSetup) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(setup.interface.as_deref().map(str::as_bytes))?;
    let source = setup
        .sources
        .iter()
        .find(|ip| ip.is_ipv4() == peer.is_ipv4());
    if let Some(ip) = source.filter(|ip| !ip.is_unspecified()) {
        socket.bind(&SocketAddr::new(*ip, 0).into())?;
    }
    prefer_speed(&socket, peer.is_ipv4())?;
    TcpSocket::from_std_stream(socket.into())
        .connect(peer)
        .await
}

/// No delay in our kernel, and as little as others grant.
pub(crate) fn prefer_speed(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if is_ipv4 {
        socket.set_tos_v4(LOW_DELAY)
    } else {
        socket.set_tclass_v6(LOW_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn setup() -> DialSetup {
        DialSetup {
            family: Family::Any,
            interface: None,
            sources: vec![IpAddr::from([127, 0, 0, 1])],
            timeout: Duration::from_secs(2),
        }
    }

    fn address(of: SocketAddr) -> Address {
        Address {
            host: of.ip().to_string(),
            port: of.port().into(),
        }
    }

    async fn dialled(addresses: &[Address], doubtful: &[SocketAddr]) -> Option<SocketAddr> {
        let node = "node_one".parse().unwrap();
        dial(&node, addresses, doubtful, &setup())
            .await
            .map(|dialled| dialled.peer)
    }

    #[tokio::test]
    async fn addresses_are_tried_in_order_and_doubtful_ones_last() {
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (one, two) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        let all = [address(closed), address(one), address(two)];
        assert_eq!(dialled(&all, &[]).await, Some(one));
        assert_eq!(dialled(&all, &[one]).await, Some(two));
        assert_eq!(dialled(&all, &[two, one]).await, Some(two));
        assert_eq!(dialled(&all[..2], &[one]).await, Some(one));
        assert_eq!(dialled(&all[..1], &[]).await, None);
    }
}
