//! Listening sockets: for each address one TCP and one UDP socket on the same port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Type};
use tracing::{error, info, warn};
use v6router_core::addr::Port;
use v6router_core::constants::DEFAULT_PORT;

use super::dial::LONGEST_SEGMENT;
use super::socket::{Socket, UdpSetup};
use crate::config::{Family, Listen, describe};

/// Most addresses to listen on (tinc 1.0: 128 sockets).
const MAX_SOCKETS: usize = 128;
/// Connections that wait to be accepted; ours. Beyond it the kernel lets newcomers knock again
/// after a second, honest ones among them.
const BACKLOG: i32 = 1024;

/// The sockets of one address.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) tcp: TcpListener,
    pub(crate) udp: Socket,
    /// The address of both, with the real port.
    pub(crate) address: SocketAddr,
}

/// There is nothing to listen on.
#[derive(Debug, thiserror::Error)]
#[error("Unable to create any listening socket!{}", asked_for(.places))]
pub(crate) struct NoSocket {
    /// Where it is written what to listen on.
    places: Vec<String>,
}

fn asked_for(places: &[String]) -> String {
    match places {
        [] => String::new(),
        _ => format!(" It was asked for by {}", places.join(", ")),
    }
}

/// Opens all sockets. One that cannot be bound is logged and left out.
///
/// Names in `BindToAddress` are looked up before the daemon serves anybody, so it may block.
/// If there are `inherited` sockets, they are used and nothing else.
///
/// # Errors
/// If not one address could be bound.
pub(crate) async fn open(
    listen: &Listen,
    udp: UdpSetup,
    inherited: Vec<TcpListener>,
) -> Result<Vec<Pair>, NoSocket> {
    let interface = listen.interface.as_deref();
    let mut pairs: Vec<Pair> = Vec::new();
    let mut offers: Vec<Offer> = inherited.into_iter().map(Offer::Socket).collect();
    if offers.is_empty() {
        offers.extend(wanted(listen).await.into_iter().map(Offer::Address));
    }
    for offer in offers {
        let address = offer.address();
        if pairs.len() == MAX_SOCKETS {
            warn!("Too many listening sockets; {address} and later ones are left out");
            break;
        }
        let opened = match offer {
            Offer::Socket(tcp) => beside(tcp, address, interface, udp),
            Offer::Address(address) => {
                // Others are told one port only.
                let port = pairs.first().map_or(0, |first| first.address.port());
                any_port(address, port, |address| pair(address, interface, udp))
            }
        };
        match opened {
            Ok(pair) => {
                info!(
                    "Listening on {} port {}",
                    pair.address.ip(),
                    pair.address.port()
                );
                pairs.push(pair);
            }
            Err((protocol, error)) => error!(
                "Can't bind to {} port {}/{protocol}: {}",
                address.ip(),
                address.port(),
                describe(&error)
            ),
        }
    }
    if pairs.is_empty() {
        Err(NoSocket {
            places: listen.places.clone(),
        })
    } else {
        Ok(pairs)
    }
}

/// What a pair is made of.
enum Offer {
    /// A socket that was opened for us.
    Socket(TcpListener),
    /// An address to bind.
    Address(SocketAddr),
}

impl Offer {
    fn address(&self) -> SocketAddr {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        match self {
            Self::Socket(tcp) => tcp.local_addr().unwrap_or(nowhere),
            Self::Address(address) => *address,
        }
    }
}

/// The addresses to bind, in order, each once.
async fn wanted(listen: &Listen) -> Vec<SocketAddr> {
    let everywhere = [crate::config::BindTo {
        host: None,
        port: None,
    }];
    let bind_to = match listen.bind_to.as_slice() {
        [] => &everywhere[..],
        given => given,
    };
    let mut addresses = Vec::new();
    for bind in bind_to {
        let default = Port::from(DEFAULT_PORT);
        let port = bind
            .port
            .as_ref()
            .or(listen.port.as_ref())
            .unwrap_or(&default);
        let Some(port) = port_number(port) else {
            error!("Can't listen on port {port}: there is no such service in /etc/services");
            continue;
        };
        let found: Vec<SocketAddr> = match &bind.host {
            None => vec![
                (Ipv4Addr::UNSPECIFIED, port).into(),
                (Ipv6Addr::UNSPECIFIED, port).into(),
            ],
            Some(host) => match tokio::net::lookup_host((host.as_str(), port)).await {
                Ok(found) => found.collect(),
                Err(error) => {
                    error!("Can't listen on {host} port {port}: {error}");
                    continue;
                }
            },
        };
        for address in found {
            if listen.family.takes(&address) && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    addresses
}

impl Family {
    /// Whether an address is of this family.
    pub(crate) fn takes(self, address: &SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The number of a port that is written as a number or as a service of `/etc/services`.
pub(crate) fn port_number(port: &Port) -> Option<u16> {
    match port {
        Port::Number(number) => Some(*number),
        Port::Opaque(service) => {
            let services = std::fs::read_to_string("/etc/services").ok()?;
            service_port(&services, service)
        }
    }
}

fn service_port(services: &str, wanted: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let name = words.next()?;
        let port = words.next()?.split('/').next()?.parse().ok()?;
        (name == wanted || words.any(|alias| alias == wanted)).then_some(port)
    })
}

type Opened = Result<Pair, (&'static str, io::Error)>;

/// How often the kernel may choose a TCP port that is taken for UDP.
const CHOICES: usize = 16;

/// Opens a pair; where any port will do, `preferred` will do best.
fn any_port(address: SocketAddr, preferred: u16, open: impl Fn(SocketAddr) -> Opened) -> Opened {
    if address.port() != 0 {
        return open(address);
    }
    // With its scope, if it has one.
    let mut there = address;
    there.set_port(preferred);
    let mut opened = open(there);
    for _ in 0..CHOICES {
        if opened.is_ok() {
            break;
        }
        opened = open(address);
    }
    opened
}

fn pair(address: SocketAddr, interface: Option<&str>, setup: UdpSetup) -> Opened {
    let tcp = tcp_socket(address, interface, setup.mark).map_err(|error| ("tcp", error))?;
    // With port 0 the kernel chooses, and UDP takes the same.
    let bound = tcp.local_addr().map_err(|error| ("tcp", error))?;
    beside(tcp, bound, interface, setup)
}

/// The UDP socket that belongs to a TCP socket.
fn beside(
    tcp: TcpListener,
    address: SocketAddr,
    interface: Option<&str>,
    setup: UdpSetup,
) -> Opened {
    let udp = Socket::open(address, interface, setup).map_err(|error| ("udp", error))?;
    Ok(Pair { tcp, udp, address })
}

fn tcp_socket(
    address: SocketAddr,
    interface: Option<&str>,
    mark: Option<u32>,
) -> io::Result<TcpListener> {
    let socket = bare(address, Type::STREAM, Protocol::TCP, interface, mark)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // Connections that are accepted inherit it.
    socket.set_tcp_mss(LONGEST_SEGMENT)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

pub(super) fn bare(
    address: SocketAddr,
    kind: Type,
    protocol: Protocol,
    interface: Option<&str>,
    mark: Option<u32>,
) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind_device(interface.map(str::as_bytes))?;
    if let Some(mark) = mark {
        socket.set_mark(mark)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(port: u16, family: Family, host: Option<&str>) -> Listen {
        Listen {
            port: Some(port.into()),
            family,
            bind_to: host
                .map(|host| crate::config::BindTo {
                    host: Some(host.to_owned()),
                    port: None,
                })
                .into_iter()
                .collect(),
            interface: None,
            places: vec!["tinc.conf line 3: Port = 0".to_owned()],
        }
    }

    #[tokio::test]
    async fn tcp_and_udp_share_the_port_even_if_the_kernel_chose_it() {
        let pairs = open(
            &listen(0, Family::V4, Some("127.0.0.1")),
            UdpSetup::USUAL,
            Vec::new(),
        )
        .await
        .unwrap();
        assert_eq!(pairs.len(), 1);
        assert_eq!(
            pairs[0].tcp.local_addr().unwrap(),
            pairs[0].udp.udp.local_addr().unwrap()
        );
        assert_ne!(pairs[0].address.port(), 0);
    }

    #[tokio::test]
    async fn both_families_have_the_port_that_the_kernel_chose() {
        let mut listen = listen(0, Family::Any, Some("127.0.0.1"));
        listen.bind_to.push(crate::config::BindTo {
            host: Some("::1".to_owned()),
            port: None,
        });
        let pairs = open(&listen, UdpSetup::USUAL, Vec::new()).await.unwrap();
        let ports: Vec<u16> = pairs.iter().map(|pair| pair.address.port()).collect();
        assert_eq!(ports.len(), 2);
        assert_eq!(ports[0], ports[1]);
    }

    #[tokio::test]
    async fn an_inherited_socket_gets_a_udp_socket_beside_it() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let pairs = open(&listen(0, Family::Any, None), UdpSetup::USUAL, vec![tcp])
            .await
            .unwrap();
        assert_eq!(pairs.len(), 1);
        assert_eq!(pairs[0].udp.udp.local_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn asked_for_buffers_are_given() {
        let setup = UdpSetup {
            receive_buffer: Some(50_000),
            send_buffer: Some(60_000),
            ..UdpSetup::USUAL
        };
        let listen = listen(0, Family::V4, Some("127.0.0.1"));
        let pairs = open(&listen, setup, Vec::new()).await.unwrap();
        let socket = socket2::SockRef::from(&pairs[0].udp.udp);
        // The kernel counts its own needs as much again.
        assert_eq!(socket.recv_buffer_size().unwrap(), 100_000);
        assert_eq!(socket.send_buffer_size().unwrap(), 120_000);
    }

    #[tokio::test]
    async fn both_families_listen_on_one_port_unless_told_otherwise() {
        assert_eq!(wanted(&listen(655, Family::Any, None)).await.len(), 2);
        let v6 = wanted(&listen(655, Family::V6, None)).await;
        assert_eq!(v6, ["[::]:655".parse().unwrap()]);
    }

    #[tokio::test]
    async fn nothing_to_listen_on_is_an_error() {
        let listen = listen(0, Family::V4, Some("192.0.2.1"));
        let error = open(&listen, UdpSetup::USUAL, Vec::new())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "Unable to create any listening socket! It was asked for by tinc.conf line 3: Port = 0"
        );
    }

    #[test]
    fn a_service_has_a_name_or_an_alias() {
        let services = "# x\ntinc\t655/tcp\t# control\ndomain 53/tcp\nwww 80/tcp http web\n";
        assert_eq!(service_port(services, "tinc"), Some(655));
        assert_eq!(service_port(services, "web"), Some(80));
        assert_eq!(service_port(services, "x"), None);
    }
}
