//! TUN and TAP devices.

use std::fs::OpenOptions;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, IntoRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};
use v6router_core::offload::{Header, Malformed};
use v6router_core::subnet::Mac;
use v6router_core::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, HEADER_LEN};

use super::{CLONE_DEVICE, Offload};

/// Bytes of the Ethernet header that a TUN device does not have.
const ETHERNET: u16 = HEADER_LEN as u16;

/// A TUN device: the kernel's IP packets, which get an Ethernet header of zeros and an EtherType
/// (tinc 1.0, router mode).
pub(super) struct Tun(Interface);

/// A TAP device: frames as they are.
pub(super) struct Tap(Interface);

/// An interface of the kernel's.
struct Interface {
    device: SyncDevice,
    offload: Option<Offload>,
}

impl Tun {
    pub(super) fn open(path: &str, interface: Option<&str>, offload: bool) -> io::Result<Self> {
        let builder = || builder(Layer::L3, interface);
        Interface::open(path, builder, libc::IFF_TUN, interface, offload).map(Self)
    }

    pub(super) fn name(&self) -> io::Result<String> {
        self.0.device.name()
    }

    pub(super) fn offload(&self) -> Option<Offload> {
        self.0.offload
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<(Header, usize)> {
        let (ethernet, packet) = buffer
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let (header, len) = self.0.read(packet)?;
        *ethernet = [0; HEADER_LEN];
        [ethernet[12], ethernet[13]] = ethertype(packet).to_be_bytes();
        Ok((header.behind(ETHERNET), HEADER_LEN + len))
    }

    pub(super) fn write(&self, header: Header, frame: &[u8]) -> io::Result<()> {
        let packet = frame.get(HEADER_LEN..).ok_or(io::ErrorKind::InvalidInput)?;
        self.0.write(header.without(ETHERNET), packet)
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
    pub(super) fn open(
        path: &str,
        interface: Option<&str>,
        offload: bool,
        mac: Mac,
    ) -> io::Result<Self> {
        let made_before =
            interface.is_some_and(|name| Path::new("/sys/class/net").join(name).exists());
        let builder = || {
            let builder = builder(Layer::L2, interface);
            if made_before {
                builder
            } else {
                builder.mac_addr(mac.0)
            }
        };
        Interface::open(path, builder, libc::IFF_TAP, interface, offload).map(Self)
    }

    pub(super) fn name(&self) -> io::Result<String> {
        self.0.device.name()
    }

    pub(super) fn mac(&self) -> io::Result<Mac> {
        self.0.device.mac_address().map(Mac)
    }

    pub(super) fn offload(&self) -> Option<Offload> {
        self.0.offload
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<(Header, usize)> {
        self.0.read(buffer)
    }

    pub(super) fn write(&self, header: Header, frame: &[u8]) -> io::Result<()> {
        self.0.write(header, frame)
    }
}

impl Interface {
    /// Opens the clone device as it is built, or the device of another path as it is: a macvtap,
    /// for instance, has an interface with a MAC address already.
    fn open(
        path: &str,
        builder: impl Fn() -> DeviceBuilder,
        kind: libc::c_int,
        interface: Option<&str>,
        offload: bool,
    ) -> io::Result<Self> {
        let is_clone = path == CLONE_DEVICE;
        let offloading = (offload && is_clone).then(|| builder().offload(true).build_sync().ok());
        let (device, offload) = match offloading.flatten() {
            Some(device) => {
                let udp = device.udp_gso();
                (device, Some(Offload { udp }))
            }
            // A kernel without it gives a plain one, and says why it gives none.
            None if is_clone => (builder().build_sync()?, None),
            None => (adopt(path, kind, interface)?, None),
        };
        device.set_nonblocking(true)?;
        Ok(Self { device, offload })
    }

    /// Reads a frame or packet, with what is to be done with it.
    fn read(&self, buffer: &mut [u8]) -> io::Result<(Header, usize)> {
        if self.offload.is_none() {
            return Ok((Header::default(), self.device.recv(buffer)?));
        }
        let mut header = [0; Header::LEN];
        let mut parts = [IoSliceMut::new(&mut header), IoSliceMut::new(buffer)];
        let len = self.device.recv_vectored(&mut parts)?;
        // A frame of a kind that nobody asked for is none.
        Ok(match Header::parse(header) {
            Ok(header) => (header, len.saturating_sub(Header::LEN)),
            Err(Malformed) => (Header::default(), 0),
        })
    }

    fn write(&self, header: Header, bytes: &[u8]) -> io::Result<()> {
        if self.offload.is_none() {
            return self.device.send(bytes).map(drop);
        }
        let header = header.bytes();
        let parts = [IoSlice::new(&header), IoSlice::new(bytes)];
        self.device.send_vectored(&parts).map(drop)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor(&self.0.device)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor(&self.0.device)
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
