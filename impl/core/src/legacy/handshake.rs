//! ID, METAKEY, CHALLENGE, CHAL_REPLY, ACK: both ends prove that they have their private keys.
//!
//! The responder answers a challenge only after the initiator has answered its own, so that
//! nobody without a key can use a node to answer challenges for it (CVE-2018-16737, -16738).
//! Every error ends the connection; no state can be resumed after one.

use std::time::Instant;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Channel, MetaError};
use crate::constants::PROTOCOL_VERSION;
use crate::crypto::algorithm::{Digest, StreamCipher};
use crate::crypto::stream::MetaCipher;
use crate::meta::{Identity, PeerTerms};
use crate::name::NodeName;
use crate::wire::request::{Ack, MetaKey, Request, Version};

/// The digest of the challenges we send.
const CHALLENGE_DIGEST: Digest = Digest::Sha256;

/// Where a handshake stands; each state owns what must not outlive it.
pub(crate) struct Handshake {
    /// Whom we dialled; `None` if we were dialled.
    dialled: Option<NodeName>,
    /// When the connection, or the attempt to make it, began.
    started: Instant,
    /// What the peer can do beyond this protocol, as its ID says it.
    minor: Option<u32>,
    state: State,
}

enum State {
    Id,
    Terms {
        name: NodeName,
    },
    MetaKey(Peer),
    Challenge {
        peer: Peer,
        /// What the peer's challenges are digested with.
        digest: Digest,
        expected: Zeroizing<Vec<u8>>,
    },
    ChalReply {
        peer: Peer,
        expected: Zeroizing<Vec<u8>>,
        /// Our answer, kept back until the peer has proven itself.
        held: Option<Vec<u8>>,
    },
    Ack {
        peer: Peer,
        weight: i32,
    },
    Done {
        name: NodeName,
    },
    /// The peer broke the protocol; only its name is still of use.
    Broken {
        name: Option<NodeName>,
    },
}

struct Peer {
    name: NodeName,
    terms: Box<PeerTerms>,
}

/// What one request led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on.
    Continue,
    /// The peer gave its name: who is that?
    Identified(NodeName),
    /// Both ends are who they say.
    Active {
        name: NodeName,
        /// Weight we announced.
        weight: i32,
        /// What the peer announced.
        ack: Ack,
    },
}

impl Handshake {
    /// We dialled `expect`, which is greeted at once.
    pub(crate) fn initiator(
        ours: &Identity,
        expect: NodeName,
        started: Instant,
        channel: &mut Channel,
    ) -> Self {
        send(channel, &greeting(ours));
        Self {
            dialled: Some(expect),
            started,
            minor: None,
            state: State::Id,
        }
    }

    /// Somebody connected to us.
    pub(crate) fn responder(started: Instant) -> Self {
        Self {
            dialled: None,
            started,
            minor: None,
            state: State::Id,
        }
    }

    /// The other end: as it named itself, or as we dialled it.
    pub(crate) fn peer_name(&self) -> Option<&NodeName> {
        match &self.state {
            State::Id => self.dialled.as_ref(),
            State::Terms { name } | State::Done { name } => Some(name),
            State::Broken { name } => name.as_ref(),
            State::MetaKey(peer)
            | State::Challenge { peer, .. }
            | State::ChalReply { peer, .. }
            | State::Ack { peer, .. } => Some(&peer.name),
        }
    }

    /// The minor version in the peer's ID.
    pub(crate) fn peer_minor(&self) -> Option<u32> {
        self.minor
    }

    /// The caller has yet to say who the peer is.
    pub(crate) fn waits_for_terms(&self) -> bool {
        matches!(self.state, State::Terms { .. })
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// The caller knows the peer: go on with these terms.
    pub(crate) fn accept(
        &mut self,
        terms: PeerTerms,
        ours: &Identity,
        now: Instant,
        rng: &mut dyn CryptoRng,
        channel: &mut Channel,
    ) -> Result<(), MetaError> {
        let State::Terms { name } = &self.state else {
            return Ok(());
        };
        let peer = Peer {
            name: name.clone(),
            terms: Box::new(terms),
        };
        if self.dialled.is_none() {
            send(channel, &greeting(ours));
        }
        if ours.bypass_security {
            self.state = self.acknowledge(peer, now, channel);
        } else {
            send_meta_key(&peer, ours, rng, channel)?;
            self.state = State::MetaKey(peer);
        }
        Ok(())
    }

    /// Takes the next request of the peer.
    pub(crate) fn receive(
        &mut self,
        request: Request,
        ours: &Identity,
        now: Instant,
        rng: &mut dyn CryptoRng,
        channel: &mut Channel,
    ) -> Result<Step, MetaError> {
        let broken = State::Broken {
            name: self.peer_name().cloned(),
        };
        let state = std::mem::replace(&mut self.state, broken);
        let (state, step) = match (state, request) {
            (State::Id, Request::Id { name, version }) => {
                self.check_id(&name, version, ours)?;
                self.minor = version.minor;
                (State::Terms { name: name.clone() }, Step::Identified(name))
            }
            (State::MetaKey(peer), Request::MetaKey(key)) => {
                let digest = receive_meta_key(&key, ours, rng, channel)?;
                let expected = send_challenge(&peer, rng, channel);
                let state = State::Challenge {
                    peer,
                    digest,
                    expected,
                };
                (state, Step::Continue)
            }
            (
                State::Challenge {
                    peer,
                    digest,
                    expected,
                },
                Request::Challenge(challenge),
            ) => {
                check_length("CHALLENGE", challenge.len(), ours)?;
                let reply = digest.hash(&challenge);
                let held = if self.dialled.is_some() {
                    send(channel, &Request::ChalReply(reply));
                    None
                } else {
                    Some(reply)
                };
                let state = State::ChalReply {
                    peer,
                    expected,
                    held,
                };
                (state, Step::Continue)
            }
            (
                State::ChalReply {
                    peer,
                    expected,
                    held,
                },
                Request::ChalReply(reply),
            ) => {
                if !bool::from(expected.ct_eq(&reply)) {
                    return Err(MetaError::WrongReply);
                }
                if let Some(held) = held {
                    send(channel, &Request::ChalReply(held));
                }
                (self.acknowledge(peer, now, channel), Step::Continue)
            }
            (State::Ack { peer, weight }, Request::Ack(ack)) => {
                let name = peer.name;
                let step = Step::Active {
                    name: name.clone(),
                    weight,
                    ack,
                };
                (State::Done { name }, step)
            }
            (state, request) => {
                return Err(MetaError::OutOfOrder {
                    expected: state.due(),
                    found: request.title(),
                });
            }
        };
        self.state = state;
        Ok(step)
    }

    fn check_id(
        &self,
        name: &NodeName,
        version: Version,
        ours: &Identity,
    ) -> Result<(), MetaError> {
        if *name == ours.name {
            return Err(MetaError::OwnName { name: name.clone() });
        }
        if version.major != PROTOCOL_VERSION {
            return Err(MetaError::Version {
                found: version.major,
            });
        }
        match &self.dialled {
            Some(expected) if expected != name => Err(MetaError::OtherName {
                expected: expected.clone(),
                found: name.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Sends our ACK.
    fn acknowledge(&self, peer: Peer, now: Instant, channel: &mut Channel) -> State {
        let elapsed = now.saturating_duration_since(self.started).as_millis();
        let weight = match peer.terms.weight {
            Some(weight) => weight,
            None => i32::try_from(elapsed).unwrap_or(i32::MAX),
        };
        let ack = Ack {
            port: peer.terms.port.clone(),
            weight,
            options: peer.terms.options,
        };
        send(channel, &Request::Ack(ack));
        State::Ack { peer, weight }
    }
}

impl State {
    /// The request that is due.
    fn due(&self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Terms { .. } | Self::Broken { .. } => "nothing",
            Self::MetaKey(_) => "METAKEY",
            Self::Challenge { .. } => "CHALLENGE",
            Self::ChalReply { .. } => "CHAL_REPLY",
            Self::Ack { .. } => "ACK",
            Self::Done { .. } => "a request about the mesh",
        }
    }
}

fn greeting(ours: &Identity) -> Request {
    Request::Id {
        name: ours.name.clone(),
        version: Version::LEGACY,
    }
}

fn send(channel: &mut Channel, request: &Request) {
    let line = Zeroizing::new(format!("{request}\n"));
    channel.send(line.as_bytes());
}

/// Chooses the key of our sending direction, tells it and encrypts from then on.
fn send_meta_key(
    peer: &Peer,
    ours: &Identity,
    rng: &mut dyn CryptoRng,
    channel: &mut Channel,
) -> Result<(), MetaError> {
    let mut block = Zeroizing::new(vec![0; peer.terms.public_key.size()]);
    rng.fill_bytes(&mut block);
    if let Some(first) = block.first_mut() {
        // Below the modulus, whose top bit is set.
        *first &= 0x7f;
    }
    let cipher = StreamCipher::matching(ours.packet.cipher());
    let request = Request::MetaKey(MetaKey {
        cipher: cipher.number(),
        digest: CHALLENGE_DIGEST.number(),
        mac_length: 0,
        compression: 0,
        key: peer.terms.public_key.encrypt_block(&block)?,
    });
    send(channel, &request);
    channel.encrypt(MetaCipher::encryptor(cipher, &block)?);
    Ok(())
}

/// Takes the key of the peer's sending direction; returns the digest of its challenges.
fn receive_meta_key(
    key: &MetaKey,
    ours: &Identity,
    rng: &mut dyn CryptoRng,
    channel: &mut Channel,
) -> Result<Digest, MetaError> {
    check_length("METAKEY", key.key.len(), ours)?;
    let cipher =
        StreamCipher::from_number(key.cipher).ok_or(MetaError::Cipher { found: key.cipher })?;
    let digest = Digest::from_number(key.digest)
        .filter(|digest| *digest != Digest::None)
        .ok_or(MetaError::Digest { found: key.digest })?;
    let fits = usize::try_from(key.mac_length).is_ok_and(|length| length <= digest.size());
    if !fits {
        return Err(MetaError::MacLength {
            found: key.mac_length,
        });
    }
    let block = ours.private_key.decrypt_block(&key.key, rng)?;
    channel.decrypt(MetaCipher::decryptor(cipher, &block)?);
    Ok(digest)
}

/// Sends a challenge; returns the right answer.
fn send_challenge(
    peer: &Peer,
    rng: &mut dyn CryptoRng,
    channel: &mut Channel,
) -> Zeroizing<Vec<u8>> {
    let mut challenge = vec![0; peer.terms.public_key.size()];
    rng.fill_bytes(&mut challenge);
    let expected = CHALLENGE_DIGEST.hash(&challenge);
    send(channel, &Request::Challenge(challenge));
    Zeroizing::new(expected)
}

fn check_length(request: &'static str, found: usize, ours: &Identity) -> Result<(), MetaError> {
    let expected = ours.private_key.public().size();
    if found == expected {
        Ok(())
    } else {
        Err(MetaError::Length {
            request,
            expected,
            found,
        })
    }
}
