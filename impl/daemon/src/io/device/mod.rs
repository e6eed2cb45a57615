//! What carries our frames: the mesh as the kernel, or somebody else, sees it.
//!
//! Whatever the type, what is read and written here are Ethernet frames. Addresses and routes are
//! the business of `tinc-up`; nothing outlives us, since no device is made persistent.

mod multicast;
mod raw;
mod tuntap;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use sha2::{Digest, Sha256};
use v6router_core::constants::MTU;
use v6router_core::name::NodeName;
use v6router_core::offload::Header;
use v6router_core::subnet::Mac;

use crate::config::describe;
use multicast::Multicast;
use raw::RawSocket;
use tuntap::{Tap, Tun};

/// The clone device of TUN and TAP on Linux.
pub(crate) const CLONE_DEVICE: &str = "/dev/net/tun";

/// Bytes of the longest packet there is, with an Ethernet header and two VLAN tags.
const LONGEST_BURST: usize = 65_535 + 14 + 8;

/// Which device is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceSetup {
    /// An interface of the kernel's.
    TunTap {
        layer: Layer,
        /// What is opened to get it.
        path: String,
        /// Its name; `None` leaves it to the kernel.
        interface: Option<String>,
        /// It may give and take what stands for several frames (`DeviceOffload`).
        offload: bool,
    },
    /// Nothing: a node that only passes on.
    Dummy,
    /// All frames of an interface that is there.
    RawSocket { path: String, interface: String },
    /// Frames as datagrams to a group.
    Multicast {
        group: IpAddr,
        port: u16,
        /// Routers that may pass the datagrams on, and one.
        ttl: u8,
        interface: String,
        /// `Device` as it was written.
        path: String,
    },
}

/// What an interface of the kernel's carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// IP packets (TUN).
    Ip,
    /// Ethernet frames (TAP).
    Ethernet,
}

/// What an interface of the kernel's gives and takes: what stands for several TCP segments, and
/// perhaps for several UDP datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offload {
    pub(crate) udp: bool,
}

/// A device at work. Reading and writing never block.
pub(crate) struct Device {
    carrier: Carrier,
    /// Where it came from, as scripts are told in `DEVICE`.
    path: String,
    name: String,
}

enum Carrier {
    Tun(Tun),
    Tap(Tap),
    Dummy,
    Raw(RawSocket),
    Multicast(Multicast),
}

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
#[error("Could not open {path} for interface {interface}: {}{hint}", describe(.error))]
pub(crate) struct DeviceError {
    path: String,
    interface: String,
    error: io::Error,
    hint: &'static str,
}

impl Device {
    /// Opens the device; an interface stays as it is, down if it is new.
    ///
    /// A TAP device that somebody made beforehand keeps its MAC address; ours gets `mac`.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn open(setup: &DeviceSetup, mac: Mac) -> Result<Self, DeviceError> {
        let (path, interface) = match setup {
            DeviceSetup::TunTap {
                path, interface, ..
            } => (path.as_str(), interface.as_deref().unwrap_or("of any name")),
            DeviceSetup::Dummy => ("dummy", "dummy"),
            DeviceSetup::RawSocket { path, interface }
            | DeviceSetup::Multicast {
                path, interface, ..
            } => (path.as_str(), interface.as_str()),
        };
        let opened = Carrier::open(setup, mac);
        let (carrier, name) = opened.map_err(|error| DeviceError {
            path: path.to_owned(),
            interface: interface.to_owned(),
            hint: hint(&error),
            error,
        })?;
        Ok(Self {
            carrier,
            path: path.to_owned(),
            name: name.unwrap_or_else(|| interface.to_owned()),
        })
    }

    /// What was opened, for scripts.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The interface's name, as the kernel has it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in tincd's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.carrier {
            Carrier::Tun(_) => "Linux tun/tap device (tun mode)",
            Carrier::Tap(_) => "Linux tun/tap device (tap mode)",
            Carrier::Dummy => "dummy device",
            Carrier::Raw(_) => "raw socket",
            Carrier::Multicast(_) => "multicast socket",
        }
    }

    /// The MAC address the interface has now: `tinc-up` may have changed it.
    ///
    /// # Errors
    /// If the device is no interface with a MAC address of its own.
    pub(crate) fn mac(&self) -> io::Result<Mac> {
        match &self.carrier {
            Carrier::Tap(tap) => tap.mac(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// What the kernel leaves to us, and we may leave to it.
    pub(crate) fn offload(&self) -> Option<Offload> {
        match &self.carrier {
            Carrier::Tun(tun) => tun.offload(),
            Carrier::Tap(tap) => tap.offload(),
            _ => None,
        }
    }

    /// Room for the longest thing that [`Device::read`] reads, in bytes.
    pub(crate) fn longest(&self) -> usize {
        match self.offload() {
            Some(_) => LONGEST_BURST,
            // One byte more than the longest frame, to see that a frame is too long.
            None => MTU + 1,
        }
    }

    /// Reads one frame, or what stands for several; `WouldBlock` if none waits.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<(Header, usize)> {
        let plain = |len| (Header::default(), len);
        match &self.carrier {
            Carrier::Tun(tun) => tun.read(buffer),
            Carrier::Tap(tap) => tap.read(buffer),
            Carrier::Dummy => Err(io::ErrorKind::WouldBlock.into()),
            Carrier::Raw(socket) => socket.read(buffer).map(plain),
            Carrier::Multicast(socket) => socket.read(buffer).map(plain),
        }
    }

    /// Writes one frame, or what stands for several if there is [`Device::offload`].
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn write(&self, header: Header, frame: &[u8]) -> io::Result<()> {
        match &self.carrier {
            Carrier::Tun(tun) => tun.write(header, frame),
            Carrier::Tap(tap) => tap.write(header, frame),
            Carrier::Dummy => Ok(()),
            Carrier::Raw(socket) => socket.write(frame),
            Carrier::Multicast(socket) => socket.write(frame),
        }
    }

    /// What becomes readable when a frame waits; a dummy never does.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.carrier {
            Carrier::Tun(tun) => Some(tun.as_fd()),
            Carrier::Tap(tap) => Some(tap.as_fd()),
            Carrier::Dummy => None,
            Carrier::Raw(socket) => Some(socket.as_fd()),
            Carrier::Multicast(socket) => Some(socket.as_fd()),
        }
    }
}

impl Carrier {
    /// Opens a carrier; with the interface's name if the kernel had a say in it.
    fn open(setup: &DeviceSetup, mac: Mac) -> io::Result<(Self, Option<String>)> {
        match setup {
            DeviceSetup::TunTap {
                layer,
                path,
                interface,
                offload,
            } => match layer {
                Layer::Ip => {
                    let tun = Tun::open(path, interface.as_deref(), *offload)?;
                    let name = tun.name()?;
                    Ok((Self::Tun(tun), Some(name)))
                }
                Layer::Ethernet => {
                    let tap = Tap::open(path, interface.as_deref(), *offload, mac)?;
                    let name = tap.name()?;
                    Ok((Self::Tap(tap), Some(name)))
                }
            },
            DeviceSetup::Dummy => Ok((Self::Dummy, None)),
            DeviceSetup::RawSocket { interface, .. } => {
                Ok((Self::Raw(RawSocket::open(interface)?), None))
            }
            DeviceSetup::Multicast {
                group, port, ttl, ..
            } => Ok((Self::Multicast(Multicast::open(*group, *port, *ttl)?), None)),
        }
    }
}

fn hint(error: &io::Error) -> &'static str {
    use nix::errno::Errno;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => "; it takes root or CAP_NET_ADMIN",
        Some(Errno::ENOENT) => "; is the kernel module tun loaded?",
        Some(Errno::ENODEV) => "; is there such an interface, and the kernel module tun loaded?",
        Some(Errno::EBUSY) => "; another program holds the interface",
        Some(Errno::EINVAL) => "; an interface of that name exists and is of another type",
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

    #[test]
    fn a_dummy_takes_everything_and_gives_nothing() {
        let dummy = Device::open(&DeviceSetup::Dummy, Mac::BROADCAST).unwrap();
        assert_eq!((dummy.path(), dummy.name()), ("dummy", "dummy"));
        dummy.write(Header::default(), &[0; 60]).unwrap();
        let error = dummy.read(&mut [0; 60]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(dummy.descriptor().is_none());
    }

    #[test]
    fn what_is_not_there_is_named_with_a_hint() {
        let setup = DeviceSetup::TunTap {
            layer: Layer::Ip,
            path: "/dev/net/no_such_device".to_owned(),
            interface: Some("vpn".to_owned()),
            offload: true,
        };
        let error = Device::open(&setup, Mac::BROADCAST).err().unwrap();
        let text = error.to_string();
        let wanted = "Could not open /dev/net/no_such_device for interface vpn: ";
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.contains("is the kernel module"), "{text}");
    }
}
