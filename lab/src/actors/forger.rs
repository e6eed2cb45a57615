//! Somebody on the way between two machines, who sends what was heard again, as it was or changed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::sleep;

use super::Result;
use crate::fabric::{FabricError, Node};

/// Bytes of an IPv4 header without options and of a UDP header (RFC 791, RFC 768).
const HEADERS: usize = 20 + 8;

/// Where in a packet the UDP checksum is, without which it is taken unchecked.
const CHECKSUM: std::ops::Range<usize> = 26..28;

/// Where in a packet its destination is.
const DESTINATION: std::ops::Range<usize> = 16..20;

/// Packets sent at a time, and the pause after them, so that none is lost for want of room.
const BURST: usize = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// The packet as it can be sent again: where it was heard, its checksum may not have been computed yet.
#[must_use]
pub fn unchecked(mut packet: Vec<u8>) -> Vec<u8> {
    if let Some(checksum) = packet.get_mut(CHECKSUM) {
        checksum.fill(0);
    }
    packet
}

/// The packet with each bit of its UDP payload changed in turn.
pub fn flipped(packet: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let bits = HEADERS * 8..packet.len() * 8;
    bits.filter_map(|bit| {
        let mut forged = packet.to_vec();
        *forged.get_mut(bit / 8)? ^= 1 << (bit % 8);
        Some(forged)
    })
}

/// Sends IPv4 packets as they are from a machine on their way.
///
/// # Errors
/// When the node gives no raw socket, or does not know the way.
pub async fn inject(node: &Node, packets: Vec<Vec<u8>>) -> Result<()> {
    let sent = node.run(move || Box::pin(send(packets))).await?;
    sent.map_err(|error| {
        FabricError::Node {
            node: node.name().to_owned(),
            what: "send forged packets".to_owned(),
            reason: error.to_string(),
        }
        .into()
    })
}

async fn send(packets: Vec<Vec<u8>>) -> std::io::Result<()> {
    // With IPPROTO_RAW (255) the header is the sender's (raw(7)).
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?;
    for burst in packets.chunks(BURST) {
        for packet in burst {
            let octets = packet
                .get(DESTINATION)
                .and_then(|part| part.try_into().ok());
            let target = Ipv4Addr::from(octets.unwrap_or([0; 4]));
            socket.send_to(packet, &SocketAddr::from((target, 0)).into())?;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_the_payload_is_changed_once_and_no_other() {
        let packet: Vec<u8> = (0..30).collect();
        let forged: Vec<_> = flipped(&packet).collect();
        assert_eq!(forged.len(), 16);
        for one in forged {
            let differ = one.iter().zip(&packet).map(|(a, b)| (a ^ b).count_ones());
            assert_eq!(differ.sum::<u32>(), 1);
            assert_eq!(one[..HEADERS], packet[..HEADERS]);
        }
    }
}
