//! What holds of every packet and of every payload.

#[path = "support/arbitrary.rs"]
mod arbitrary;

use std::net::Ipv6Addr;

use proptest::collection::vec;
use proptest::prelude::*;
use sixlowpan::MTU;
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iid::{AddressKind, DeviceAddress, IidMode};
use sixlowpan::iphc::{self, NextHeaders, PacketError};
use sixlowpan::link::Link;

use arbitrary::{address, content, packet_around, prefix};

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is compressed comes back, and never grows.
    #[test]
    fn the_receiver_has_the_packet_of_the_sender(
        packet in packet_around(content()),
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
        packet in packet_around(content()),
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
