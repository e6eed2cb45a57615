//! What is on the air of a border router, written down for Wireshark.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sixlowpan::capture::{Capture, Connection, Direction, Handle, Reason, Role};
use sixlowpan::iid::DeviceAddress;

use super::bearer::{Loss, SUPERVISION, Way, Witness};
use super::{Pace, RadioError, Result};

/// The file of a router's links, if one is kept.
#[derive(Clone)]
pub(super) struct Recording(Option<Rc<RefCell<Written>>>);

struct Written {
    capture: Capture,
    file: File,
}

/// A link of it.
pub(super) struct Recorded {
    recording: Recording,
    handle: Option<Handle>,
}

impl Recording {
    /// Begins a file at `path`, if there is one to be kept.
    pub(super) fn begin(path: Option<&Path>, own: DeviceAddress) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let capture = Capture::new(own);
        let begun = File::create(path).and_then(|mut file| {
            file.write_all(&capture.begin(now()))?;
            Ok(file)
        });
        let file = begun.map_err(|reason| RadioError::Air {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self(Some(Rc::new(RefCell::new(Written { capture, file })))))
    }

    /// A kit is connected.
    pub(super) fn connected(&self, kit: DeviceAddress, pace: Pace) -> Recorded {
        let connection = Connection {
            role: Role::Central,
            interval: pace.interval,
            supervision_timeout: SUPERVISION,
        };
        let handle = self.write(|capture| {
            let (handle, octets) = capture.connected(now(), kit, connection)?;
            Some((Some(handle), octets))
        });
        Recorded {
            recording: self.clone(),
            handle: handle.flatten(),
        }
    }

    /// Writes what is made of the capture. A file that cannot be written any more is of no concern to the radio.
    fn write<T>(&self, make: impl FnOnce(&mut Capture) -> Option<(T, Vec<u8>)>) -> Option<T> {
        let mut written = self.0.as_ref()?.borrow_mut();
        let (made, octets) = make(&mut written.capture)?;
        let _: io::Result<()> = written.file.write_all(&octets);
        Some(made)
    }
}

impl Witness for Recorded {
    fn frame(&self, way: Way, frame: &[u8]) {
        let direction = match way {
            Way::Out => Direction::Sent,
            Way::In => Direction::Received,
        };
        self.recording.write(|capture| {
            let handle = self.handle.as_ref()?;
            Some(((), capture.frame(now(), handle, direction, frame)))
        });
    }

    fn lost(&mut self, why: &Loss) {
        let reason = match why {
            Loss::Silence => Reason::Timeout,
            Loss::Gone(_) => Reason::Peer,
            Loss::Here | Loss::Channel(_) => Reason::Host,
        };
        let handle = self.handle.take();
        self.recording
            .write(|capture| Some(((), capture.disconnected(now(), handle?, reason))));
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
