//! One meta connection: bytes in, events and bytes out.
//!
//! A connection knows its peer and nothing of other connections. Every error ends it.

use std::sync::Arc;
use std::time::Instant;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::addr::Port;
use crate::constants::{MAX_LINE, MAX_PACKET};
use crate::crypto::algorithm::PacketSpec;
use crate::crypto::rsa::{PrivateKey, PublicKey};
use crate::legacy::{Channel, Handshake, Step};
use crate::name::NodeName;
use crate::options::Options;
use crate::wire::request::Request;

pub use crate::legacy::MetaError;
pub use crate::wire::request::Ack;

/// Who we are to every peer.
pub struct Identity {
    /// Our name.
    pub name: NodeName,
    /// Our RSA key.
    pub private_key: PrivateKey,
    /// How packets to us are sealed; meta connections get a cipher of the same strength.
    pub packet: PacketSpec,
    /// No authentication and no encryption; both ends must want it.
    pub bypass_security: bool,
}

/// Who a peer is to us, and what we tell it in ACK.
pub struct PeerTerms {
    /// Its RSA key.
    pub public_key: PublicKey,
    /// Our options for this connection.
    pub options: Options,
    /// Weight to announce instead of the measured one, in milliseconds.
    pub weight: Option<i32>,
    /// Our UDP port.
    pub port: Port,
}

/// What a connection tells its owner.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer gave its name. Nothing more happens until [`Connection::accept`].
    Identified(NodeName),
    /// The handshake is over; both ends proved who they are.
    Active {
        /// The peer.
        name: NodeName,
        /// The weight that we announced, in milliseconds.
        weight: i32,
        /// What the peer announced.
        ack: Ack,
    },
    /// A request about the mesh.
    Request {
        /// What it says.
        request: Request,
        /// The line as it came, without LF, for passing on.
        line: Zeroizing<Vec<u8>>,
    },
    /// An Ethernet frame.
    Packet(Vec<u8>),
}

/// A meta connection from the first byte to the last.
pub struct Connection {
    ours: Arc<Identity>,
    channel: Channel,
    handshake: Handshake,
    terms: Option<PeerTerms>,
    /// Bytes of the packet that is announced and not complete.
    packet: Option<usize>,
    /// Why nothing is taken any more.
    failed: Option<MetaError>,
}

impl Connection {
    /// A connection that we made to `expect`; the attempt began at `started`.
    #[must_use]
    pub fn new_initiator(ours: &Arc<Identity>, expect: NodeName, started: Instant) -> Self {
        let mut channel = Channel::default();
        let handshake = Handshake::initiator(ours, expect, started, &mut channel);
        Self::new(ours, channel, handshake)
    }

    /// A connection that somebody made to us at `started`.
    #[must_use]
    pub fn new_responder(ours: &Arc<Identity>, started: Instant) -> Self {
        Self::new(ours, Channel::default(), Handshake::responder(started))
    }

    fn new(ours: &Arc<Identity>, channel: Channel, handshake: Handshake) -> Self {
        Self {
            ours: Arc::clone(ours),
            channel,
            handshake,
            terms: None,
            packet: None,
            failed: None,
        }
    }

    /// Takes bytes that arrived.
    ///
    /// # Errors
    /// If they are more than may wait for [`Connection::poll`], or after any error before.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), MetaError> {
        self.unless_failed(|conn| conn.channel.receive(bytes))
    }

    /// The next event, or `None` until more bytes arrive or the peer is accepted.
    ///
    /// # Errors
    /// If the peer broke the protocol, now or before.
    pub fn poll(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Event>, MetaError> {
        self.unless_failed(|conn| conn.next_event(now, rng))
    }

    /// Whoever broke the protocol once is not listened to again.
    fn unless_failed<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, MetaError>,
    ) -> Result<T, MetaError> {
        let result = match self.failed.take() {
            Some(error) => Err(error),
            None => act(self),
        };
        self.failed = result.as_ref().err().cloned();
        result
    }

    fn next_event(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Event>, MetaError> {
        if let Some(terms) = self.terms.take() {
            self.handshake
                .accept(terms, &self.ours, now, rng, &mut self.channel)?;
        }
        while !self.handshake.waits_for_terms() {
            if let Some(len) = self.packet {
                let Some(frame) = self.channel.bytes(len) else {
                    return Ok(None);
                };
                self.packet = None;
                if frame.len() <= MAX_PACKET {
                    return Ok(Some(Event::Packet(frame)));
                }
                continue;
            }
            let Some(line) = self.channel.line()? else {
                return Ok(None);
            };
            let request = match Request::parse(&line) {
                Ok(request) => request,
                // An honest neighbour passes on what tincd lets pass; see `is_only_ours`.
                Err(error) if self.handshake.is_done() && error.is_only_ours() => {
                    tracing::debug!("a request is ignored: {error}");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(event) = self.take(request, line, now, rng)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn take(
        &mut self,
        request: Request,
        line: Zeroizing<Vec<u8>>,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Event>, MetaError> {
        if self.handshake.is_done() {
            return match request {
                Request::Packet { len } => {
                    self.packet = Some(len);
                    Ok(None)
                }
                Request::Id { .. }
                | Request::MetaKey(_)
                | Request::Challenge(_)
                | Request::ChalReply(_)
                | Request::Ack(_) => Err(MetaError::OutOfOrder {
                    expected: "a request about the mesh",
                    found: request.title(),
                }),
                request => Ok(Some(Event::Request { request, line })),
            };
        }
        let step = self
            .handshake
            .receive(request, &self.ours, now, rng, &mut self.channel)?;
        Ok(match step {
            Step::Continue => None,
            Step::Identified(name) => Some(Event::Identified(name)),
            Step::Active { name, weight, ack } => Some(Event::Active { name, weight, ack }),
        })
    }

    /// Answers [`Event::Identified`]: the peer is known and these are its terms. The handshake
    /// goes on at the next [`Connection::poll`].
    pub fn accept(&mut self, terms: PeerTerms) {
        self.terms = Some(terms);
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Request) {
        self.send_line(Zeroizing::new(request.to_string()).as_bytes());
    }

    /// Sends a line as it is; LF is appended. A line for which the peer would close the
    /// connection, being longer than the protocol allows, is dropped.
    pub fn send_line(&mut self, line: &[u8]) {
        if line.len() >= MAX_LINE {
            tracing::debug!("a line of {} bytes is too long to be sent", line.len());
            return;
        }
        self.channel.send(line);
        self.channel.send(b"\n");
    }

    /// Sends an Ethernet frame. One that the peer would not take, being longer than
    /// [`MAX_PACKET`], is dropped.
    pub fn send_packet(&mut self, frame: &[u8]) {
        if frame.len() > MAX_PACKET {
            return;
        }
        self.send(&Request::Packet { len: frame.len() });
        self.channel.send(frame);
    }

    /// How many bytes are to be sent.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.channel.output_len()
    }

    /// Takes the bytes to be sent, if there are any.
    pub fn take_output(&mut self) -> Option<Vec<u8>> {
        self.channel.take_output()
    }

    /// The other end: as it named itself, or as we dialled it.
    #[must_use]
    pub fn peer_name(&self) -> Option<&NodeName> {
        self.handshake.peer_name()
    }

    /// The minor version in the peer's ID: tinc 1.1 has one, also when it is told to speak the
    /// protocol of 1.0 alone, tinc 1.0 none.
    #[must_use]
    pub fn peer_minor(&self) -> Option<u32> {
        self.handshake.peer_minor()
    }
}
