//! TUN and TAP devices.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, IntoRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};
use v6router_core::subnet::Mac;
use v6router_core::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, HEADER_LEN};

use super::CLONE_DEVICE;

/// A TUN device: the kernel's IP packets, which get an Ethernet header of zeros and an EtherType
/// (tinc 1.0, router mode).
pub(super) struct Tun(SyncDevice);

/// A TAP device: frames as they are.
pub(super) struct Tap(SyncDevice);

impl Tun {
    pub(super) fn open(path: &str, interface: Option<&str>) -> io::Result<Self> {
        open(
            path,
            builder(Layer::L3, interface),
            libc::IFF_TUN,
            interface,
        )
        .map(Self)
    }

    pub(super) fn name(&self) -> io::Result<String> {
        self.0.name()
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (header, packet) = buffer
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let len = self.0.recv(packet)?;
        *header = [0; HEADER_LEN];
        [header[12], header[13]] = ethertype(packet).to_be_bytes();
        Ok(HEADER_LEN + len)
    }

    pub(super) fn write(&self, frame: &[u8]) -> io::Result<usize> {
        let packet = frame.get(HEADER_LEN..).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(HEADER_LEN + self.0.send(packet)?)
    }
}

/// EtherType of a packet by its version; 0, which nothing is forwarded by, if it has none.
fn ethertype(packet: &[u8]) -> u16 {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => ETHERTYPE_IPV4,
        Some(6) => ETHERTYPE_IPV6,
        _ => 0,
    }
}

impl Tap {
    pub(super) fn open(path: &str, interface: Option<&str>, mac: Mac) -> io::Result<Self> {
        let mut builder = builder(Layer::L2, interface);
        let made_before =
            interface.is_some_and(|name| Path::new("/sys/class/net").join(name).exists());
        if !made_before {
            builder = builder.mac_addr(mac.0);
        }
        open(path, builder, libc::IFF_TAP, interface).map(Self)
    }

    pub(super) fn name(&self) -> io::Result<String> {
        self.0.name()
    }

    pub(super) fn mac(&self) -> io::Result<Mac> {
        self.0.mac_address().map(Mac)
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }

    pub(super) fn write(&self, frame: &[u8]) -> io::Result<usize> {
        self.0.send(frame)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor(&self.0)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor(&self.0)
    }
}

#[allow(unsafe_code)]
fn descriptor(device: &SyncDevice) -> BorrowedFd<'_> {
    // SAFETY: the descriptor stays open as long as the device, from which the result borrows.
    unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) }
}

fn builder(layer: Layer, interface: Option<&str>) -> DeviceBuilder {
    let builder = DeviceBuilder::new().layer(layer).inherit_enable_state();
    match interface {
        Some(name) => builder.name(name),
        None => builder,
    }
}

/// Opens the clone device by `builder`, or the device of another path as it is: a macvtap, for
/// instance, has an interface with a MAC address already.
fn open(
    path: &str,
    builder: DeviceBuilder,
    kind: libc::c_int,
    interface: Option<&str>,
) -> io::Result<SyncDevice> {
    let device = if path == CLONE_DEVICE {
        builder.build_sync()?
    } else {
        adopt(path, kind, interface)?
    };
    device.set_nonblocking(true)?;
    Ok(device)
}

nix::ioctl_write_ptr!(
    /// Attaches a descriptor to an interface (Linux, `tun(4)`). The kernel declares the argument
    /// as an integer but takes the request.
    set_interface, b'T', 202, libc::c_int
);

#[allow(unsafe_code)]
fn adopt(path: &str, kind: libc::c_int, interface: Option<&str>) -> io::Result<SyncDevice> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_CLOEXEC)
        .open(path)?;
    let mut name = [0; libc::IFNAMSIZ];
    let bytes = interface.unwrap_or_default().bytes();
    // The last byte stays zero.
    for (to, from) in name.iter_mut().take(libc::IFNAMSIZ - 1).zip(bytes) {
        *to = from.cast_signed();
    }
    let flags = libc::c_short::try_from(kind | libc::IFF_NO_PI).map_err(io::Error::other)?;
    let request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    };
    // SAFETY: the descriptor is open, and `request` is the request that TUNSETIFF reads and
    // writes; it lives through the call.
    unsafe { set_interface(file.as_raw_fd(), (&raw const request).cast()) }?;
    // SAFETY: the descriptor is open, nobody else owns it once it is taken from `file`, and it
    // was just set to frames without packet information or virtio header.
    unsafe { SyncDevice::from_fd(file.into_raw_fd()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_packet_is_its_ethertype() {
        assert_eq!(ethertype(&[0x45, 0]), ETHERTYPE_IPV4);
        assert_eq!(ethertype(&[0x60, 0]), ETHERTYPE_IPV6);
        assert_eq!(ethertype(&[0x50, 0]), 0);
        assert_eq!(ethertype(&[]), 0);
    }
}
