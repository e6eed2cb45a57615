//! What a network says to one packet that it does not pass on, field by field.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Result;
use super::echo::Answer;
use super::socket::EchoSocket;
use crate::fabric::Node;

/// How long one packet waits for its refusal.
const PATIENCE: Duration = Duration::from_millis(500);

/// An ICMP or ICMPv6 error (RFC 792, RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Who sent it.
    pub by: IpAddr,
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The MTU it tells, in bytes; 0 for those that tell none.
    pub mtu: u32,
    /// Its length as an IP packet, in bytes.
    pub len: usize,
    /// How many more routers it could have passed; only IPv4 shows that.
    pub hops_left: Option<u8>,
    /// What it quotes of the refused packet is what was sent.
    pub quotes_truly: bool,
}

/// Sends one echo request of `payload` bytes that may pass `hops` routers, and waits for a refusal.
///
/// # Errors
/// When the node offers no raw socket.
pub async fn refusal(
    node: &Node,
    target: IpAddr,
    payload: usize,
    hops: u8,
) -> Result<Option<Refusal>> {
    let mut socket = EchoSocket::open(node, target).await?;
    socket.set_hop_limit(hops)?;
    let payload: Vec<u8> = (0..=u8::MAX).cycle().take(payload).collect();
    if socket.send(0, &payload).await.is_err() {
        return Ok(None);
    }
    let deadline = Instant::now() + PATIENCE;
    while let Ok(received) = timeout_at(deadline, socket.receive()).await {
        let received = received?;
        if let Answer::Problem(..) = received.answer {
            return Ok(parse(received.from, received.message, &payload));
        }
    }
    Ok(None)
}

/// `packet` begins with its IP header for IPv4 and behind it for IPv6.
fn parse(by: IpAddr, packet: &[u8], payload: &[u8]) -> Option<Refusal> {
    let (message, header, hops_left) = match by {
        IpAddr::V4(_) => (packet.get(20..)?, 20, packet.get(8).copied()),
        IpAddr::V6(_) => (packet, 40, None),
    };
    let (&[kind, code, _, _, a, b, c, d], quoted) = message.split_first_chunk::<8>()?;
    let quoted_payload = quoted.get(header + 8..)?;
    Some(Refusal {
        by,
        kind,
        code,
        mtu: u32::from_be_bytes([a, b, c, d]),
        len: message.len() + header,
        hops_left,
        quotes_truly: payload.starts_with(quoted_payload),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_refusal_are_read() {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 255, 1];
        packet.resize(20, 0);
        packet.extend([3, 4, 0, 0, 0, 0, 0x03, 0xda]);
        packet.extend([0; 28]);
        packet.extend([0, 1, 2]);
        let by = IpAddr::from([10, 87, 0, 1]);
        let wanted = Refusal {
            by,
            kind: 3,
            code: 4,
            mtu: 986,
            len: 59,
            hops_left: Some(255),
            quotes_truly: true,
        };
        assert_eq!(parse(by, &packet, &[0, 1, 2, 3]), Some(wanted));
        let lies = parse(by, &packet, &[0, 1, 7, 3]).unwrap();
        assert!(!lies.quotes_truly);
        assert_eq!(parse(by, &packet[..40], &[]), None);
    }
}
