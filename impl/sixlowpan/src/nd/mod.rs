//! Neighbour discovery of low-power links: its messages and options (RFC 4861, 6775 and 8505), and
//! what a router remembers of the addresses registered with it.

mod context;
mod message;
mod option;
mod registration;
mod registry;
mod router;

pub use context::{ContextOption, PrefixInformation};
pub use message::{NdError, NdMessage, NdPacket};
pub use option::{InvalidOption, Minutes, NdOption, Options, RawOption};
pub use registration::{AddressRegistration, Owner, Status};
pub use registry::{Change, Limits, Outcome, Registered, Registry};
pub use router::BorderRouter;
