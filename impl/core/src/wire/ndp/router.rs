//! Router solicitations and advertisements (RFC 4861 sections 4.1 and 4.2).

use std::net::Ipv6Addr;
use std::time::Duration;

use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::icmpv6::ndp::NdpOptionTypes;

use super::information::{Information, Preference};
use super::{InvalidMessage, Received};
use crate::subnet::Mac;

/// Addresses come from a server, by DHCPv6 (RFC 4861 section 4.2).
const FLAG_MANAGED: u8 = 0x80;
/// Other things come from a server, by DHCPv6 (RFC 4861 section 4.2).
const FLAG_OTHER: u8 = 0x40;

/// A host asks for routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterSolicitation {
    /// Its address, if it has one yet.
    pub source: Option<Ipv6Addr>,
    /// Its link-layer address, if it told one as long as on Ethernet.
    pub link_address: Option<Mac>,
}

impl RouterSolicitation {
    /// Reads one.
    ///
    /// # Errors
    /// If it fails a check of RFC 4861 section 6.1.1.
    pub fn parse(received: &Received<'_>) -> Result<Self, InvalidMessage> {
        // Behind type, code and checksum stand four bytes that are reserved.
        let (_, options) = received.parts::<4>(Icmpv6Types::RouterSolicit)?;
        let source = received.source;
        if source.is_multicast() {
            return Err(InvalidMessage::Source(source));
        }
        let kind = NdpOptionTypes::SourceLLAddr.0;
        let tells = options.iter().any(|option| option.kind == kind);
        if source.is_unspecified() && tells {
            return Err(InvalidMessage::LinkAddressOfNobody);
        }
        Ok(Self {
            source: (!source.is_unspecified()).then_some(source),
            link_address: options.link_address(kind),
        })
    }
}

/// A router tells of itself and of the link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouterAdvertisement {
    /// Hop limit that hosts are to send with; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses come from a server, by DHCPv6.
    pub managed: bool,
    /// Other things come from a server, by DHCPv6.
    pub other: bool,
    /// Whether to prefer the router to others (RFC 4191).
    pub preference: Preference,
    /// How long the router is a default router, in whole seconds up to 65,535; zero if it is none.
    pub lifetime: Duration,
    /// How long a neighbour counts as reachable, in milliseconds up to 2^32 - 1; zero leaves it
    /// to the hosts.
    pub reachable: Duration,
    /// How long to wait before a neighbour is asked again, in milliseconds up to 2^32 - 1; zero
    /// leaves it to the hosts.
    pub retransmit: Duration,
    /// The options that are known and legal, in order.
    pub options: Vec<Information>,
}

impl RouterAdvertisement {
    /// The message from its type on, without checksum, which is the kernel's to fill in.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(self.managed, FLAG_MANAGED) | flag(self.other, FLAG_OTHER);
        let lifetime = u16::try_from(self.lifetime.as_secs()).unwrap_or(u16::MAX);
        let millis = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let mut message = vec![Icmpv6Types::RouterAdvert.0, 0, 0, 0];
        message.extend([self.hop_limit, flags | self.preference.bits()]);
        message.extend(lifetime.to_be_bytes());
        message.extend(millis(self.reachable).to_be_bytes());
        message.extend(millis(self.retransmit).to_be_bytes());
        for option in &self.options {
            option.encode(&mut message);
        }
        message
    }

    /// Reads one.
    ///
    /// # Errors
    /// If it fails a check of RFC 4861 section 6.1.2.
    pub fn parse(received: &Received<'_>) -> Result<Self, InvalidMessage> {
        let (fixed, options) = received.parts::<12>(Icmpv6Types::RouterAdvert)?;
        if !received.source.is_unicast_link_local() {
            return Err(InvalidMessage::Source(received.source));
        }
        let &[hop_limit, flags, l0, l1, a0, a1, a2, a3, b0, b1, b2, b3] = fixed;
        let millis = |bytes| Duration::from_millis(u32::from_be_bytes(bytes).into());
        Ok(Self {
            hop_limit,
            managed: flags & FLAG_MANAGED != 0,
            other: flags & FLAG_OTHER != 0,
            // The reserved value counts as medium (RFC 4191 section 2.2).
            preference: Preference::from_flags(flags).unwrap_or_default(),
            lifetime: Duration::from_secs(u16::from_be_bytes([l0, l1]).into()),
            reachable: millis([a0, a1, a2, a3]),
            retransmit: millis([b0, b1, b2, b3]),
            options: options.iter().filter_map(Information::parse).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::information::{Lifetime, Nat64Prefix, PrefixInformation, RouteInformation};
    use super::super::{ALL_NODES, ALL_ROUTERS, DomainName, OptionError};
    use super::*;
    use crate::router::Prefix;
    use crate::wire::ethernet::Frame;
    use crate::wire::icmpv6;

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const LINK: [u8; 14] = [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];

    fn frame(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
        icmpv6::frame(&LINK, source, destination, message)
    }

    fn received(frame: &[u8]) -> Received<'_> {
        Received::in_frame(&Frame::new(frame).unwrap()).unwrap()
    }

    fn advertisement(message: &[u8]) -> Result<RouterAdvertisement, InvalidMessage> {
        RouterAdvertisement::parse(&received(&frame(ROUTER, ALL_NODES, message)))
    }

    fn solicitation(source: Ipv6Addr, rest: &[u8]) -> Result<RouterSolicitation, InvalidMessage> {
        let message = [&[133, 0, 0, 0], rest].concat();
        RouterSolicitation::parse(&received(&frame(source, ALL_ROUTERS, &message)))
    }

    /// The layouts are written down by hand from the RFCs.
    #[test]
    fn every_field_stands_where_the_rfcs_have_it() {
        let prefix = "2001:db8:85a3:ef11::/64".parse().unwrap();
        let advertisement = RouterAdvertisement {
            hop_limit: 64,
            managed: false,
            other: true,
            preference: Preference::Low,
            lifetime: Duration::from_secs(1800),
            reachable: Duration::from_millis(30_000),
            retransmit: Duration::from_millis(1000),
            options: vec![
                Information::LinkAddress(Mac([2, 0, 0, 0, 0, 0xaa])),
                Information::Mtu(1420),
                Information::Prefix(PrefixInformation {
                    prefix,
                    on_link: true,
                    autonomous: true,
                    valid: Lifetime(5400),
                    preferred: Lifetime::INFINITE,
                }),
                Information::Route(RouteInformation {
                    prefix: "2001:db8::/32".parse().unwrap(),
                    preference: Preference::High,
                    lifetime: Lifetime(600),
                }),
                Information::DnsServers {
                    lifetime: Lifetime(1800),
                    servers: vec!["2001:db8::53".parse().unwrap()],
                },
                Information::SearchList {
                    lifetime: Lifetime(1800),
                    domains: vec!["kits.example".parse().unwrap()],
                },
                Information::Nat64(Nat64Prefix {
                    prefix: "64:ff9b::/96".parse().unwrap(),
                    lifetime: Duration::from_secs(1800),
                }),
            ],
        };
        #[rustfmt::skip]
        let bytes: [&[u8]; 9] = [
            &[134, 0, 0, 0, 64, 0x40 | 0b11 << 3, 0x07, 0x08],
            &[0, 0, 0x75, 0x30, 0, 0, 0x03, 0xe8],
            &[1, 1, 2, 0, 0, 0, 0, 0xaa],
            &[5, 1, 0, 0, 0, 0, 0x05, 0x8c],
            &[3, 4, 64, 0xc0, 0, 0, 0x15, 0x18, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
              0x20, 0x01, 0x0d, 0xb8, 0x85, 0xa3, 0xef, 0x11, 0, 0, 0, 0, 0, 0, 0, 0],
            &[24, 2, 32, 0b01 << 3, 0, 0, 0x02, 0x58, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0],
            &[25, 3, 0, 0, 0, 0, 0x07, 0x08,
              0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53],
            &[31, 3, 0, 0, 0, 0, 0x07, 0x08,
              4, b'k', b'i', b't', b's', 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 0, 0, 0],
            &[38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(advertisement.message(), bytes.concat());
    }

    #[test]
    fn options_of_a_wrong_length_or_unknown_are_passed_over() {
        let fixed = [134, 0, 0, 0, 0, 0b10 << 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for option in [
            [200, 1, 0, 0, 0, 0, 0, 0],
            // Of resolvers without any, of a prefix without prefix, of a route of 64 bits in none.
            [25, 1, 0, 0, 0, 0, 0, 9],
            [3, 1, 64, 0xc0, 0, 0, 0, 9],
            [24, 1, 64, 0, 0, 0, 0, 9],
            [31, 1, 0, 0, 0, 0, 0, 9],
        ] {
            let read = advertisement(&[&fixed[..], &option].concat()).unwrap();
            assert_eq!(read, RouterAdvertisement::default());
        }
        let short_route = [24, 1, 0, 0, 0, 0, 0, 9];
        let read = advertisement(&[&fixed[..], &short_route].concat()).unwrap();
        assert_eq!(read.options.len(), 1);
    }

    #[test]
    fn an_advertisement_is_taken_from_link_local_addresses_only() {
        let message = RouterAdvertisement::default().message();
        let global = "2001:db8::1".parse().unwrap();
        let error = RouterAdvertisement::parse(&received(&frame(global, ALL_NODES, &message)));
        assert_eq!(error, Err(InvalidMessage::Source(global)));
    }

    #[test]
    fn a_solicitation_is_taken_as_rfc_4861_has_it() {
        let link_address = [1, 1, 2, 0, 0, 0, 0, 7];
        let asked = solicitation(HOST, &[&[0; 4], &link_address[..]].concat()).unwrap();
        assert_eq!(asked.source, Some(HOST));
        assert_eq!(asked.link_address, Some(Mac([2, 0, 0, 0, 0, 7])));
        let nobody = solicitation(Ipv6Addr::UNSPECIFIED, &[0; 4]).unwrap();
        assert_eq!((nobody.source, nobody.link_address), (None, None));
        let error = solicitation(
            Ipv6Addr::UNSPECIFIED,
            &[&[0; 4], &link_address[..]].concat(),
        );
        assert_eq!(error, Err(InvalidMessage::LinkAddressOfNobody));
        assert_eq!(
            solicitation(HOST, &[0; 3]),
            Err(InvalidMessage::TooShort(7))
        );
        let empty = OptionError::Empty(1).into();
        assert_eq!(solicitation(HOST, &[0, 0, 0, 0, 1, 0]), Err(empty));
        let error = solicitation(ALL_NODES, &[0; 4]);
        assert_eq!(error, Err(InvalidMessage::Source(ALL_NODES)));
    }

    #[test]
    fn what_came_from_afar_or_was_changed_is_not_taken() {
        let good = frame(HOST, ALL_ROUTERS, &[133, 0, 0, 0, 0, 0, 0, 0]);
        for (at, value, error) in [
            (21, 254, InvalidMessage::HopLimit(254)),
            (54, 134, InvalidMessage::Kind { kind: 134, code: 0 }),
            (55, 1, InvalidMessage::Kind { kind: 133, code: 1 }),
            (60, 1, InvalidMessage::Checksum),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(RouterSolicitation::parse(&received(&bad)), Err(error));
        }
    }

    fn prefixes(max: u8) -> impl Strategy<Value = Prefix> {
        (any::<u128>(), 0..=max).prop_map(|(bits, len)| Prefix::of(bits.into(), len))
    }

    fn informations() -> impl Strategy<Value = Information> {
        let lifetime = || any::<u32>().prop_map(Lifetime);
        let preference = prop_oneof![
            Just(Preference::Low),
            Just(Preference::Medium),
            Just(Preference::High)
        ];
        let domain = "[a-z0-9]{1,63}(\\.[a-z0-9]{1,20}){0,2}";
        let domain = domain.prop_map(|name| name.parse::<DomainName>().unwrap());
        let prefix = (prefixes(128), any::<[bool; 2]>(), lifetime(), lifetime());
        let nat64 = (
            any::<u128>(),
            prop::sample::select(vec![96, 64, 56, 48, 40, 32]),
            0..8192_u64,
        );
        prop_oneof![
            any::<[u8; 6]>().prop_map(|mac| Information::LinkAddress(Mac(mac))),
            any::<u32>().prop_map(Information::Mtu),
            prefix.prop_map(|(prefix, [on_link, autonomous], valid, preferred)| {
                Information::Prefix(PrefixInformation {
                    prefix,
                    on_link,
                    autonomous,
                    valid,
                    preferred,
                })
            }),
            (prefixes(128), preference, lifetime()).prop_map(|(prefix, preference, lifetime)| {
                Information::Route(RouteInformation {
                    prefix,
                    preference,
                    lifetime,
                })
            }),
            (lifetime(), prop::collection::vec(any::<u128>(), 1..5)).prop_map(
                |(lifetime, servers)| Information::DnsServers {
                    lifetime,
                    servers: servers.into_iter().map(Ipv6Addr::from).collect(),
                }
            ),
            (lifetime(), prop::collection::vec(domain, 1..4))
                .prop_map(|(lifetime, domains)| Information::SearchList { lifetime, domains }),
            nat64.prop_map(|(bits, len, scaled)| {
                Information::Nat64(Nat64Prefix {
                    prefix: Prefix::of(bits.into(), len),
                    lifetime: Duration::from_secs(scaled * 8),
                })
            }),
        ]
    }

    proptest! {
        #[test]
        fn advertisements_read_as_they_were_written(
            (hop_limit, managed, other) in any::<(u8, bool, bool)>(),
            (lifetime, reachable, retransmit) in any::<(u16, u32, u32)>(),
            options in prop::collection::vec(informations(), 0..8),
        ) {
            let written = RouterAdvertisement {
                hop_limit,
                managed,
                other,
                preference: Preference::High,
                lifetime: Duration::from_secs(lifetime.into()),
                reachable: Duration::from_millis(reachable.into()),
                retransmit: Duration::from_millis(retransmit.into()),
                options,
            };
            prop_assert_eq!(advertisement(&written.message()), Ok(written));
        }

        #[test]
        fn no_bytes_make_it_panic(
            options in prop::collection::vec(prop_oneof![0..40_u8, any::<u8>()], 0..200),
        ) {
            let fixed = [134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            if let Ok(read) = advertisement(&[&fixed[..], &options].concat()) {
                prop_assert_eq!(advertisement(&read.message()), Ok(read));
            }
            let _ = solicitation(HOST, &options);
        }
    }
}
