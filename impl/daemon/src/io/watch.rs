//! The machine's network as the kernel tells of it: links, addresses and routes that come and go.
//!
//! Only what changes where we can be reached from or whom we can reach counts: a router that
//! announces the same prefix again every few seconds is no news.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use nix::time::{ClockId, clock_gettime};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{LinkFlags, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType,
};
use rtnetlink::{MulticastGroup, new_multicast_connection};
use tokio::sync::mpsc;

/// After a change, further ones are gathered so long; ours. A cable that is plugged in brings a
/// link, then addresses, then routes.
const GATHER: Duration = Duration::from_secs(1);
/// After a change of an interface, further ones are gathered so long; ours.
const SETTLE: Duration = Duration::from_millis(100);
/// Facts remembered; ours. A router with more routes than that has no use for this.
const MAX_FACTS: usize = 1024;

/// Tells `changes` of every change that does not concern our own device, the interface `own`,
/// as long as somebody listens.
///
/// # Errors
/// If the kernel does not let us listen.
pub(crate) fn network(own: u32, changes: mpsc::Sender<()>) -> std::io::Result<()> {
    let (connection, _, messages) = new_multicast_connection(&[
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Route,
    ])?;
    tokio::spawn(connection);
    tokio::spawn(listen(own, messages, changes));
    Ok(())
}

/// Tells `changes` whenever an interface or an IPv6 address on one has changed, as long as somebody
/// listens.
///
/// # Errors
/// If the kernel does not let us listen.
pub(crate) fn interfaces(changes: mpsc::Sender<()>) -> std::io::Result<()> {
    let (connection, _, mut messages) =
        new_multicast_connection(&[MulticastGroup::Link, MulticastGroup::Ipv6Ifaddr])?;
    tokio::spawn(connection);
    tokio::spawn(async move {
        while messages.next().await.is_some() {
            while messages.try_recv().is_ok() {}
            if changes.send(()).await.is_err() {
                return;
            }
            tokio::time::sleep(SETTLE).await;
        }
    });
    Ok(())
}

type Messages<Address> = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, Address)>;

async fn listen<Address>(own: u32, mut messages: Messages<Address>, changes: mpsc::Sender<()>) {
    let mut known = Known::default();
    let mut news = false;
    while let Some((message, _)) = messages.next().await {
        news |= known.is_changed_by(own, message.payload);
        while let Ok((message, _)) = messages.try_recv() {
            news |= known.is_changed_by(own, message.payload);
        }
        if std::mem::take(&mut news) {
            if changes.send(()).await.is_err() {
                return;
            }
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Something that is so until the kernel says otherwise.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Fact {
    /// An interface.
    Link(u32),
    /// An address of an interface.
    Address(u32, IpAddr),
    /// A way to a prefix.
    Route {
        to: Option<IpAddr>,
        length: u8,
        gateway: Option<IpAddr>,
        interface: Option<u32>,
    },
}

impl Fact {
    fn interface(&self) -> Option<u32> {
        match self {
            Self::Link(index) | Self::Address(index, _) => Some(*index),
            Self::Route { interface, .. } => *interface,
        }
    }
}

/// What the kernel has told so far, each fact with whether it is of use.
#[derive(Debug, Default)]
struct Known(HashMap<Fact, bool>);

impl Known {
    fn is_changed_by(&mut self, own: u32, payload: NetlinkPayload<RouteNetlinkMessage>) -> bool {
        let message = match payload {
            NetlinkPayload::InnerMessage(message) => message,
            // Some of what the kernel had to tell is lost.
            NetlinkPayload::Overrun(_) => {
                self.0.clear();
                return true;
            }
            _ => return false,
        };
        let (fact, useful) = match message {
            RouteNetlinkMessage::NewLink(link) => {
                (Some(Fact::Link(link.header.index)), runs(&link))
            }
            RouteNetlinkMessage::DelLink(link) => (Some(Fact::Link(link.header.index)), None),
            RouteNetlinkMessage::NewAddress(message) => (address(&message), usable(&message)),
            RouteNetlinkMessage::DelAddress(message) => (address(&message), None),
            RouteNetlinkMessage::NewRoute(message) => (route(&message), Some(true)),
            RouteNetlinkMessage::DelRoute(message) => (route(&message), None),
            _ => return false,
        };
        let Some(fact) = fact.filter(|fact| fact.interface() != Some(own)) else {
            return false;
        };
        match useful {
            // Nobody has told of what was there at the start, nor of what there is no room for.
            None => self.0.remove(&fact).unwrap_or(self.0.len() < MAX_FACTS),
            Some(_) if self.0.len() >= MAX_FACTS && !self.0.contains_key(&fact) => false,
            // Of a link that is lost it is not known yet whether it returns in a moment, with
            // every connection on it still alive; if it does not, its addresses go.
            Some(useful) => self.0.insert(fact, useful) != Some(useful) && useful,
        }
    }
}

fn runs(link: &LinkMessage) -> Option<bool> {
    Some(
        link.header
            .flags
            .contains(LinkFlags::Up | LinkFlags::Running),
    )
}

fn usable(message: &AddressMessage) -> Option<bool> {
    Some(!message.header.flags.contains(AddressHeaderFlags::Tentative))
}

fn address(message: &AddressMessage) -> Option<Fact> {
    // On a point-to-point link `Address` is the other end.
    let of = |local: bool| {
        message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Local(ip) if local => Some(*ip),
                AddressAttribute::Address(ip) if !local => Some(*ip),
                _ => None,
            })
    };
    let ip = of(true).or_else(|| of(false))?;
    Some(Fact::Address(message.header.index, ip))
}

fn route(message: &RouteMessage) -> Option<Fact> {
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let (mut to, mut gateway, mut interface) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(index) => interface = Some(*index),
            _ => {}
        }
    }
    Some(Fact::Route {
        to,
        length: header.destination_prefix_length,
        gateway,
        interface,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

/// How long the machine has slept since it was started, or noticed the last time.
#[derive(Debug)]
pub(crate) struct Sleep {
    slept: Duration,
}

/// Shorter sleeps are not worth a word; ours.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

impl Sleep {
    /// From now on.
    pub(crate) fn watch() -> Self {
        Self { slept: slept() }
    }

    /// How long the machine has slept since the last call, if it has.
    pub(crate) fn noticed(&mut self) -> Option<Duration> {
        let before = std::mem::replace(&mut self.slept, slept());
        let more = self.slept.saturating_sub(before);
        (more >= SHORTEST_SLEEP).then_some(more)
    }
}

/// `CLOCK_BOOTTIME` goes on while the machine sleeps, `CLOCK_MONOTONIC` does not. Neither is
/// moved when somebody sets the date.
fn slept() -> Duration {
    let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(read(ClockId::CLOCK_MONOTONIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 7;

    fn link(index: u32, flags: LinkFlags) -> RouteNetlinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = flags;
        RouteNetlinkMessage::NewLink(link)
    }

    fn address(index: u32, ip: &str, flags: AddressHeaderFlags) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.attributes = vec![AddressAttribute::Address(ip.parse().unwrap())];
        message
    }

    fn default_route(gateway: [u8; 4], interface: u32) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Gateway(RouteAddress::Inet(gateway.into())),
            RouteAttribute::Oif(interface),
        ];
        message
    }

    /// What is news among these messages.
    fn news(messages: Vec<RouteNetlinkMessage>) -> Vec<bool> {
        let mut known = Known::default();
        messages
            .into_iter()
            .map(|message| known.is_changed_by(OWN, NetlinkPayload::InnerMessage(message)))
            .collect()
    }

    #[test]
    fn a_link_counts_when_it_comes_up() {
        let up = LinkFlags::Up | LinkFlags::Running;
        let told = [up, up, up | LinkFlags::Promisc, LinkFlags::Up, up];
        let told = told.into_iter().map(|flags| link(2, flags)).collect();
        assert_eq!(news(told), [true, false, false, false, true]);
    }

    #[test]
    fn an_address_counts_when_it_is_usable_and_its_renewal_does_not() {
        let (none, tentative) = (AddressHeaderFlags::empty(), AddressHeaderFlags::Tentative);
        let new = |flags| RouteNetlinkMessage::NewAddress(address(2, "2001:db8::1", flags));
        let gone = RouteNetlinkMessage::DelAddress(address(2, "2001:db8::1", none));
        let told = vec![new(tentative), new(none), new(none), gone, new(none)];
        assert_eq!(news(told), [false, true, false, true, true]);
    }

    #[test]
    fn another_gateway_counts() {
        let new = |gateway| RouteNetlinkMessage::NewRoute(default_route(gateway, 2));
        let told = vec![
            new([192, 0, 2, 1]),
            new([192, 0, 2, 1]),
            new([192, 0, 2, 2]),
        ];
        assert_eq!(news(told), [true, false, true]);
    }

    #[test]
    fn our_own_device_is_no_news() {
        let told = vec![
            link(OWN, LinkFlags::Up),
            RouteNetlinkMessage::NewAddress(address(OWN, "10.0.0.1", AddressHeaderFlags::empty())),
            RouteNetlinkMessage::NewRoute(default_route([10, 0, 0, 2], OWN)),
        ];
        assert_eq!(news(told), [false, false, false]);
    }

    #[test]
    fn the_kernel_cannot_make_us_remember_without_bound() {
        let mut known = Known::default();
        for index in 0..5000 {
            let message = NetlinkPayload::InnerMessage(link(index + 10, LinkFlags::Up));
            known.is_changed_by(OWN, message);
        }
        assert_eq!(known.0.len(), MAX_FACTS);
    }

    #[test]
    fn no_sleep_is_noticed_while_awake() {
        let mut sleep = Sleep::watch();
        assert_eq!(sleep.noticed(), None);
        sleep.slept = sleep.slept.saturating_sub(Duration::from_secs(60));
        if slept() >= Duration::from_secs(60) {
            assert!(sleep.noticed().is_some());
        }
    }
}
