//! Compression of packets (legacy protocol, `Compression`): 1 to 9 are zlib streams (RFC 1950),
//! 10 and 11 bare LZO1X blocks.
//!
//! The protocol has no mark for "not compressed". What would grow is stored instead, as a stream
//! of literals that every decompressor reads; so a frame of a given length has a longest form,
//! and a probe in that form proves the way for all of them.

use std::cell::RefCell;
use std::thread::LocalKey;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use lzokay::compress::Dict;

use crate::constants::{MAX_COMPRESSION, MAX_PACKET};

/// How the frames of packets are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Compression(u8);

impl Compression {
    /// A level from 0, which is none, to 11.
    #[must_use]
    pub fn new(level: i32) -> Option<Self> {
        let level = Some(level).filter(|level| (0..=MAX_COMPRESSION).contains(level))?;
        u8::try_from(level).ok().map(Self)
    }

    /// The level as it stands in requests.
    #[must_use]
    pub fn level(self) -> i32 {
        self.0.into()
    }

    const fn form(self) -> Form {
        match self.0 {
            0 => Form::Plain,
            1..=9 => Form::Zlib,
            _ => Form::Lzo,
        }
    }

    /// Appends a frame of `len` bytes, which `write` writes, like [`Compression::append`].
    pub(super) fn append_written(
        self,
        len: usize,
        write: impl FnOnce(&mut [u8]),
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.resize(start + len, 0);
        write(out.get_mut(start..).unwrap_or_default());
        if self.form() == Form::Plain {
            return;
        }
        // No device gives longer frames.
        let mut room = [0; MAX_PACKET];
        let frame = room.get_mut(..len).unwrap_or_default();
        frame.copy_from_slice(out.get(start..start + frame.len()).unwrap_or_default());
        out.truncate(start);
        self.append(frame, out);
    }

    /// Appends a frame to `out`, compressed if that makes it shorter than it is when stored.
    fn append(self, frame: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        // No more room than the stored form needs, so that nothing longer comes out.
        let room = self.stored_len(frame.len());
        out.resize(start + room, 0);
        let spare = out.get_mut(start..).unwrap_or_default();
        let written = match self.form() {
            Form::Plain => None,
            Form::Zlib => deflate(self.0, frame, spare),
            Form::Lzo => with_work(&LZO, Dict::new, |dict| {
                lzokay::compress::compress_no_alloc(frame, spare, dict).ok()
            }),
        };
        match written {
            Some(len) => out.truncate(start + len),
            None => {
                out.truncate(start);
                self.append_stored(frame, out);
            }
        }
    }

    /// Appends a frame to `out` in the longest form that frames of its length get.
    pub(super) fn append_stored(self, frame: &[u8], out: &mut Vec<u8>) {
        match self.form() {
            Form::Plain => out.extend_from_slice(frame),
            Form::Zlib => {
                let start = out.len();
                out.resize(start + self.stored_len(frame.len()), 0);
                let spare = out.get_mut(start..).unwrap_or_default();
                let len = deflate(0, frame, spare).unwrap_or_default();
                out.truncate(start + len);
            }
            Form::Lzo => {
                out.extend(lzo_literals(frame.len()));
                out.extend_from_slice(frame);
                out.extend_from_slice(&LZO_END);
            }
        }
    }

    fn stored_len(self, len: usize) -> usize {
        match self.form() {
            Form::Plain => len,
            Form::Zlib => {
                let blocks = len.div_ceil(ZLIB_LONGEST_BLOCK).max(1);
                len + ZLIB_FRAMING + ZLIB_BLOCK * blocks
            }
            Form::Lzo => lzo_literals(len).len() + len + LZO_END.len(),
        }
    }

    /// The frame in the body of a packet: the body itself, or what it expands to in `room`.
    ///
    /// `None` for what is malformed or longer than [`MAX_PACKET`].
    pub(super) fn expand<'a>(
        self,
        body: &'a mut [u8],
        room: &'a mut Vec<u8>,
    ) -> Option<&'a mut [u8]> {
        if self.form() == Form::Plain {
            return Some(body);
        }
        room.resize(MAX_PACKET, 0);
        let len = match self.form() {
            Form::Lzo => lzokay::decompress::decompress(body, room).ok()?,
            _ => with_work(
                &INFLATE,
                || Decompress::new(true),
                |work| {
                    work.reset(true);
                    let status = work.decompress(body, room, FlushDecompress::Finish);
                    let written = usize::try_from(work.total_out()).ok()?;
                    matches!(status, Ok(Status::StreamEnd)).then_some(written)
                },
            )?,
        };
        room.get_mut(..len)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Zlib,
    Lzo,
}

/// Header and checksum of a zlib stream (RFC 1950 section 2.2).
const ZLIB_FRAMING: usize = 6;
/// Header of a stored block (RFC 1951 section 3.2.4).
const ZLIB_BLOCK: usize = 5;
/// Ours: shorter than any encoder's longest stored block, and longer than any frame.
const ZLIB_LONGEST_BLOCK: usize = 16_384;
/// The end of an LZO1X block.
const LZO_END: [u8; 3] = [17, 0, 0];

thread_local! {
    // Some hundred kilobytes each: a thread has one of each kind, keys have none. Otherwise a
    // peer that makes up nodes with such keys could fill our memory.
    static DEFLATE: [RefCell<Option<Compress>>; 10] = const { [const { RefCell::new(None) }; 10] };
    static INFLATE: RefCell<Option<Decompress>> = const { RefCell::new(None) };
    static LZO: RefCell<Option<Box<Dict>>> = const { RefCell::new(None) };
}

/// The zlib stream of `frame`, if it fits.
fn deflate(level: u8, frame: &[u8], out: &mut [u8]) -> Option<usize> {
    let make = || Compress::new(flate2::Compression::new(level.into()), true);
    DEFLATE.with(|levels| {
        let mut slot = levels.get(usize::from(level))?.borrow_mut();
        let work = slot.get_or_insert_with(make);
        work.reset();
        let status = work.compress(frame, out, FlushCompress::Finish);
        let written = usize::try_from(work.total_out()).ok()?;
        matches!(status, Ok(Status::StreamEnd)).then_some(written)
    })
}

/// Runs `act` with this thread's workspace, which is made the first time.
fn with_work<W, T>(
    work: &'static LocalKey<RefCell<Option<W>>>,
    make: impl FnOnce() -> W,
    act: impl FnOnce(&mut W) -> T,
) -> T {
    work.with_borrow_mut(|slot| act(slot.get_or_insert_with(make)))
}

/// The instruction "`len` literals follow" at the start of an LZO1X block: 17 + `len` in one
/// byte, or a zero and then `len` - 18 as zeros for 255 each and a last byte.
fn lzo_literals(len: usize) -> Vec<u8> {
    match (len, u8::try_from(len + 17)) {
        (0, _) => Vec::new(),
        (_, Ok(short)) => vec![short],
        (_, Err(_)) => {
            let rest = len - 18;
            let zeros = (rest - 1) / 255;
            let last = u8::try_from(rest - 255 * zeros).unwrap_or_default();
            let mut run = vec![0; 1 + zeros];
            run.push(last);
            run
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn levels() -> impl Strategy<Value = Compression> {
        (0..=MAX_COMPRESSION).prop_map(|level| Compression::new(level).unwrap())
    }

    /// Random bytes, the same byte again and again, and frames between these.
    fn frames() -> impl Strategy<Value = Vec<u8>> {
        (
            1_u8..=255,
            any::<u64>(),
            prop_oneof![0_usize..3, 0..=MAX_PACKET],
        )
            .prop_map(|(kinds, seed, len)| {
                let mut rng = StdRng::seed_from_u64(seed);
                let mut frame = vec![0; len];
                rng.fill_bytes(&mut frame);
                frame.iter_mut().for_each(|byte| *byte %= kinds);
                frame
            })
    }

    fn expanded(compression: Compression, body: &[u8]) -> Option<Vec<u8>> {
        let mut body = body.to_vec();
        let mut room = Vec::new();
        compression
            .expand(&mut body, &mut room)
            .map(|frame| frame.to_vec())
    }

    #[test]
    fn there_are_levels_0_to_11() {
        assert_eq!(Compression::new(-1), None);
        assert_eq!(Compression::new(12), None);
        assert_eq!(Compression::new(11).unwrap().level(), 11);
    }

    #[test]
    fn what_expands_to_more_than_a_packet_is_refused() {
        for level in [1, 9, 10, 11] {
            let compression = Compression::new(level).unwrap();
            for (len, fits) in [(MAX_PACKET, true), (MAX_PACKET + 1, false), (65_536, false)] {
                let mut body = Vec::new();
                compression.append(&vec![0; len], &mut body);
                assert!(body.len() < 400);
                assert_eq!(
                    expanded(compression, &body).is_some(),
                    fits,
                    "{level} {len}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_frame_comes_back_and_is_never_longer_than_stored(compression in levels(), frame in frames()) {
            let (mut body, mut stored) = (b"before".to_vec(), Vec::new());
            compression.append(&frame, &mut body);
            compression.append_stored(&frame, &mut stored);
            prop_assert_eq!(&body[..6], b"before");
            prop_assert!(body.len() - 6 <= stored.len());
            prop_assert_eq!(stored.len(), compression.stored_len(frame.len()));
            for form in [&body[6..], &stored] {
                let back = expanded(compression, form);
                prop_assert_eq!(back.as_ref(), Some(&frame));
            }
        }

        #[test]
        fn any_bytes_expand_or_are_refused(compression in levels(), body in prop::collection::vec(any::<u8>(), 0..2000)) {
            let frame = expanded(compression, &body);
            prop_assert!(compression.level() == 0 || frame.is_none_or(|frame| frame.len() <= MAX_PACKET));
        }

        #[test]
        fn a_damaged_body_expands_or_is_refused(
            compression in levels(),
            frame in frames(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut: prop::sample::Index,
        ) {
            let mut body = Vec::new();
            compression.append(&frame, &mut body);
            for (place, byte) in damage.iter().filter(|_| !frame.is_empty()) {
                let place = place.index(body.len());
                body[place] = *byte;
            }
            body.truncate(cut.index(body.len() + 1));
            expanded(compression, &body);
        }
    }
}
