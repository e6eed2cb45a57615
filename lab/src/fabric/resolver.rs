//! Names: asked for as a machine's own library would, one question in one datagram (RFC 1035), and answered late.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout};

use super::{FabricError, Lab, Node, Result, check};
use crate::model::{Answers, Dns, Ipv6};
use crate::plan::{DOMAIN, Plan, Role};

/// Where resolvers listen.
pub(super) const PORT: u16 = 53;

/// Where one listens whose answers are handed on late.
pub(super) const INNER_PORT: u16 = 5300;

/// How long an answer may take beside what it is delayed by.
const LIMIT: Duration = Duration::from_secs(5);

/// How long silence is listened to. An answer takes a millisecond.
const SILENCE: Duration = Duration::from_millis(300);

/// Longest message without an extension, section 2.3.4.
const LONGEST: usize = 512;

/// Length of a message's header, section 4.1.1.
const HEADER: usize = 12;

/// Record types and class, sections 3.2.2 and 3.2.4, and RFC 3596.
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;

/// Response code of a name that does not exist, section 4.1.1.
const NXDOMAIN: u8 = 3;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoName,
    /// Another response code.
    Refused(u8),
    /// No answer came.
    Silence,
}

/// Asks, as the first guest of each router that has a resolver, whether it is the one that was planned.
pub(super) async fn proven(lab: &Lab) -> Result<()> {
    for router in &lab.plan.nodes {
        let Some((service, dns)) = router
            .service
            .as_ref()
            .zip(router.service.as_ref().and_then(|s| s.dns))
        else {
            continue;
        };
        let mut guests = lab.plan.nodes.iter();
        let guest = guests.find(|node| {
            node.guest.resolver.is_some() && near(&lab.plan, &node.name, &router.name)
        });
        if let Some(guest) = guest {
            let resolver = guest
                .guest
                .resolver
                .unwrap_or_else(|| service.address.into());
            prove(
                lab,
                lab.node(&guest.name)?,
                resolver,
                dns,
                service.ipv6.as_ref(),
            )
            .await?;
        }
    }
    Ok(())
}

/// Whether a cable joins them.
fn near(plan: &Plan, a: &str, b: &str) -> bool {
    let has =
        |link: &crate::plan::LinkPlan, name: &str| link.ends.iter().any(|end| end.node == name);
    plan.links.iter().any(|link| has(link, a) && has(link, b))
}

/// The IPv6 addresses that a resolver with DNS64 makes up for a machine: none if it has any of its own.
pub(super) fn made_up(plan: &Plan, machine: &str, ipv6: &Ipv6) -> Vec<IpAddr> {
    let all = plan.public_addresses(machine);
    if all.iter().any(IpAddr::is_ipv6) {
        return Vec::new();
    }
    let translated = all.iter().filter_map(|address| match address {
        IpAddr::V4(address) => ipv6.translated(*address),
        IpAddr::V6(_) => None,
    });
    translated.map(IpAddr::from).collect()
}

async fn prove(
    lab: &Lab,
    guest: &Node,
    resolver: IpAddr,
    dns: Dns,
    ipv6: Option<&Ipv6>,
) -> Result<()> {
    let servers = lab
        .plan
        .nodes
        .iter()
        .filter(|node| node.role == Role::Server);
    for server in servers {
        let name = format!("{}.{DOMAIN}", server.name);
        let delay = Duration::from_millis(dns.delay.into());
        let patience = match dns.answers {
            Answers::Nothing => SILENCE,
            _ => delay + LIMIT,
        };
        let begun = Instant::now();
        let asked = [A, AAAA].map(|kind| ask(guest, resolver, &name, kind, patience));
        let [a, aaaa] = asked;
        let found = try_join(a, aaaa).await?;
        let took = begun.elapsed();
        let all = lab.plan.public_addresses(&server.name);
        let of = |v4: bool| {
            all.iter()
                .copied()
                .filter(|addr| addr.is_ipv4() == v4)
                .collect()
        };
        let truth = (Reply::Addresses(of(true)), Reply::Addresses(of(false)));
        let right = match dns.answers {
            Answers::Truth => found == truth,
            Answers::Dns64 => {
                let made_up = ipv6.map(|ipv6| made_up(&lab.plan, &server.name, ipv6));
                let made_up = made_up.filter(|made_up| !made_up.is_empty());
                found == (truth.0, made_up.map_or(truth.1, Reply::Addresses))
            }
            Answers::NoAaaa if truth.0 == Reply::Addresses(Vec::new()) => {
                found == (Reply::NoName, Reply::NoName)
            }
            Answers::NoAaaa => found == (truth.0, Reply::Addresses(Vec::new())),
            // Of IPv6 it has nothing to say.
            Answers::Itself => found.0 == Reply::Addresses(vec![resolver]),
            Answers::Nxdomain => found == (Reply::NoName, Reply::NoName),
            Answers::Nothing => found == (Reply::Silence, Reply::Silence),
        };
        let late = dns.answers == Answers::Nothing || took >= delay;
        if !right || !late {
            let reason = format!(
                "planned was one that {} after {delay:?}; of {name} it said {:?} and {:?} after {took:?}",
                dns.answers, found.0, found.1
            );
            return Err(failed(
                guest,
                format!("ask the resolver {resolver}"),
                reason,
            ));
        }
    }
    Ok(())
}

/// Asks once for the addresses of a name.
async fn ask(
    node: &Node,
    resolver: IpAddr,
    name: &str,
    kind: u16,
    patience: Duration,
) -> Result<Reply> {
    let any: IpAddr = match resolver {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = check::socket(node, any, 0).await?;
    let asked = async {
        socket.connect((resolver, PORT)).await?;
        socket.send(&question(name, kind)).await?;
        let mut buffer = [0; LONGEST];
        match timeout(patience, socket.recv(&mut buffer)).await {
            Ok(received) => {
                let message = buffer.get(..received?).unwrap_or_default();
                reply(message, kind)
                    .ok_or_else(|| io::Error::other("what it answered is no DNS message"))
            }
            Err(_) => Ok(Reply::Silence),
        }
    };
    let failure = |error: io::Error| {
        failed(
            node,
            format!("ask {resolver} for {name}"),
            error.to_string(),
        )
    };
    asked.await.map_err(failure)
}

/// A message with one question, sections 4.1.1 and 4.1.2.
fn question(name: &str, kind: u16) -> Vec<u8> {
    // Number 1, recursion desired, one question.
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        // Names of machines are of at most 32 characters.
        message.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    message
}

/// The answer in a message, `None` if it is cut off.
fn reply(message: &[u8], kind: u16) -> Option<Reply> {
    match message.get(3)? & 0xf {
        0 => {}
        NXDOMAIN => return Some(Reply::NoName),
        code => return Some(Reply::Refused(code)),
    }
    let number = |at: usize| {
        Some(u16::from_be_bytes([
            *message.get(at)?,
            *message.get(at + 1)?,
        ]))
    };
    let mut at = HEADER;
    for _ in 0..number(4)? {
        at = after_name(message, at)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..number(6)? {
        at = after_name(message, at)?;
        let len = usize::from(number(at + 8)?);
        let data = message.get(at + 10..at + 10 + len)?;
        match (number(at)?, data.len()) {
            (A, 4) if kind == A => found.extend(
                <[u8; 4]>::try_from(data)
                    .ok()
                    .map(Ipv4Addr::from)
                    .map(IpAddr::from),
            ),
            (AAAA, 16) if kind == AAAA => found.extend(
                <[u8; 16]>::try_from(data)
                    .ok()
                    .map(Ipv6Addr::from)
                    .map(IpAddr::from),
            ),
            _ => {}
        }
        at += 10 + len;
    }
    Some(Reply::Addresses(found))
}

/// Where a name, perhaps cut short by a pointer (section 4.1.4), ends.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer >= 0xc0 => return Some(at + 2),
            len => at += 1 + usize::from(len),
        }
    }
}

/// Answers on an address of `node` what its resolver on [`INNER_PORT`] answers, later.
pub(super) async fn delay(node: &Node, address: Ipv4Addr, by: Duration) -> Result<()> {
    let begin = async move {
        let outer = Arc::new(UdpSocket::bind((address, PORT)).await?);
        tokio::task::spawn_local(hand_on(outer, by));
        io::Result::Ok(())
    };
    let begun = node.run(move || Box::pin(begin)).await?;
    begun.map_err(|error| {
        failed(
            node,
            format!("answer on {address}, port {PORT}"),
            error.to_string(),
        )
    })
}

async fn hand_on(outer: Arc<UdpSocket>, by: Duration) {
    let mut buffer = [0; LONGEST];
    loop {
        // Told of those who did not wait for their answer.
        let Ok((len, client)) = outer.recv_from(&mut buffer).await else {
            continue;
        };
        let (outer, question) = (
            outer.clone(),
            buffer.get(..len).unwrap_or_default().to_vec(),
        );
        tokio::task::spawn_local(async move {
            sleep(by).await;
            // Whoever gets no answer asks again.
            if let Ok(Ok(answer)) = timeout(LIMIT, within(&question)).await {
                let _ = outer.send_to(&answer, client).await;
            }
        });
    }
}

async fn within(question: &[u8]) -> io::Result<Vec<u8>> {
    let inner = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    inner
        .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, INNER_PORT)))
        .await?;
    inner.send(question).await?;
    let mut buffer = vec![0; LONGEST];
    let len = inner.recv(&mut buffer).await?;
    buffer.truncate(len);
    Ok(buffer)
}

fn failed(node: &Node, what: String, reason: String) -> FabricError {
    FabricError::Node {
        node: node.name().to_owned(),
        what,
        reason,
    }
}
