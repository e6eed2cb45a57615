//! Who may take up our time without having proven anything.
//!
//! tincd serves ten new connections a second. Behind one address there may be a whole room of
//! honest nodes, so we count instead how many connections are *unproven at the same time*, in
//! all and, in a crowd, by address: a room that proves itself never meets a limit. What exceeds the
//! limit of an address, and whoever misbehaves, is parked in silence. Where all are too many, the one that
//! had most time, of the address that has most, makes room for the newest: whoever proves itself
//! at once gets in, however many do nothing.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use v6router_core::node::ConnId;

/// Most unproven connections; ours.
const MAX_UNPROVEN: usize = 256;
/// Most unproven connections from one address (IPv6: one /64) once there is a crowd; ours.
const MAX_UNPROVEN_PER_ADDRESS: usize = 32;
/// So many unproven connections are a crowd; ours. As many nodes behind one address may come back
/// at the same moment, after a restart of ours, without one of them being turned away.
const CROWD: usize = MAX_UNPROVEN / 2;
/// Most addresses remembered because a node proved itself from there; ours.
const MAX_PROVEN: usize = 4096;
/// Parked connections (tinc 1.0).
const PARKED: usize = 10;

/// Counts connections that were accepted and have not proven who they are.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    unproven: BTreeMap<ConnId, IpAddr>,
    per_address: HashMap<IpAddr, usize>,
    /// Where nodes proved themselves before: they make room last.
    proven: HashSet<IpAddr>,
}

/// What to do with a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Serve it.
    Yes,
    /// Serve it once this one is closed.
    InPlaceOf(ConnId),
    /// Its address has enough, or nobody has more.
    No,
}

impl Admission {
    /// Whether one more connection from `address` may be served.
    pub(crate) fn ask(&self, address: IpAddr) -> Admitted {
        let site = site(address);
        let crowded = self.unproven.len() >= CROWD;
        if crowded && self.of_site(site) >= MAX_UNPROVEN_PER_ADDRESS {
            return Admitted::No;
        }
        if self.unproven.len() < MAX_UNPROVEN {
            return Admitted::Yes;
        }
        let greed = |site: &IpAddr| (!self.proven.contains(site), self.of_site(*site));
        let Some(most) = self.per_address.keys().map(greed).max() else {
            return Admitted::No;
        };
        if most.1 <= self.of_site(site) {
            // Taking turns with itself would only keep us busy.
            return Admitted::No;
        }
        // Connections are numbered in the order in which they began.
        let mut oldest = self.unproven.iter();
        match oldest.find(|(_, site)| greed(site) == most) {
            Some((conn, _)) => Admitted::InPlaceOf(*conn),
            None => Admitted::No,
        }
    }

    fn of_site(&self, site: IpAddr) -> usize {
        self.per_address.get(&site).copied().unwrap_or(0)
    }

    /// A connection is served.
    pub(crate) fn enter(&mut self, conn: ConnId, address: IpAddr) {
        let site = site(address);
        self.unproven.insert(conn, site);
        *self.per_address.entry(site).or_default() += 1;
    }

    /// Whether a connection has still to prove who it is.
    pub(crate) fn waits_for(&self, conn: ConnId) -> bool {
        self.unproven.contains_key(&conn)
    }

    /// A connection has proven who it is.
    pub(crate) fn proved(&mut self, conn: ConnId) {
        if let Some(site) = self.leave(conn)
            && self.proven.len() < MAX_PROVEN
        {
            self.proven.insert(site);
        }
    }

    /// A connection is gone; returns where it came from if it had proven nothing.
    pub(crate) fn leave(&mut self, conn: ConnId) -> Option<IpAddr> {
        let site = self.unproven.remove(&conn)?;
        if let Some(count) = self.per_address.get_mut(&site) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&site);
            }
        }
        Some(site)
    }
}

/// What one party is given: an IPv4 address, or a /64.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Connections held open in silence, the oldest closed for the newest.
#[derive(Debug)]
pub(crate) struct Tarpit<T>(VecDeque<T>);

impl<T> Default for Tarpit<T> {
    fn default() -> Self {
        Self(VecDeque::with_capacity(PARKED))
    }
}

impl<T> Tarpit<T> {
    /// Parks a connection.
    pub(crate) fn park(&mut self, connection: T) {
        if self.0.len() == PARKED {
            self.0.pop_front();
        }
        self.0.push_back(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64, address: impl Fn(u64) -> IpAddr) -> Admission {
        let mut admission = Admission::default();
        for n in 0..count {
            admission.enter(ConnId(n), address(n));
        }
        admission
    }

    fn v4(n: u64) -> IpAddr {
        let [.., c, d] = n.to_be_bytes();
        IpAddr::from([192, 0, c, d])
    }

    #[test]
    fn one_address_cannot_take_all_room() {
        let admission = filled(128, |_| v4(1));
        assert_eq!(admission.ask(v4(1)), Admitted::No);
        assert_eq!(admission.ask(v4(2)), Admitted::Yes);
    }

    #[test]
    fn in_a_crowd_an_address_gets_less() {
        let mut admission = filled(96, v4);
        for n in 100..131 {
            admission.enter(ConnId(n), v4(500));
        }
        assert_eq!(admission.ask(v4(500)), Admitted::Yes);
        admission.enter(ConnId(131), v4(500));
        assert_eq!(admission.ask(v4(500)), Admitted::No);
        assert_eq!(admission.ask(v4(501)), Admitted::Yes);
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one() {
        let in_net = |net: &str, n: u64| format!("{net}::{n:x}").parse().unwrap();
        let admission = filled(128, |n| in_net("2001:db8:0:1", n));
        assert_eq!(admission.ask(in_net("2001:db8:0:1", 999)), Admitted::No);
        assert_eq!(admission.ask(in_net("2001:db8:0:2", 999)), Admitted::Yes);
    }

    #[test]
    fn whoever_is_gone_makes_room() {
        let mut admission = filled(128, |_| v4(1));
        assert_eq!(admission.leave(ConnId(3)), Some(v4(1)));
        assert_eq!(admission.leave(ConnId(3)), None);
        assert_eq!(admission.ask(v4(1)), Admitted::Yes);
        admission.enter(ConnId(999), v4(1));
        assert_eq!(admission.ask(v4(1)), Admitted::No);
    }

    #[test]
    fn a_room_full_of_honest_nodes_meets_no_limit() {
        let mut admission = Admission::default();
        for n in 0..1000 {
            assert_eq!(admission.ask(v4(1)), Admitted::Yes);
            admission.enter(ConnId(n), v4(1));
            admission.proved(ConnId(n));
            assert!(!admission.waits_for(ConnId(n)));
        }
    }

    #[test]
    fn when_all_room_is_taken_the_oldest_of_the_greediest_address_makes_room() {
        // One connection each, but for an address that has two.
        let admission = filled(256, |n| if n == 200 { v4(100) } else { v4(n) });
        assert_eq!(admission.ask(v4(999)), Admitted::InPlaceOf(ConnId(100)));
        assert_eq!(admission.ask(v4(100)), Admitted::No);
        let admission = filled(256, v4);
        assert_eq!(admission.ask(v4(999)), Admitted::InPlaceOf(ConnId(0)));
        assert_eq!(admission.ask(v4(5)), Admitted::No);
    }

    #[test]
    fn where_a_node_proved_itself_before_room_is_made_last() {
        let mut admission = filled(1, v4);
        admission.proved(ConnId(0));
        for n in 1..257 {
            admission.enter(ConnId(n), v4(n / 8));
        }
        assert_eq!(admission.ask(v4(999)), Admitted::InPlaceOf(ConnId(8)));
    }

    #[test]
    fn the_tarpit_keeps_the_ten_newest() {
        let mut tarpit = Tarpit::default();
        for n in 0..25 {
            tarpit.park(n);
        }
        assert_eq!(tarpit.0, (15..25).collect::<Vec<_>>());
    }
}
