//! Packets of all kinds, for laws and for those who have to agree with us.

use std::net::Ipv6Addr;

use proptest::collection::vec;
use proptest::prelude::*;
use sixlowpan::context::Context;

/// Prefixes that packets and contexts have in common, so that they meet.
pub(crate) const PREFIXES: [(&str, u8); 8] = [
    ("2001:db8:1:2::", 64),
    ("2001:db8:1:2:8000::", 65),
    ("2001:db8:1::", 48),
    ("fd00:1::", 48),
    ("64:ff9b::", 96),
    ("2001:db8:53::53", 128),
    ("fe80::", 64),
    ("::", 0),
];

pub(crate) fn prefix() -> impl Strategy<Value = (Ipv6Addr, u8)> + Clone {
    prop::sample::select(&PREFIXES[..])
        .prop_map(|(prefix, length)| (prefix.parse().unwrap(), length))
}

/// An address of the kinds that are shortened, and of those that are not.
pub(crate) fn address() -> impl Strategy<Value = Ipv6Addr> + Clone {
    let iid = prop_oneof![
        Just([0, 0x1b, 0xdc, 0xff, 0xfe, 0, 0, 2]),
        Just([0x02, 0x1b, 0xdc, 0xff, 0xfe, 0, 0, 2]),
        any::<[u8; 2]>().prop_map(|[a, b]| [0, 0, 0, 0xff, 0xfe, 0, a, b]),
        any::<[u8; 8]>(),
    ];
    let unicast = (prefix(), iid).prop_map(|((prefix, length), iid)| {
        let context = Context::new(prefix, length, true).unwrap();
        context.complete(iid)
    });
    let multicast = (any::<[u8; 15]>(), 0..15_usize).prop_map(|(mut octets, zeros)| {
        octets[1..zeros.max(1)].fill(0);
        let [a, rest @ ..] = octets;
        let mut address = [0xff; 16];
        address[1] = if zeros == 14 { 2 } else { a };
        address[2..].copy_from_slice(&rest);
        Ipv6Addr::from(address)
    });
    let prefix_based =
        (any::<[u8; 6]>(), prefix()).prop_map(|([a, b, c, d, e, f], (prefix, length))| {
            let [p, q, r, s, t, u, v, w, ..] = prefix.octets();
            Ipv6Addr::from([0xff, a, b, length, p, q, r, s, t, u, v, w, c, d, e, f])
        });
    prop_oneof![
        1 => Just(Ipv6Addr::UNSPECIFIED),
        4 => unicast,
        1 => multicast,
        1 => prefix_based,
        1 => any::<u128>().prop_map(Ipv6Addr::from_bits),
    ]
}

/// A header behind the first: its protocol, and its octets but for the number of the next.
fn extension() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let options = prop_oneof![
        (0..6_u8).prop_map(|count| { [&[1, count][..], &vec![0; count.into()]].concat() }),
        Just(vec![0]),
        vec(any::<u8>(), 0..12).prop_map(|data| [&[5, data.len() as u8][..], &data].concat()),
    ];
    let options = vec(options, 0..4).prop_map(|options| options.concat());
    let kind = prop::sample::select(vec![0_u8, 43, 44, 60, 135]);
    (kind, prop_oneof![options, vec(any::<u8>(), 0..300)]).prop_map(|(kind, mut data)| {
        let length = if kind == 44 {
            6
        } else {
            (data.len() + 2).next_multiple_of(8) - 2
        };
        data.resize(length, 0);
        let second = if kind == 44 { 0 } else { (length / 8) as u8 };
        (kind, [&[second][..], &data].concat())
    })
}

/// What is behind the headers: a protocol and its octets.
pub(crate) fn content() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let port = prop_oneof![any::<u16>(), 0xf0b0..=0xf0bf_u16, 0xf000..=0xf0ff_u16];
    let udp = (
        port.clone(),
        port,
        any::<u16>(),
        vec(any::<u8>(), 0..64),
        0..9_u16,
    );
    let udp = udp.prop_map(|(source, destination, checksum, data, wrong)| {
        // Now and then the length is that of another datagram.
        let length = data.len() as u16 + if wrong == 8 { 1 } else { 8 };
        let header = [source, destination, length, checksum]
            .map(u16::to_be_bytes)
            .concat();
        (17, [header, data].concat())
    });
    prop_oneof![3 => udp, 1 => (any::<u8>(), vec(any::<u8>(), 0..64))]
}

/// A hop limit of those that are not carried, or another.
fn hop_limit() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(&[1, 64, 255][..]), any::<u8>()]
}

prop_compose! {
    /// A packet, often one in another, around such a content.
    pub(crate) fn packet_around(content: impl Strategy<Value = (u8, Vec<u8>)>)(
        heads in vec((any::<u8>(), any::<u32>(), 0..4_u8, hop_limit(), address(), address()), 1..3),
        extensions in vec(vec(extension(), 0..3), 2),
        (mut protocol, mut octets) in content,
    ) -> Vec<u8> {
        for ((class, flow, zeros, hop_limit, source, destination), extensions) in
            heads.into_iter().zip(extensions)
        {
            for (kind, data) in extensions {
                octets = [&[protocol][..], &data, &octets].concat();
                protocol = kind;
            }
            let class = if zeros & 1 == 0 { class } else { class & 0b11 };
            let flow = if zeros & 2 == 0 { flow >> 12 } else { 0 };
            let first = 6 << 28 | u32::from(class) << 20 | flow;
            let length = octets.len() as u16;
            octets = [
                &first.to_be_bytes()[..],
                &length.to_be_bytes(),
                &[protocol, hop_limit],
                &source.octets(),
                &destination.octets(),
                &octets,
            ]
            .concat();
            protocol = 41;
        }
        octets
    }
}
