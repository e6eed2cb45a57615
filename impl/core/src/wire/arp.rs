//! Address resolution on an Ethernet for IPv4 (RFC 826).

use std::net::Ipv4Addr;

use super::ethernet::{ETHERTYPE_ARP, Frame};
use crate::subnet::Mac;

/// Hardware type Ethernet, protocol type IPv4 and the lengths of their addresses.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Operations (RFC 826).
const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];

/// Somebody asks who has an IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The station that asks.
    pub sender: Mac,
    /// Its address; unspecified while it makes sure that nobody has it (RFC 5227).
    pub sender_address: Ipv4Addr,
    /// The address it asks for.
    pub target: Ipv4Addr,
}

impl Request {
    /// Reads a request; `None` if the frame holds none for IPv4, or one that another station
    /// than the frame's sent.
    #[must_use]
    pub fn parse(frame: &Frame<'_>) -> Option<Self> {
        if frame.ethertype() != ETHERTYPE_ARP {
            return None;
        }
        let (kind, rest) = frame.payload().split_first_chunk::<6>()?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (sender, rest) = rest.split_first_chunk::<6>()?;
        let (sender_address, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<6>()?;
        let target = *rest.first_chunk::<4>()?;
        let sender = Mac(*sender);
        let is_request = *kind == ETHERNET_IPV4 && *operation == REQUEST;
        (is_request && sender == frame.source() && !sender.is_multicast()).then_some(Self {
            sender,
            sender_address: (*sender_address).into(),
            target: target.into(),
        })
    }

    /// The whole frame that answers: `mac` has the address.
    #[must_use]
    pub fn reply(&self, mac: Mac) -> Vec<u8> {
        [
            &self.sender.0[..],
            &mac.0,
            &ETHERTYPE_ARP.to_be_bytes(),
            &ETHERNET_IPV4,
            &REPLY,
            &mac.0,
            &self.target.octets(),
            &self.sender.0,
            &self.sender_address.octets(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATION: Mac = Mac([2, 0, 0, 0, 0, 0xaa]);

    fn request() -> Vec<u8> {
        let mut frame = [&[0xff; 6][..], &STATION.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
        frame.extend(STATION.0);
        frame.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 1, 0, 7]);
        // Padding to the shortest Ethernet frame.
        frame.resize(60, 0);
        frame
    }

    fn parse(bytes: &[u8]) -> Option<Request> {
        Request::parse(&Frame::new(bytes)?)
    }

    #[test]
    fn a_request_is_answered_as_rfc_826_has_it() {
        let request = parse(&request()).unwrap();
        assert_eq!(request.target, Ipv4Addr::new(10, 1, 0, 7));
        let reply = request.reply(Mac([2, 0, 0, 0, 0, 0x55]));
        assert_eq!(
            reply,
            [
                2, 0, 0, 0, 0, 0xaa, 2, 0, 0, 0, 0, 0x55, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0,
                0, 0x55, 10, 1, 0, 7, 2, 0, 0, 0, 0, 0xaa, 10, 0, 0, 1
            ]
        );
        assert_eq!(parse(&reply), None, "a reply is no request");
    }

    #[test]
    fn every_field_that_says_what_it_is_has_to_say_so() {
        for at in (12..22).chain([6, 11, 22, 27]) {
            let mut frame = request();
            frame[at] ^= 1;
            assert_eq!(parse(&frame), None, "byte {at}");
        }
        for len in 0..42 {
            assert_eq!(parse(&request()[..len]), None, "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(changes in prop::collection::vec((0..60usize, any::<u8>()), 0..8), len in 0..70usize) {
            let mut frame = request();
            for (at, byte) in changes {
                frame[at] = byte;
            }
            frame.resize(len, 0);
            if let Some(request) = parse(&frame) {
                prop_assert_eq!(request.reply(STATION).len(), 42);
            }
        }
    }
}
