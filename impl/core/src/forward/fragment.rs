//! Cuts an IPv4 packet that may be fragmented into frames that fit a path (RFC 791 section 3.2).

use pnet_packet::ipv4::{self, Ipv4Flags, Ipv4Packet, MutableIpv4Packet};

use crate::wire::icmp::IPV4_HEADER_LEN;

/// Fragment offsets count units of this many bytes (RFC 791 section 3.1).
const OFFSET_UNIT: usize = 8;

/// The frames one frame is cut into, first fragment first.
#[derive(Debug, Clone)]
pub struct Fragments<'a> {
    link: &'a [u8],
    header: [u8; IPV4_HEADER_LEN],
    rest: &'a [u8],
    chunk: usize,
    offset: u16,
    last_flags: u8,
}

impl<'a> Fragments<'a> {
    /// Fragments of the IPv4 packet `packet` with at most `limit` bytes, each behind `link`.
    ///
    /// `packet` ends where its total length says. `None` if it has options, of which some must
    /// not be copied, if `limit` leaves no room, or if it would end beyond 64 KiB.
    pub(super) fn new(link: &'a [u8], packet: &'a [u8], limit: u16) -> Option<Self> {
        let view = Ipv4Packet::new(packet)?;
        let (&header, rest) = packet.split_first_chunk::<IPV4_HEADER_LEN>()?;
        let offset = view.get_fragment_offset();
        let end = usize::from(offset) * OFFSET_UNIT + rest.len();
        let room = usize::from(limit).checked_sub(IPV4_HEADER_LEN)?;
        let chunk = room - room % OFFSET_UNIT;
        if view.get_header_length() != 5 || chunk == 0 || end > usize::from(u16::MAX) {
            return None;
        }
        Some(Self {
            link,
            header,
            rest,
            chunk,
            offset,
            last_flags: view.get_flags(),
        })
    }
}

impl Iterator for Fragments<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.rest.is_empty() {
            return None;
        }
        let (payload, rest) = self.rest.split_at(self.chunk.min(self.rest.len()));
        let mut header = self.header;
        let mut view = MutableIpv4Packet::new(&mut header)?;
        view.set_total_length(u16::try_from(IPV4_HEADER_LEN + payload.len()).ok()?);
        view.set_fragment_offset(self.offset);
        view.set_flags(if rest.is_empty() {
            self.last_flags
        } else {
            self.last_flags | Ipv4Flags::MoreFragments
        });
        view.set_checksum(ipv4::checksum(&view.to_immutable()));
        self.rest = rest;
        self.offset += u16::try_from(payload.len() / OFFSET_UNIT).ok()?;
        Some([self.link, &header, payload].concat())
    }
}

#[cfg(test)]
mod tests {
    use pnet_packet::Packet;
    use proptest::prelude::*;

    use super::*;

    const LINK: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];

    fn packet(payload: &[u8], flags: u8, offset: u16) -> Vec<u8> {
        let mut packet = [&[0; IPV4_HEADER_LEN][..], payload].concat();
        let total = u16::try_from(packet.len()).unwrap();
        let mut view = MutableIpv4Packet::new(&mut packet).unwrap();
        view.set_version(4);
        view.set_header_length(5);
        view.set_total_length(total);
        view.set_identification(0x1234);
        view.set_flags(flags);
        view.set_fragment_offset(offset);
        view.set_ttl(63);
        packet
    }

    fn lengths(packet: &[u8], limit: u16) -> Vec<usize> {
        let fragments = Fragments::new(&LINK, packet, limit).unwrap();
        fragments.map(|frame| frame.len()).collect()
    }

    /// 1242 bytes over a path of 1000: what tincd 1.0.36 makes of it.
    #[test]
    fn a_frame_of_1242_becomes_994_and_282() {
        assert_eq!(lengths(&packet(&[7; 1208], 0, 0), 986), [994, 282]);
    }

    #[test]
    fn a_packet_with_options_is_not_cut() {
        let mut packet = packet(&[0; 1000], 0, 0);
        packet[0] = 0x46;
        assert!(Fragments::new(&LINK, &packet, 576).is_none());
    }

    #[test]
    fn a_fragment_is_cut_again_and_stays_in_its_place() {
        let packet = packet(&[7; 800], Ipv4Flags::MoreFragments, 100);
        let views: Vec<_> = Fragments::new(&LINK, &packet, 420)
            .unwrap()
            .map(|frame| Ipv4Packet::owned(frame[14..].to_vec()).unwrap())
            .collect();
        assert_eq!(views.len(), 2);
        assert_eq!(views[1].get_fragment_offset(), 150);
        assert_eq!(views[1].get_flags(), Ipv4Flags::MoreFragments);
    }

    #[test]
    fn what_would_end_beyond_64_kib_is_not_cut() {
        let packet = packet(&[7; 800], 0, 0x1fff);
        assert!(Fragments::new(&LINK, &packet, 576).is_none());
    }

    proptest! {
        #[test]
        fn fragments_put_together_are_the_packet(
            payload in proptest::collection::vec(any::<u8>(), 1..3000),
            limit in 28..2000u16,
        ) {
            let packet = packet(&payload, 0, 0);
            let mut whole = Vec::new();
            let mut more = true;
            for frame in Fragments::new(&LINK, &packet, limit).unwrap() {
                prop_assert!(more);
                prop_assert_eq!(&frame[..14], &LINK);
                let view = Ipv4Packet::new(&frame[14..]).unwrap();
                prop_assert!(view.packet().len() <= usize::from(limit));
                prop_assert_eq!(view.get_checksum(), ipv4::checksum(&view));
                prop_assert_eq!(usize::from(view.get_fragment_offset()) * 8, whole.len());
                prop_assert_eq!((view.get_identification(), view.get_ttl()), (0x1234, 63));
                more = view.get_flags() == Ipv4Flags::MoreFragments;
                whole.extend_from_slice(view.payload());
            }
            prop_assert!(!more);
            prop_assert_eq!(whole, payload);
        }

        #[test]
        fn no_bytes_make_it_panic(packet: Vec<u8>, limit: u16) {
            if let Some(fragments) = Fragments::new(&LINK, &packet, limit) {
                fragments.for_each(drop);
            }
        }
    }
}
