//! The routers on the way to a target, one hop limit after the other.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Result;
use super::echo::{Answer, Problem};
use super::socket::{EchoSocket, Received};
use crate::fabric::Node;

/// Routers may stay silent for a moment, since they limit how often they complain (RFC 4443 section 2.4 f).
const TRIES: u16 = 4;

/// How long one request waits for an answer.
const PATIENCE: Duration = Duration::from_millis(400);

/// No way in a lab is longer.
const LONGEST: u8 = 16;

/// What was found at one distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// A router at that address passes packets on.
    Router(IpAddr),
    /// The target itself.
    Target(IpAddr),
    /// The way ends at that address.
    Stopped(IpAddr, Problem),
    /// Somebody who does not answer.
    Silent,
}

/// The way from `node` to `target`; ends with the target, with whoever stops it, or after 16 hops.
///
/// # Errors
/// When the node offers no raw socket.
pub async fn trace(node: &Node, target: IpAddr) -> Result<Vec<Hop>> {
    let mut socket = EchoSocket::open(node, target).await?;
    let mut way = Vec::new();
    for distance in 1..=LONGEST {
        socket.set_hop_limit(distance)?;
        let hop = probe(&mut socket, distance).await?;
        way.push(hop);
        if matches!(hop, Hop::Target(_) | Hop::Stopped(..)) {
            break;
        }
    }
    Ok(way)
}

async fn probe(socket: &mut EchoSocket, distance: u8) -> Result<Hop> {
    for attempt in 0..TRIES {
        let seq = u16::from(distance) * TRIES + attempt;
        if socket.send(seq, &[]).await.is_err() {
            return Ok(Hop::Silent);
        }
        let deadline = Instant::now() + PATIENCE;
        while let Ok(received) = timeout_at(deadline, socket.receive()).await {
            let Received { from, answer, .. } = received?;
            if answer.id().seq / TRIES != u16::from(distance) {
                continue;
            }
            return Ok(match answer {
                Answer::Reply(_) => Hop::Target(from),
                Answer::Problem(_, Problem::TimeExceeded) => Hop::Router(from),
                Answer::Problem(_, problem) => Hop::Stopped(from, problem),
            });
        }
    }
    Ok(Hop::Silent)
}
