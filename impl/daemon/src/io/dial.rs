//! Making a connection to a node, by whichever of its addresses answers first, directly or
//! through a proxy.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};
use tracing::{debug, info};
use v6router_core::name::NodeName;

use super::listen::port_number;
use super::nat64::translated;
use super::proxy::{self, Surroundings, Target};
use super::race;
use super::resolve::{ResolveError, look_up};
use super::transport::Transport;
use crate::config::{Address, Family, Proxy, describe};

/// `IPTOS_LOWDELAY` (RFC 1349), as tincd marks its meta connections.
const LOW_DELAY: u32 = 0x10;
/// Longest TCP segment of a meta connection in either direction, in bytes: what fits every link
/// that may carry IPv6 (RFC 8200 section 5), so that no path is too narrow for the way out when
/// UDP fails and errors are swallowed. Ours.
pub(crate) const LONGEST_SEGMENT: u32 = 1280 - 40 - 20;

/// How outgoing connections are made.
#[derive(Debug, Clone)]
pub(crate) struct DialSetup {
    pub(crate) family: Family,
    /// `BindToInterface`.
    pub(crate) interface: Option<String>,
    /// What routing rules know the tunnel's packets by, if they do.
    pub(crate) mark: Option<u32>,
    /// The only listening address of a family, from which its connections start.
    pub(crate) sources: Vec<SocketAddr>,
    /// For each address.
    pub(crate) timeout: Duration,
    pub(crate) proxy: Option<Proxy>,
    /// What the command of `Proxy = exec` is told.
    pub(crate) surroundings: Surroundings,
}

/// A connection that stands.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) transport: Transport,
    pub(crate) target: Target,
}

/// Connects to whichever of the addresses of `node` answers first; each has a head start over
/// the one after it. Those in `doubtful` come last, in their order there: something answered
/// lately that did not prove to be the node, such as a captive portal.
pub(crate) async fn dial(
    node: &NodeName,
    addresses: &[Address],
    doubtful: &[Target],
    setup: &DialSetup,
) -> Option<Dialled> {
    let lookups = addresses
        .iter()
        .map(|address| targets(node, address, setup))
        .collect();
    race::first(
        lookups,
        |target| doubtful.iter().position(|other| other == target),
        |target| attempt(node, target, setup),
    )
    .await
}

async fn targets(node: &NodeName, address: &Address, setup: &DialSetup) -> Vec<Target> {
    match look_up(address, setup.family).await {
        // Who has a proxy leaves the way to it.
        Ok(found) if setup.proxy.is_some() => found.into_iter().map(Target::Address).collect(),
        Ok(mut found) => {
            let translated = translated(&found, setup).await;
            found.extend(translated.into_iter().filter(|at| setup.family.takes(at)));
            found.into_iter().map(Target::Address).collect()
        }
        // Where only a proxy gets out, often only the proxy can look up names.
        Err(ResolveError::Failed(host, _) | ResolveError::Slow(host))
            if setup.proxy.is_some() && Target::is_fit(&host) =>
        {
            let port = port_number(&address.port);
            port.map(|port| Target::Name(host, port))
                .into_iter()
                .collect()
        }
        Err(error) => {
            info!("Cannot reach {node}: {error}");
            Vec::new()
        }
    }
}

async fn attempt(node: &NodeName, target: Target, setup: &DialSetup) -> Option<Dialled> {
    debug!("Trying to connect to {node} ({target})");
    let connected = tokio::time::timeout(setup.timeout, connect(node, &target, setup)).await;
    match connected.unwrap_or_else(|_| Err(anyhow!("no answer in time"))) {
        Ok(transport) => Some(Dialled { transport, target }),
        Err(error) => {
            info!("Cannot reach {node} at {target}: {error:#}");
            None
        }
    }
}

async fn connect(node: &NodeName, target: &Target, setup: &DialSetup) -> anyhow::Result<Transport> {
    let tcp = match (&setup.proxy, target) {
        (Some(Proxy::Exec(command)), _) => {
            let program = proxy::run(command, node, target, &setup.surroundings)
                .context("Couldn't start the proxy command")?;
            return Ok(Transport::Program(program));
        }
        (Some(Proxy::Server { at, protocol }), _) => {
            let mut stream = connect_to_proxy(at, setup).await?;
            proxy::negotiate(&mut stream, protocol, target).await?;
            stream
        }
        (None, Target::Address(peer)) => tcp(*peer, setup)
            .await
            .map_err(|error| anyhow!(describe(&error)))?,
        (None, Target::Name(..)) => return Err(anyhow!("only a proxy connects to names")),
    };
    Ok(Transport::Tcp(tcp))
}

async fn connect_to_proxy(at: &Address, setup: &DialSetup) -> anyhow::Result<TcpStream> {
    let Address { host, port } = at;
    let found = look_up(at, Family::Any).await.context("no proxy")?;
    race::first(
        vec![std::future::ready(found)],
        |_| None,
        |peer| async move {
            let connected = tcp(peer, setup).await;
            connected
                .inspect_err(|error| info!("No proxy at {peer}: {}", describe(error)))
                .ok()
        },
    )
    .await
    .with_context(|| format!("the proxy, {host} port {port}, does not answer"))
}

async fn tcp(peer: SocketAddr, setup: &DialSetup) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(setup.interface.as_deref().map(str::as_bytes))?;
    if let Some(mark) = setup.mark {
        socket.set_mark(mark)?;
    }
    let source = setup
        .sources
        .iter()
        .find(|source| source.is_ipv4() == peer.is_ipv4());
    if let Some(source) = source.filter(|source| !source.ip().is_unspecified()) {
        socket.bind(&(*source).into())?;
    }
    prefer_speed(&socket, peer.is_ipv4())?;
    socket.set_tcp_mss(LONGEST_SEGMENT)?;
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
            mark: None,
            sources: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            timeout: Duration::from_secs(2),
            proxy: None,
            surroundings: Surroundings {
                name: "node_zero".parse().unwrap(),
                netname: String::new(),
            },
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
        let doubtful: Vec<_> = doubtful.iter().copied().map(Target::Address).collect();
        let dialled = dial(&node, addresses, &doubtful, &setup()).await?;
        match dialled.target {
            Target::Address(peer) => Some(peer),
            Target::Name(..) => panic!("a name without a proxy"),
        }
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn addresses_are_tried_in_order_and_doubtful_ones_last() {
        let (_, closed) = listener().await;
        let (_first, one) = listener().await;
        let (_second, two) = listener().await;
        let all = [address(closed), address(one), address(two)];
        assert_eq!(dialled(&all, &[]).await, Some(one));
        assert_eq!(dialled(&all, &[one]).await, Some(two));
        assert_eq!(dialled(&all, &[two, one]).await, Some(two));
        assert_eq!(dialled(&all[..2], &[one]).await, Some(one));
        assert_eq!(dialled(&all[..1], &[]).await, None);
    }

    #[tokio::test]
    async fn a_name_that_only_the_proxy_knows_is_left_to_it() {
        let node: NodeName = "node_one".parse().unwrap();
        let unknown = Address {
            host: "no-such-host.invalid".into(),
            port: 655.into(),
        };
        let mut setup = setup();
        assert_eq!(targets(&node, &unknown, &setup).await, []);
        setup.proxy = Some(Proxy::Exec("cat".into()));
        let left = Target::Name("no-such-host.invalid".into(), 655);
        assert_eq!(
            targets(&node, &unknown, &setup).await,
            std::slice::from_ref(&left)
        );
        let dialled = dial(&node, &[unknown], &[], &setup).await.unwrap();
        assert_eq!(dialled.target, left);
    }
}
