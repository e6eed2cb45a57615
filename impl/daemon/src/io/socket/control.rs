//! Control messages: what is said to the kernel, and by it, beside a datagram (Linux, `cmsg(3)`).

use std::net::SocketAddr;

use nix::libc;

/// Bytes of a message's length, level and type.
const HEADER: usize = size_of::<usize>() + 8;
/// Bytes from the beginning of a message with an integer, or less, to that of the next one.
const SPACE: usize = (HEADER + size_of::<libc::c_int>()).next_multiple_of(size_of::<usize>());
/// Messages that go with a datagram at most.
const MOST: usize = 2;

/// The messages that go with a datagram.
#[repr(C, align(8))]
#[derive(Clone, Copy, Default)]
pub(super) struct Control {
    bytes: [[u8; SPACE]; MOST],
    count: usize,
}

impl Control {
    /// Room for what the kernel says.
    pub(super) const ROOM: usize = SPACE * MOST;

    /// The messages, one behind the other.
    pub(super) fn bytes(&self) -> &[u8] {
        let used = self.bytes.get(..self.count).unwrap_or_default();
        used.as_flattened()
    }

    /// All of the room.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.as_flattened_mut()
    }

    /// Sets TOS or traffic class of the datagram (Linux, `ip(7)`, `ipv6(7)`): unlike a socket
    /// option it costs no call of its own, and threads do not meet in it.
    pub(super) fn class_of_service(&mut self, to: SocketAddr, class: u8) {
        let (level, kind) = match to {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
        };
        self.push(level, kind, &libc::c_int::from(class).to_ne_bytes());
    }

    /// What is sent is to be cut into datagrams of that many bytes (Linux, `udp(7)`).
    pub(super) fn segment_size(&mut self, size: u16) {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
    }

    fn push(&mut self, level: libc::c_int, kind: libc::c_int, value: &[u8]) {
        let Some(message) = self.bytes.get_mut(self.count) else {
            return;
        };
        let len = (HEADER + value.len()).to_ne_bytes();
        let integers = [level, kind].map(libc::c_int::to_ne_bytes);
        let bytes = len.iter().chain(integers.as_flattened()).chain(value);
        for (to, from) in message.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.count += 1;
    }
}

/// The size of the datagrams that the kernel gave as one, if it says so.
pub(super) fn coalesced_size(mut messages: &[u8]) -> Option<usize> {
    loop {
        let (len, rest) = messages.split_first_chunk::<{ size_of::<usize>() }>()?;
        let (level, rest) = rest.split_first_chunk::<4>()?;
        let (kind, value) = rest.split_first_chunk::<4>()?;
        let [level, kind] = [*level, *kind].map(libc::c_int::from_ne_bytes);
        if (level, kind) == (libc::SOL_UDP, libc::UDP_GRO) {
            let size = libc::c_int::from_ne_bytes(*value.first_chunk()?);
            return usize::try_from(size).ok().filter(|size| *size > 0);
        }
        let next = usize::from_ne_bytes(*len).max(HEADER);
        messages = messages.get(next.checked_next_multiple_of(size_of::<usize>())?..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_size_is_found_behind_other_messages() {
        let mut control = Control::default();
        control.class_of_service(([127, 0, 0, 1], 1).into(), 8);
        control.push(libc::SOL_UDP, libc::UDP_GRO, &1400_i32.to_ne_bytes());
        assert_eq!(coalesced_size(control.bytes()), Some(1400));
        assert_eq!(coalesced_size(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = coalesced_size(&bytes);
        }
    }
}
