//! The view of an Ethernet frame that switching needs: addresses and what is inside.

use crate::subnet::Mac;

/// EtherType of IPv4 (RFC 894).
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of address resolution (RFC 826).
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6 (RFC 2464).
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherType of a VLAN tag (IEEE 802.1Q).
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// Bytes of an untagged header: two addresses and the EtherType. A frame has no FCS here.
pub const HEADER_LEN: usize = 14;
/// Bytes a VLAN tag adds (IEEE 802.1Q).
const TAG_LEN: usize = 4;

/// A frame whose header was checked once. One VLAN tag is looked through.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    destination: Mac,
    source: Mac,
    ethertype: u16,
    header: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the header; `None` if the frame ends within it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1], _) =
            bytes.split_first_chunk::<HEADER_LEN>()?;
        let outer = u16::from_be_bytes([t0, t1]);
        let (header_len, ethertype) = match bytes.get(HEADER_LEN..) {
            Some(&[_, _, t0, t1, ..]) if outer == ETHERTYPE_VLAN => {
                (HEADER_LEN + TAG_LEN, u16::from_be_bytes([t0, t1]))
            }
            _ => (HEADER_LEN, outer),
        };
        let (header, payload) = bytes.split_at_checked(header_len)?;
        Some(Self {
            destination: Mac([d0, d1, d2, d3, d4, d5]),
            source: Mac([s0, s1, s2, s3, s4, s5]),
            ethertype,
            header,
            payload,
        })
    }

    /// Whom the frame is for.
    #[must_use]
    pub const fn destination(&self) -> Mac {
        self.destination
    }

    /// Who sent it.
    #[must_use]
    pub const fn source(&self) -> Mac {
        self.source
    }

    /// What [`Frame::payload`] holds, behind a VLAN tag if there is one.
    #[must_use]
    pub const fn ethertype(&self) -> u16 {
        self.ethertype
    }

    /// Whether there is a VLAN tag.
    #[must_use]
    pub const fn is_tagged(&self) -> bool {
        self.header.len() > HEADER_LEN
    }

    /// Addresses, VLAN tag and EtherType: 14 or 18 bytes.
    #[must_use]
    pub const fn header(&self) -> &'a [u8] {
        self.header
    }

    /// Everything behind the header, padding included.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The header of an answer to this frame: addresses exchanged, tag and EtherType kept.
    #[must_use]
    pub fn answer_header(&self) -> Vec<u8> {
        let rest = self.header.iter().skip(12).copied();
        let addresses = self.source.0.into_iter().chain(self.destination.0);
        addresses.chain(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_type_are_read_from_a_plain_frame() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x86, 0xdd, 0x60];
        let frame = Frame::new(&bytes).unwrap();
        assert_eq!(frame.destination(), Mac([1, 2, 3, 4, 5, 6]));
        assert_eq!(frame.source(), Mac([7, 8, 9, 10, 11, 12]));
        assert_eq!(frame.ethertype(), ETHERTYPE_IPV6);
        assert_eq!(frame.payload(), [0x60]);
        assert!(!frame.is_tagged());
    }

    #[test]
    fn one_vlan_tag_is_looked_through() {
        let bytes = [
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0, 0, 7, 8, 0, 0x45,
        ];
        let frame = Frame::new(&bytes).unwrap();
        assert!(frame.is_tagged());
        assert_eq!(frame.ethertype(), ETHERTYPE_IPV4);
        assert_eq!(frame.payload(), [0x45]);
        assert_eq!(
            frame.answer_header(),
            [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 0x81, 0, 0, 7, 8, 0]
        );
    }

    #[test]
    fn a_tag_cut_short_is_the_payload() {
        let mut bytes = [0; 17];
        bytes[12..14].copy_from_slice(&ETHERTYPE_VLAN.to_be_bytes());
        let frame = Frame::new(&bytes).unwrap();
        assert_eq!(frame.ethertype(), ETHERTYPE_VLAN);
        assert_eq!(frame.payload().len(), 3);
    }

    #[test]
    fn thirteen_bytes_are_no_frame() {
        assert!(Frame::new(&[0; 13]).is_none());
    }

    proptest! {
        #[test]
        fn header_and_payload_are_the_whole_frame(bytes: Vec<u8>) {
            if let Some(frame) = Frame::new(&bytes) {
                prop_assert_eq!([frame.header(), frame.payload()].concat(), bytes);
            }
        }
    }
}
