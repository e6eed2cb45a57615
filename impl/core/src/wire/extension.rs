//! What an IPv6 packet carries behind its extension headers (RFC 8200 section 4, RFC 7045).

/// Headers that lead to another one.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;
/// Bits of the fragment header's offset field that are none (RFC 8200 section 4.5).
const NOT_OFFSET: u16 = 0b111;

/// Where the chain of headers leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upper<'a> {
    /// To a header that has none behind it.
    Header {
        /// Its protocol number.
        protocol: u8,
        /// It, and everything behind.
        bytes: &'a [u8],
        /// The packet is the first fragment of a longer one, or the only one.
        fragmented: bool,
    },
    /// Into a fragment that is not the first.
    LaterFragment,
    /// Nowhere: the packet ends before (RFC 7112).
    Missing,
}

/// Follows the chain that begins with a header of number `next`.
///
/// However long it is: limits would be there to be exceeded (RFC 7113 section 3).
pub(crate) fn upper(mut next: u8, mut bytes: &[u8]) -> Upper<'_> {
    let mut fragmented = false;
    loop {
        let (unit, plus) = match next {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM6 => (8, 1),
            // Counts in words of four, without the first two (RFC 4302 section 2.2).
            AUTHENTICATION => (4, 2),
            FRAGMENT => {
                let Some((&[following, _, o0, o1, ..], rest)) = bytes.split_first_chunk::<8>()
                else {
                    return Upper::Missing;
                };
                if u16::from_be_bytes([o0, o1]) & !NOT_OFFSET != 0 {
                    return Upper::LaterFragment;
                }
                (next, bytes, fragmented) = (following, rest, true);
                continue;
            }
            protocol => {
                return Upper::Header {
                    protocol,
                    bytes,
                    fragmented,
                };
            }
        };
        let &[following, len, ..] = bytes else {
            return Upper::Missing;
        };
        let Some(rest) = bytes.get((usize::from(len) + plus) * unit..) else {
            return Upper::Missing;
        };
        (next, bytes) = (following, rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_chain_is_followed_to_its_end() {
        let chain = [
            &[ROUTING, 0, 1, 4, 0, 0, 0, 0][..],
            &[DESTINATION, 0, 0, 0, 0, 0, 0, 0],
            &[AUTHENTICATION, 0, 0, 0, 0, 0, 0, 0],
            &[FRAGMENT, 2, 0, 0, 0, 0, 0, 0],
            &[0; 8],
            &[58, 0, 0, 1, 0, 0, 0, 9],
            &[134, 0],
        ];
        let mut bytes = chain.concat();
        let whole = Upper::Header {
            protocol: 58,
            bytes: &[134, 0],
            fragmented: true,
        };
        assert_eq!(upper(HOP_BY_HOP, &bytes), whole);
        bytes.truncate(bytes.len() - 3);
        assert_eq!(upper(HOP_BY_HOP, &bytes), Upper::Missing);
    }

    #[test]
    fn only_the_first_fragment_shows_what_it_carries() {
        assert_eq!(
            upper(FRAGMENT, &[58, 0, 0, 8, 0, 0, 0, 9]),
            Upper::LaterFragment
        );
        assert_eq!(upper(FRAGMENT, &[58, 0, 0, 1, 0, 0, 0]), Upper::Missing);
        assert_eq!(
            upper(DESTINATION, &[58, 1, 0, 0, 0, 0, 0, 0]),
            Upper::Missing
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            next: u8,
            bytes in prop::collection::vec(prop_oneof![0..61_u8, any::<u8>()], 0..200),
        ) {
            let _ = upper(next, &bytes);
        }
    }
}
