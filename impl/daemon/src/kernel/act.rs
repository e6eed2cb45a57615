//! Doing and undoing one thing.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use futures::StreamExt as _;
use nix::errno::Errno;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
use rtnetlink::packet_route::route::{RouteMessage, RouteType};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags};
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use v6router_core::router::wish::{Item, Route, Rule, Way, Who};

use super::journal::Before;
use super::picture::{PROTOCOL, Picture};
use super::settings;
use crate::config::describe as describe_io;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The kernel refused.
    #[error("{}", refusal(.0))]
    Netlink(#[from] rtnetlink::Error),
    /// A file could not be read or written.
    #[error("{}", describe_io(.0))]
    File(#[from] io::Error),
    /// What it is about is gone.
    #[error("there is no interface {0}")]
    NoInterface(String),
    /// There is something else in its place.
    #[error("{0} is in the way")]
    InTheWay(String),
}

/// Why the kernel refused.
pub(super) fn refusal(error: &rtnetlink::Error) -> String {
    errno(error).map_or_else(|| error.to_string(), |errno| errno.desc().to_owned())
}

fn errno(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => {
            let code = message.code?;
            Some(Errno::from_raw(code.get().wrapping_neg()))
        }
        _ => None,
    }
}

/// Something in the words of those who would do it by hand.
pub(super) fn describe(item: &Item) -> impl fmt::Display {
    match item {
        Item::Up { interface } => format!("ip link set {interface} up"),
        Item::NoQueue { interface } => format!("tc qdisc replace dev {interface} root noqueue"),
        Item::Address {
            interface, address, ..
        } => {
            format!("ip -6 address add {address} dev {interface}")
        }
        Item::Setting { key, value, .. } => format!("sysctl net/{key}={value}"),
        Item::Forwarding => "sysctl net/ipv6/conf/all/forwarding=1".to_owned(),
        Item::Route(Route {
            to,
            way,
            table,
            metric,
        }) => {
            let (kind, way) = match way {
                Way::Link { interface } => ("", format!(" dev {interface}")),
                Way::Via { gateway, interface } => ("", format!(" via {gateway} dev {interface}")),
                Way::Unreachable => ("unreachable ", String::new()),
            };
            format!("ip -6 route add {kind}{to}{way} table {table} metric {metric}")
        }
        Item::Rule(Rule {
            priority,
            who,
            table,
            no_default,
        }) => {
            let who = match who {
                Who::Anybody => String::new(),
                Who::From(prefix) => format!(" from {prefix}"),
                Who::Unmarked(mark) => format!(" not fwmark {mark}"),
            };
            let unless = if *no_default {
                " suppress_prefixlength 0"
            } else {
                ""
            };
            format!("ip -6 rule add priority {priority}{who} table {table}{unless}")
        }
    }
}

/// Does it; whether it is our doing, since somebody may have been quicker. The picture is taken
/// again if it turns out to be old.
///
/// # Errors
/// If it is not done.
pub(super) async fn put_in_force(
    handle: &Handle,
    picture: &mut Picture,
    item: &Item,
) -> Result<bool, Failure> {
    let index = |interface: &String| {
        let found = picture.index(interface);
        found.ok_or_else(|| Failure::NoInterface(interface.clone()))
    };
    let done = match item {
        Item::Up { interface } => {
            let up = LinkUnspec::new_with_index(index(interface)?).up().build();
            handle.link().set(up).execute().await
        }
        Item::NoQueue { interface } => no_queue(handle, index(interface)?).await,
        Item::Address {
            interface,
            address,
            no_dad,
        } => {
            let to = IpAddr::V6(address.address);
            let mut request = handle.address().add(index(interface)?, to, address.len);
            if *no_dad {
                let flags = AddressAttribute::Flags(AddressFlags::Nodad);
                request.message_mut().attributes.push(flags);
            }
            request.execute().await
        }
        Item::Setting { .. } | Item::Forwarding => {
            settings::KERNEL.put_in_force(item)?;
            return Ok(true);
        }
        Item::Route(route) => handle.route().add(message(route, index)?).execute().await,
        Item::Rule(rule) => add_rule(handle, rule).await,
    };
    match done {
        Ok(()) => Ok(true),
        // So the kernel calls another length of an address or next hop of a route, too.
        Err(error) if errno(&error) == Some(Errno::EEXIST) => {
            *picture = Picture::take(handle).await?;
            if picture.has(item) {
                return Ok(false);
            }
            let in_the_way = picture.in_the_way(item);
            Err(in_the_way.map_or(Failure::Netlink(error), Failure::InTheWay))
        }
        Err(error) => Err(error.into()),
    }
}

/// Undoes it, if it is still there.
///
/// # Errors
/// If it is still there, or nobody knows.
pub(super) async fn undo(
    handle: &Handle,
    picture: &Picture,
    item: &Item,
    before: &Before,
) -> Result<(), Failure> {
    if let Before::Settings(before) = before {
        return Ok(settings::KERNEL.undo(item, before)?);
    }
    if !picture.has(item) {
        return Ok(());
    }
    let index = |interface: &String| picture.index(interface).unwrap_or_default();
    match item {
        Item::Up { interface } => {
            let down = LinkUnspec::new_with_index(index(interface)).down().build();
            handle.link().set(down).execute().await?;
        }
        Item::NoQueue { interface } => {
            let mut request = handle.qdisc().del(signed(index(interface)));
            request.message_mut().header.parent = TcHandle::ROOT;
            request.execute().await?;
        }
        Item::Address {
            interface, address, ..
        } => {
            let found = picture.address(index(interface), *address);
            if let Some(found) = found {
                handle.address().del(found.clone()).execute().await?;
            }
        }
        Item::Route(route) => {
            if let Some(found) = picture.route(route) {
                handle.route().del(found.clone()).execute().await?;
            }
        }
        Item::Rule(rule) => {
            if let Some(found) = picture.rule(rule) {
                handle.rule().del(found.clone()).execute().await?;
            }
        }
        Item::Setting { .. } | Item::Forwarding => {}
    }
    Ok(())
}

fn message(
    route: &Route,
    index: impl Fn(&String) -> Result<u32, Failure>,
) -> Result<RouteMessage, Failure> {
    let builder = RouteMessageBuilder::<Ipv6Addr>::new()
        .destination_prefix(route.to.network(), route.to.len())
        .table_id(route.table)
        .priority(route.metric)
        .protocol(PROTOCOL);
    let builder = match &route.way {
        Way::Link { interface } => builder.output_interface(index(interface)?),
        Way::Via { gateway, interface } => builder
            .output_interface(index(interface)?)
            .gateway(*gateway),
        Way::Unreachable => builder.kind(RouteType::Unreachable),
    };
    Ok(builder.build())
}

async fn add_rule(handle: &Handle, rule: &Rule) -> Result<(), rtnetlink::Error> {
    let mut request = handle
        .rule()
        .add()
        .v6()
        .table_id(rule.table)
        .priority(rule.priority)
        .action(RuleAction::ToTable);
    match rule.who {
        Who::Anybody => {}
        Who::From(prefix) => request = request.source_prefix(prefix.network(), prefix.len()),
        Who::Unmarked(mark) => {
            request = request.fw_mark(mark);
            request.message_mut().header.flags |= RuleFlags::Invert;
        }
    }
    let attributes = &mut request.message_mut().attributes;
    attributes.push(RuleAttribute::Protocol(PROTOCOL));
    if rule.no_default {
        attributes.push(RuleAttribute::SuppressPrefixLen(0));
    }
    request.execute().await
}

/// As `tc qdisc replace`; the crate's own request has no place for the kind.
async fn no_queue(handle: &Handle, index: u32) -> Result<(), rtnetlink::Error> {
    let mut message = TcMessage::with_index(signed(index));
    message.header.parent = TcHandle::ROOT;
    message
        .attributes
        .push(TcAttribute::Kind("noqueue".to_owned()));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    let mut answers = handle.clone().request(request)?;
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(error) = answer.payload {
            return error
                .code
                .map_or(Ok(()), |_| Err(rtnetlink::Error::NetlinkError(error)));
        }
    }
    Ok(())
}

/// Queueing disciplines want the number of an interface with a sign.
fn signed(index: u32) -> i32 {
    i32::try_from(index).unwrap_or_default()
}
