//! Interfaces that are up, as the kernel tells of them.

use std::collections::BTreeMap;
use std::io;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{StreamExt as _, TryStreamExt as _};
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};
use v6router_core::router::advertise::Link;
use v6router_core::subnet::Mac;

use crate::io::addresses;

/// Tells when to look, and looks.
pub(super) struct Links {
    handle: Handle,
    news: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
}

/// By name: the number of an interface, and what it is.
pub(super) type Found = BTreeMap<String, (u32, Link)>;

impl Links {
    /// Listens to the kernel.
    ///
    /// # Errors
    /// If it does not let us.
    pub(super) fn watch() -> io::Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv6Ifaddr];
        let (connection, handle, news) = new_multicast_connection(&groups)?;
        // Ends with the handle.
        tokio::spawn(connection);
        Ok(Self { handle, news })
    }

    /// Waits until something has changed about links or their addresses.
    pub(super) async fn changed(&mut self) {
        if self.news.next().await.is_none() {
            // Nobody tells us any more.
            std::future::pending::<()>().await;
        }
        // What was told meanwhile is seen when we look.
        while self.news.try_recv().is_ok() {}
    }

    /// The interfaces that are up and have a usable link-local address.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) async fn look(&self) -> io::Result<Found> {
        let mut links = self.handle.link().get().execute();
        let mut found = BTreeMap::new();
        while let Some(message) = links.try_next().await.map_err(io::Error::other)? {
            if let Some((name, link)) = read(&message) {
                found.insert(name, (message.header.index, link));
            }
        }
        Ok(found)
    }
}

fn read(message: &LinkMessage) -> Option<(String, Link)> {
    let up = LinkFlags::Up | LinkFlags::Running;
    if !message.header.flags.contains(up) {
        return None;
    }
    let (mut name, mut address, mut mtu) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Address(bytes) => address = bytes.as_slice().try_into().ok().map(Mac),
            LinkAttribute::Mtu(bytes) => mtu = Some(*bytes),
            _ => {}
        }
    }
    let name = name?;
    let addresses = addresses::of_interface(&name).ok()?;
    let link_local = addresses
        .into_iter()
        .find(|address| address.is_unicast_link_local())?;
    Some((
        name,
        Link {
            link_local,
            address,
            mtu: mtu?,
        },
    ))
}
