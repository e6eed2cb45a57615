//! Requests by CoAP (RFC 7252), repeated as its section 4.2 has it until there is an answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use coap_lite::{CoapRequest, MessageType, Packet, RequestType};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{ObserveError, Result};
use crate::fabric::Node;
use crate::radio::COAP_PORT;

/// `ACK_TIMEOUT`, after which a request is repeated, the next time after twice as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest answer that is read.
const LONGEST: usize = 1500;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoapAnswer {
    /// Its code as it is written, e.g. `2.05`.
    pub code: String,
    /// What it says.
    pub text: String,
}

/// Asks the CoAP server at `server` with `method` (`GET`, `POST`, `PUT` or `DELETE`) for `path`; nothing, if there is no
/// answer `within` that time.
///
/// # Errors
/// When a socket fails or the method is none.
pub async fn coap(
    from: &Node,
    server: IpAddr,
    method: &str,
    path: &str,
    within: Duration,
) -> Result<Option<CoapAnswer>> {
    let failed = |reason| ObserveError::Socket {
        node: from.name().to_owned(),
        what: "ask by CoAP",
        reason,
    };
    let method = match method {
        "GET" => RequestType::Get,
        "POST" => RequestType::Post,
        "PUT" => RequestType::Put,
        "DELETE" => RequestType::Delete,
        other => {
            let reason = io::Error::other(format!("{other:?} is no method of CoAP's"));
            return Err(failed(reason));
        }
    };
    // The low bits of the clock, as one that nobody has used of late.
    let token = std::time::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
        .as_nanos();
    let id = u16::try_from(token & 0xffff).unwrap_or_default();
    let mut request: CoapRequest<SocketAddr> = CoapRequest::new();
    request.set_method(method);
    request.set_path(path);
    request.message.header.set_type(MessageType::Confirmable);
    request.message.header.message_id = id;
    request.message.set_token(id.to_be_bytes().to_vec());
    let octets = request.message.to_bytes();
    let octets = octets.map_err(|error| failed(io::Error::other(error.to_string())))?;
    let asked = from
        .run(move || Box::pin(ask((server, COAP_PORT).into(), octets, id, within)))
        .await?;
    asked.map_err(failed)
}

async fn ask(
    server: SocketAddr,
    request: Vec<u8>,
    id: u16,
    within: Duration,
) -> io::Result<Option<CoapAnswer>> {
    let everywhere: IpAddr = match server {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((everywhere, 0)).await?;
    let end = Instant::now() + within;
    let mut patience = PATIENCE;
    let mut buffer = [0; LONGEST];
    while Instant::now() < end {
        // What cannot be sent at the moment may be later.
        let _ = socket.send_to(&request, server).await;
        let until = (Instant::now() + patience).min(end);
        patience *= 2;
        while let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await {
            // An ICMP error for an earlier one.
            let Ok((len, _)) = received else {
                continue;
            };
            let datagram = buffer.get(..len).unwrap_or_default();
            if let Ok(answer) = Packet::from_bytes(datagram)
                && answer.get_token() == id.to_be_bytes()
            {
                return Ok(Some(CoapAnswer {
                    code: answer.header.get_code(),
                    text: String::from_utf8_lossy(&answer.payload).into_owned(),
                }));
            }
        }
    }
    Ok(None)
}
