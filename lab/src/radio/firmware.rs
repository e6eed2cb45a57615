//! What a kit offers, as those of the sales demonstrations did: an echo by TCP and UDP (RFC 862), and a coffee machine by
//! CoAP (RFC 7252). Echo requests are answered by the kernel.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use coap_lite::{
    CoapRequest, ContentFormat, MessageClass, MessageType, Packet, RequestType, ResponseType,
};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::{Duration, Instant};
use tracing::info;

use super::{RadioError, Result};

/// Where CoAP servers listen (RFC 7252 section 12.6).
pub const COAP_PORT: u16 = 5683;

/// Where echo servers listen (RFC 862).
pub const ECHO_PORT: u16 = 7;

/// The coffee machine's path.
pub const COFFEE: &str = "coffee";

/// Where a server lists what it has (RFC 6690 section 4).
const WELL_KNOWN: &str = ".well-known/core";

/// The list.
const LINKS: &str = "</coffee>;rt=\"coffee-machine\";ct=0";

/// How long a cup takes.
const BREWING: Duration = Duration::from_millis(300);

/// Answers that are kept for requests that are sent again (RFC 7252 section 4.5).
const KEPT: usize = 16;

/// Offers everything, until something cannot be offered any more.
pub(super) async fn offer() -> Result<()> {
    tokio::try_join!(echo_tcp(), echo_udp(), coffee_machine()).map(drop)
}

fn everywhere(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> RadioError {
    move |reason| RadioError::Service { what, reason }
}

/// Says back what comes by TCP, to either family (RFC 862).
///
/// # Errors
/// When the port is not to be had.
pub async fn echo_tcp() -> Result<()> {
    let listener = TcpListener::bind(everywhere(ECHO_PORT)).await;
    let listener = listener.map_err(failed("an echo by TCP"))?;
    loop {
        // One that is gone again is no reason to stop.
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        tokio::task::spawn_local(async move {
            let (mut reader, mut writer) = stream.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        });
    }
}

async fn echo_udp() -> Result<()> {
    let socket = UdpSocket::bind(everywhere(ECHO_PORT)).await;
    let socket = socket.map_err(failed("an echo by UDP"))?;
    let mut buffer = [0; sixlowpan::MTU];
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..len], from).await;
        }
    }
}

/// Makes coffee for whoever asks by CoAP (RFC 7252).
///
/// # Errors
/// When the port is not to be had.
pub async fn coffee_machine() -> Result<()> {
    let socket = UdpSocket::bind(everywhere(COAP_PORT)).await;
    let socket = socket.map_err(failed("CoAP"))?;
    let mut machine = Machine::default();
    let mut buffer = [0; sixlowpan::MTU];
    loop {
        let Ok((len, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(answer) = machine.answer(&buffer[..len], from, Instant::now()) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// A coffee machine.
#[derive(Default)]
struct Machine {
    cups: u32,
    /// When the cup that is being made is ready.
    ready: Option<Instant>,
    answered: VecDeque<(SocketAddr, u16, Vec<u8>)>,
}

impl Machine {
    /// The answer to a datagram, if it is to have one; the same for the same request.
    fn answer(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        let packet = Packet::from_bytes(datagram).ok()?;
        let id = packet.header.message_id;
        let before = self
            .answered
            .iter()
            .find(|(who, what, _)| *who == from && *what == id);
        if let Some((.., answer)) = before {
            return Some(answer.clone());
        }
        let answer = self.respond(packet, from, now)?;
        if self.answered.len() == KEPT {
            self.answered.pop_front();
        }
        self.answered.push_back((from, id, answer.clone()));
        Some(answer)
    }

    fn respond(&mut self, packet: Packet, from: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        // An empty confirmable message asks whether we are there (section 4.3).
        let kind = packet.header.get_type();
        if packet.header.code == MessageClass::Empty {
            let mut reset = Packet::new();
            reset.header.set_type(MessageType::Reset);
            reset.header.code = MessageClass::Empty;
            reset.header.message_id = packet.header.message_id;
            return (kind == MessageType::Confirmable).then(|| reset.to_bytes().ok())?;
        }
        if !matches!(kind, MessageType::Confirmable | MessageType::NonConfirmable) {
            return None;
        }
        let request = CoapRequest::from_packet(packet, from);
        let (path, method) = (request.get_path(), *request.get_method());
        let mut response = request.response?;
        let (status, text) = match (path.as_str(), method) {
            (COFFEE, RequestType::Get) => (ResponseType::Content, self.told(now)),
            (COFFEE, RequestType::Post | RequestType::Put) => {
                self.brew(now);
                info!("{from} brews coffee");
                (ResponseType::Changed, self.told(now))
            }
            (WELL_KNOWN, RequestType::Get) => (ResponseType::Content, LINKS.to_owned()),
            (COFFEE | WELL_KNOWN, _) => (ResponseType::MethodNotAllowed, String::new()),
            _ => (ResponseType::NotFound, String::new()),
        };
        response.set_status(status);
        if !text.is_empty() {
            response.message.set_content_format(match path.as_str() {
                WELL_KNOWN => ContentFormat::ApplicationLinkFormat,
                _ => ContentFormat::TextPlain,
            });
        }
        response.message.payload = text.into_bytes();
        response.message.to_bytes().ok()
    }

    fn brew(&mut self, now: Instant) {
        self.settle(now);
        self.ready.get_or_insert(now + BREWING);
    }

    fn settle(&mut self, now: Instant) {
        if self.ready.take_if(|ready| *ready <= now).is_some() {
            self.cups += 1;
        }
    }

    fn told(&mut self, now: Instant) -> String {
        self.settle(now);
        let cups = self.cups;
        match self.ready {
            Some(_) => format!("brewing, {cups} cups so far"),
            None => format!("ready, {cups} cups so far"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from() -> SocketAddr {
        "[2001:db8::42]:5683".parse().unwrap()
    }

    fn request(id: u16, method: RequestType, path: &str) -> Vec<u8> {
        let mut request: CoapRequest<SocketAddr> = CoapRequest::new();
        request.set_method(method);
        request.set_path(path);
        request.message.header.message_id = id;
        request.message.to_bytes().unwrap()
    }

    fn answered(machine: &mut Machine, request: &[u8], now: Instant) -> (String, String) {
        let answer = machine.answer(request, from(), now).unwrap();
        let answer = Packet::from_bytes(&answer).unwrap();
        let text = String::from_utf8(answer.payload.clone()).unwrap();
        (answer.header.get_code(), text)
    }

    #[test]
    fn a_cup_takes_its_time() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        let brew = request(1, RequestType::Post, COFFEE);
        let (code, text) = answered(&mut machine, &brew, now);
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("2.04", "brewing, 0 cups so far")
        );
        let look = |id| request(id, RequestType::Get, COFFEE);
        let (code, text) = answered(&mut machine, &look(2), now);
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("2.05", "brewing, 0 cups so far")
        );
        let (_, text) = answered(&mut machine, &look(3), now + BREWING);
        assert_eq!(text, "ready, 1 cups so far");
    }

    #[test]
    fn a_request_that_comes_twice_is_one() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        let brew = request(1, RequestType::Post, COFFEE);
        let first = machine.answer(&brew, from(), now);
        assert_eq!(machine.answer(&brew, from(), now + BREWING), first);
        let look = request(2, RequestType::Get, COFFEE);
        let (_, text) = answered(&mut machine, &look, now + BREWING * 2);
        assert_eq!(text, "ready, 1 cups so far");
    }

    #[test]
    fn what_is_not_there_and_what_is_not_done_are_told_apart() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        let tea = request(1, RequestType::Get, "tea");
        assert_eq!(answered(&mut machine, &tea, now).0, "4.04");
        let delete = request(2, RequestType::Delete, COFFEE);
        assert_eq!(answered(&mut machine, &delete, now).0, "4.05");
        let list = request(3, RequestType::Get, WELL_KNOWN);
        assert_eq!(answered(&mut machine, &list, now).1, LINKS);
    }

    #[test]
    fn who_asks_whether_we_are_there_is_told_so() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        let answer = machine.answer(&[0x40, 0, 0x12, 0x34], from(), now).unwrap();
        assert_eq!(answer, [0x70, 0, 0x12, 0x34]);
        assert_eq!(machine.answer(&[0x60, 0, 0x12, 0x35], from(), now), None);
        assert_eq!(machine.answer(b"no coap", from(), now), None);
        assert_eq!(machine.answer(&[], from(), now), None);
    }
}
