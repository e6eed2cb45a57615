//! Listening on one interface, and sorting what was heard.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt::RcvBuf};
use pnet_packet::Packet;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::udp::UdpPacket;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use v6router_core::offload::{Burst, Header};

use super::frames::{bound, failed};
use super::recording::QUEUE;
use super::{ObserveError, Result};
use crate::fabric::Node;

/// What is being done when it fails.
const LISTEN: &str = "listen on an interface";

/// A frame as the kernel hands it over, with its header: offloads may have joined many into one of up to 64 KiB.
const LARGEST: usize = Header::LEN + 65_536 + 14;

/// Where a capture stops keeping frames, so that a forgotten one does not eat the machine; nothing is told of one that
/// did. Bytes.
const ENOUGH: usize = 64 << 20;

/// Listens on one interface until it is dropped.
#[derive(Debug)]
pub struct Capture {
    node: String,
    ear: Arc<Ear>,
    listener: JoinHandle<()>,
}

#[derive(Debug)]
struct Ear {
    /// Not one, but it is waited for in the same way.
    socket: UdpSocket,
    heard: Mutex<Frames>,
}

/// Ethernet frames, in the order in which they passed, as a cable without offloads would carry them.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    frames: Vec<Vec<u8>>,
    bytes: usize,
    /// More passed than is kept.
    is_cut: bool,
    /// How many passed that the kernel had no room for.
    unheard: u64,
}

impl Capture {
    /// Starts to listen on an interface of `node`; whatever passes after the return is heard.
    ///
    /// # Errors
    /// When there is no such interface, or no packet socket to be had.
    pub async fn start(node: &Node, interface: &str) -> Result<Self> {
        let name = interface.to_owned();
        let opened = node.run(move || Box::pin(async move { open(&name) }));
        let socket = opened.await?.and_then(|fd| UdpSocket::from_std(fd.into()));
        let ear = Arc::new(Ear {
            socket: socket.map_err(|reason| failed(node.name(), LISTEN, reason))?,
            heard: Mutex::default(),
        });
        let listener = tokio::spawn(listen(Arc::clone(&ear)));
        Ok(Self {
            node: node.name().to_owned(),
            ear,
            listener,
        })
    }

    /// What passed so far: of a packet that was answered, the listener may not know yet.
    ///
    /// # Errors
    /// When more passed than is kept, or than the kernel had room for until it was taken.
    pub fn frames(&self) -> Result<Frames> {
        let mut heard = self.ear.heard();
        // How it ends is the listener's business.
        let _ = self.ear.take(&mut heard);
        let dropped = dropped(&self.ear.socket);
        let dropped = dropped.map_err(|reason| failed(&self.node, LISTEN, reason))?;
        heard.unheard += u64::from(dropped);
        heard.whole()?;
        Ok(heard.clone())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Frames {
    /// How many there were of each kind: the protocol and, where it has ports, the lower one (which is the service's).
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for frame in &self.frames {
            *kinds.entry(kind(frame)).or_default() += 1;
        }
        kinds
    }

    /// How many contain these bytes anywhere.
    #[must_use]
    pub fn containing(&self, needle: &[u8]) -> usize {
        let found = |frame: &&Vec<u8>| {
            frame
                .windows(needle.len().max(1))
                .any(|part| part == needle)
        };
        self.frames.iter().filter(found).count()
    }

    /// The IPv4 packets with UDP for this address.
    #[must_use]
    pub fn datagrams_to(&self, target: SocketAddrV4) -> Vec<Vec<u8>> {
        let wanted = |frame: &Vec<u8>| {
            let frame = EthernetPacket::new(frame)?;
            let packet = Ipv4Packet::new(frame.payload())?;
            let udp = UdpPacket::new(packet.payload())?;
            let fits = frame.get_ethertype() == EtherTypes::Ipv4
                && packet.get_next_level_protocol() == IpNextHeaderProtocols::Udp
                && packet.get_destination() == *target.ip()
                && udp.get_destination() == target.port();
            let len = usize::from(packet.get_total_length());
            fits.then(|| frame.payload().get(..len).map(<[u8]>::to_vec))?
        };
        self.frames.iter().filter_map(wanted).collect()
    }

    /// How many went from one of two IPv4 addresses to the other, in either direction, by UDP.
    #[must_use]
    pub fn udp_between(&self, a: Ipv4Addr, b: Ipv4Addr) -> usize {
        let found = |frame: &&Vec<u8>| {
            EthernetPacket::new(frame)
                .filter(|ethernet| ethernet.get_ethertype() == EtherTypes::Ipv4)
                .and_then(|ethernet| {
                    let ip = Ipv4Packet::new(ethernet.payload())?;
                    let ends = (ip.get_source(), ip.get_destination());
                    let udp = ip.get_next_level_protocol() == IpNextHeaderProtocols::Udp;
                    Some(udp && (ends == (a, b) || ends == (b, a)))
                })
                .unwrap_or_default()
        };
        self.frames.iter().filter(found).count()
    }

    /// Takes what the kernel handed over: one frame, or what stands for several.
    fn take(&mut self, received: &mut [u8]) {
        let Some((header, frame)) = received.split_first_chunk_mut() else {
            return;
        };
        let Ok(header) = Header::parse(*header) else {
            return self.push(frame);
        };
        if let Ok(Some(burst)) = Burst::parse(header, frame) {
            for index in 0..burst.count() {
                let mut frame = vec![0; burst.frame_len(index)];
                burst.write(index, &mut frame);
                self.push(&frame);
            }
        } else {
            // If the kernel was spared a checksum, so is whoever looks at the frame.
            let _ = header.complete(frame);
            self.push(frame);
        }
    }

    /// Makes sure that nothing which passed is missing: who finds nothing in the rest has found nothing out.
    fn whole(&self) -> Result<()> {
        match self.unheard {
            _ if self.is_cut => Err(ObserveError::TooMuch),
            0 => Ok(()),
            count => Err(ObserveError::Unheard { count }),
        }
    }

    fn push(&mut self, frame: &[u8]) {
        self.is_cut |= self.bytes >= ENOUGH;
        if !self.is_cut {
            self.bytes += frame.len();
            self.frames.push(frame.to_vec());
        }
    }
}

/// A packet socket as a capture wants it. Called on the node's thread.
fn open(interface: &str) -> io::Result<OwnedFd> {
    let fd = bound(interface)?;
    tell_of_offloads(&fd)?;
    // The kernel gives what it may.
    setsockopt(&fd, RcvBuf, &QUEUE)?;
    Ok(fd)
}

/// Has the kernel say of each frame what offloads left undone (Linux, `packet(7)`, `PACKET_VNET_HDR`).
#[allow(unsafe_code)]
fn tell_of_offloads(fd: &OwnedFd) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the value is an integer that lives through the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_VNET_HDR,
            (&raw const yes).cast(),
            size_of_val(&yes) as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// How many frames the kernel had no room for since this was last asked (Linux, `packet(7)`, `PACKET_STATISTICS`).
#[allow(unsafe_code)]
fn dropped(socket: &UdpSocket) -> io::Result<u32> {
    let mut counts = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut len = size_of_val(&counts) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the kernel writes at most `len` bytes into a structure of that length, and
    // how many into `len`; both live through the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut counts).cast(),
            &raw mut len,
        )
    };
    Errno::result(result)?;
    Ok(counts.tp_drops)
}

/// Keeps the kernel's queue short until the socket fails.
async fn listen(ear: Arc<Ear>) {
    let take = || ear.take(&mut ear.heard());
    let _ = ear.socket.async_io(Interest::READABLE, take).await;
}

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Frames> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all frames that wait, which ends with an error: at best that none is left.
    fn take(&self, heard: &mut Frames) -> io::Result<Infallible> {
        let mut buffer = vec![0; LARGEST];
        loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(len) => heard.take(buffer.get_mut(..len).unwrap_or_default()),
                // The interface may come up again.
                Err(Errno::ENETDOWN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// In words: `UDP 655`, `ARP`, …
fn kind(frame: &[u8]) -> String {
    let Some(ethernet) = EthernetPacket::new(frame) else {
        return "cut off".to_owned();
    };
    let payload = ethernet.payload();
    let by_ip = match ethernet.get_ethertype() {
        EtherTypes::Arp => return "ARP".to_owned(),
        EtherTypes::Ipv4 => Ipv4Packet::new(payload).map(|ip| {
            let header = usize::from(ip.get_header_length()) * 4;
            (ip.get_next_level_protocol(), payload.get(header..))
        }),
        EtherTypes::Ipv6 => Ipv6Packet::new(payload).and_then(|ip| {
            let source = ip.get_source();
            // Neighbour discovery and multicast listeners: what keeps a link going and never leaves it.
            let link_scope = source.is_unicast_link_local() || source.is_unspecified();
            (!link_scope).then(|| {
                (
                    ip.get_next_header(),
                    payload.get(Ipv6Packet::minimum_packet_size()..),
                )
            })
        }),
        other => return format!("EtherType {:04x}", other.0),
    };
    match (by_ip, ethernet.get_ethertype()) {
        (Some((protocol, transport)), _) => service(protocol, transport.unwrap_or_default()),
        (None, EtherTypes::Ipv6) => "IPv6 link scope".to_owned(),
        (None, _) => "cut off".to_owned(),
    }
}

fn service(protocol: IpNextHeaderProtocol, transport: &[u8]) -> String {
    let name = match protocol {
        IpNextHeaderProtocols::Tcp => "TCP",
        IpNextHeaderProtocols::Udp => "UDP",
        IpNextHeaderProtocols::Icmp | IpNextHeaderProtocols::Icmpv6 => return "ICMP".to_owned(),
        other => return format!("IP protocol {}", other.0),
    };
    match transport {
        [a, b, c, d, ..] => {
            let port = u16::from_be_bytes([*a, *b]).min(u16::from_be_bytes([*c, *d]));
            format!("{name} {port}")
        }
        _ => format!("{name} cut off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend(ethertype.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn udp4(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
        let mut ip = vec![
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        ip.extend(from.to_be_bytes());
        ip.extend(to.to_be_bytes());
        ip.extend([0; 4]);
        ip.extend(payload);
        frame(0x0800, &ip)
    }

    fn ipv6(source: &str, next: u8) -> Vec<u8> {
        let mut ip = vec![0x60, 0, 0, 0, 0, 8, next, 64];
        ip.extend(source.parse::<std::net::Ipv6Addr>().unwrap().octets());
        ip.extend([0xff; 16]);
        ip.extend([0; 8]);
        frame(0x86dd, &ip)
    }

    #[test]
    fn either_direction_of_a_service_is_the_same_kind() {
        assert_eq!(kind(&udp4(40000, 655, b"")), "UDP 655");
        assert_eq!(kind(&udp4(655, 40000, b"")), "UDP 655");
    }

    #[test]
    fn housekeeping_of_the_link_is_told_apart_from_traffic() {
        assert_eq!(kind(&frame(0x0806, &[0; 28])), "ARP");
        assert_eq!(kind(&ipv6("fe80::1", 58)), "IPv6 link scope");
        assert_eq!(kind(&ipv6("::", 0)), "IPv6 link scope");
        assert_eq!(kind(&ipv6("2001:db8::1", 58)), "ICMP");
    }

    #[test]
    fn both_directions_between_two_addresses_are_counted_and_no_others() {
        let mut frames = Frames::default();
        frames.push(&udp4(655, 655, b""));
        frames.push(&ipv6("2001:db8::1", 17));
        let [a, b] = [1, 2].map(|host| Ipv4Addr::new(10, 0, 0, host));
        assert_eq!(frames.udp_between(a, b), 1);
        assert_eq!(frames.udp_between(b, a), 1);
        assert_eq!(frames.udp_between(a, Ipv4Addr::new(10, 0, 0, 3)), 0);
    }

    #[test]
    fn anything_else_keeps_its_number() {
        assert_eq!(kind(&frame(0x88cc, b"")), "EtherType 88cc");
        assert_eq!(kind(&ipv6("2001:db8::1", 132)), "IP protocol 132");
        assert_eq!(kind(b"short"), "cut off");
        assert_eq!(kind(&frame(0x0800, b"short")), "cut off");
    }

    #[test]
    fn of_what_is_not_all_there_nothing_is_said() {
        let mut frames = Frames::default();
        frames.push(&udp4(1, 2, b""));
        assert!(frames.whole().is_ok());
        frames.unheard = 3;
        let error = frames.whole().unwrap_err().to_string();
        assert!(error.contains("3 frames"), "{error}");
        frames.bytes = ENOUGH;
        frames.push(&udp4(1, 2, b""));
        assert!(matches!(frames.whole(), Err(ObserveError::TooMuch)));
    }

    #[test]
    fn bytes_are_found_wherever_they_stand() {
        let mut frames = Frames::default();
        frames.push(&udp4(1, 2, b"..secret.."));
        frames.push(&udp4(1, 2, b"..scrambled.."));
        assert_eq!(frames.containing(b"secret"), 1);
        assert_eq!(frames.kinds(), BTreeMap::from([("UDP 1".to_owned(), 2)]));
    }
}
