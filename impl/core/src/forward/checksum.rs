//! Keeps an Internet checksum (RFC 1071) right when what it covers changes.

/// The checksum after one word of what it covers changed (RFC 1624, equation 3).
pub(super) fn corrected(checksum: u16, old: u16, new: u16) -> u16 {
    let carry = |a: u16, b: u16| {
        let (sum, carried) = a.overflowing_add(b);
        // A sum that carried is at most 0xfffe.
        sum.wrapping_add(u16::from(carried))
    };
    !carry(carry(!checksum, !old), new)
}
