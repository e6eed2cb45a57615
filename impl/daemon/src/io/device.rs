//! The TAP device: the mesh as the kernel sees it.
//!
//! Addresses and routes are the business of `tinc-up`. The device is not persistent: it, and
//! everything tied to it, goes when we close it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use sha2::{Digest, Sha256};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};
use v6router_core::name::NodeName;
use v6router_core::subnet::Mac;

use crate::config::describe;

/// The clone device of TUN and TAP on Linux.
pub(crate) const CLONE_DEVICE: &str = "/dev/net/tun";

/// Our TAP device. Reading and writing never block.
pub(crate) struct Device {
    tap: SyncDevice,
    name: String,
}

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
#[error("Could not open {CLONE_DEVICE} for interface {interface}: {}{hint}", describe(.error))]
pub(crate) struct DeviceError {
    interface: String,
    error: io::Error,
    hint: &'static str,
}

impl Device {
    /// Opens a TAP device called `interface`, or as the kernel likes; it stays down.
    ///
    /// A device that somebody made beforehand keeps its MAC address; ours gets `mac`.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn open(interface: Option<&str>, mac: Mac) -> Result<Self, DeviceError> {
        let mut builder = DeviceBuilder::new().layer(Layer::L2).inherit_enable_state();
        if let Some(name) = interface {
            builder = builder.name(name);
        }
        let made_before =
            interface.is_some_and(|name| Path::new("/sys/class/net").join(name).exists());
        if !made_before {
            builder = builder.mac_addr(mac.0);
        }
        let open = || -> io::Result<Self> {
            let tap = builder.build_sync()?;
            tap.set_nonblocking(true)?;
            let name = tap.name()?;
            Ok(Self { tap, name })
        };
        open().map_err(|error| DeviceError {
            interface: interface.unwrap_or("of any name").to_owned(),
            hint: hint(&error),
            error,
        })
    }

    /// The interface's name, as the kernel has it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The MAC address the interface has now: `tinc-up` may have changed it.
    pub(crate) fn mac(&self) -> io::Result<Mac> {
        self.tap.mac_address().map(Mac)
    }

    /// Reads one frame; `WouldBlock` if none waits.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tap.recv(buffer)
    }

    /// Writes one frame.
    pub(crate) fn write(&self, frame: &[u8]) -> io::Result<usize> {
        self.tap.send(frame)
    }
}

impl AsFd for Device {
    #[allow(unsafe_code)]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as `self`, from which the result borrows.
        unsafe { BorrowedFd::borrow_raw(self.tap.as_raw_fd()) }
    }
}

fn hint(error: &io::Error) -> &'static str {
    use nix::errno::Errno;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => "; it takes root or CAP_NET_ADMIN",
        Some(Errno::ENOENT | Errno::ENODEV) => "; is the kernel module tun loaded?",
        Some(Errno::EBUSY) => "; another program holds the interface",
        Some(Errno::EINVAL) => "; an interface of that name exists and is no TAP device",
        _ => "",
    }
}

/// The MAC address of a node's device: locally administered, unicast, and the same after every
/// start, so that neighbours which remember it find a restarted node at once.
pub(crate) fn device_mac(netname: Option<&str>, name: &NodeName) -> Mac {
    let mut hash = Sha256::new();
    hash.update("v6router device address\0");
    hash.update(netname.unwrap_or_default());
    hash.update("\0");
    hash.update(name.as_str());
    let digest: [u8; 32] = hash.finalize().into();
    let [first, b, c, d, e, f, ..] = digest;
    Mac([first & !0x01 | 0x02, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_address_is_stable_local_and_unicast() {
        let node = |name: &str| name.parse::<NodeName>().unwrap();
        let mac = device_mac(Some("vpn"), &node("node_one"));
        assert_eq!(mac, device_mac(Some("vpn"), &node("node_one")));
        assert_eq!(mac.0[0] & 0x03, 0x02);
        assert!(!mac.is_multicast());
        assert_ne!(mac, device_mac(Some("vpn"), &node("node_two")));
        assert_ne!(mac, device_mac(None, &node("node_one")));
        // Would change the address of every node in the field.
        assert_eq!(mac.to_string(), "8e:b5:7b:84:fc:d6");
    }
}
