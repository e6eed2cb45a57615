//! A venue's router advertisements (RFC 4861 section 6.2): sent when it starts, when somebody asks, and every few seconds.
//!
//! By hand, since a few options are all there is to them, and a venue's router may be one that should not advertise.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{FabricError, Node, Result};
use crate::model::{Ipv6, Leads, Preference};
use crate::plan::{Advertisement, Net};

/// How often it says so unasked. The shortest `MaxRtrAdvInterval` that routers may have, section 6.2.1.
const INTERVAL: Duration = Duration::from_secs(4);

/// Everybody, and all routers, on a link (RFC 4291 section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// ICMPv6 types, sections 4.1 and 4.2.
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// Hop limit of all of them: nobody from further away is believed.
const HOPS: u32 = 255;

/// Lifetimes in seconds: of the default route, and of the prefix (valid, preferred). Usual ones.
const ROUTER_LIFETIME: u16 = 1800;
const PREFIX_LIFETIMES: [u32; 2] = [86_400, 14_400];

/// Begins to advertise on a router, which ends with the node.
pub(super) async fn start(node: &Node, advertisement: &Advertisement) -> Result<()> {
    let Advertisement { interface, ipv6 } = advertisement.clone();
    let begin = async move {
        let (socket, everybody) = open(&interface)?;
        let socket = UdpSocket::from_std(socket.into())?;
        tokio::task::spawn_local(advertise(socket, everybody, message(&ipv6)));
        io::Result::Ok(())
    };
    let begun = node.run(move || Box::pin(begin)).await?;
    begun.map_err(|error| FabricError::Node {
        node: node.name().to_owned(),
        what: format!("advertise {}", advertisement.ipv6.prefix),
        reason: error.to_string(),
    })
}

impl Node {
    /// Begins to advertise a prefix on an interface, with a preference above that of most routers, as if there were nothing
    /// else. It ends with the node.
    ///
    /// # Errors
    /// When there is no such interface.
    pub async fn advertise(&self, interface: &str, prefix: Net) -> Result<()> {
        let ipv6 = Ipv6 {
            prefix,
            preference: Preference::High,
            leads: Leads::Nowhere,
            nat64: None,
            pref64: false,
        };
        let interface = interface.to_owned();
        start(self, &Advertisement { interface, ipv6 }).await
    }
}

/// A raw socket, whose owner wants a datagram socket's calls, and to whom to send.
fn open(interface: &str) -> io::Result<(Socket, SocketAddrV6)> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_multicast_loop_v6(false)?;
    socket.join_multicast_v6(&ALL_ROUTERS, index)?;
    socket.set_nonblocking(true)?;
    Ok((socket, SocketAddrV6::new(ALL_NODES, 0, 0, index)))
}

async fn advertise(socket: UdpSocket, everybody: SocketAddrV6, message: Vec<u8>) {
    loop {
        // What is lost is said again.
        let _ = socket.send_to(&message, everybody).await;
        let _ = timeout(INTERVAL, solicited(&socket)).await;
    }
}

/// Waits until somebody asks.
async fn solicited(socket: &UdpSocket) {
    let mut buffer = [0; 256];
    while !matches!(socket.recv(&mut buffer).await, Ok(len) if len > 0 && buffer[0] == SOLICITATION)
    {
    }
}

/// PREF64, the option that tells of a NAT64 by its prefix, a /96 (RFC 8781 section 4).
fn pref64(prefix: Net) -> Option<[u8; 16]> {
    let IpAddr::V6(addr) = prefix.addr else {
        return None;
    };
    let mut option = [0; 16];
    // Type 38, two times 8 bytes.
    option[..2].copy_from_slice(&[38, 2]);
    // The lifetime in units of 8 s stands in the upper 13 bits; the length's code for a /96, below, is 0.
    option[2..4].copy_from_slice(&((ROUTER_LIFETIME / 8) << 3).to_be_bytes());
    option[4..].copy_from_slice(&addr.octets()[..12]);
    Some(option)
}

/// The message, sections 4.2 and 4.6.2. The kernel adds the checksum.
fn message(ipv6: &Ipv6) -> Vec<u8> {
    // Bits 3 and 4 of the flags, RFC 4191 section 2.2.
    let preference: u8 = match ipv6.preference {
        Preference::High => 0b01 << 3,
        Preference::Medium => 0,
        Preference::Low => 0b11 << 3,
    };
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, 64, preference];
    message.extend(ROUTER_LIFETIME.to_be_bytes());
    // Reachable time and retransmission timer: unspecified.
    message.extend([0; 8]);
    // Prefix information, four times 8 bytes, on link and for autoconfiguration.
    message.extend([3, 4, ipv6.prefix.len, 0b1100_0000]);
    message.extend(
        PREFIX_LIFETIMES
            .iter()
            .flat_map(|seconds| seconds.to_be_bytes()),
    );
    message.extend([0; 4]);
    if let IpAddr::V6(prefix) = ipv6.prefix.addr {
        message.extend(prefix.octets());
    }
    message.extend(
        ipv6.nat64
            .filter(|_| ipv6.pref64)
            .and_then(pref64)
            .into_iter()
            .flatten(),
    );
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_told_of_a_translator_only_where_the_venue_says_so() {
        let mut ipv6 = Ipv6 {
            prefix: "2001:db8:cafe:4::/64".parse().unwrap(),
            preference: Preference::Medium,
            leads: Leads::Out,
            nat64: Some("2001:db8:64::/96".parse().unwrap()),
            pref64: false,
        };
        let without = message(&ipv6);
        ipv6.pref64 = true;
        let with = message(&ipv6);
        let option = with.strip_prefix(without.as_slice()).unwrap();
        // Type, length, 225 times 8 s, and the first 96 bits.
        let expected = [
            38, 2, 0x07, 0x08, 0x20, 0x01, 0x0d, 0xb8, 0, 0x64, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(option, expected);
    }
}
