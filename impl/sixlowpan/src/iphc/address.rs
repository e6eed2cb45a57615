//! How addresses are shortened (RFC 6282 sections 3.1.1, 3.2.2 and 3.2.4, RFC 7668 section 3.2.4).
//!
//! An address is shortened only if the rule by which the other end restores it gives that very
//! address.

use std::net::Ipv6Addr;

use super::error::{DecompressError, Field};
use super::reader::Reader;
use crate::context::{Context, ContextId, Contexts};
use crate::iid::Iid;
use crate::link::Endpoint;

/// The address mode of addresses that are carried whole.
const WHOLE: u8 = 0b00;
/// That of addresses of which the second half is carried.
const HALF: u8 = 0b01;
/// That of addresses of which the last two octets are carried.
const SHORT: u8 = 0b10;
/// That of addresses of which nothing is carried.
const ELIDED: u8 = 0b11;
/// An address is shortened by a context: SAC, and DAC behind M.
const STATEFUL: u8 = 0b100;
/// The destination is a multicast address: M.
const MULTICAST: u8 = 0b1000;
/// A multicast address has at most so many bits of a prefix (RFC 3306 section 4).
const MULTICAST_PREFIX: u8 = 64;

/// The device, or the enclosing IPv6 header, that an address may be taken from.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    Device(&'a Endpoint),
    Enclosing(Ipv6Addr),
}

impl End<'_> {
    fn iid(self) -> Iid {
        match self {
            Self::Device(endpoint) => endpoint.iid(),
            Self::Enclosing(address) => Iid::of_address(address),
        }
    }

    fn elided(self, context: &Context) -> Ipv6Addr {
        match self {
            Self::Device(endpoint) => endpoint.elided(context),
            Self::Enclosing(address) => context.complete(Iid::of_address(address).0),
        }
    }
}

/// A shortened address.
pub(super) struct Shortened {
    /// Three bits SAC and SAM, or four bits M, DAC and DAM.
    pub(super) bits: u8,
    /// The context it was shortened by; else the one that need not be named.
    pub(super) context: ContextId,
    /// What is carried.
    pub(super) inline: Vec<u8>,
}

impl Shortened {
    fn stateless(bits: u8, inline: &[u8]) -> Self {
        let (context, inline) = (ContextId::DEFAULT, inline.to_vec());
        Self {
            bits,
            context,
            inline,
        }
    }

    /// The shortest form of a source.
    pub(super) fn source(address: Ipv6Addr, end: End<'_>, contexts: &Contexts) -> Self {
        if address.is_unspecified() {
            return Self::stateless(STATEFUL | WHOLE, &[]);
        }
        Self::unicast(address, end, contexts)
    }

    /// The shortest form of a destination.
    pub(super) fn destination(address: Ipv6Addr, end: End<'_>, contexts: &Contexts) -> Self {
        if address.is_multicast() {
            return Self::multicast(address, contexts);
        }
        Self::unicast(address, end, contexts)
    }

    fn unicast(address: Ipv6Addr, end: End<'_>, contexts: &Contexts) -> Self {
        let link_local = Context::LINK_LOCAL;
        let stateless = shorten(address, &link_local, link_local.complete(end.iid().0));
        let stateless = stateless.map(|(mode, inline)| Self::stateless(mode, inline.as_ref()));
        let stateful = contexts.longest_match(address).and_then(|(id, context)| {
            let (mode, inline) = shorten(address, context, end.elided(context))?;
            Some(Self {
                bits: STATEFUL | mode,
                context: id,
                inline,
            })
        });
        let whole = Self::stateless(WHOLE, &address.octets());
        // Of equals the first is taken, and that is the one that names no context.
        [stateless, stateful, Some(whole)]
            .into_iter()
            .flatten()
            .min_by_key(|form| form.inline.len())
            .unwrap_or_else(|| Self::stateless(WHOLE, &address.octets()))
    }

    fn multicast(address: Ipv6Addr, contexts: &Contexts) -> Self {
        match address.octets() {
            [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a] => {
                Self::stateless(MULTICAST | ELIDED, &[a])
            }
            [0xff, scope, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c] => {
                Self::stateless(MULTICAST | SHORT, &[scope, a, b, c])
            }
            [0xff, scope, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, e] => {
                Self::stateless(MULTICAST | HALF, &[scope, a, b, c, d, e])
            }
            [0xff, scope, riid, .., a, b, c, d] => {
                let inline = [scope, riid, a, b, c, d];
                contexts
                    .iter()
                    .filter(|(_, context)| context.may_compress())
                    .find(|(_, context)| prefix_based(context, inline) == Some(address))
                    .map_or_else(
                        || Self::stateless(MULTICAST | WHOLE, &address.octets()),
                        |(context, _)| Self {
                            bits: MULTICAST | STATEFUL | WHOLE,
                            context,
                            inline: inline.to_vec(),
                        },
                    )
            }
            octets => Self::stateless(MULTICAST | WHOLE, &octets),
        }
    }
}

/// The mode and the octets by which `address` is restored with `context`, where nothing at all
/// gives `elided`.
fn shorten(address: Ipv6Addr, context: &Context, elided: Ipv6Addr) -> Option<(u8, Vec<u8>)> {
    let half @ [.., a, b] = Iid::of_address(address).0;
    if elided == address {
        Some((ELIDED, Vec::new()))
    } else if context.complete(short(a, b)) == address {
        Some((SHORT, vec![a, b]))
    } else if context.complete(half) == address {
        Some((HALF, half.to_vec()))
    } else {
        None
    }
}

/// Restores a source of which `bits` are SAC and SAM.
pub(super) fn source(
    reader: &mut Reader<'_>,
    bits: u8,
    context: ContextId,
    end: End<'_>,
    contexts: &Contexts,
) -> Result<Ipv6Addr, DecompressError> {
    if bits & 0b111 == STATEFUL | WHOLE {
        return Ok(Ipv6Addr::UNSPECIFIED);
    }
    unicast(reader, Field::Source, bits, context, end, contexts)
}

/// Restores a destination of which `bits` are M, DAC and DAM.
pub(super) fn destination(
    reader: &mut Reader<'_>,
    bits: u8,
    context: ContextId,
    end: End<'_>,
    contexts: &Contexts,
) -> Result<Ipv6Addr, DecompressError> {
    let field = Field::Destination;
    let bits = bits & 0b1111;
    if bits & MULTICAST == 0 {
        if bits == STATEFUL | WHOLE {
            return Err(DecompressError::ReservedDestination(bits));
        }
        return unicast(reader, field, bits, context, end, contexts);
    }
    match bits & !MULTICAST {
        WHOLE => Ok(Ipv6Addr::from(reader.take::<16>(field)?)),
        HALF => {
            let [scope, a, b, c, d, e] = reader.take(field)?;
            Ok([0xff, scope, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, e].into())
        }
        SHORT => {
            let [scope, a, b, c] = reader.take(field)?;
            Ok([0xff, scope, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c].into())
        }
        ELIDED => {
            let a = reader.octet(field)?;
            Ok([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a].into())
        }
        stateful if stateful == STATEFUL | WHOLE => {
            let known = known(contexts, context)?;
            let address = prefix_based(known, reader.take(field)?);
            address.ok_or(DecompressError::MulticastContext(context))
        }
        _ => Err(DecompressError::ReservedDestination(bits)),
    }
}

/// Restores an address of which `bits` are SAC and SAM, or DAC and DAM.
fn unicast(
    reader: &mut Reader<'_>,
    field: Field,
    bits: u8,
    id: ContextId,
    end: End<'_>,
    contexts: &Contexts,
) -> Result<Ipv6Addr, DecompressError> {
    let mode = bits & 0b11;
    if mode == WHOLE {
        return Ok(Ipv6Addr::from(reader.take::<16>(field)?));
    }
    let stateful = bits & STATEFUL != 0;
    let context = match stateful {
        true => known(contexts, id)?,
        false => &Context::LINK_LOCAL,
    };
    match mode {
        HALF => Ok(context.complete(reader.take(field)?)),
        SHORT => reader
            .take(field)
            .map(|[a, b]| context.complete(short(a, b))),
        _ if stateful => Ok(end.elided(context)),
        _ => Ok(context.complete(end.iid().0)),
    }
}

fn known(contexts: &Contexts, id: ContextId) -> Result<&Context, DecompressError> {
    contexts.get(id).ok_or(DecompressError::UnknownContext(id))
}

/// The interface identifier of which two octets are carried (RFC 6282 section 3.1.1).
const fn short(a: u8, b: u8) -> [u8; 8] {
    [0, 0, 0, 0xff, 0xfe, 0, a, b]
}

/// A multicast address that tells its network's prefix (RFC 3306 section 4, RFC 3956 section 4).
fn prefix_based(context: &Context, carried: [u8; 6]) -> Option<Ipv6Addr> {
    let length = context.length();
    if length > MULTICAST_PREFIX {
        return None;
    }
    let [scope, riid, a, b, c, d] = carried;
    let [p, q, r, s, t, u, v, w, ..] = context.prefix().octets();
    let octets = [
        0xff, scope, riid, length, p, q, r, s, t, u, v, w, a, b, c, d,
    ];
    Some(octets.into())
}
