//! Packets of several links in one file, in the form that Wireshark, tshark and tcpdump read: pcapng
//! (draft-ietf-opsawg-pcapng), of which four kinds of blocks are needed.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// By which readers tell in which order bytes are written.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

const LINKTYPE_ETHERNET: u16 = 1;

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
/// Of a section: the program that writes it.
const USER_APPLICATION: u16 = 4;
/// Of an interface.
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const TIME_RESOLUTION: u16 = 9;
/// Of an interface's statistics.
const RECEIVED: u16 = 4;

/// Times are in units of ten to the minus this many seconds.
const NANOSECONDS: u8 = 9;

/// Writes a file, block after block.
#[derive(Debug)]
pub(super) struct Writer<Out> {
    out: Out,
    written: u64,
}

/// One option of a block.
type Field<'a> = (u16, &'a [u8]);

impl<Out: Write> Writer<Out> {
    /// Begins a file about `what`.
    pub(super) fn new(out: Out, what: &str) -> io::Result<Self> {
        let mut writer = Self { out, written: 0 };
        let mut body = BYTE_ORDER_MAGIC.to_le_bytes().to_vec();
        // Version 1.0, and a length that is not known beforehand.
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        let program = concat!("v6lab ", env!("CARGO_PKG_VERSION"));
        let fields = [
            (COMMENT, what.as_bytes()),
            (USER_APPLICATION, program.as_bytes()),
        ];
        writer.block(SECTION_HEADER, body, &fields)?;
        Ok(writer)
    }

    /// Adds an Ethernet; they are counted from 0. `largest` is how many bytes of a frame are kept.
    pub(super) fn interface(
        &mut self,
        name: &str,
        description: &str,
        largest: u32,
    ) -> io::Result<()> {
        let mut body = LINKTYPE_ETHERNET.to_le_bytes().to_vec();
        body.extend([0; 2]);
        body.extend(largest.to_le_bytes());
        let fields = [
            (NAME, name.as_bytes()),
            (DESCRIPTION, description.as_bytes()),
            (TIME_RESOLUTION, &[NANOSECONDS]),
        ];
        self.block(INTERFACE_DESCRIPTION, body, &fields)
    }

    /// Adds a frame of which `kept` is there, and what is to be said with it.
    pub(super) fn frame(
        &mut self,
        interface: u32,
        at: SystemTime,
        kept: &[u8],
        len: u32,
        comments: &[String],
    ) -> io::Result<()> {
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(timestamp(at));
        body.extend(u32::try_from(kept.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(len.to_le_bytes());
        padded(&mut body, kept);
        let fields: Vec<Field<'_>> = comments
            .iter()
            .map(|text| (COMMENT, text.as_bytes()))
            .collect();
        self.block(ENHANCED_PACKET, body, &fields)
    }

    /// Adds how many frames an interface has heard in all, and what is to be said with that.
    pub(super) fn statistics(
        &mut self,
        interface: u32,
        at: SystemTime,
        received: u64,
        comments: &[String],
    ) -> io::Result<()> {
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(timestamp(at));
        let received = received.to_le_bytes();
        let mut fields: Vec<Field<'_>> = vec![(RECEIVED, &received)];
        fields.extend(comments.iter().map(|text| (COMMENT, text.as_bytes())));
        self.block(INTERFACE_STATISTICS, body, &fields)
    }

    /// How many bytes there are.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Everything is to be where it can be read.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn block(&mut self, kind: u32, mut body: Vec<u8>, fields: &[Field<'_>]) -> io::Result<()> {
        for (code, value) in fields {
            // What has no room in 16 bits is cut: nobody reads a comment of that length.
            let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
            let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
            body.extend(code.to_le_bytes());
            body.extend(len.to_le_bytes());
            padded(&mut body, value);
        }
        if !fields.is_empty() {
            body.extend(END_OF_OPTIONS.to_le_bytes());
            body.extend([0; 2]);
        }
        // Type, length, body and length again.
        let len = u32::try_from(body.len() + 12).map_err(io::Error::other)?;
        let mut block = kind.to_le_bytes().to_vec();
        block.extend(len.to_le_bytes());
        block.extend(body);
        block.extend(len.to_le_bytes());
        self.written += u64::from(len);
        self.out.write_all(&block)
    }
}

/// Every field ends on a border of 32 bits.
fn padded(body: &mut Vec<u8>, value: &[u8]) {
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Upper half first.
fn timestamp(at: SystemTime) -> [u8; 8] {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = since.unwrap_or(Duration::ZERO).as_nanos();
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
    let [a, b, c, d, e, f, g, h] = nanoseconds.to_le_bytes();
    [e, f, g, h, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_stands_on_borders_of_32_bits_between_two_lengths() {
        let mut writer = Writer::new(Vec::new(), "a test").unwrap();
        writer.interface("a--b", "eth0 of b", 2048).unwrap();
        let before = writer.out.len();
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos((7 << 32) + 9);
        writer
            .frame(0, at, b"12345", 1500, &["Given".to_owned()])
            .unwrap();
        let block = &writer.out[before..];
        let word = |n: usize| u32::from_le_bytes(block[4 * n..4 * n + 4].try_into().unwrap());
        assert_eq!(word(0), ENHANCED_PACKET);
        assert_eq!(word(1) as usize, block.len());
        assert_eq!((word(2), word(3), word(4)), (0, 7, 9));
        assert_eq!((word(5), word(6)), (5, 1500));
        assert_eq!(&block[28..36], b"12345\0\0\0");
        assert_eq!(&block[36..48], b"\x01\0\x05\0Given\0\0\0");
        assert_eq!(word(block.len() / 4 - 1) as usize, block.len());
        assert_eq!(writer.written(), writer.out.len() as u64);
    }
}
