//! What is on the air as the octets of a pcap file that Wireshark decodes up to the IPv6 packet.
//!
//! Wireshark decodes a frame only if it saw before what a Bluetooth controller tells its host: who
//! the host is, who connected, and the opening of the channel. So the file is that of a host, from
//! which the other ends of its links are seen, and its link type is [`LINK_TYPE`]. Contexts are to
//! be told to Wireshark, in its settings of 6LoWPAN.
//!
//! Times are what passed since the Unix epoch. A file holds them up to the year 2106, in
//! microseconds (draft-ietf-opsawg-pcap section 5).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::iid::{AddressKind, DeviceAddress};

/// `BLUETOOTH_HCI_H4_WITH_PHDR`: packets between host and controller behind an octet that tells their
/// kind, behind four that tell their direction (the registry of link types of tcpdump.org).
pub const LINK_TYPE: u32 = 201;

/// Octets that a reader knows a file by, and the order of octets (draft-ietf-opsawg-pcap section 4).
const MAGIC: u32 = 0xa1b2_c3d4;
/// The format is of version 2.4.
const VERSION: [u16; 2] = [2, 4];
/// Octets of a record that are kept; a frame of this link is far shorter.
const SNAPSHOT_LENGTH: u16 = u16::MAX;

/// Kinds of packets between host and controller (Bluetooth Core specification, volume 4, part A,
/// section 2).
const COMMAND: u8 = 1;
const DATA: u8 = 2;
const EVENT: u8 = 4;

/// The command that asks for the address of the host (volume 4, part E, section 7.4.6).
const READ_ADDRESS: u16 = 0x1009;
/// Events (volume 4, part E, sections 7.7.14, 7.7.5, 7.7.65 and 7.7.65.1).
const COMMAND_COMPLETE: u8 = 0x0e;
const DISCONNECTION_COMPLETE: u8 = 0x05;
const LE_META: u8 = 0x3e;
const LE_CONNECTION_COMPLETE: u8 = 0x01;
/// All went well (volume 1, part F, section 1.3).
const SUCCESS: u8 = 0x00;

/// Handles of connections are between these (volume 4, part E, section 5.3.1); the first is ours.
const FIRST_HANDLE: u16 = 0x0040;
const LAST_HANDLE: u16 = 0x0eff;
/// A packet begins with this frame, as a host sends it and as a controller does (volume 4, part E,
/// section 5.4.2).
const BEGINS_SENT: u16 = 0b00 << 12;
const BEGINS_RECEIVED: u16 = 0b10 << 12;

/// Units of an interval, in microseconds (volume 4, part E, section 7.7.65.1).
const INTERVAL_UNIT: u128 = 1250;
/// Units of a timeout, in milliseconds.
const TIMEOUT_UNIT: u128 = 10;

/// Makes the octets of one file. What each function gives is to be written behind what was given
/// before.
#[derive(Debug, Clone)]
pub struct Capture {
    host: DeviceAddress,
    /// Handles that no link has.
    free: BTreeSet<u16>,
}

impl Capture {
    /// The file of the links of `host`.
    #[must_use]
    pub fn new(host: DeviceAddress) -> Self {
        let free = (FIRST_HANDLE..=LAST_HANDLE).collect();
        Self { host, free }
    }

    /// The beginning of the file: its header, and who the host is.
    #[must_use]
    pub fn begin(&self, now: Duration) -> Vec<u8> {
        let [major, minor] = VERSION.map(u16::to_le_bytes);
        let header = [
            &MAGIC.to_le_bytes()[..],
            &major,
            &minor,
            // Time zone and accuracy, which nobody uses.
            &[0; 8],
            &u32::from(SNAPSHOT_LENGTH).to_le_bytes(),
            &LINK_TYPE.to_le_bytes(),
        ];
        let [a, b] = READ_ADDRESS.to_le_bytes();
        let answer = [&[1, a, b, SUCCESS][..], &self.host.to_le_octets()].concat();
        [
            header.concat(),
            record(now, Direction::Sent, COMMAND, &[&[a, b, 0]]),
            event(now, COMMAND_COMPLETE, &answer),
        ]
        .concat()
    }

    /// The host is connected with `peer` from now on; `None` if it has more links than there are
    /// handles.
    pub fn connected(
        &mut self,
        now: Duration,
        peer: DeviceAddress,
        connection: Connection,
    ) -> Option<(Handle, Vec<u8>)> {
        let handle = self.free.pop_first()?;
        let [a, b] = handle.to_le_bytes();
        let role = match connection.role {
            Role::Central => 0,
            Role::Peripheral => 1,
        };
        let kind = match peer.kind {
            AddressKind::Public => 0,
            AddressKind::Random => 1,
        };
        let interval = units(connection.interval.as_micros(), INTERVAL_UNIT);
        let timeout = units(connection.supervision_timeout.as_millis(), TIMEOUT_UNIT);
        let content = [
            &[LE_CONNECTION_COMPLETE, SUCCESS, a, b, role, kind][..],
            &peer.to_le_octets(),
            &interval,
            // The peripheral answers in each interval.
            &[0, 0],
            &timeout,
            // The accuracy of the clock of the central.
            &[0],
        ];
        let octets = event(now, LE_META, &content.concat());
        Some((Handle(handle), octets))
    }

    /// A frame of the link, as [`coc`](crate::coc) gives and takes it.
    #[must_use]
    pub fn frame(
        &self,
        now: Duration,
        handle: &Handle,
        direction: Direction,
        frame: &[u8],
    ) -> Vec<u8> {
        let Handle(handle) = *handle;
        let begins = match direction {
            Direction::Sent => BEGINS_SENT,
            Direction::Received => BEGINS_RECEIVED,
        };
        // No frame of a channel of ours is longer than that.
        let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
        let head = [handle | begins, length].map(u16::to_le_bytes).concat();
        record(now, direction, DATA, &[&head, frame])
    }

    /// The link of `handle` is lost from now on; another one may have its handle.
    pub fn disconnected(&mut self, now: Duration, handle: Handle, reason: Reason) -> Vec<u8> {
        let Handle(handle) = handle;
        self.free.insert(handle);
        let [a, b] = handle.to_le_bytes();
        let reason = match reason {
            Reason::Timeout => 0x08,
            Reason::Peer => 0x13,
            Reason::Host => 0x16,
        };
        event(now, DISCONNECTION_COMPLETE, &[SUCCESS, a, b, reason])
    }
}

/// A link of a file, until it is lost.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle(u16);

/// What a link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// What the host is.
    pub role: Role,
    /// Time between two meetings on the air, 7.5 ms to 4 s (volume 6, part B, section 4.5.1).
    pub interval: Duration,
    /// Time without any after which the link is lost, 100 ms to 32 s (volume 6, part B, section
    /// 4.5.2).
    pub supervision_timeout: Duration,
}

impl Connection {
    /// A link with the interval that Linux asks for: 30 ms, and a timeout of 720 ms.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            interval: Duration::from_millis(30),
            supervision_timeout: Duration::from_millis(720),
        }
    }
}

/// What a device is on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It asked for the link: the router (RFC 7668 section 2.1).
    Central,
    /// It was asked: the node.
    Peripheral,
}

/// Where a frame goes, as the host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the peer.
    Sent,
    /// From the peer.
    Received,
}

/// Why a link was lost (volume 1, part F, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was heard of the peer.
    Timeout,
    /// The peer wanted it.
    Peer,
    /// The host wanted it.
    Host,
}

/// `time` in units of `unit`, as the air has it.
fn units(time: u128, unit: u128) -> [u8; 2] {
    u16::try_from(time / unit).unwrap_or(u16::MAX).to_le_bytes()
}

/// The record of an event.
fn event(now: Duration, code: u8, content: &[u8]) -> Vec<u8> {
    // The longest has 19 octets.
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    record(now, Direction::Received, EVENT, &[&[code, length], content])
}

/// The record of a packet of that kind.
fn record(now: Duration, direction: Direction, kind: u8, packet: &[&[u8]]) -> Vec<u8> {
    let direction: u32 = match direction {
        Direction::Sent => 0,
        Direction::Received => 1,
    };
    let whole = [&direction.to_be_bytes()[..], &[kind], &packet.concat()].concat();
    let kept = whole.get(..SNAPSHOT_LENGTH.into()).unwrap_or(&whole);
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let seconds = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
    [
        &seconds.to_le_bytes()[..],
        &now.subsec_micros().to_le_bytes(),
        &number(kept.len()),
        &number(whole.len()),
        kept,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: DeviceAddress = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);
    const NODE: DeviceAddress = DeviceAddress::random([0xc0, 0x11, 0x22, 0x33, 0x44, 0x55]);

    #[test]
    fn a_handle_is_of_one_link_at_a_time() {
        let (mut capture, now) = (Capture::new(HOST), Duration::ZERO);
        let link = Connection::new(Role::Central);
        let mut handles = BTreeSet::new();
        while let Some((handle, _)) = capture.connected(now, NODE, link) {
            assert!(handles.insert(handle));
        }
        assert_eq!(handles.len(), 0x0f00 - 0x0040);
        let lost = handles.pop_last().unwrap();
        capture.disconnected(now, lost, Reason::Timeout);
        let (again, _) = capture.connected(now, NODE, link).unwrap();
        assert_eq!(again, Handle(LAST_HANDLE));
    }

    #[test]
    fn times_are_microseconds_of_the_epoch() {
        let capture = Capture::new(HOST);
        let now = Duration::from_nanos(1_700_000_000_123_456_789);
        let octets = capture.begin(now);
        assert_eq!(octets[24..28], 1_700_000_000_u32.to_le_bytes());
        assert_eq!(octets[28..32], 123_456_u32.to_le_bytes());
        let late = capture.frame(Duration::MAX, &Handle(0x40), Direction::Sent, &[]);
        assert_eq!(late[..4], [0xff; 4]);
    }

    #[test]
    fn a_frame_that_no_file_takes_is_cut_and_says_so() {
        let capture = Capture::new(HOST);
        let octets = capture.frame(Duration::ZERO, &Handle(0x40), Direction::Sent, &[7; 70_000]);
        assert_eq!(octets[8..12], 65_535_u32.to_le_bytes());
        assert_eq!(octets[12..16], 70_009_u32.to_le_bytes());
        assert_eq!(octets.len(), 16 + 65_535);
    }

    #[test]
    fn what_a_link_is_like_is_told_in_its_own_units() {
        let connection = Connection {
            interval: Duration::from_micros(7500),
            supervision_timeout: Duration::from_secs(4),
            role: Role::Peripheral,
        };
        let mut capture = Capture::new(HOST);
        let (_, octets) = capture.connected(Duration::ZERO, NODE, connection).unwrap();
        let event = &octets[16 + 5..];
        assert_eq!(event[..8], [0x3e, 19, 1, 0, 0x40, 0, 1, 1]);
        assert_eq!(event[8..14], [0x55, 0x44, 0x33, 0x22, 0x11, 0xc0]);
        assert_eq!(event[14..], [6, 0, 0, 0, 0x90, 1, 0]);
    }
}
