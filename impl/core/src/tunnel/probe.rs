//! Probes: frames without meaning whose answers show how long a frame the UDP path carries
//! (legacy protocol, path MTU discovery).

use rand_core::CryptoRng;

use super::pmtu::{MAX_LEN, MIN_LEN};
use crate::wire::ethernet::HEADER_LEN;

/// First byte of a reply; that of a request is 0.
const REPLY: u8 = 1;

/// What a frame means to path MTU discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The peer wants it back; see [`make_reply`].
    Request,
    /// The peer gave one of ours back: its length passes in both directions.
    Reply,
}

/// What kind of probe the frame is; `None` for frames that are none.
///
/// A probe has EtherType 0. Only frames that came in a datagram may be probes: the same from a
/// meta connection or from the device is to be dropped.
#[must_use]
pub fn kind(frame: &[u8]) -> Option<Kind> {
    match frame.first_chunk::<HEADER_LEN>()? {
        [0, .., 0, 0] => Some(Kind::Request),
        [.., 0, 0] => Some(Kind::Reply),
        _ => None,
    }
}

/// A request as long as a frame of `len` bytes, kept between [`MIN_LEN`] and [`MAX_LEN`]; random
/// behind the header, so that compression does not shorten it.
#[must_use]
pub fn request(len: u16, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let mut frame = vec![0; len.clamp(MIN_LEN, MAX_LEN).into()];
    if let Some(body) = frame.get_mut(HEADER_LEN..) {
        rng.fill_bytes(body);
    }
    frame
}

/// What tells a request, and its reply, from all others: the reply has the bytes of the request
/// behind its header; 0 where there are none.
#[must_use]
pub fn mark(frame: &[u8]) -> u32 {
    let body = frame.get(HEADER_LEN..).and_then(<[u8]>::first_chunk);
    body.map_or(0, |mark| u32::from_ne_bytes(*mark))
}

/// Turns a request into its reply, which goes back by UDP and never by TCP.
pub fn make_reply(frame: &mut [u8]) {
    if let Some(first) = frame.first_mut() {
        *first = REPLY;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    proptest! {
        #[test]
        fn a_request_comes_back_as_a_reply_of_its_length(len: u16, seed: u64) {
            let mut frame = request(len, &mut StdRng::seed_from_u64(seed));
            let length = frame.len();
            prop_assert!((64..=1518).contains(&length));
            prop_assert_eq!(kind(&frame), Some(Kind::Request));
            let sent = mark(&frame);
            make_reply(&mut frame);
            prop_assert_eq!(mark(&frame), sent);
            prop_assert_eq!(kind(&frame), Some(Kind::Reply));
            prop_assert_eq!(frame.len(), length);
        }

        #[test]
        fn any_bytes_are_judged(mut frame: Vec<u8>) {
            let ethertype_0 = frame.get(12..14).is_some_and(|bytes| bytes == [0, 0]);
            prop_assert_eq!(kind(&frame).is_some(), ethertype_0);
            let before = mark(&frame);
            make_reply(&mut frame);
            prop_assert_eq!(mark(&frame), before);
        }
    }

    #[test]
    fn a_request_is_zero_for_14_bytes_and_random_behind() {
        let frame = request(200, &mut StdRng::seed_from_u64(1));
        assert_eq!(frame[..14], [0; 14]);
        assert!(
            frame[14..]
                .chunks(16)
                .all(|part| part.iter().any(|&b| b != 0))
        );
    }

    #[test]
    fn any_first_byte_but_zero_is_a_reply() {
        let mut frame = [0; 18];
        frame[0] = 2;
        assert_eq!(kind(&frame), Some(Kind::Reply));
    }
}
