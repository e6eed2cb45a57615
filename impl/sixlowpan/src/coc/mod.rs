//! The L2CAP channel with credits that carries the packets between two devices (Bluetooth Core
//! specification, volume 3, part A; RFC 7668 section 2.1), for where no kernel does it.
//!
//! One input, then drain the outputs: [`Channel::receive`] takes a frame of the link,
//! [`Channel::send`] an SDU; [`Channel::poll_frame`] gives frames for the link, as fast as it takes
//! them, [`Channel::poll_event`] what arrived. Whoever holds a channel watches over the time: one
//! that is not open after some seconds is to be given up with its link.

mod channel;
mod error;
mod flow;
mod frame;
mod sdu;
mod settings;
mod signal;

pub use channel::{Channel, Event};
pub use error::{Closed, ReceiveError, SendError, Violation};
pub use frame::FrameError;
pub use settings::Settings;
pub use signal::{Refusal, SignalError, Terms};

/// The number by which the service is asked for (RFC 7668 section 2.1; assigned by the Bluetooth
/// SIG to the Internet Protocol Support Profile).
pub const PSM: u16 = 0x0023;
/// The channel that opens and closes others (volume 3, part A, section 2.1).
pub const SIGNALLING_CID: u16 = 0x0005;
