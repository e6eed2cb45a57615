use proptest::prelude::*;

use super::*;
use Forbidden::{Advertisement, DhcpAnswer, Disguised, Redirect};

const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
const ALL_NODES: Ipv6Addr = ndp::ALL_NODES;

/// A header that leads on: its number, and its bytes but for the number of the next.
type Header = (u8, Vec<u8>);

/// A frame with these VLAN tags, extension headers and upper layer.
fn frame(
    tags: &[[u8; 4]],
    (source, hop_limit): (Ipv6Addr, u8),
    headers: &[Header],
    (protocol, upper): (u8, &[u8]),
) -> Vec<u8> {
    let mut following: Vec<u8> = headers.iter().skip(1).map(|(number, _)| *number).collect();
    following.push(protocol);
    let chain = headers.iter().zip(&following);
    let chain = chain.flat_map(|((_, bytes), next)| [&[*next], &bytes[..]].concat());
    let mut payload: Vec<u8> = chain.collect();
    payload.extend(upper);
    let first = headers.first().map_or(protocol, |(number, _)| *number);
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [
        &[0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7][..],
        &tags.concat(),
        &[0x86, 0xdd, 0x60, 0, 0, 0, high, low, first, hop_limit],
        &source.octets(),
        &ALL_NODES.octets(),
        &payload,
    ]
    .concat()
}

/// A fragment header of that offset in units of 8 bytes, with or without more to come.
fn fragment(offset: u16, more: bool) -> Header {
    let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
    (44, vec![0, high, low, 0, 0, 0, 9])
}

fn options(number: u8, units: u8) -> Header {
    let mut bytes = vec![0; usize::from(units) * 8 + 7];
    bytes[0] = units;
    (number, bytes)
}

fn authentication() -> Header {
    (51, [&[4][..], &[0; 22]].concat())
}

/// Chains of headers that hosts follow to the end.
fn chains() -> Vec<Vec<Header>> {
    let (hop_by_hop, destination) = (options(0, 0), options(60, 0));
    vec![
        vec![],
        vec![hop_by_hop.clone()],
        vec![destination.clone()],
        vec![options(60, 40)],
        vec![options(43, 2)],
        vec![authentication()],
        vec![
            hop_by_hop.clone(),
            destination.clone(),
            options(43, 0),
            authentication(),
        ],
        vec![destination.clone(); 90],
        vec![fragment(0, false)],
        vec![fragment(0, true)],
        vec![hop_by_hop, fragment(0, true), destination.clone()],
        vec![fragment(0, false), fragment(0, false), destination],
    ]
}

fn tags() -> Vec<Vec<[u8; 4]>> {
    let (tag, priority, service) = ([0x81, 0, 0, 7], [0x81, 0, 0xe0, 0], [0x88, 0xa8, 0, 9]);
    vec![
        vec![],
        vec![tag],
        vec![priority],
        vec![priority, priority],
        vec![service, tag],
        vec![priority; 9],
    ]
}

/// Words of strangers, and what each is.
fn words() -> [(Forbidden, u8, Vec<u8>); 5] {
    let icmpv6 = |kind: u8| [&[kind, 0, 0, 0][..], &[0; 40]].concat();
    let udp = |source: u16, destination: u16| {
        let ports = [source.to_be_bytes(), destination.to_be_bytes()].concat();
        [&ports[..], &[0, 28, 0, 0], &[7; 20]].concat()
    };
    [
        (Advertisement, 58, icmpv6(134)),
        (Redirect, 58, icmpv6(137)),
        (DhcpAnswer, 17, udp(547, 546)),
        (DhcpAnswer, 17, udp(547, 4000)),
        (DhcpAnswer, 17, udp(4000, 546)),
    ]
}

#[test]
fn no_disguise_lets_a_stranger_speak_as_router_or_server() {
    let mut variants = 0;
    for (forbidden, protocol, upper) in words() {
        for tags in tags() {
            for headers in chains() {
                for from in [
                    (LINK_LOCAL, 255),
                    (LINK_LOCAL, 1),
                    (GLOBAL, 64),
                    (ALL_NODES, 0),
                ] {
                    let bytes = frame(&tags, from, &headers, (protocol, &upper));
                    let seen = look(&bytes).unwrap();
                    assert_eq!(
                        seen.forbidden,
                        Some(forbidden),
                        "{from:?} {tags:?} {headers:?}"
                    );
                    assert_eq!(seen.source, from.0);
                    variants += 1;
                }
            }
        }
    }
    assert!(variants > 1000, "{variants}");
}

/// RFC 7113 section 2: the kind is pushed into the second fragment, or cut off.
#[test]
fn a_first_fragment_that_hides_what_it_is_goes_no_further() {
    let mut variants = 0;
    for (_, protocol, upper) in words() {
        for tags in tags() {
            for headers in chains() {
                let whole = frame(&tags, (LINK_LOCAL, 255), &headers, (protocol, &upper));
                let header_len = 14 + tags.len() * 4 + 40;
                // As long as the kind of an ICMPv6 message, or a port, is cut off.
                let shown = if protocol == 58 { 0 } else { 3 };
                for cut in header_len..=whole.len() - upper.len() + shown {
                    let seen = look(&whole[..cut]).unwrap();
                    assert_eq!(seen.forbidden, Some(Disguised), "{cut} {headers:?}");
                    variants += 1;
                }
            }
        }
    }
    assert!(variants > 1000, "{variants}");
}

/// RFC 6980 section 5.
#[test]
fn neighbour_discovery_in_fragments_goes_no_further() {
    for kind in [133, 135, 136] {
        for headers in chains() {
            let upper = [&[kind, 0, 0, 0][..], &[0; 20]].concat();
            let bytes = frame(&[], (LINK_LOCAL, 255), &headers, (58, &upper));
            let is_fragment = headers.iter().any(|(number, _)| *number == 44);
            let forbidden = is_fragment.then_some(Disguised);
            assert_eq!(
                look(&bytes).unwrap().forbidden,
                forbidden,
                "{kind} {headers:?}"
            );
        }
    }
}

#[test]
fn what_hosts_say_to_each_other_passes() {
    let ports = |source: u16, destination: u16| {
        [
            source.to_be_bytes(),
            destination.to_be_bytes(),
            [0, 8],
            [0, 0],
        ]
        .concat()
    };
    for (protocol, upper) in [
        (58, vec![128, 0, 0, 0, 0, 0, 0, 0]),
        (58, vec![133, 0, 0, 0, 0, 0, 0, 0]),
        (58, vec![143, 0, 0, 0, 0, 0, 0, 0]),
        (17, ports(546, 547)),
        (17, ports(53, 547)),
        (6, vec![0x02, 0x23, 0x02, 0x22]),
        (59, vec![]),
        (50, vec![0; 16]),
    ] {
        let plain = frame(&[], (GLOBAL, 64), &[options(60, 1)], (protocol, &upper));
        let seen = look(&plain).unwrap();
        assert_eq!(
            (seen.forbidden, seen.target),
            (None, None),
            "{protocol} {upper:?}"
        );
    }
    let later = frame(
        &[],
        (GLOBAL, 64),
        &[fragment(1, false)],
        (17, &ports(547, 546)),
    );
    assert_eq!(look(&later).unwrap().forbidden, None);
    let arp = [&[0; 12][..], &[8, 6], &[1; 28]].concat();
    assert_eq!(look(&arp), None);
}

#[test]
fn an_address_is_claimed_by_who_has_it_or_wants_it() {
    let target = |source: Ipv6Addr, kind: u8| {
        let upper = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &GLOBAL.octets()].concat();
        let bytes = frame(&[], (source, 255), &[], (58, &upper));
        look(&bytes).unwrap().target
    };
    assert_eq!(target(LINK_LOCAL, 136), Some(GLOBAL));
    assert_eq!(target(LINK_LOCAL, 135), None);
    assert_eq!(target(Ipv6Addr::UNSPECIFIED, 135), Some(GLOBAL));
    assert_eq!(target(Ipv6Addr::UNSPECIFIED, 128), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes: Vec<u8>,
        chain in prop::collection::vec(prop_oneof![0..61_u8, any::<u8>()], 0..200),
    ) {
        let _ = look(&bytes);
        let _ = look(&frame(&[], (GLOBAL, 1), &[options(60, 0)], (60, &chain)));
    }
}
