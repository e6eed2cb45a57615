//! What options of router advertisements tell (RFC 4861, RFC 4191, RFC 8106, RFC 8781).

use std::net::Ipv6Addr;
use std::time::Duration;

use pnet_packet::icmpv6::ndp::NdpOptionTypes;

use super::domain::DomainName;
use super::options::{OPTION_UNIT, RawOption};
use crate::router::Prefix;
use crate::subnet::Mac;

/// Types of options that came after RFC 4861.
const ROUTE_INFORMATION: u8 = 24;
const RECURSIVE_DNS_SERVERS: u8 = 25;
const DNS_SEARCH_LIST: u8 = 31;
const PREF64: u8 = 38;

/// The prefix is on the link (RFC 4861 section 4.6.2).
const FLAG_ON_LINK: u8 = 0x80;
/// Hosts make addresses from the prefix (RFC 4861 section 4.6.2).
const FLAG_AUTONOMOUS: u8 = 0x40;
/// Lifetimes of [`Nat64Prefix`] count so many seconds (RFC 8781 section 4).
const PREF64_SCALE: u64 = 8;
/// Lengths of NAT64 prefixes by their code (RFC 8781 section 4).
const PREF64_LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// How long something holds, in seconds; the largest is for ever (RFC 4861 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(pub u32);

impl Lifetime {
    /// It holds no more.
    pub const NONE: Self = Self(0);
    /// It never ends.
    pub const INFINITE: Self = Self(u32::MAX);
}

impl From<Duration> for Lifetime {
    /// Whole seconds; what is longer than 136 years is for ever.
    fn from(duration: Duration) -> Self {
        Self(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX))
    }
}

/// Whether a router is to be preferred to others (RFC 4191 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Preference {
    /// Only if there is no other.
    Low,
    /// As routers are that say nothing of it.
    #[default]
    Medium,
    /// Before others.
    High,
}

impl Preference {
    /// The two bits, at their place in the flags.
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::High => 0b01 << 3,
            Self::Medium => 0b00 << 3,
            Self::Low => 0b11 << 3,
        }
    }

    /// `None` for the value that is reserved.
    pub(super) const fn from_flags(flags: u8) -> Option<Self> {
        match flags >> 3 & 0b11 {
            0b01 => Some(Self::High),
            0b00 => Some(Self::Medium),
            0b11 => Some(Self::Low),
            _ => None,
        }
    }
}

/// A prefix of the link (RFC 4861 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix.
    pub prefix: Prefix,
    /// Its addresses are reached without a router.
    pub on_link: bool,
    /// Hosts make addresses from it.
    pub autonomous: bool,
    /// How long addresses are valid.
    pub valid: Lifetime,
    /// How long addresses are chosen for new connections.
    pub preferred: Lifetime,
}

/// A prefix that is reached by the router (RFC 4191 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteInformation {
    /// The prefix.
    pub prefix: Prefix,
    /// Whether to prefer this way there.
    pub preference: Preference,
    /// How long the way is there.
    pub lifetime: Lifetime,
}

/// A prefix behind which IPv4 is found (RFC 8781).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nat64Prefix {
    /// The prefix, of 32, 40, 48, 56, 64 or 96 bits.
    pub prefix: Prefix,
    /// How long it is there: a multiple of 8 seconds up to 65,528.
    pub lifetime: Duration,
}

/// An option of a router advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Information {
    /// Where the router is found on an Ethernet or by Bluetooth (RFC 4861 section 4.6.1).
    LinkAddress(Mac),
    /// The longest packets that everybody on the link takes, in bytes (RFC 4861 section 4.6.4).
    Mtu(u32),
    /// A prefix of the link.
    Prefix(PrefixInformation),
    /// A way to a prefix elsewhere.
    Route(RouteInformation),
    /// Recursive resolvers (RFC 8106 section 5.1).
    DnsServers {
        /// How long they may be asked.
        lifetime: Lifetime,
        /// Their addresses, at least one and at most 127.
        servers: Vec<Ipv6Addr>,
    },
    /// Domains that short names are looked for in (RFC 8106 section 5.2).
    SearchList {
        /// How long they may be used.
        lifetime: Lifetime,
        /// The domains, at least one.
        domains: Vec<DomainName>,
    },
    /// A prefix behind which IPv4 is found.
    Nat64(Nat64Prefix),
}

impl Information {
    /// Appends the option; lists too long for one are cut at what fits.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::LinkAddress(Mac(address)) => {
                append(out, NdpOptionTypes::SourceLLAddr.0, &[address]);
            }
            Self::Mtu(mtu) => append(out, NdpOptionTypes::MTU.0, &[&[0; 2], &mtu.to_be_bytes()]),
            Self::Prefix(info) => {
                let on_link = if info.on_link { FLAG_ON_LINK } else { 0 };
                let autonomous = if info.autonomous { FLAG_AUTONOMOUS } else { 0 };
                let parts: [&[u8]; 5] = [
                    &[info.prefix.len(), on_link | autonomous],
                    &info.valid.0.to_be_bytes(),
                    &info.preferred.0.to_be_bytes(),
                    &[0; 4],
                    &info.prefix.network().octets(),
                ];
                append(out, NdpOptionTypes::PrefixInformation.0, &parts);
            }
            Self::Route(info) => {
                let octets = info.prefix.network().octets();
                let shown = usize::from(info.prefix.len()).div_ceil(64) * OPTION_UNIT;
                let parts: [&[u8]; 3] = [
                    &[info.prefix.len(), info.preference.bits()],
                    &info.lifetime.0.to_be_bytes(),
                    octets.get(..shown).unwrap_or(&octets),
                ];
                append(out, ROUTE_INFORMATION, &parts);
            }
            Self::DnsServers { lifetime, servers } => {
                let servers: Vec<u8> = servers.iter().flat_map(Ipv6Addr::octets).collect();
                let parts: [&[u8]; 3] = [&[0; 2], &lifetime.0.to_be_bytes(), &servers];
                append(out, RECURSIVE_DNS_SERVERS, &parts);
            }
            Self::SearchList { lifetime, domains } => {
                let mut names = Vec::new();
                for domain in domains {
                    domain.encode(&mut names);
                }
                let padded = names.len().next_multiple_of(OPTION_UNIT);
                names.resize(padded, 0);
                let parts: [&[u8]; 3] = [&[0; 2], &lifetime.0.to_be_bytes(), &names];
                append(out, DNS_SEARCH_LIST, &parts);
            }
            Self::Nat64(info) => {
                let code = PREF64_LENGTHS.iter().zip(0_u16..);
                let code = code.filter(|(len, _)| **len == info.prefix.len());
                let code = code.map(|(_, code)| code).next().unwrap_or(0);
                let scaled = info.lifetime.as_secs() / PREF64_SCALE;
                let scaled = u16::try_from(scaled).unwrap_or(u16::MAX).min(u16::MAX >> 3);
                let octets = info.prefix.network().octets();
                let shown = octets.first_chunk::<12>().map_or(&[][..], |shown| shown);
                append(out, PREF64, &[&(scaled << 3 | code).to_be_bytes(), shown]);
            }
        }
    }

    /// Reads an option; `None` if it tells nothing that we know, or in a way that is not legal,
    /// which is passed over (RFC 4861 section 6.1.2, RFC 8106 section 5.3.1).
    pub(super) fn parse(option: RawOption<'_>) -> Option<Self> {
        const LINK_ADDRESS: u8 = NdpOptionTypes::SourceLLAddr.0;
        const MTU: u8 = NdpOptionTypes::MTU.0;
        const PREFIX: u8 = NdpOptionTypes::PrefixInformation.0;
        match option.kind {
            LINK_ADDRESS => Some(Self::LinkAddress(Mac(option.body.try_into().ok()?))),
            MTU => {
                let &[_, _, ref mtu @ ..] = <&[u8; 6]>::try_from(option.body).ok()?;
                Some(Self::Mtu(u32::from_be_bytes(*mtu)))
            }
            PREFIX => prefix_information(option.body).map(Self::Prefix),
            ROUTE_INFORMATION => route_information(option.body).map(Self::Route),
            RECURSIVE_DNS_SERVERS => {
                let (lifetime, servers) = list(option.body)?;
                let (servers, rest) = servers.as_chunks::<16>();
                let servers: Vec<_> = servers.iter().copied().map(Ipv6Addr::from).collect();
                let legal = rest.is_empty() && !servers.is_empty();
                legal.then_some(Self::DnsServers { lifetime, servers })
            }
            DNS_SEARCH_LIST => {
                let (lifetime, names) = list(option.body)?;
                let domains = domains(names)?;
                (!domains.is_empty()).then_some(Self::SearchList { lifetime, domains })
            }
            PREF64 => nat64_prefix(option.body).map(Self::Nat64),
            _ => None,
        }
    }
}

/// Appends an option of these parts, which with type and length are a multiple of 8 bytes.
fn append(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let mut body = parts.concat();
    body.truncate(usize::from(u8::MAX) * OPTION_UNIT - 2);
    let units = (body.len() + 2).div_ceil(OPTION_UNIT);
    out.extend([kind, u8::try_from(units).unwrap_or(u8::MAX)]);
    out.extend(body);
}

/// Lifetime and content of an option of RFC 8106, behind two bytes that are reserved.
fn list(body: &[u8]) -> Option<(Lifetime, &[u8])> {
    let (&[_, _, ref lifetime @ ..], content) = body.split_first_chunk::<6>()?;
    Some((Lifetime(u32::from_be_bytes(*lifetime)), content))
}

fn domains(mut names: &[u8]) -> Option<Vec<DomainName>> {
    let mut domains = Vec::new();
    // Zeros fill the rest.
    while names.iter().any(|byte| *byte != 0) {
        let (domain, rest) = DomainName::decode(names)?;
        domains.push(domain);
        names = rest;
    }
    Some(domains)
}

fn prefix_information(body: &[u8]) -> Option<PrefixInformation> {
    let (&[len, flags, v0, v1, v2, v3, p0, p1, p2, p3, ..], octets) = <&[u8; 30]>::try_from(body)
        .ok()?
        .split_first_chunk::<14>()?;
    Some(PrefixInformation {
        prefix: prefix(octets, len)?,
        on_link: flags & FLAG_ON_LINK != 0,
        autonomous: flags & FLAG_AUTONOMOUS != 0,
        valid: Lifetime(u32::from_be_bytes([v0, v1, v2, v3])),
        preferred: Lifetime(u32::from_be_bytes([p0, p1, p2, p3])),
    })
}

fn route_information(body: &[u8]) -> Option<RouteInformation> {
    let (&[len, flags, ref lifetime @ ..], octets) = body.split_first_chunk::<6>()?;
    if octets.len() > 16 || octets.len() * 8 < usize::from(len) {
        return None;
    }
    Some(RouteInformation {
        prefix: prefix(octets, len)?,
        preference: Preference::from_flags(flags)?,
        lifetime: Lifetime(u32::from_be_bytes(*lifetime)),
    })
}

fn nat64_prefix(body: &[u8]) -> Option<Nat64Prefix> {
    let (scaled, octets) = <&[u8; 14]>::try_from(body).ok()?.split_first_chunk::<2>()?;
    let scaled = u16::from_be_bytes(*scaled);
    let len = *PREF64_LENGTHS.get(usize::from(scaled & 0b111))?;
    Some(Nat64Prefix {
        prefix: prefix(octets, len)?,
        lifetime: Duration::from_secs(u64::from(scaled >> 3) * PREF64_SCALE),
    })
}

/// The first `len` bits of at most 16 octets; what else stands there is to be ignored.
fn prefix(octets: &[u8], len: u8) -> Option<Prefix> {
    let mut all = [0; 16];
    all.get_mut(..octets.len())?.copy_from_slice(octets);
    (len <= 128).then(|| Prefix::of(all.into(), len))
}
