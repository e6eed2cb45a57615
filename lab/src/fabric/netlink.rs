//! Cables, addresses and routes over rtnetlink.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use futures::TryStreamExt;
use futures::future::try_join_all;
use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute};
use rtnetlink::{
    Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
};

use super::files::Failure;
use crate::plan::{AddressPlan, InterfacePlan, LinkPlan, NodePlan, Plan, RoutePlan};

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
        .map(|link| lay(&handle, plan, link, &namespace));
    try_join_all(cables).await.map(drop)
}

async fn lay<'fd>(
    handle: &Handle,
    plan: &Plan,
    link: &LinkPlan,
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
        .name(far.name.clone())
        .address(far.mac.to_vec())
        .mtu(far.mtu)
        .setns_by_fd(far_namespace.as_raw_fd())
        .build();
    let message = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
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

/// Gives a machine, whose cables are laid, its bridges, addresses and routes. Called on its own thread.
pub(super) async fn configure(node: &NodePlan) -> Result<(), Failure> {
    let handle = connect()?;
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
    let indices = indices(&handle)
        .await
        .map_err(step("list interfaces".to_owned()))?;
    let index = |name: &str| {
        indices.get(name).copied().ok_or_else(|| {
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
    up("lo").await?;
    for interface in &node.interfaces {
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
        for address in &interface.addresses {
            let what = format!("add {} to {}", address.net, interface.name);
            add_address(&handle, ours, interface, address)
                .await
                .map_err(step(what))?;
        }
    }
    for route in &node.routes {
        let what = format!("add the route to {} by {}", route.to, route.interface);
        add_route(&handle, index(&route.interface)?, route)
            .await
            .map_err(step(what))?;
    }
    Ok(())
}

async fn indices(handle: &Handle) -> Result<HashMap<String, u32>, rtnetlink::Error> {
    let mut all = HashMap::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await? {
        let index = link.header.index;
        let name = link
            .attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            });
        all.extend(name.map(|name| (name, index)));
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
