//! What the core wants done.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tracing::warn;
use v6router_core::name::NodeName;
use v6router_core::node::{Closing, ConnId, Input, Output};

use super::daemon::Daemon;
use super::streams::{Attempt, DialResult};
use crate::config::{HostError, HostFile, Version};
use crate::io::addresses;
use crate::io::dial::dial;
use crate::io::neighbours;

/// How long a connection that we close may take to accept our last words; ours.
const FAREWELL: Duration = Duration::from_secs(1);

impl Daemon {
    /// Does all that the core wants, in order.
    pub(super) fn carry_out(&mut self) {
        let mut gone = HashSet::new();
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { conn, bytes } => self.send(conn, bytes),
                Output::Close { conn, how } => self.close(conn, how),
                Output::LoadHost { conn, name } => self.load_host(conn, name),
                Output::Dial { node } => self.dial(node, 0),
                Output::CancelDial { node } => {
                    if let Some(attempt) = self.dialling.attempts.remove(&node) {
                        attempt.task.abort();
                    }
                }
                Output::Script(call) => self.runner.call(call),
                Output::Device(frame) => self.deliveries.push(&frame, self.datapath.shared()),
                Output::Datagram(datagram) => {
                    let shared = self.datapath.shared();
                    if shared.send(datagram.path, datagram.handling, &datagram.bytes) {
                        self.feed(Input::Up(datagram.too_big));
                    }
                }
                Output::Announce => self.announcing.begin(Instant::now()),
                // All together: a server that loses its uplink loses everybody.
                Output::StationsGone(macs) => gone.extend(macs),
                Output::Publish(picture) => {
                    self.pictures.changed();
                    self.datapath.shared().publish(picture);
                    if let Some(routing) = &self.routing {
                        routing.tunnel(self.node.reaches_anyone());
                    }
                }
            }
        }
        self.deliveries.flush(self.datapath.shared());
        if !gone.is_empty() {
            tokio::spawn(neighbours::forget(self.device.name().to_owned(), gone));
        }
    }

    fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let Some(stream) = self.streams.get(&conn) else {
            return;
        };
        if !stream.meta.send(bytes) {
            warn!(%conn, "the peer does not read what we send, the connection is given up");
            self.forget(conn);
            self.feed(Input::Closed { conn });
        }
    }

    fn close(&mut self, conn: ConnId, how: Closing) {
        let Some(stream) = self.forget(conn) else {
            return;
        };
        match how {
            Closing::Now => {
                tokio::spawn(stream.meta.finish(FAREWELL));
            }
            Closing::Tarpit => self.tarpit.park(stream.meta.park()),
        }
    }

    fn load_host(&mut self, conn: ConnId, name: NodeName) {
        let version = Version::of(&self.setup.invocation.layout.host(&name));
        let host = match self.host_file(&name) {
            Ok(host) => Some(Box::new(host.config)),
            Err(error) => {
                warn!("Refusing {name}: {error}");
                None
            }
        };
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.node = Some(name);
            stream.host = version;
        }
        self.feed(Input::HostLoaded { conn, host });
    }

    fn host_file(&self, name: &NodeName) -> Result<HostFile, HostError> {
        let invocation = &self.setup.invocation;
        let host = HostFile::read(&invocation.layout, name, &invocation.overrides)?;
        for complaint in &host.complaints {
            warn!("{complaint}");
        }
        Ok(host)
    }

    /// Tries the addresses of a node, as its host file has them now. `renewals` is how often that was begun anew.
    pub(super) fn dial(&mut self, node: NodeName, renewals: u32) {
        if let Some(earlier) = self.dialling.attempts.remove(&node) {
            earlier.task.abort();
        }
        let addresses = match self.host_file(&node) {
            Ok(host) => host.addresses,
            Err(error) => {
                warn!("Cannot reach {node}: {error}");
                self.feed(Input::NoAddress { node });
                return;
            }
        };
        if addresses.is_empty() {
            let path = self.setup.invocation.layout.host(&node);
            warn!("Cannot reach {node}: {} has no Address", path.display());
            self.feed(Input::NoAddress { node });
            return;
        }
        let started = Instant::now();
        let setup = self.dialling.setup.clone();
        let doubtful = self
            .dialling
            .doubtful
            .get(&node)
            .cloned()
            .unwrap_or_default();
        let results = self.dialling.results.clone();
        let name = node.clone();
        let task = tokio::spawn(async move {
            let dialled = dial(&name, &addresses, &doubtful, &setup).await;
            // Nobody listens any more when the daemon ends.
            let _ = results
                .send(DialResult {
                    node: name,
                    started,
                    dialled,
                })
                .await;
        });
        let attempt = Attempt {
            started,
            renewals,
            task,
        };
        self.dialling.attempts.insert(node, attempt);
    }

    /// Tells the core what the kernel knows of our device.
    pub(super) fn tell_of_device(&mut self) {
        let addresses = addresses::of_kernel(self.device.name());
        self.feed(Input::Device {
            mac: self.device.mac().ok(),
            addresses: &addresses,
        });
    }

    /// Tells the mesh where our device's addresses are.
    pub(super) fn announce(&mut self) {
        self.tell_of_device();
        let interface = self.device.name();
        // As long as nobody has put it to use there is nobody to be found.
        if !addresses::is_up(interface) {
            return;
        }
        // Without IPv6 there is nothing to tell.
        let addresses = addresses::of_interface(interface).unwrap_or_default();
        let router = addresses::forwards(interface);
        let Ok(mac) = self.device.mac() else {
            return;
        };
        self.node
            .announce(mac, &addresses, router, Instant::now(), &mut self.rng);
    }
}
