//! Both ends of a Bluetooth link that carries IPv6, each a process of its own with a `bt0` that is a TUN device
//! (RFC 7668): the border router in a Pi, and the kit.
//!
//! ```text
//! programs - bt0 - kit ==== air ==== border router - bt0 - the Pi's kernel
//! ```
//!
//! What is on the air is made by [`sixlowpan`]; here is what moves it: `air` is the radio, `bearer` a channel over
//! it at the pace of its connection, `interface` the TUN device, `host` how a kit comes to its address. Only the
//! radio itself is emulated.

mod air;
mod bearer;
mod counts;
mod firmware;
mod host;
mod interface;
mod kit;
mod recording;
mod router;
mod stations;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sixlowpan::iid::{AddressKind, DeviceAddress, IidMode};

/// What the interface is called, as Linux calls its first.
pub const INTERFACE: &str = "bt0";

pub use firmware::{COAP_PORT, COFFEE, ECHO_PORT, coffee_machine, echo_tcp as echo};
pub use kit::run as kit;
pub use router::run as router;

/// What both ends are told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our own device address.
    pub device: DeviceAddress,
    /// How we make interface identifiers.
    pub mode: IidMode,
    /// The directory in which devices find each other.
    pub air: PathBuf,
}

/// What the kit is told besides.
#[derive(Debug, Clone, Copy)]
pub struct KitSettings {
    /// How it is heard once it is connected.
    pub pace: Pace,
    /// Whether it registers its addresses (RFC 6775).
    pub registers: bool,
}

/// What the border router is told besides.
#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// The kits to connect to.
    pub kits: Vec<(DeviceAddress, Pace)>,
    /// Whether it tells contexts for compression (RFC 6775 section 4.2), which Linux does not.
    pub contexts: bool,
    /// Where to write down what is on the air.
    pub capture: Option<PathBuf>,
}

/// How a connection carries data (Bluetooth Core specification, volume 6, part B, section 4.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time between two moments at which the devices hear each other.
    pub interval: Duration,
    /// Packets of the link layer that each sends at such a moment, of at most 27 octets.
    pub packets: u8,
}

/// Why an end of a link ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RadioError {
    /// The directory of the air, or a socket in it, cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    Air {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        reason: io::Error,
    },
    /// The interface could not be had or set up.
    #[error("{what}: {reason}")]
    Interface {
        /// What was being done.
        what: String,
        /// What the kernel said.
        reason: String,
    },
    /// A service of the kit's could not be offered.
    #[error("cannot offer {what}: {reason}")]
    Service {
        /// Which.
        what: &'static str,
        /// What the kernel said.
        reason: io::Error,
    },
}

/// A device address as written. Those with both highest bits set are such as devices draw and keep (random static,
/// Bluetooth Core specification, volume 6, part B, section 1.3.2.1); the others are taken for public ones.
///
/// # Errors
/// What is no device address.
pub fn device(text: &str) -> Result<DeviceAddress, String> {
    let drawn = |device: DeviceAddress| device.octets.first().is_some_and(|first| *first >= 0xc0);
    match DeviceAddress::parse(text, AddressKind::Public) {
        Ok(device) if drawn(device) => Ok(DeviceAddress::random(device.octets)),
        Ok(device) => Ok(device),
        Err(error) => Err(format!("{text:?}: {error}, e.g. c0:00:00:00:00:01")),
    }
}

type Result<T, E = RadioError> = std::result::Result<T, E>;
