//! What the kernel knows of the way out and of who is near, for those who ask.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use futures::TryStreamExt as _;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType,
};
use rtnetlink::{Error, Handle};
use v6router_core::router::wish::{MAIN, MARK, TABLE};

use super::act::refusal;
use super::picture::{PROTOCOL, Picture, RouteFacts, RuleFacts, address_of};
use crate::status::{Address, Client, Default6, Endpoint, Status};

/// To how many ends of the tunnel the way is asked for; ours. A Pi has one or two.
const ENDPOINTS: usize = 16;

/// Adds to a status what the kernel knows; a node that is no router asks it nothing.
///
/// # Errors
/// If the kernel does not tell.
pub(crate) async fn find(status: &mut Status) -> Result<(), Error> {
    let Some(router) = &mut status.router else {
        return Ok(());
    };
    let (connection, handle, _) = rtnetlink::new_connection().map_err(|_| Error::RequestFailed)?;
    // Ends with the handle.
    tokio::spawn(connection);
    let picture = Picture::take(&handle).await?;
    let near = Near::take(&handle).await?;
    for network in &mut router.networks {
        let index = picture.index(&network.interface);
        network.present = index.is_some();
        network.clients = index.map(|index| near.clients(index)).unwrap_or_default();
    }
    let vpn = picture.index(&status.interface);
    let ours = router.networks.iter();
    let ours = ours.filter_map(|network| picture.index(&network.interface));
    let ours: Vec<u32> = ours.chain(vpn).collect();
    let way_out = &mut router.way_out;
    let Some(gateway) = &mut way_out.gateway else {
        return Ok(());
    };
    gateway.answers = vpn
        .zip(gateway.address.parse().ok())
        .and_then(|(vpn, gateway)| near.answers(vpn, gateway));
    way_out.by_tunnel = picture
        .rules
        .iter()
        .map(RuleFacts::of)
        .any(|rule| rule.mark == Some(MARK) && rule.table == TABLE);
    way_out.native = native(&picture, &ours);
    way_out.defaults = defaults(&picture, &near, &ours);
    // Through a proxy the proxy is what the tunnel leaves to.
    let made = status.peers.iter().filter_map(|peer| {
        let connection = peer.connection.as_ref()?;
        let direct = connection.outgoing && connection.proxy.is_none();
        let address: SocketAddr = connection.address.parse().ok().filter(|_| direct)?;
        Some((peer.name.clone(), address))
    });
    for (node, address) in made.take(ENDPOINTS) {
        let endpoint = endpoint(&handle, &picture, node, address).await;
        way_out.endpoints.push(endpoint);
    }
    Ok(())
}

/// The IPv6 addresses that have answered when the kernel asked for them.
///
/// # Errors
/// If the kernel does not tell.
pub(crate) async fn neighbours() -> Result<Vec<Ipv6Addr>, Error> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(|_| Error::RequestFailed)?;
    tokio::spawn(connection);
    let near = Near::take(&handle).await?;
    let answered = near.0.iter().filter(|entry| has_answered(entry));
    let found = answered.filter_map(|entry| match address(entry)? {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    });
    Ok(found.collect())
}

/// Addresses that lead to all of the internet, on interfaces that are not ours to route.
fn native(picture: &Picture, ours: &[u32]) -> Vec<Address> {
    let usable = |message: &&AddressMessage| {
        let void = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
        !message.header.flags.intersects(void) && !ours.contains(&message.header.index)
    };
    let found = picture.addresses.iter().filter(usable);
    let found = found.filter_map(|message| match address_of(message)? {
        IpAddr::V6(address) if is_global(address) => Some(Address {
            interface: picture.name(message.header.index)?.to_owned(),
            address: address.to_string(),
        }),
        _ => None,
    });
    found.collect()
}

/// Whether an address is of the global unicast space (RFC 4291 section 2.4, IANA: 2000::/3).
const fn is_global(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

/// Default routes of others than ourselves.
fn defaults(picture: &Picture, near: &Near, ours: &[u32]) -> Vec<Default6> {
    let found = picture.routes.iter().filter_map(|route| {
        let facts = RouteFacts::of(route);
        let index = facts.interface?;
        let is_default = route.header.kind == RouteType::Unicast
            && facts.to.len() == 0
            && facts.table == MAIN
            && route.header.protocol != PROTOCOL
            && !ours.contains(&index);
        is_default.then(|| Default6 {
            interface: picture.name(index).unwrap_or_default().to_owned(),
            router: facts.gateway.map(|gateway| gateway.to_string()),
            by: maker(route.header.protocol),
            metric: facts.metric,
            answers: facts
                .gateway
                .and_then(|gateway| near.answers(index, gateway.into())),
        })
    });
    found.collect()
}

/// Who made a route, as `ip route` calls it.
fn maker(protocol: RouteProtocol) -> String {
    match protocol {
        RouteProtocol::Kernel => "kernel".to_owned(),
        RouteProtocol::Boot => "hand".to_owned(),
        RouteProtocol::Static => "static".to_owned(),
        RouteProtocol::Ra => "ra".to_owned(),
        RouteProtocol::Dhcp => "dhcp".to_owned(),
        other => u8::from(other).to_string(),
    }
}

/// The way that packets of the tunnel take to one end of it.
async fn endpoint(handle: &Handle, picture: &Picture, node: String, to: SocketAddr) -> Endpoint {
    let mut found = Endpoint {
        node,
        address: to.to_string(),
        ..Endpoint::default()
    };
    let mut question = RouteMessage::default();
    let (family, len, destination) = match to.ip() {
        IpAddr::V4(to) => (AddressFamily::Inet, Ipv4Addr::BITS, RouteAddress::Inet(to)),
        IpAddr::V6(to) => (
            AddressFamily::Inet6,
            Ipv6Addr::BITS,
            RouteAddress::Inet6(to),
        ),
    };
    question.header.address_family = family;
    question.header.destination_prefix_length = u8::try_from(len).unwrap_or_default();
    question.attributes = vec![
        RouteAttribute::Destination(destination),
        RouteAttribute::Mark(MARK),
    ];
    let answer: Result<Vec<RouteMessage>, Error> =
        handle.route().get(question).execute().try_collect().await;
    match answer {
        Ok(routes) => {
            for attribute in routes.iter().flat_map(|route| &route.attributes) {
                match attribute {
                    RouteAttribute::Oif(index) => {
                        found.interface = picture.name(*index).map(str::to_owned)
                    }
                    RouteAttribute::Gateway(it) => found.router = ip(it),
                    RouteAttribute::PrefSource(it) => found.source = ip(it),
                    _ => {}
                }
            }
        }
        Err(error) => found.error = Some(refusal(&error)),
    }
    found
}

fn ip(address: &RouteAddress) -> Option<String> {
    match address {
        RouteAddress::Inet(ip) => Some(ip.to_string()),
        RouteAddress::Inet6(ip) => Some(ip.to_string()),
        _ => None,
    }
}

/// The kernel's neighbour table.
struct Near(Vec<NeighbourMessage>);

impl Near {
    async fn take(handle: &Handle) -> Result<Self, Error> {
        let entries = handle.neighbours().get().execute();
        Ok(Self(entries.try_collect().await?))
    }

    /// Whether somebody has answered the kernel lately; `None` if it has not asked him.
    fn answers(&self, index: u32, wanted: IpAddr) -> Option<bool> {
        let mut entries = self.0.iter().filter(|entry| entry.header.ifindex == index);
        let entry = entries.find(|entry| address(entry) == Some(wanted))?;
        match entry.header.state {
            NeighbourState::Failed | NeighbourState::Incomplete => Some(false),
            _ if has_answered(entry) => Some(true),
            _ => None,
        }
    }

    /// Who has answered on an interface, each with all his addresses.
    fn clients(&self, index: u32) -> Vec<Client> {
        let mut found: BTreeMap<&[u8], (bool, Vec<IpAddr>)> = BTreeMap::new();
        let entries = self.0.iter().filter(|entry| entry.header.ifindex == index);
        for entry in entries.filter(|entry| has_answered(entry)) {
            let (Some(mac), Some(address)) = (mac(entry), address(entry)) else {
                continue;
            };
            let (confirmed, addresses) = found.entry(mac).or_default();
            *confirmed |= entry.header.state == NeighbourState::Reachable;
            addresses.push(address);
        }
        let clients = found.into_iter().map(|(mac, (confirmed, mut addresses))| {
            addresses.sort_by_key(|address| (is_local(*address), *address));
            let hex: Vec<_> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            Client {
                mac: hex.join(":"),
                addresses: addresses.iter().map(ToString::to_string).collect(),
                confirmed,
            }
        });
        clients.collect()
    }
}

/// Somebody was there when the kernel asked last.
fn has_answered(entry: &NeighbourMessage) -> bool {
    matches!(
        entry.header.state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
    )
}

fn address(entry: &NeighbourMessage) -> Option<IpAddr> {
    entry
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some((*ip).into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some((*ip).into()),
            _ => None,
        })
}

fn mac(entry: &NeighbourMessage) -> Option<&[u8]> {
    entry
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(address) => Some(address.as_slice()),
            _ => None,
        })
}

/// Addresses that lead nowhere else come last.
const fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
