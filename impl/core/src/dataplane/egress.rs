//! What comes out of the data plane, in buffers that are used again and again.

use std::ops::Range;

use super::UdpPath;
use crate::graph::NodeId;
use crate::subnet::Mac;

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

/// Everything one step of the data plane wants sent, written or reported.
#[derive(Debug, Default)]
pub struct Egress {
    bytes: Vec<u8>,
    datagrams: Vec<Datagram>,
    device: Vec<Range<usize>>,
    up: Vec<Up>,
}

impl Egress {
    /// Datagrams to send, in order, with their bytes.
    pub fn datagrams(&self) -> impl Iterator<Item = (&Datagram, &[u8])> {
        self.datagrams
            .iter()
            .filter_map(|datagram| Some((datagram, self.bytes.get(datagram.bytes.clone())?)))
    }

    /// Frames made here (not passed through) that go to the device, in order.
    pub fn device_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.device
            .iter()
            .filter_map(|range| self.bytes.get(range.clone()))
    }

    /// Takes the reports out, in order.
    pub fn reports(&mut self) -> impl Iterator<Item = Up> {
        self.up.drain(..)
    }

    /// Empties the buffers and keeps their memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
        self.device.clear();
        self.up.clear();
    }

    pub(super) fn report(&mut self, up: Up) {
        self.up.push(up);
    }

    pub(super) fn write_device(&mut self, frame: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        self.device.push(start..self.bytes.len());
    }

    /// Appends a datagram whose bytes `seal` writes; says whether it did.
    pub(super) fn push_datagram(
        &mut self,
        peer: NodeId,
        path: UdpPath,
        handling: Handling,
        frame_len: u16,
        seal: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let start = self.bytes.len();
        if !seal(&mut self.bytes) {
            self.bytes.truncate(start);
            return false;
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
}

/// Length of a frame as it is reported, in bytes; no device gives us longer ones.
pub(crate) fn frame_len(frame: &[u8]) -> u16 {
    u16::try_from(frame.len()).unwrap_or(u16::MAX)
}
