//! The frame of the link: length, channel, payload (volume 3, part A, section 3.1).

use thiserror::Error;

/// A frame cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// It has no room for its own head.
    #[error("a frame of {0} octets has no head")]
    Short(usize),
    /// It has not the length that it says.
    #[error("a frame says that it carries {said} octets, and carries {found}")]
    Length {
        /// What its head says.
        said: u16,
        /// What follows the head.
        found: usize,
    },
}

/// The channel of a frame, and what the frame carries.
pub(super) fn split(frame: &[u8]) -> Result<(u16, &[u8]), FrameError> {
    let &[a, b, c, d, ref payload @ ..] = frame else {
        return Err(FrameError::Short(frame.len()));
    };
    let said = u16::from_le_bytes([a, b]);
    let found = payload.len();
    if usize::from(said) != found {
        return Err(FrameError::Length { said, found });
    }
    Ok((u16::from_le_bytes([c, d]), payload))
}

/// The frame that carries `payload`, which is at most 65,535 octets.
pub(super) fn join(cid: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    [&length.to_le_bytes()[..], &cid.to_le_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_as_it_was_written() {
        let frame = join(0x41, b"abc");
        assert_eq!(frame, [3, 0, 0x41, 0, b'a', b'b', b'c']);
        assert_eq!(split(&frame), Ok((0x41, &b"abc"[..])));
    }

    #[test]
    fn frames_that_are_cut_or_stuffed_are_refused() {
        assert_eq!(split(&[3, 0, 0x41]), Err(FrameError::Short(3)));
        assert_eq!(
            split(&[3, 0, 0x41, 0, b'a']),
            Err(FrameError::Length { said: 3, found: 1 })
        );
        assert!(split(&[0, 0, 0x41, 0, b'a']).is_err());
    }
}
