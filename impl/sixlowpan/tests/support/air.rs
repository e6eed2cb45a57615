//! A router and a node with an open channel, and the recording of what passes between them.

use std::time::Duration;

use sixlowpan::capture::{Capture, Connection, Direction, Handle, Reason, Role};
use sixlowpan::coc::{Channel, Event, Settings};
use sixlowpan::iid::DeviceAddress;

/// One end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Router,
    Node,
}

pub(crate) struct Air {
    router: Channel,
    node: Channel,
    capture: Capture,
    handle: Handle,
    now: Duration,
    file: Vec<u8>,
}

impl Air {
    /// Opens the channel; its frames carry up to `mps` octets.
    pub(crate) fn open(router: DeviceAddress, node: DeviceAddress, mps: u16) -> Self {
        let settings = |cid| Settings::new(cid, mps, 10).unwrap();
        let now = Duration::from_secs(1_700_000_000);
        let mut capture = Capture::new(router);
        let begin = capture.begin(now);
        let link = Connection::new(Role::Central);
        let (handle, connected) = capture.connected(now, node, link).unwrap();
        let mut air = Self {
            router: Channel::connect(settings(0x40)),
            node: Channel::listen(settings(0x41)),
            capture,
            handle,
            now,
            file: [begin, connected].concat(),
        };
        assert_eq!(air.exchange(), [] as [(End, Vec<u8>); 0]);
        assert!(air.router.is_open() && air.node.is_open());
        air
    }

    /// One end sends an SDU, and the other gets it.
    pub(crate) fn send(&mut self, from: End, sdu: &[u8]) {
        let sender = match from {
            End::Router => &mut self.router,
            End::Node => &mut self.node,
        };
        sender.send(sdu).unwrap();
        assert_eq!(self.exchange(), [(from, sdu.to_vec())]);
    }

    /// Carries frames until both ends are silent; what arrived, and from where.
    fn exchange(&mut self) -> Vec<(End, Vec<u8>)> {
        let mut arrived = Vec::new();
        loop {
            let (from, frame) = match self.router.poll_frame() {
                Some(frame) => (End::Router, frame),
                None => match self.node.poll_frame() {
                    Some(frame) => (End::Node, frame),
                    None => return arrived,
                },
            };
            let (to, direction) = match from {
                End::Router => (&mut self.node, Direction::Sent),
                End::Node => (&mut self.router, Direction::Received),
            };
            self.now += Duration::from_millis(1);
            let record = self
                .capture
                .frame(self.now, &self.handle, direction, &frame);
            self.file.extend(record);
            to.receive(&frame).unwrap();
            while let Some(event) = to.poll_event() {
                if let Event::Received(sdu) = event {
                    arrived.push((from, sdu));
                }
            }
        }
    }

    /// The link is lost; the file.
    pub(crate) fn lost(mut self) -> Vec<u8> {
        let lost = self
            .capture
            .disconnected(self.now, self.handle, Reason::Timeout);
        self.file.extend(lost);
        self.file
    }
}
