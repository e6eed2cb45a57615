//! Payloads of every size, both ways at once, compared byte for byte where they arrive.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{bail, ensure};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout};
use v6lab::fabric::Node;
use v6lab::observe::FrameSocket;

/// The largest payload of an Ethernet frame.
pub(crate) const LARGEST: usize = 1500;

/// How many bytes may be under way in one direction: what comes close to the reference's `MaxOutputBufferSize` of
/// 15,180 bytes it drops at random when it goes by TCP.
const WINDOW: usize = 6000;

/// How long nothing may arrive before what is under way counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often one size may be sent. Datagrams may get lost, not all of them.
const TRIES: u8 = 4;

/// How often it is tried whether anything arrives at all.
const KNOCK: Duration = Duration::from_millis(20);

/// What carries payloads in the overlay.
enum Wire {
    /// Frames of switch mode, which nobody cuts.
    Frames(FrameSocket),
    /// Datagrams of router mode, which are cut into fragments where they do not fit.
    Datagrams(UdpSocket, Vec<u8>),
}

impl Wire {
    async fn send(&self, payload: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Frames(socket) => socket.send(payload).await?,
            // An error that waited in the socket keeps this one from being sent: it counts as lost.
            Self::Datagrams(socket, _) => match socket.send(payload).await {
                Err(error) if !UNREACHABLE.contains(&error.kind()) => return Err(error.into()),
                Ok(_) | Err(_) => {}
            },
        }
        Ok(())
    }

    async fn receive(&mut self) -> anyhow::Result<&[u8]> {
        match self {
            Self::Frames(socket) => Ok(socket.receive().await?),
            Self::Datagrams(socket, buffer) => loop {
                match socket.recv(buffer).await {
                    Ok(len) => return Ok(buffer.get(..len).unwrap_or_default()),
                    // While there was no way yet, the daemon said so, which waits in the socket.
                    Err(error) if UNREACHABLE.contains(&error.kind()) => {}
                    Err(error) => return Err(error.into()),
                }
            },
        }
    }
}

/// What a socket says after an ICMP error.
const UNREACHABLE: [ErrorKind; 3] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
];

/// One end: it sends to, and hears, the other.
pub(crate) struct End {
    socket: Wire,
    /// Tells the two directions' payloads apart.
    salt: u8,
}

impl End {
    /// The ends between two addresses of the overlay.
    pub(crate) async fn datagrams(
        (one, here): (&Node, SocketAddr),
        (other, there): (&Node, SocketAddr),
    ) -> anyhow::Result<(Self, Self)> {
        let open = async |node: &Node, from: SocketAddr, to: SocketAddr| {
            let opened = node.run(move || {
                Box::pin(async move {
                    let socket = std::net::UdpSocket::bind(from)?;
                    socket.connect(to)?;
                    socket.set_nonblocking(true)?;
                    Ok::<_, std::io::Error>(socket)
                })
            });
            let socket = UdpSocket::from_std(opened.await??)?;
            anyhow::Ok(Wire::Datagrams(socket, vec![0; 65_536]))
        };
        let (one, other) = (
            open(one, here, there).await?,
            open(other, there, here).await?,
        );
        Ok(Self::both(one, other))
    }

    /// The ends on the interface `interface` of two machines.
    pub(crate) async fn frames(
        one: &Node,
        other: &Node,
        interface: &str,
    ) -> anyhow::Result<(Self, Self)> {
        let address = |n| [0x02, 0x76, 0x36, 0xee, 0, n];
        let (a, b) = (address(1), address(2));
        let (one, other) = (
            FrameSocket::open(one, interface, a, b).await?,
            FrameSocket::open(other, interface, b, a).await?,
        );
        Ok(Self::both(Wire::Frames(one), Wire::Frames(other)))
    }

    fn both(one: Wire, other: Wire) -> (Self, Self) {
        let end = |socket, salt| Self { socket, salt };
        (end(one, 0x55), end(other, 0xaa))
    }

    fn payload(&self, size: usize) -> Vec<u8> {
        payload(size, self.salt)
    }
}

/// Bytes that depend on direction, size and place.
fn payload(size: usize, salt: u8) -> Vec<u8> {
    let mut state = u32::try_from(size).unwrap_or(u32::MAX) ^ (u32::from(salt) << 16) ^ 0x9e37_79b9;
    let next = |_| {
        // Knuth, The Art of Computer Programming, volume 2, section 3.3.4, line 16 of table 1.
        state = state.wrapping_mul(69_069).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..size).map(next).collect()
}

/// Waits until something arrives at both ends.
pub(crate) async fn meet(a: &mut End, b: &mut End, limit: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    let (mut heard_a, mut heard_b) = (false, false);
    while !(heard_a && heard_b) {
        ensure!(
            Instant::now() < deadline,
            "nothing arrived within {} s: at ours {heard_a}, at the peer's {heard_b}",
            limit.as_secs()
        );
        knock(a, b).await?;
        let pause = sleep(KNOCK);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                heard = a.socket.receive() => heard.map(|_| heard_a = true)?,
                heard = b.socket.receive() => heard.map(|_| heard_b = true)?,
                () = &mut pause => break,
            }
        }
    }
    Ok(())
}

/// Sends something both ways, for daemons that try nothing without traffic.
pub(crate) async fn knock(a: &End, b: &End) -> anyhow::Result<()> {
    a.socket.send(&a.payload(64)).await?;
    b.socket.send(&b.payload(64)).await?;
    Ok(())
}

/// Sends each size from 1 to [`LARGEST`] both ways; returns how many had to be sent again.
pub(crate) async fn exchange(a: &mut End, b: &mut End) -> anyhow::Result<usize> {
    let mut ways = [Way::default(), Way::default()];
    loop {
        let [there, back] = &mut ways;
        there.fill(a).await?;
        back.fill(b).await?;
        if there.done() && back.done() {
            return Ok(there.again + back.again);
        }
        let heard = timeout(PATIENCE, async {
            tokio::select! {
                heard = b.socket.receive() => heard.map(|payload| there.heard(payload, a.salt)),
                heard = a.socket.receive() => heard.map(|payload| back.heard(payload, b.salt)),
            }
        });
        match heard.await {
            Ok(heard) => heard??,
            Err(_) => {
                there.lost()?;
                back.lost()?;
            }
        }
    }
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Sizes up to this one were sent.
    sent: usize,
    /// Sizes that were sent and did not arrive yet, and how often they were sent.
    under_way: BTreeMap<usize, u8>,
    /// Sizes to be sent again.
    lost: BTreeMap<usize, u8>,
    again: usize,
}

impl Way {
    fn done(&self) -> bool {
        self.sent == LARGEST && self.under_way.is_empty() && self.lost.is_empty()
    }

    /// Sends what the window has room for.
    async fn fill(&mut self, from: &End) -> anyhow::Result<()> {
        loop {
            let under_way: usize = self.under_way.keys().sum();
            let (size, tries) = match self.lost.first_key_value() {
                Some((size, tries)) => (*size, *tries),
                None if self.sent < LARGEST => (self.sent + 1, 0),
                None => return Ok(()),
            };
            if under_way > 0 && under_way + size > WINDOW {
                return Ok(());
            }
            if self.lost.remove(&size).is_none() {
                self.sent = size;
            }
            from.socket.send(&from.payload(size)).await?;
            self.under_way.insert(size, tries + 1);
        }
    }

    fn heard(&mut self, heard: &[u8], salt: u8) -> anyhow::Result<()> {
        let size = heard.len();
        let sent = payload(size, salt);
        if let Some(at) = (0..size).find(|at| heard.get(*at) != sent.get(*at)) {
            bail!("a payload of {size} bytes arrived with byte {at} changed");
        }
        // One that was sent twice may arrive twice.
        self.under_way.remove(&size);
        self.lost.remove(&size);
        Ok(())
    }

    fn lost(&mut self) -> anyhow::Result<()> {
        self.again += self.under_way.len();
        self.lost.append(&mut self.under_way);
        if let Some((size, _)) = self.lost.iter().find(|(_, tries)| **tries >= TRIES) {
            bail!("a payload of {size} bytes never arrived in {TRIES} attempts");
        }
        Ok(())
    }
}
