//! What holds of every packet and of every payload.

use std::net::Ipv6Addr;

use proptest::collection::vec;
use proptest::prelude::*;
use sixlowpan::MTU;
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iid::{AddressKind, DeviceAddress, IidMode};
use sixlowpan::iphc::{self, NextHeaders, PacketError};
use sixlowpan::link::Link;

/// Prefixes that packets and contexts have in common, so that they meet.
const PREFIXES: [(&str, u8); 8] = [
    ("2001:db8:1:2::", 64),
    ("2001:db8:1:2:8000::", 65),
    ("2001:db8:1::", 48),
    ("fd00:1::", 48),
    ("64:ff9b::", 96),
    ("2001:db8:53::53", 128),
    ("fe80::", 64),
    ("::", 0),
];

/// Two ends and what they know of each other.
#[derive(Debug, Clone)]
struct Ends {
    here: DeviceAddress,
    there: DeviceAddress,
    mode: IidMode,
    registered: Vec<(bool, Ipv6Addr)>,
    contexts: Contexts,
}

impl Ends {
    /// The link as the sender sees it, and as the receiver does.
    fn links(&self) -> (Link, Link) {
        let mut sender = Link::new(self.here, self.there, self.mode);
        for (is_sender, address) in &self.registered {
            let end = if *is_sender {
                &mut sender.own
            } else {
                &mut sender.peer
            };
            end.register(*address);
        }
        let receiver = Link {
            own: sender.peer.clone(),
            peer: sender.own.clone(),
        };
        (sender, receiver)
    }
}

fn device() -> impl Strategy<Value = DeviceAddress> + Clone {
    let kind = prop_oneof![Just(AddressKind::Public), Just(AddressKind::Random)];
    (
        prop_oneof![Just([0, 0x1b, 0xdc, 0, 0, 2]), any::<[u8; 6]>()],
        kind,
    )
        .prop_map(|(octets, kind)| DeviceAddress { octets, kind })
}

fn prefix() -> impl Strategy<Value = (Ipv6Addr, u8)> + Clone {
    prop::sample::select(&PREFIXES[..])
        .prop_map(|(prefix, length)| (prefix.parse().unwrap(), length))
}

/// An address of the kinds that are shortened, and of those that are not.
fn address() -> impl Strategy<Value = Ipv6Addr> + Clone {
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

prop_compose! {
    fn contexts()(
        listed in vec((0..16_u8, prefix(), any::<bool>()), 0..6)
    ) -> Contexts {
        let mut contexts = Contexts::default();
        for (id, (prefix, length), compress) in listed {
            contexts.set(ContextId::new(id).unwrap(), Context::new(prefix, length, compress).unwrap());
        }
        contexts
    }
}

prop_compose! {
    fn ends()(
        here in device(),
        there in device(),
        mode in prop_oneof![Just(IidMode::Rfc7668), Just(IidMode::Legacy)],
        registered in vec((any::<bool>(), address()), 0..4),
        contexts in contexts(),
    ) -> Ends {
        Ends { here, there, mode, registered, contexts }
    }
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
fn content() -> impl Strategy<Value = (u8, Vec<u8>)> {
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

prop_compose! {
    fn packet()(
        heads in vec((any::<u8>(), any::<u32>(), 0..4_u8, any::<u8>(), address(), address()), 1..3),
        extensions in vec(vec(extension(), 0..3), 2),
        (mut protocol, mut octets) in content(),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is compressed comes back, and never grows.
    #[test]
    fn the_receiver_has_the_packet_of_the_sender(
        packet in packet(),
        ends in ends(),
        udp in any::<bool>(),
        extensions in any::<bool>(),
    ) {
        let (sender, receiver) = ends.links();
        let next_headers = NextHeaders { udp, extensions };
        match iphc::compress(&packet, &sender, &ends.contexts, next_headers) {
            Ok(payload) => {
                prop_assert!(payload.len() <= packet.len());
                let back = iphc::decompress(&payload, &receiver, &ends.contexts);
                prop_assert_eq!(back, Ok(packet));
            }
            Err(error) => {
                prop_assert!(packet.len() > MTU);
                prop_assert_eq!(error, PacketError::TooLong(packet.len()));
            }
        }
    }

    /// No payload makes a decompressor panic, nor makes it give what is no packet of the link.
    #[test]
    fn any_payload_gives_a_whole_packet_or_an_error(
        payload in vec(any::<u8>(), 0..200),
        base in 0x60..=0x7f_u8,
        ends in ends(),
    ) {
        let (_, receiver) = ends.links();
        for payload in [payload.clone(), [&[base][..], &payload].concat()] {
            if let Ok(packet) = iphc::decompress(&payload, &receiver, &ends.contexts) {
                prop_assert!(packet.len() <= MTU);
                let (sender, _) = ends.links();
                let again = iphc::compress(&packet, &sender, &ends.contexts, NextHeaders::default());
                prop_assert!(again.is_ok());
            }
        }
    }

    /// The same of payloads that are nearly right.
    #[test]
    fn a_damaged_payload_gives_a_whole_packet_or_an_error(
        packet in packet(),
        ends in ends(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let (sender, receiver) = ends.links();
        let next_headers = NextHeaders { udp: true, extensions: true };
        if let Ok(mut payload) = iphc::compress(&packet, &sender, &ends.contexts, next_headers) {
            for (at, octet) in damage {
                let at = at.index(payload.len());
                payload[at] = octet;
            }
            let cut = cut.index(payload.len());
            for payload in [&payload[..], &payload[..cut]] {
                if let Ok(packet) = iphc::decompress(payload, &receiver, &ends.contexts) {
                    prop_assert!(packet.len() <= MTU);
                }
            }
        }
    }

    /// Nothing makes a compressor panic.
    #[test]
    fn what_is_no_packet_is_not_compressed(octets in vec(any::<u8>(), 0..100), ends in ends()) {
        let (sender, _) = ends.links();
        let is_packet = octets.len() >= 40
            && octets[0] >> 4 == 6
            && usize::from(u16::from_be_bytes([octets[4], octets[5]])) == octets.len() - 40;
        let result = iphc::compress(&octets, &sender, &ends.contexts, NextHeaders::default());
        prop_assert_eq!(result.is_ok(), is_packet);
    }
}
