//! Cables, addresses and routes over rtnetlink.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use futures::future::{try_join, try_join_all};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, State};
use netlink_packet_route::route::{RouteAddress, RouteAttribute};
use rtnetlink::{
    Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, MulticastGroup,
    RouteMessageBuilder,
};

use tokio::time::timeout;

use super::files::Failure;
use crate::plan::{AddressPlan, InterfacePlan, LinkPlan, Net, NodePlan, Plan, RoutePlan};

/// Half the number of the first cable's first interface: well above those that namespaces are born with, which are 1
/// for `lo`, and the next for tunnels such as `sit0` where their modules are loaded. A number that is taken is refused.
///
/// All ends of cables have different numbers. The kernel treats changes of carrier as urgent for interfaces whose other
/// end has another number; for others they may wait for a second (`linkwatch_urgent_event` in net/core/link_watch.c).
const FIRST_INDEX: u32 = 250;

/// How long the other ends of a machine's links may take to be configured.
const CARRIER_LIMIT: Duration = Duration::from_secs(20);

/// A connection to the kernel in the network namespace of the calling thread, served until the handle is dropped.
fn connect() -> Result<Handle, Failure> {
    let (connection, handle, _) = rtnetlink::new_connection()
        .map_err(|error| ("open a netlink socket".to_owned(), error.to_string()))?;
    tokio::spawn(connection);
    Ok(handle)
}

/// Lays every cable of the plan, its ends created where they belong, named and up. `namespace` gives the network
/// namespace of a machine.
pub(super) async fn lay_cables<'fd>(
    plan: &Plan,
    namespace: impl Fn(&str) -> Option<BorrowedFd<'fd>>,
) -> Result<(), Failure> {
    let handle = connect()?;
    let cables = plan
        .links
        .iter()
        .zip(FIRST_INDEX..)
        .map(|(link, pair)| lay(&handle, plan, link, 2 * pair, &namespace));
    try_join_all(cables).await.map(drop)
}

async fn lay<'fd>(
    handle: &Handle,
    plan: &Plan,
    link: &LinkPlan,
    index: u32,
    namespace: &impl Fn(&str) -> Option<BorrowedFd<'fd>>,
) -> Result<(), Failure> {
    let failed = |reason: String| (format!("lay the cable {}", link.name), reason);
    let mut ends = Vec::new();
    for end in &link.ends {
        let interface = plan
            .node(&end.node)
            .and_then(|node| {
                node.interfaces
                    .iter()
                    .find(|found| found.name == end.interface)
            })
            .ok_or_else(|| failed(format!("{} has no interface {}", end.node, end.interface)))?;
        let namespace =
            namespace(&end.node).ok_or_else(|| failed(format!("there is no {}", end.node)))?;
        ends.push((interface, namespace));
    }
    let [(near, near_namespace), (far, far_namespace)] = ends.as_slice() else {
        return Err(failed("a cable has two ends".to_owned()));
    };
    let peer = LinkMessageBuilder::<LinkUnspec>::new()
        .index(index + 1)
        .name(far.name.clone())
        .address(far.mac.to_vec())
        .mtu(far.mtu)
        .setns_by_fd(far_namespace.as_raw_fd())
        .build();
    let message = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .index(index)
        .name(near.name.clone())
        .address(near.mac.to_vec())
        .mtu(near.mtu)
        .setns_by_fd(near_namespace.as_raw_fd())
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    handle
        .link()
        .add(message)
        .execute()
        .await
        .map_err(|error| failed(error.to_string()))
}

/// Gives a machine, whose cables are laid, its bridges, addresses and routes, and waits until its links carry frames,
/// which takes until the machines at their other ends are configured too. Called on its own thread.
pub(super) async fn configure(node: &NodePlan) -> Result<(), Failure> {
    // Before anything is brought up, so that no change goes unheard.
    let (connection, handle, changes) =
        rtnetlink::new_multicast_connection(&[MulticastGroup::Link])
            .map_err(|error| ("open a netlink socket".to_owned(), error.to_string()))?;
    tokio::spawn(connection);
    let step = |what: String| move |error: rtnetlink::Error| (what, error.to_string());
    for bridge in node.interfaces.iter().filter(|interface| interface.bridge) {
        let message = LinkBridge::new(&bridge.name)
            .address(bridge.mac.to_vec())
            .mtu(bridge.mtu)
            .mcast_snooping(false);
        handle
            .link()
            .add(message.build())
            .execute()
            .await
            .map_err(step(format!("create the bridge {}", bridge.name)))?;
    }
    let links = links(&handle)
        .await
        .map_err(step("list interfaces".to_owned()))?;
    let index = |name: &str| {
        links.get(name).map(|link| link.index).ok_or_else(|| {
            (
                format!("configure {name}"),
                "there is no such interface".to_owned(),
            )
        })
    };
    let up = async |name: &str| {
        let message = LinkUnspec::new_with_index(index(name)?).up().build();
        handle
            .link()
            .set(message)
            .execute()
            .await
            .map_err(step(format!("bring {name} up")))
    };
    // Requests of one interface wait for each other, those of different ones go out together.
    // Those of radios come later.
    let there = || node.interfaces.iter().filter(|found| found.radio.is_none());
    let interfaces = there().map(async |interface| {
        let ours = index(&interface.name)?;
        if let Some(bridge) = &interface.port_of {
            let plug = LinkUnspec::new_with_index(ours)
                .controller(index(bridge)?)
                .build();
            let what = format!("make {} a port of {bridge}", interface.name);
            handle
                .link()
                .set(plug)
                .execute()
                .await
                .map_err(step(what))?;
        }
        up(&interface.name).await?;
        for address in interface.addresses.iter().filter(|found| !found.leased) {
            let what = format!("add {} to {}", address.net, interface.name);
            add_address(&handle, ours, interface, address)
                .await
                .map_err(step(what))?;
        }
        Ok(())
    });
    try_join(up("lo"), try_join_all(interfaces)).await?;
    let routes = node.routes.iter().filter(|route| !route.leased);
    let routes = routes.map(async |route| {
        let what = format!("add the route to {} by {}", route.to, route.interface);
        let index = index(&route.interface)?;
        add_route(&handle, index, route).await.map_err(step(what))
    });
    try_join_all(routes).await?;
    carried(node, &handle, changes).await
}

/// Brings an interface of the calling thread's network up, with a queue of so many frames.
pub(super) async fn raise(name: &str, queue: u32) -> Result<(), Failure> {
    let handle = connect()?;
    let message = LinkUnspec::new_with_name(name)
        .append_extra_attribute(LinkAttribute::TxQueueLen(queue))
        .up()
        .build();
    let set = handle.link().set(message).execute().await;
    set.map_err(|error| (format!("bring {name} up"), error.to_string()))
}

/// Waits until every interface that has another end is up. The kernel does that a moment after both ends were brought
/// up, and loses what is sent before; an address resolution lost that way is repeated only after a second.
async fn carried(
    node: &NodePlan,
    handle: &Handle,
    mut changes: impl Stream + Unpin,
) -> Result<(), Failure> {
    let has_ports = |bridge: &str| {
        node.interfaces
            .iter()
            .any(|port| port.port_of.as_deref() == Some(bridge))
    };
    let mut awaited: Vec<&str> = node
        .interfaces
        .iter()
        .filter(|interface| {
            let joined = !interface.bridge || has_ports(&interface.name);
            interface.name != "lo" && interface.radio.is_none() && joined
        })
        .map(|interface| interface.name.as_str())
        .collect();
    let all = async {
        loop {
            let links = links(handle).await?;
            awaited.retain(|name| links.get(*name).is_none_or(|link| !link.up));
            if awaited.is_empty() || changes.next().await.is_none() {
                return Ok(());
            }
            // Of many changes at once, the last is what counts.
            while changes.next().now_or_never().flatten().is_some() {}
        }
    };
    let ended = timeout(CARRIER_LIMIT, all).await;
    let failed = |reason: String| Err(("wait for its links".to_owned(), reason));
    match ended {
        Ok(Ok(())) if awaited.is_empty() => Ok(()),
        Ok(Err(error)) => {
            let error: rtnetlink::Error = error;
            failed(error.to_string())
        }
        _ => failed(format!("no carrier on {}", awaited.join(", "))),
    }
}

/// What the kernel says of an interface.
struct Link {
    index: u32,
    /// Whether it carries frames.
    up: bool,
}

async fn links(handle: &Handle) -> Result<HashMap<String, Link>, rtnetlink::Error> {
    let mut all = HashMap::new();
    let mut links = handle.link().get().execute();
    while let Some(message) = links.try_next().await? {
        let mut link = Link {
            index: message.header.index,
            up: false,
        };
        let mut name = None;
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(found) => name = Some(found),
                LinkAttribute::OperState(state) => link.up = state == State::Up,
                _ => {}
            }
        }
        all.extend(name.map(|name| (name, link)));
    }
    Ok(all)
}

async fn add_address(
    handle: &Handle,
    index: u32,
    interface: &InterfacePlan,
    address: &AddressPlan,
) -> Result<(), rtnetlink::Error> {
    let mut request = handle
        .address()
        .add(index, address.net.addr, address.net.len);
    let attributes = &mut request.message_mut().attributes;
    match address.net.addr {
        IpAddr::V6(_) => attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
        IpAddr::V4(_) => {
            let label = address
                .label
                .clone()
                .unwrap_or_else(|| interface.name.clone());
            attributes.push(AddressAttribute::Label(label));
        }
    }
    request.execute().await
}

async fn add_route(handle: &Handle, index: u32, route: &RoutePlan) -> Result<(), rtnetlink::Error> {
    let message = match route.to.addr {
        IpAddr::V4(to) => {
            let mut builder = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(index);
            if route.to.len > 0 {
                builder = builder.destination_prefix(to, route.to.len);
            }
            if let Some(IpAddr::V4(via)) = route.via {
                builder = builder.gateway(via);
            }
            builder.build()
        }
        IpAddr::V6(to) => {
            let mut builder = RouteMessageBuilder::<Ipv6Addr>::new().output_interface(index);
            if route.to.len > 0 {
                builder = builder.destination_prefix(to, route.to.len);
            }
            if let Some(IpAddr::V6(via)) = route.via {
                builder = builder.gateway(via);
            }
            builder.build()
        }
    };
    handle.route().add(message).execute().await
}

/// The addresses of an interface. Called on its node's own thread.
pub(super) async fn addresses(interface: &str) -> Result<Vec<Net>, Failure> {
    let handle = connect()?;
    let step =
        |error: rtnetlink::Error| (format!("list addresses of {interface}"), error.to_string());
    let links = links(&handle).await.map_err(step)?;
    let index = links.get(interface).map(|link| link.index);
    let mut messages = handle.address().get().execute();
    let mut all = Vec::new();
    while let Some(message) = messages.try_next().await.map_err(step)? {
        if Some(message.header.index) != index {
            continue;
        }
        for attribute in message.attributes {
            // In IPv4, `Address` is the peer's where there is one, and never without `Local`.
            let addr = match attribute {
                AddressAttribute::Local(addr) => addr,
                AddressAttribute::Address(addr @ IpAddr::V6(_)) => addr,
                _ => continue,
            };
            all.push(Net {
                addr,
                len: message.header.prefix_len,
            });
        }
    }
    Ok(all)
}

/// The next hop of the IPv4 default route by an interface, if there is one. Called on its node's own thread.
pub(super) async fn default_route(interface: &str) -> Result<Option<Ipv4Addr>, Failure> {
    let handle = connect()?;
    let step = |error: rtnetlink::Error| (format!("list routes by {interface}"), error.to_string());
    let links = links(&handle).await.map_err(step)?;
    let index = links.get(interface).map(|link| link.index);
    let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let mut messages = handle.route().get(all).execute();
    while let Some(message) = messages.try_next().await.map_err(step)? {
        let mut by = (None, None);
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Oif(found) => by.0 = Some(*found),
                RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => by.1 = Some(*gateway),
                _ => {}
            }
        }
        if message.header.destination_prefix_length == 0 && by.0 == index && by.1.is_some() {
            return Ok(by.1);
        }
    }
    Ok(None)
}
