//! Reads the files that [`sixlowpan::capture`] writes, and those of the vectors.

/// Octets of the header of a file.
const HEADER: usize = 24;

/// The records of a file without their times.
pub(crate) fn records(file: &[u8]) -> Vec<&[u8]> {
    let (_, mut rest) = file.split_at(HEADER);
    let mut records = Vec::new();
    while let Some((head, behind)) = rest.split_first_chunk::<16>() {
        let [.., a, b, c, d, _, _, _, _] = *head;
        let length = u32::from_le_bytes([a, b, c, d]).try_into().unwrap();
        let (record, behind) = behind.split_at(length);
        records.push(record);
        rest = behind;
    }
    assert!(rest.is_empty());
    records
}

/// A frame of a link in a record.
pub(crate) struct Frame<'a> {
    /// Whether the host received it.
    pub(crate) received: bool,
    /// Of the connection.
    pub(crate) handle: u16,
    pub(crate) octets: &'a [u8],
}

/// The frame in a record, if there is one.
pub(crate) fn frame(record: &[u8]) -> Option<Frame<'_>> {
    match *record {
        [0, 0, 0, direction, 2, a, b, c, d, ref octets @ ..] => {
            assert_eq!(usize::from(u16::from_le_bytes([c, d])), octets.len());
            Some(Frame {
                received: direction == 1,
                handle: u16::from_le_bytes([a, b]) & 0x0fff,
                octets,
            })
        }
        _ => None,
    }
}
