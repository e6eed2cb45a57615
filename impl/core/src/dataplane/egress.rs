//! What comes out of the data plane, in buffers that are used again and again.

use std::ops::Range;
use std::sync::Arc;

use super::{OutKey, UdpPath};
use crate::crypto::packet::LANES;
use crate::graph::NodeId;
use crate::subnet::Mac;

/// Bytes of room that is kept for the next time; ours. A frame for a thousand neighbours takes more.
const MOST_KEPT: usize = 1 << 20;

/// A report from the data plane to the control side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// The device sent a frame from a MAC address that is not leased yet.
    Learned(Mac),
    /// A frame that has to leave by the meta connection to a neighbour.
    Frame {
        /// Whose meta connection.
        neighbour: NodeId,
        /// The whole Ethernet frame.
        frame: Vec<u8>,
    },
    /// There is no key for a node that should get UDP packets.
    KeyWanted(NodeId),
    /// Packets have begun to flow to a node by UDP, over a path that probes have proven.
    Flowing(NodeId),
    /// A probe of ours was answered.
    ProbeReply {
        /// Who answered.
        peer: NodeId,
        /// Length of the probe as a frame, in bytes.
        len: u16,
        /// What tells it from others ([`crate::tunnel::probe::mark`]).
        mark: u32,
    },
    /// An authentic and fresh packet came from an address or to a socket not known for the node.
    Source {
        /// Who sent it.
        peer: NodeId,
        /// Where it came from, and the socket it came in on.
        path: UdpPath,
    },
    /// The kernel refused a datagram as too big for the path.
    TooBig {
        /// To whom it was to go.
        peer: NodeId,
        /// Length of the frame in it, in bytes.
        len: u16,
    },
    /// The sequence numbers of a key of ours are running out.
    KeySpent(NodeId),
    /// A node still seals by a key of ours that has been replaced.
    OldKey(NodeId),
}

/// What the kernel is to write into the IP header of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handling {
    /// TOS or traffic class, without the bits of ECN.
    pub traffic_class: u8,
    /// It may be cut into fragments on its way: nobody measures how much the path carries.
    pub may_fragment: bool,
}

/// A sealed packet, ready to be sent.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// For whom it is sealed.
    pub peer: NodeId,
    /// Where it goes, and by which socket.
    pub path: UdpPath,
    /// What its IP header says.
    pub handling: Handling,
    /// Length of the frame in it, in bytes.
    pub frame_len: u16,
    bytes: Range<usize>,
}

impl Datagram {
    /// What to report if the kernel refuses the datagram as too big.
    #[must_use]
    pub fn too_big(&self) -> Up {
        Up::TooBig {
            peer: self.peer,
            len: self.frame_len,
        }
    }
}

/// Datagrams for one place that lie behind each other, all of one length but the last, which may
/// be shorter: what the kernel can be given as one (Linux, `udp(7)`, `UDP_SEGMENT`).
#[derive(Debug, Clone, Copy)]
pub struct Train<'a> {
    /// At least one.
    pub datagrams: &'a [Datagram],
    /// All of their bytes.
    pub bytes: &'a [u8],
    /// Bytes of each but the last.
    pub size: usize,
}

impl<'a> Train<'a> {
    /// Datagrams that the kernel takes as one (Linux, `UDP_MAX_SEGMENTS` of its older versions).
    const MOST: usize = 64;
    /// Bytes that the kernel takes as one: what fits a length field, with headers of any kind.
    const MOST_BYTES: usize = 65_000;

    /// Each datagram by itself.
    pub fn each(self) -> impl Iterator<Item = (&'a Datagram, &'a [u8])> {
        self.datagrams
            .iter()
            .zip(self.bytes.chunks(self.size.max(1)))
    }

    /// A train of each datagram.
    pub fn singly(self) -> impl Iterator<Item = Self> {
        let single = |(datagram, bytes): (&'a Datagram, &'a [u8])| Self {
            datagrams: std::slice::from_ref(datagram),
            bytes,
            size: bytes.len(),
        };
        self.each().map(single)
    }
}

/// Everything one step of the data plane wants sent, written or reported.
#[derive(Debug, Default)]
pub struct Egress {
    bytes: Vec<u8>,
    datagrams: Vec<Datagram>,
    unsealed: Vec<Unsealed>,
    device: Vec<Range<usize>>,
    up: Vec<Up>,
    /// Bytes of frames in those.
    up_bytes: usize,
}

/// Datagrams that are laid out only, from one on until the next key's.
#[derive(Debug)]
struct Unsealed {
    key: Arc<OutKey>,
    first: usize,
}

/// How much is in an [`Egress`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    datagrams: usize,
    device: usize,
    up: usize,
}

impl Egress {
    /// Datagrams to send, in order, with their bytes.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (&Datagram, &[u8])> {
        self.trains().flat_map(Train::each)
    }

    /// Datagrams to send, in order, as many together as the kernel may take as one.
    pub fn trains(&mut self) -> impl Iterator<Item = Train<'_>> {
        self.seal();
        let (mut left, bytes) = (self.datagrams.as_slice(), self.bytes.as_slice());
        std::iter::from_fn(move || {
            let (train, rest) = couple(left, bytes)?;
            left = rest;
            Some(train)
        })
    }

    /// Frames made here (not passed through) that go to the device, in order.
    pub fn device_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.device
            .iter()
            .filter_map(|range| self.bytes.get(range.clone()))
    }

    /// Takes the reports out, in order.
    pub fn reports(&mut self) -> impl Iterator<Item = Up> {
        self.up_bytes = 0;
        self.up.drain(..)
    }

    /// Bytes of what waits to be sent, written or reported.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.len() + self.up_bytes
    }

    /// Empties the buffers and keeps their memory, unless that was an exception.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > MOST_KEPT {
            self.bytes = Vec::new();
            self.datagrams = Vec::new();
        }
        self.bytes.clear();
        self.datagrams.clear();
        self.unsealed.clear();
        self.device.clear();
        self.up.clear();
        self.up_bytes = 0;
    }

    pub(super) fn report(&mut self, up: Up) {
        if let Up::Frame { frame, .. } = &up {
            self.up_bytes += frame.len();
        }
        self.up.push(up);
    }

    pub(super) fn write_device(&mut self, frame: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        self.device.push(start..self.bytes.len());
    }

    /// Appends a datagram that `lay_out` lays out by its key; says whether it did.
    pub(super) fn push_datagram(
        &mut self,
        (peer, path): (NodeId, UdpPath),
        handling: Handling,
        frame_len: u16,
        key: &Arc<OutKey>,
        lay_out: impl FnOnce(&OutKey, &mut Vec<u8>) -> bool,
    ) -> bool {
        let start = self.bytes.len();
        if !lay_out(key, &mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        let is_of_last = |last: &Unsealed| Arc::ptr_eq(&last.key, key);
        if !self.unsealed.last().is_some_and(is_of_last) {
            self.unsealed.push(Unsealed {
                key: Arc::clone(key),
                first: self.datagrams.len(),
            });
        }
        self.datagrams.push(Datagram {
            peer,
            path,
            handling,
            frame_len,
            bytes: start..self.bytes.len(),
        });
        true
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            datagrams: self.datagrams.len(),
            device: self.device.len(),
            up: self.up.len(),
        }
    }

    /// The key and the datagram of a frame of which there has come, since the mark, one datagram
    /// and nothing that is to be carried otherwise.
    pub(super) fn sole_since(&self, mark: Mark) -> Option<(Arc<OutKey>, Datagram)> {
        let [datagram] = self.datagrams.get(mark.datagrams..)? else {
            return None;
        };
        let up = self.up.get(mark.up..)?;
        let is_sole =
            self.device.len() == mark.device && !up.iter().any(|up| matches!(up, Up::Frame { .. }));
        let last = self.unsealed.last().filter(|_| is_sole)?;
        Some((Arc::clone(&last.key), datagram.clone()))
    }

    /// Whether there has come nothing since the mark but frames for the device.
    pub(super) fn is_only_answered_since(&self, mark: Mark) -> bool {
        let others = (self.datagrams.len(), self.up.len());
        self.device.len() > mark.device && others == (mark.datagrams, mark.up)
    }

    /// Appends a datagram like another one, for a frame of `len` bytes that `write` writes; says
    /// whether it did.
    pub(super) fn push_alike(
        &mut self,
        key: &Arc<OutKey>,
        other: &Datagram,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> bool {
        let frame_len = u16::try_from(len).unwrap_or(u16::MAX);
        let to = (other.peer, other.path);
        self.push_datagram(to, other.handling, frame_len, key, |key, out| {
            key.lay_out(len, write, out)
        })
    }

    /// Seals what is laid out only, as much side by side as one key seals.
    fn seal(&mut self) {
        let Self {
            bytes,
            datagrams,
            unsealed,
            ..
        } = self;
        let mut rest = bytes.as_mut_slice();
        let mut passed = 0;
        let mut groups = unsealed.iter().peekable();
        while let Some(Unsealed { key, first }) = groups.next() {
            let end = groups.peek().map_or(datagrams.len(), |next| next.first);
            for some in datagrams.get(*first..end).unwrap_or_default().chunks(LANES) {
                let mut lanes = <[&mut [u8]; LANES]>::default();
                for (lane, Datagram { bytes, .. }) in lanes.iter_mut().zip(some) {
                    let (before, behind) = rest
                        .split_at_mut_checked(bytes.end - passed)
                        .unwrap_or_default();
                    *lane = before.get_mut(bytes.start - passed..).unwrap_or_default();
                    (rest, passed) = (behind, bytes.end);
                }
                key.finish(lanes.get_mut(..some.len()).unwrap_or_default());
            }
        }
        unsealed.clear();
    }
}

/// The longest train at the front of some datagrams, and those behind it.
fn couple<'a>(datagrams: &'a [Datagram], bytes: &'a [u8]) -> Option<(Train<'a>, &'a [Datagram])> {
    let first = datagrams.first()?;
    let size = first.bytes.len();
    let mut end = first.bytes.end;
    let followers = datagrams
        .iter()
        .skip(1)
        .take(Train::MOST - 1)
        .take_while(|next| {
            let last_was_whole = (end - first.bytes.start) % size.max(1) == 0;
            let fits = last_was_whole
                && next.bytes.start == end
                && next.bytes.len() <= size
                && next.bytes.end - first.bytes.start <= Train::MOST_BYTES
                && (next.path, next.handling) == (first.path, first.handling);
            end = next.bytes.end;
            fits
        });
    let (train, rest) = datagrams.split_at_checked(1 + followers.count())?;
    let end = train.last()?.bytes.end;
    let train = Train {
        datagrams: train,
        bytes: bytes.get(first.bytes.start..end)?,
        size,
    };
    Some((train, rest))
}

/// Length of a frame as it is reported, in bytes; no device gives us longer ones.
pub(crate) fn frame_len(frame: &[u8]) -> u16 {
    u16::try_from(frame.len()).unwrap_or(u16::MAX)
}
