//! Compressed IPv6 packets (RFC 6282 as RFC 7668 section 3.2.4 uses it).
//!
//! A payload is what one SDU of the channel carries, behind its length. Neither the length of the
//! packet nor an address that follows from the channel is carried: whoever decompresses has to
//! know the [`Link`](crate::link::Link) and the [`Contexts`](crate::context::Contexts) by which
//! the other end compressed.

mod address;
mod compress;
mod decompress;
mod error;
mod header;
mod reader;

pub use compress::{NextHeaders, compress};
pub use decompress::decompress;
pub use error::{DecompressError, Field, PacketError};

/// The first three bits of a compressed payload (RFC 6282 section 3.1.1).
const DISPATCH: u8 = 0b0110_0000;
/// The bits of an octet in which [`DISPATCH`] stands.
const DISPATCH_MASK: u8 = 0b1110_0000;
/// The first octet of a payload that is not compressed (RFC 4944 section 5.1).
const DISPATCH_IPV6: u8 = 0x41;
/// The next header is announced by an octet behind the addresses: NH, in the first octet.
const NEXT_COMPRESSED: u8 = 0b100;
/// The contexts are not both the first: CID, in the second octet.
const CONTEXT_IDS: u8 = 0x80;

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::MTU;
    use crate::context::{Context, ContextId, Contexts};
    use crate::iid::{DeviceAddress, IidMode};
    use crate::link::Link;

    fn link(mode: IidMode) -> Link {
        let node = DeviceAddress::public([0, 0x1b, 0xdc, 0, 0, 2]);
        let router = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);
        Link::new(node, router, mode)
    }

    fn turned(link: &Link) -> Link {
        Link {
            own: link.peer.clone(),
            peer: link.own.clone(),
        }
    }

    fn packet(source: &str, destination: &str, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let header = header::Header {
            traffic_class: 0,
            flow_label: 0,
            next_header,
            hop_limit: 64,
            source: address(source),
            destination: address(destination),
        };
        let mut packet = header.to_octets();
        packet[5] = payload.len().try_into().unwrap();
        [&packet, payload].concat()
    }

    fn contexts() -> Contexts {
        let prefix = "2001:db8:1:2::".parse().unwrap();
        let mut contexts = Contexts::default();
        contexts.set(ContextId::DEFAULT, Context::new(prefix, 64, true).unwrap());
        contexts
    }

    #[test]
    fn a_registered_address_is_left_out_whatever_it_is_made_of() {
        let mut link = link(IidMode::Rfc7668);
        let registered: Ipv6Addr = "2001:db8:1:2::c0:ffee".parse().unwrap();
        link.own.register(registered);
        let sent = packet(&registered.to_string(), "fe80::b827:ebff:fe00:1", 59, &[]);
        let payload = compress(&sent, &link, &contexts(), NextHeaders::default()).unwrap();
        assert_eq!(payload, [0x7a, 0x73, 59]);
        assert_eq!(decompress(&payload, &turned(&link), &contexts()), Ok(sent));
        // The one made of the device address is not, from now on.
        let sent = packet(
            "2001:db8:1:2:1b:dcff:fe00:2",
            "fe80::b827:ebff:fe00:1",
            59,
            &[],
        );
        let payload = compress(&sent, &link, &contexts(), NextHeaders::default()).unwrap();
        assert_eq!(payload[..3], [0x7a, 0x53, 59]);
        assert_eq!(decompress(&payload, &turned(&link), &contexts()), Ok(sent));
    }

    #[test]
    fn the_router_leaves_out_the_address_that_a_node_registered() {
        let mut link = link(IidMode::Rfc7668);
        link.own.register("2001:db8:1:2::7".parse().unwrap());
        let router = turned(&link);
        let sent = packet("fe80::b827:ebff:fe00:1", "2001:db8:1:2::7", 59, &[]);
        let payload = compress(&sent, &router, &contexts(), NextHeaders::default()).unwrap();
        assert_eq!(payload, [0x7a, 0x37, 59]);
        assert_eq!(decompress(&payload, &link, &contexts()), Ok(sent));
    }

    #[test]
    fn ends_that_differ_in_the_mode_rebuild_different_packets() {
        let sent = packet("fe80::21b:dcff:fe00:2", "fe80::ba27:ebff:fe00:1", 59, &[]);
        let none = Contexts::default();
        let payload =
            compress(&sent, &link(IidMode::Legacy), &none, NextHeaders::default()).unwrap();
        assert_eq!(payload, [0x7a, 0x33, 59]);
        let there = turned(&link(IidMode::Rfc7668));
        let other = packet("fe80::1b:dcff:fe00:2", "fe80::b827:ebff:fe00:1", 59, &[]);
        assert_eq!(decompress(&payload, &there, &none), Ok(other));
    }

    #[test]
    fn a_packet_in_a_packet_takes_its_addresses_from_the_outer_one() {
        let link = link(IidMode::Rfc7668);
        let inner = packet(
            "2001:db8:1:2:1b:dcff:fe00:2",
            "fe80::b827:ebff:fe00:1",
            59,
            b"x",
        );
        let sent = packet("fe80::1b:dcff:fe00:2", "fe80::b827:ebff:fe00:1", 41, &inner);
        let all = NextHeaders {
            extensions: true,
            ..NextHeaders::default()
        };
        let payload = compress(&sent, &link, &contexts(), all).unwrap();
        assert_eq!(payload, [0x7e, 0x33, 0xee, 0x7a, 0x73, 59, b'x']);
        assert_eq!(decompress(&payload, &turned(&link), &contexts()), Ok(sent));
    }

    #[test]
    fn a_payload_does_not_blow_up_beyond_the_link() {
        let nested = [&[0x7e, 0x33][..], &[0xee, 0x7e, 0x33].repeat(100)].concat();
        let result = decompress(&nested, &link(IidMode::Rfc7668), &Contexts::default());
        assert_eq!(result, Err(DecompressError::TooLong));
        let stuffed = [&[0x7a, 0x33, 59][..], &[0; MTU - 3]].concat();
        let result = decompress(&stuffed, &link(IidMode::Rfc7668), &Contexts::default());
        assert_eq!(result, Err(DecompressError::TooLong));
    }

    #[test]
    fn no_checksum_is_made_up_for_a_fragment_or_before_the_last_router() {
        let fragment = [0x7e, 0x33, 0xe5, 0, 0, 1, 1, 2, 3, 4, 0xf7, 0x17, b'x'];
        let mut routing = [0x7e, 0x33, 0xe3, 6, 0, 1, 0, 0, 0, 0, 0xf7, 0x17, b'x'];
        let result =
            |payload: &[u8]| decompress(payload, &link(IidMode::Rfc7668), &Contexts::default());
        let packet_in_fragment = [
            &[0x7e, 0x33, 0xe5, 0, 0, 1, 1, 2, 3, 4, 0xee][..],
            &[0x7e, 0x33, 0xf7, 0x17, b'x'],
        ]
        .concat();
        assert_eq!(result(&fragment), Err(DecompressError::ElidedChecksum));
        assert_eq!(
            result(&packet_in_fragment),
            Err(DecompressError::ElidedChecksum)
        );
        assert_eq!(result(&routing), Err(DecompressError::ElidedChecksum));
        routing[5] = 0;
        assert!(result(&routing).is_ok());
    }

    #[test]
    fn only_options_are_padded() {
        let payload = [0x7e, 0x33, 0xe2, 59, 5, 0, 0, 0, 0, 0];
        let result = decompress(&payload, &link(IidMode::Rfc7668), &Contexts::default());
        assert_eq!(result, Err(DecompressError::ExtensionLength(5)));
    }
}
