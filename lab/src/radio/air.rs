//! The emulated radio: a device that waits to be connected to has a socket in a common directory, named after its
//! address; one that looks for it connects there. Each message is a frame of L2CAP.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sixlowpan::iid::{AddressKind, DeviceAddress};
use tokio_seqpacket::{UnixSeqpacket, UnixSeqpacketListener};

use super::{RadioError, Result};

/// Longest frame: a length, a channel, and as much payload as the length can say.
const LONGEST: usize = 4 + 65_535;

/// A connection of two devices.
pub(super) struct Air {
    socket: UnixSeqpacket,
    buffer: Vec<u8>,
}

impl Air {
    /// Waits until a router connects to the device `own`; who it is comes with the connection. Meanwhile the device can be
    /// found in `directory`, and afterwards no longer.
    pub(super) async fn accept(
        directory: &Path,
        own: DeviceAddress,
    ) -> Result<(Self, DeviceAddress)> {
        let path = place(directory, own);
        let failed = |reason| RadioError::Air {
            path: path.clone(),
            reason,
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut listener = UnixSeqpacketListener::bind(&path).map_err(failed)?;
        let found = loop {
            let socket = listener.accept().await.map_err(failed)?;
            let mut air = Self::new(socket);
            // One that does not say who it is, is not there any more.
            let Ok(Some(hello)) = air.receive().await else {
                continue;
            };
            if let Some(peer) = read(hello) {
                break (air, peer);
            }
        };
        fs::remove_file(&path).map_err(failed)?;
        Ok(found)
    }

    /// Connects the device `own` to `peer`, if that one can be found.
    pub(super) async fn connect(
        directory: &Path,
        own: DeviceAddress,
        peer: DeviceAddress,
    ) -> Option<Self> {
        let socket = UnixSeqpacket::connect(place(directory, peer)).await.ok()?;
        let air = Self::new(socket);
        air.send(&written(own)).await.ok()?;
        Some(air)
    }

    /// Two devices that are connected.
    #[cfg(test)]
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = UnixSeqpacket::pair()?;
        Ok((Self::new(a), Self::new(b)))
    }

    fn new(socket: UnixSeqpacket) -> Self {
        let buffer = vec![0; LONGEST];
        Self { socket, buffer }
    }

    /// Sends a frame, or nothing, which shows that we are there.
    pub(super) async fn send(&self, frame: &[u8]) -> io::Result<()> {
        // The first octet tells what would otherwise be the end of the connection.
        let message = [&[0][..], frame].concat();
        self.socket.send(&message).await.map(drop)
    }

    /// The next frame, which may be empty; `None` when the connection has ended.
    pub(super) async fn receive(&mut self) -> io::Result<Option<&[u8]>> {
        let len = self.socket.recv(&mut self.buffer).await?.bytes_read();
        Ok(self.buffer.get(1..len))
    }
}

fn place(directory: &Path, device: DeviceAddress) -> PathBuf {
    directory.join(device.to_string())
}

/// Who connects.
fn written(device: DeviceAddress) -> [u8; 7] {
    let [a, b, c, d, e, f] = device.octets;
    let random = u8::from(device.kind == AddressKind::Random);
    [random, a, b, c, d, e, f]
}

fn read(hello: &[u8]) -> Option<DeviceAddress> {
    let (kind, octets) = hello.split_first()?;
    let octets = octets.try_into().ok()?;
    Some(match kind {
        0 => DeviceAddress::public(octets),
        _ => DeviceAddress::random(octets),
    })
}
