//! UDP sockets, and what is said in the IP headers of what leaves by them.

mod arrivals;
mod control;
mod departures;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBufForce, SndBufForce, UdpGroSegment};
use socket2::{Protocol, Type};
use v6router_core::dataplane::{Datagram, Handling, Train};

use super::listen::bare;
pub(super) use arrivals::Arrivals;
pub(super) use departures::Departures;

/// Bytes of datagrams that may wait for us unless `UDPRcvBuf` says otherwise; ours. The kernel's
/// usual 208 KiB is a burst of a hundred packets, after which a fast sender loses some.
const RECEIVE_BUFFER: usize = 1 << 20;

/// How UDP sockets are set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UdpSetup {
    /// Datagrams are not fragmented, since the path is measured.
    pub(crate) dont_fragment: bool,
    /// Bytes; `None` takes ours.
    pub(crate) receive_buffer: Option<usize>,
    /// Bytes; `None` leaves it to the kernel.
    pub(crate) send_buffer: Option<usize>,
    /// What routing rules know the tunnel's packets by, if they do.
    pub(crate) mark: Option<u32>,
    /// Datagrams are given to the kernel as one where it takes that (`UDPSegmentation`).
    pub(crate) segmentation: bool,
    /// Datagrams are taken from the kernel as one where it gives that (`UDPCoalescing`).
    pub(crate) coalescing: bool,
}

#[cfg(test)]
impl UdpSetup {
    /// What is set up where no file says anything.
    pub(crate) const USUAL: Self = Self {
        dont_fragment: true,
        receive_buffer: None,
        send_buffer: None,
        mark: None,
        segmentation: true,
        coalescing: true,
    };
}

/// A UDP address of ours.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Everything comes in here, and leaves here unless it may be cut up.
    pub(crate) udp: UdpSocket,
    /// What may be cut up leaves here: whether a datagram may be is no property of the datagram
    /// to Linux, but of its socket. `None` if all may.
    cutting: Option<UdpSocket>,
    /// The kernel takes several datagrams as one, as far as we know.
    segmentation: AtomicBool,
    /// The kernel gives several datagrams as one.
    pub(crate) coalescing: bool,
}

impl Socket {
    /// Opens the sockets of one address.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn open(
        address: SocketAddr,
        interface: Option<&str>,
        setup: UdpSetup,
    ) -> io::Result<Self> {
        let open = || bare(address, Type::DGRAM, Protocol::UDP, interface, setup.mark);
        let udp = open()?;
        udp.set_broadcast(true)?;
        // Root may have more than the kernel's limit for everybody; an ordinary process gets what
        // the limit allows.
        let receive = setup.receive_buffer.unwrap_or(RECEIVE_BUFFER);
        if setsockopt(&udp, RcvBufForce, &receive).is_err() && setup.receive_buffer.is_some() {
            udp.set_recv_buffer_size(receive)?;
        }
        set_send_buffer(&udp, setup)?;
        // Linux 5.0; older ones give datagrams one by one.
        let coalescing = setup.coalescing && setsockopt(&udp, UdpGroSegment, &true).is_ok();
        let segmentation = AtomicBool::new(setup.segmentation);
        if !setup.dont_fragment {
            udp.bind(&address.into())?;
            return Ok(Self {
                udp: udp.into(),
                cutting: None,
                segmentation,
                coalescing,
            });
        }
        let cutting = open()?;
        set_fragmenting(&udp, address.ip(), false)?;
        set_fragmenting(&cutting, address.ip(), true)?;
        set_send_buffer(&cutting, setup)?;
        // Of sockets that share an address the one bound last hears what comes in. It is shared
        // for this moment only: nobody else can take a place beside us afterwards.
        for socket in [&cutting, &udp] {
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
        }
        for socket in [&cutting, &udp] {
            socket.set_reuse_address(false)?;
        }
        Ok(Self {
            udp: udp.into(),
            cutting: Some(cutting.into()),
            segmentation,
            coalescing,
        })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// What the kernel says; `EMSGSIZE` if it is too big for the path and must not be cut.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr, handling: Handling) -> io::Result<()> {
        departures::send_one(self.which(handling), bytes, to, handling)
    }

    /// Whether a train can be sent as one. What the kernel may cut up is left out: it would cut up
    /// the whole.
    pub(super) fn takes_as_one(&self, train: &Train<'_>) -> bool {
        let may_be_cut = |first: &Datagram| first.handling.may_fragment;
        self.segmentation.load(Ordering::Relaxed)
            && self.cutting.is_some()
            && !train.datagrams.first().is_some_and(may_be_cut)
    }

    /// The kernel does not take datagrams as one: neither will it the next ones (Linux older than
    /// 4.18, and ways out that it cannot prepare them for).
    pub(super) fn takes_them_singly(&self) {
        self.segmentation.store(false, Ordering::Relaxed);
    }

    fn which(&self, handling: Handling) -> &UdpSocket {
        let cutting = self.cutting.as_ref().filter(|_| handling.may_fragment);
        cutting.unwrap_or(&self.udp)
    }
}

fn set_send_buffer(socket: &socket2::Socket, setup: UdpSetup) -> io::Result<()> {
    if let Some(bytes) = setup.send_buffer
        && setsockopt(socket, SndBufForce, &bytes).is_err()
    {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(())
}

/// Has the kernel cut up what exceeds the path MTU, or refuse it.
fn set_fragmenting(socket: &socket2::Socket, ip: IpAddr, fragmenting: bool) -> io::Result<()> {
    let (level, name, dont, must_not) = match ip {
        IpAddr::V4(_) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
            libc::IP_PMTUDISC_DO,
        ),
        IpAddr::V6(_) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
            libc::IPV6_PMTUDISC_DO,
        ),
    };
    let value = if fragmenting { dont } else { must_not };
    set_number(socket, level, name, value)
}

/// Sets an option that is a number.
#[allow(unsafe_code)]
fn set_number(
    socket: &impl AsRawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: `value` is an integer that lives through the call, `size` is its size, and the
    // descriptor is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use nix::cmsg_space;
    use nix::sys::socket::sockopt::{IpRecvTos, Ipv6RecvTClass};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use v6router_core::crypto::algorithm::PacketSpec;
    use v6router_core::crypto::packet::PacketKey;
    use v6router_core::dataplane::{
        Egress, Forwarding, Mode, OutKey, Outbound, Owner, Owners, PeerPath, Policy, UdpPath,
    };
    use v6router_core::graph::Graph;
    use v6router_core::options::Options;
    use v6router_core::subnet::{IpTable, Mac};

    use super::*;

    /// Our sockets on a port that is free, and somebody to talk to.
    fn pair(ip: IpAddr) -> (Socket, SocketAddr, UdpSocket) {
        let free = UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap();
        let ours = Socket::open(free, None, UdpSetup::USUAL).unwrap();
        let other = UdpSocket::bind((ip, 0)).unwrap();
        for socket in [&ours.udp, &other] {
            socket.set_nonblocking(false).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
        }
        (ours, free, other)
    }

    fn received_class(socket: &UdpSocket) -> u8 {
        let mut buffer = [0; 16];
        let mut buffers = [io::IoSliceMut::new(&mut buffer)];
        let mut control = cmsg_space!(libc::c_int);
        let flags = MsgFlags::empty();
        let fd = socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut buffers, Some(&mut control), flags).unwrap();
        let mut classes = message
            .cmsgs()
            .unwrap()
            .filter_map(|message| match message {
                ControlMessageOwned::Ipv4Tos(class) => Some(class),
                ControlMessageOwned::Ipv6TClass(class) => u8::try_from(class).ok(),
                _ => None,
            });
        classes.next().unwrap()
    }

    #[test]
    fn what_may_be_cut_leaves_from_the_same_address_and_nothing_comes_in_there() {
        let (ours, address, other) = pair(Ipv4Addr::LOCALHOST.into());
        let mut buffer = [0; 16];
        for may_fragment in [false, true] {
            let handling = Handling {
                traffic_class: 0,
                may_fragment,
            };
            ours.send(b"hello", other.local_addr().unwrap(), handling)
                .unwrap();
            let (len, from) = other.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (&b"hello"[..], address));
            other.send_to(b"answer", from).unwrap();
            assert_eq!(ours.udp.recv(&mut buffer).unwrap(), 6);
        }
        let intruder = socket2::Socket::new(socket2::Domain::IPV4, Type::DGRAM, None).unwrap();
        intruder.set_reuse_address(true).unwrap();
        assert!(
            intruder.bind(&address.into()).is_err(),
            "there is no place beside us"
        );
    }

    /// Datagrams sealed for one peer, of which the last one is shorter, with a class of service.
    fn trains(egress: &mut Egress, to: SocketAddr, class: u8) {
        let mut graph = Graph::new("me".parse().unwrap());
        let peer = graph.intern(&"peer".parse().unwrap());
        let policy = Policy {
            mode: Mode::Switch,
            priority_inheritance: true,
            ..Policy::default()
        };
        let mut forwarding = Forwarding::alone(graph.me(), policy);
        let key = PacketKey::generate(PacketSpec::default(), &mut rand::rng());
        let path = PeerPath {
            via: peer,
            nexthop: peer,
            options: Options::PMTU_DISCOVERY,
            mtu: 1400,
            min_mtu: 1400,
            udp: Some(UdpPath {
                address: to,
                socket: 0,
            }),
            out_key: Some(Arc::new(OutKey::new(&key))),
            in_keys: Vec::new(),
            known_at: Vec::new(),
        };
        forwarding.peers.insert(peer, Arc::new(path));
        let there = Mac([2, 0, 0, 0, 0, 9]);
        let macs = HashMap::from([(there, Owner::Node(peer))]);
        let ips = IpTable::default();
        forwarding.owners = Arc::new(Owners { macs, ips });
        let mut outbound = Outbound::default();
        for len in [1000; 9].into_iter().chain([500]) {
            let mut frame = vec![0; len];
            frame[..6].copy_from_slice(&there.0);
            frame[6] = 2;
            frame[12..16].copy_from_slice(&[8, 0, 0x45, class]);
            outbound.seal(&mut frame, &forwarding, Instant::now(), egress);
        }
    }

    /// Sends ten datagrams as one, which have to arrive as they were.
    fn a_train_arrives(ours: &Socket, other: &Socket, class: u8) {
        let mut egress = Egress::default();
        let to = other.udp.local_addr().unwrap();
        trains(&mut egress, to, class);
        let datagrams = egress.datagrams();
        let sent: Vec<Vec<u8>> = datagrams.map(|(_, bytes)| bytes.to_vec()).collect();
        let trains: Vec<Train<'_>> = egress.trains().collect();
        assert_eq!((sent.len(), trains.len()), (10, 1));
        assert!(ours.takes_as_one(&trains[0]));
        let mut departures = Departures::new(ours);
        departures.push(trains[0]);
        departures.send(|_, error| panic!("{error}"));
        let mut arrivals = Arrivals::new(true);
        let mut came = Vec::new();
        while came.len() < sent.len() {
            arrivals.receive(&other.udp);
            for (from, datagrams) in arrivals.each() {
                assert_eq!(from, ours.udp.local_addr().unwrap());
                let each = datagrams.bytes.chunks(datagrams.size);
                came.extend(each.map(<[u8]>::to_vec));
            }
        }
        assert!(came == sent);
    }

    fn goes_on_with_trains(socket: &Socket) -> bool {
        socket.segmentation.load(Ordering::Relaxed)
    }

    #[test]
    fn datagrams_that_leave_as_one_arrive_as_they_were() {
        for ip in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let [ours, other] = [pair(ip).0, pair(ip).0];
            for class in [0, 0xb8] {
                a_train_arrives(&ours, &other, class);
                assert!(goes_on_with_trains(&ours), "the kernel took them");
            }
        }
    }

    #[test]
    fn what_the_kernel_does_not_take_as_one_arrives_and_is_not_tried_again() {
        let [ours, other] = [(); 2].map(|()| pair(Ipv4Addr::LOCALHOST.into()).0);
        // Who wants no checksums gets nothing cut: EINVAL, as other kernels say for other reasons.
        set_number(&ours.udp, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
        a_train_arrives(&ours, &other, 0);
        assert!(!goes_on_with_trains(&ours));
    }

    #[test]
    fn each_datagram_has_its_class_of_service() {
        for ip in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let (ours, _, other) = pair(ip);
            match ip {
                IpAddr::V4(_) => setsockopt(&other, IpRecvTos, &true).unwrap(),
                IpAddr::V6(_) => setsockopt(&other, Ipv6RecvTClass, &true).unwrap(),
            }
            for class in [0xb8, 0, 0x20] {
                let handling = Handling {
                    traffic_class: class,
                    may_fragment: class == 0x20,
                };
                ours.send(b"hello", other.local_addr().unwrap(), handling)
                    .unwrap();
                assert_eq!(received_class(&other), class);
            }
        }
    }
}
