//! What can go wrong on a channel, by whose doing.

use thiserror::Error;

use super::frame::FrameError;
use super::signal::{Refusal, SignalError};

/// Why a channel is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Closed {
    /// This end closed it.
    #[error("it was closed here")]
    Here,
    /// The other end closed it.
    #[error("the other end closed it")]
    There,
    /// The other end did not open it.
    #[error("the other end refused it with the result {:#06x}", .0.0)]
    Refused(Refusal),
    /// The other end knows nothing of such channels.
    #[error("the other end does not know how to open it")]
    NotUnderstood,
    /// The other end did what nobody may do.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// What no end may do; the channel is closed for it (volume 3, part A, sections 3.4.3 and 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// It sent a frame without a credit.
    #[error("a frame came for which there was no credit")]
    NoCredit,
    /// It sent a longer payload than this end takes.
    #[error("a frame carries {0} octets, which is more than agreed")]
    LongFrame(usize),
    /// It sent a longer SDU than this end takes.
    #[error("an SDU of {0} octets is longer than agreed")]
    LongSdu(u16),
    /// The first payload of an SDU has no room for its length.
    #[error("an SDU does not begin with its length")]
    NoLength,
    /// The payloads are more than the SDU.
    #[error("more octets came than the SDU has")]
    Overrun,
    /// It gave more credits than can be counted, or none (volume 3, part A, section 4.24).
    #[error("{given} credits were given to one who has {held}")]
    Credits {
        /// What it gave.
        given: u16,
        /// What this end had.
        held: u16,
    },
    /// It opened the channel on terms by which no packet passes.
    #[error("the other end offers a channel of the number {0:#06x} with too small frames or SDUs")]
    Terms(u16),
}

/// A frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReceiveError {
    /// It is none.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It is for a channel that is not open.
    #[error("a frame is for the channel {0:#06x}, which is not open")]
    Cid(u16),
    /// It holds no command.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// It answers nothing that was asked, or speaks of another channel.
    #[error("a command does not fit to the state of the channel")]
    OutOfPlace,
    /// The channel is closed for it.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// An SDU was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no channel yet, or no longer.
    #[error("the channel is not open")]
    NotOpen,
    /// The other end does not take as much.
    #[error("an SDU of {0} octets is too long")]
    TooLong(usize),
    /// So many wait already that this one would come too late.
    #[error("too many SDUs wait to be sent")]
    Full,
}
