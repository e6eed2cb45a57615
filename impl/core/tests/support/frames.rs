//! Frames as devices send them.

/// An Ethernet frame between two stations, told apart by their number.
pub(crate) fn frame(to: u8, from: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5];
    frame.extend_from_slice(payload);
    frame
}

/// The same to everybody.
pub(crate) fn broadcast(from: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(0, from, payload);
    frame[..6].fill(0xff);
    frame
}
