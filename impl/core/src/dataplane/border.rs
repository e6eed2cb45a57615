//! The border of a router: who may say what on the VPN, and from which addresses.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::residents::Residents;
use super::{Forwarding, Origin};
use crate::forward::guard::{self, Forbidden, Seen};
use crate::graph::NodeId;
use crate::router::Prefix;
use crate::subnet::{Claim, IpTable, Subnet, SubnetAddr};

/// What is checked of every frame; part of the picture of a router, and of no other node.
#[derive(Debug)]
pub struct Border {
    /// `None` where an address is nobody's.
    owners: IpTable<Option<NodeId>>,
    /// Nodes that send from addresses of theirs and from no others; few.
    sites: Vec<NodeId>,
    /// Addresses of our own kernel; few.
    own: Vec<Ipv6Addr>,
    counts: Arc<BorderCounts>,
    residents: Arc<Residents>,
}

/// How many frames were dropped at the border, and why.
#[derive(Debug, Default)]
pub struct BorderCounts {
    /// Router advertisements.
    pub advertisements: AtomicU64,
    /// Redirects.
    pub redirects: AtomicU64,
    /// Answers of DHCPv6 servers.
    pub dhcp_answers: AtomicU64,
    /// Neighbour discovery in fragments, and packets whose kind is hidden.
    pub disguised: AtomicU64,
    /// Packets from addresses that are not their sender's.
    pub sources: AtomicU64,
    /// Neighbour discovery about addresses that are not its sender's.
    pub targets: AtomicU64,
    /// Packets to addresses behind us that nobody was heard with, beyond those that may be asked for.
    pub strangers: AtomicU64,
}

impl Border {
    /// A border where prefixes are owned by nodes, or by nobody, and `sites` send from what they
    /// own only. What is counted and who was heard is kept beyond this picture.
    pub(crate) fn new(
        owners: impl IntoIterator<Item = (Prefix, Option<NodeId>)>,
        sites: Vec<NodeId>,
        own: Vec<Ipv6Addr>,
        counts: Arc<BorderCounts>,
        residents: Arc<Residents>,
    ) -> Self {
        let claims = owners.into_iter().map(|(prefix, owner)| Claim {
            subnet: Subnet {
                addr: SubnetAddr::V6 {
                    addr: prefix.network(),
                    len: prefix.len(),
                },
                weight: 0,
            },
            owner,
            // What is whose does not depend on that.
            reachable: true,
        });
        Self {
            owners: IpTable::new(claims),
            sites,
            own,
            counts,
            residents,
        }
    }

    /// How many frames were dropped so far.
    #[must_use]
    pub fn counts(&self) -> &BorderCounts {
        &self.counts
    }

    /// Whether a frame goes on; one that does not is counted.
    pub(super) fn passes(
        &self,
        frame: &[u8],
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
    ) -> bool {
        let Some(seen) = guard::look(frame) else {
            return true;
        };
        let counts = &self.counts;
        let count = match seen.forbidden {
            Some(Forbidden::Advertisement) => &counts.advertisements,
            Some(Forbidden::Redirect) => &counts.redirects,
            Some(Forbidden::DhcpAnswer) => &counts.dhcp_answers,
            Some(Forbidden::Disguised) => &counts.disguised,
            None if !self.may_claim(seen.source, origin, forwarding) => &counts.sources,
            None => match seen.target {
                Some(target) if !self.may_claim(target, origin, forwarding) => &counts.targets,
                _ if self.may_be_asked_for(&seen, origin, forwarding, now) => return true,
                _ => &counts.strangers,
            },
        };
        count.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// An address is known to be that of a neighbour, as the kernel found.
    pub fn is_neighbour(&self, address: Ipv6Addr) {
        self.residents.heard(address);
    }

    /// Whether a packet that is to leave by the kernel may make it ask for a neighbour; notes who is one.
    fn may_be_asked_for(
        &self,
        seen: &Seen,
        origin: Origin,
        forwarding: &Forwarding,
        now: Instant,
    ) -> bool {
        let ours = |address| self.owners.v6(address) == Some(Some(forwarding.me));
        if origin == Origin::Device {
            if ours(seen.source) {
                self.residents.heard(seen.source);
            }
            return true;
        }
        let destination = seen.destination;
        !ours(destination)
            || self.own.contains(&destination)
            || self.residents.may_be_asked_for(destination, now)
    }

    /// Whether an address may be that of somebody where a frame came from.
    fn may_claim(&self, address: Ipv6Addr, origin: Origin, forwarding: &Forwarding) -> bool {
        if address.is_unicast_link_local() || address.is_unspecified() {
            return true;
        }
        let sender = origin.node(forwarding.me);
        let is_site = self.sites.contains(&sender);
        if origin == Origin::Device {
            // A kernel that has other ways out passes on what anybody sends.
            return !is_site || self.owners.v6(address) == Some(Some(sender));
        }
        match self.owners.v6(address) {
            Some(Some(owner)) => comes_from(owner, sender, forwarding),
            Some(None) => false,
            None => !is_site && !address.is_multicast(),
        }
    }
}

/// Whether frames of `owner` may come by `sender`: its own, or one who relays them, as far as we
/// see the ways of frames. Who relays is believed, in this as in all that a mesh is told.
fn comes_from(owner: NodeId, sender: NodeId, forwarding: &Forwarding) -> bool {
    // Ours come from our own device.
    if owner == sender || owner == forwarding.me {
        return owner == sender;
    }
    let path = forwarding.peer(owner);
    path.is_some_and(|path| path.nexthop == sender || path.via == sender)
        // What is spread along the tree comes by whoever is nearest in it.
        || !forwarding.broadcast.contains(&owner) && forwarding.broadcast.contains(&sender)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{Egress, Forwarder, Mode, PeerPath, Policy};
    use super::*;
    use crate::graph::Graph;
    use crate::options::Options;
    use crate::wire::icmpv6;

    const SERVER: &str = "2001:db8:85a3:ef00::1";
    const ONE: &str = "2001:db8:85a3:ef00::11";
    const TWO: &str = "2001:db8:85a3:ef00::12";
    const LAN_ONE: &str = "2001:db8:85a3:ef11::100";
    const LAN_TWO: &str = "2001:db8:85a3:ef12::100";
    const GATEWAY: &str = "2001:db8:85a3:ef11::1";
    const FREE: &str = "2001:db8:85a3:ef99::1";
    const ELSEWHERE: &str = "2001:db8:ffff::42";

    struct Play {
        forwarding: Forwarding,
        one: NodeId,
        two: NodeId,
        /// Neither a site nor an owner.
        guest: NodeId,
    }

    /// A server, two sites and somebody else; site two is reached by site one if it is behind it.
    fn server(two_is_behind_one: bool) -> Play {
        let mut graph = Graph::new("server".parse().unwrap());
        let me = graph.me();
        let [one, two, guest] =
            ["one", "two", "guest"].map(|name| graph.intern(&name.parse().unwrap()));
        let mode = Mode::Switch;
        let policy = Policy {
            mode,
            ..Policy::default()
        };
        let mut forwarding = Forwarding::alone(me, policy);
        for peer in [one, two, guest] {
            let by = if peer == two && two_is_behind_one {
                one
            } else {
                peer
            };
            let path = PeerPath {
                via: by,
                nexthop: by,
                options: Options::NONE,
                mtu: 1518,
                min_mtu: 0,
                udp: None,
                out_key: None,
                in_keys: Vec::new(),
                known_at: Vec::new(),
            };
            forwarding.peers.insert(peer, Arc::new(path));
            if by == peer {
                forwarding.broadcast.push(peer);
            }
        }
        let prefix = |text: &str| text.parse::<Prefix>().unwrap();
        let host = |text: &str| Prefix::of(text.parse().unwrap(), 128);
        let owners = [
            (prefix("2001:db8:85a3:ef00::/56"), None),
            (host(SERVER), Some(me)),
            (host(ONE), Some(one)),
            (host(TWO), Some(two)),
            (prefix("2001:db8:85a3:ef11::/64"), Some(one)),
            (prefix("2001:db8:85a3:ef12::/64"), Some(two)),
        ];
        let residents = Arc::new(Residents::new([1, 2], Instant::now()));
        let own = vec![SERVER.parse().unwrap()];
        let border = Border::new(owners, vec![one, two], own, Arc::default(), residents);
        forwarding.border = Some(Arc::new(border));
        Play {
            forwarding,
            one,
            two,
            guest,
        }
    }

    /// A Pi whose neighbour is the server.
    fn pi() -> Play {
        let Play {
            mut forwarding,
            one,
            two,
            guest,
        } = server(false);
        let me = forwarding.me;
        let owners = [
            (Prefix::of(ONE.parse().unwrap(), 128), Some(me)),
            ("2001:db8:85a3:ef11::/64".parse().unwrap(), Some(me)),
        ];
        let own = [ONE, GATEWAY].map(|own| own.parse().unwrap()).to_vec();
        let residents = Arc::new(Residents::new([1, 2], Instant::now()));
        let border = Border::new(owners, vec![me], own, Arc::default(), residents);
        forwarding.border = Some(Arc::new(border));
        Play {
            forwarding,
            one,
            two,
            guest,
        }
    }

    impl Play {
        /// Whether a packet from somewhere comes out of the device for an address.
        fn arrives_at(&self, destination: &str) -> bool {
            let destination = destination.parse().unwrap();
            self.passes_on(Origin::Udp(self.guest), ELSEWHERE, destination, &echo())
        }

        /// Whether an ICMPv6 message comes out of the device that a peer sent.
        fn arrives(&self, from: NodeId, source: &str, message: &[u8]) -> bool {
            self.goes_on(Origin::Udp(from), source, message)
        }

        fn goes_on(&self, origin: Origin, source: &str, message: &[u8]) -> bool {
            self.passes_on(origin, source, "ff02::1".parse().unwrap(), message)
        }

        fn passes_on(
            &self,
            origin: Origin,
            source: &str,
            destination: Ipv6Addr,
            message: &[u8],
        ) -> bool {
            let link = [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 0x86, 0xdd];
            let source = source.parse().unwrap();
            let mut frame = icmpv6::frame(&link, source, destination, message);
            let (mut forwarder, mut egress) = (Forwarder::default(), Egress::default());
            let now = Instant::now();
            let for_device =
                forwarder.forward(&mut frame, origin, &self.forwarding, now, &mut egress);
            for_device || egress.reports().next().is_some()
        }

        fn counts(&self) -> [u64; 7] {
            let counts = self.forwarding.border.as_ref().unwrap().counts();
            [
                &counts.advertisements,
                &counts.redirects,
                &counts.dhcp_answers,
                &counts.disguised,
                &counts.sources,
                &counts.targets,
                &counts.strangers,
            ]
            .map(|count| count.load(Ordering::Relaxed))
        }
    }

    fn echo() -> Vec<u8> {
        vec![128, 0, 0, 0, 0, 0, 0, 0]
    }

    fn neighbour(kind: u8, target: &str) -> Vec<u8> {
        let target = target.parse::<Ipv6Addr>().unwrap().octets();
        [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target].concat()
    }

    #[test]
    fn a_site_sends_from_its_own_addresses_only() {
        let play = server(false);
        for own in [ONE, LAN_ONE, "fe80::1", "::"] {
            assert!(play.arrives(play.one, own, &echo()), "{own}");
        }
        for other in [SERVER, TWO, LAN_TWO, FREE, ELSEWHERE, "ff02::1"] {
            assert!(!play.arrives(play.one, other, &echo()), "{other}");
        }
        assert_eq!(play.counts(), [0, 0, 0, 0, 6, 0, 0]);
        // Who was given nothing brings addresses of its own, but takes nobody's.
        assert!(play.arrives(play.guest, ELSEWHERE, &echo()));
        for other in [SERVER, ONE, FREE] {
            assert!(!play.arrives(play.guest, other, &echo()), "{other}");
        }
    }

    #[test]
    fn strangers_behind_us_are_asked_for_within_bounds_and_residents_always() {
        let play = pi();
        let arrive = |to: &str, count: usize| {
            let all = (0..count).filter(|_| play.arrives_at(to));
            all.count()
        };
        // Our own addresses need not be asked for, nor do those of others.
        for own in [ONE, GATEWAY, SERVER] {
            assert_eq!(arrive(own, 1000), 1000, "{own}");
        }
        let first = arrive(LAN_ONE, 1000);
        assert!((100..200).contains(&first), "{first}");
        assert_eq!(play.counts()[6], 1000 - first as u64);
        // An answer is seen, or the kernel has one.
        assert!(play.goes_on(Origin::Device, LAN_ONE, &echo()));
        assert_eq!(arrive(LAN_ONE, 1000), 1000);
        let other = "2001:db8:85a3:ef11::200";
        assert_eq!(arrive(other, 10), 0);
        let border = play.forwarding.border.as_ref().unwrap();
        border.is_neighbour(other.parse().unwrap());
        assert_eq!(arrive(other, 1000), 1000);
    }

    #[test]
    fn nobody_claims_an_address_of_others() {
        let play = server(false);
        assert!(play.arrives(play.one, "fe80::1", &neighbour(136, ONE)));
        assert!(play.arrives(play.one, "::", &neighbour(135, ONE)));
        assert!(play.arrives(play.one, ONE, &neighbour(135, TWO)));
        assert!(play.arrives(play.one, "fe80::1", &neighbour(136, "fe80::1")));
        for other in [SERVER, TWO] {
            assert!(!play.arrives(play.one, "fe80::1", &neighbour(136, other)));
            assert!(!play.arrives(play.one, ONE, &neighbour(136, other)));
            assert!(!play.arrives(play.one, "::", &neighbour(135, other)));
        }
        assert_eq!(play.counts(), [0, 0, 0, 0, 0, 6, 0]);
    }

    #[test]
    fn what_is_relayed_is_taken_from_who_relays_it() {
        let play = server(true);
        assert!(play.arrives(play.one, LAN_TWO, &echo()));
        assert!(play.arrives(play.two, LAN_TWO, &echo()));
        assert!(!play.arrives(play.two, LAN_ONE, &echo()));
        // Along a tree in which another neighbour is nearer.
        assert!(play.arrives(play.guest, TWO, &echo()));
        assert!(!play.arrives(play.guest, ONE, &echo()));
    }

    #[test]
    fn nobody_is_told_of_routers_by_others_nor_by_us() {
        let play = server(false);
        let words: [&[u8]; 2] = [&[134; 16], &[137; 40]];
        for word in words {
            for origin in [Origin::Udp(play.guest), Origin::Device] {
                assert!(!play.goes_on(origin, "fe80::1", word));
            }
        }
        assert_eq!(play.counts(), [2, 2, 0, 0, 0, 0, 0]);
        // A node that is no router passes on everything.
        let mut play = server(false);
        play.forwarding.border = None;
        assert!(play.arrives(play.one, "fe80::1", &[134; 16]));
        assert!(play.arrives(play.one, SERVER, &echo()));
    }

    #[test]
    fn a_server_passes_on_from_everywhere_and_a_site_from_its_own_networks() {
        let mut play = server(false);
        for source in [SERVER, LAN_ONE, ELSEWHERE] {
            assert!(play.goes_on(Origin::Device, source, &echo()), "{source}");
        }
        // As site one sees it.
        let me = play.forwarding.me;
        let own = "2001:db8:85a3:ef11::/64".parse().unwrap();
        let residents = Arc::new(Residents::new([1, 2], Instant::now()));
        let border = Border::new(
            [(own, Some(me))],
            vec![me],
            Vec::new(),
            Arc::default(),
            residents,
        );
        play.forwarding.border = Some(Arc::new(border));
        assert!(play.goes_on(Origin::Device, LAN_ONE, &echo()));
        assert!(play.goes_on(Origin::Device, "fe80::1", &echo()));
        for spoofed in [LAN_TWO, ELSEWHERE] {
            assert!(!play.goes_on(Origin::Device, spoofed, &echo()), "{spoofed}");
        }
        assert!(play.arrives(play.guest, ELSEWHERE, &echo()));
        assert!(!play.arrives(play.guest, LAN_ONE, &echo()));
    }
}
