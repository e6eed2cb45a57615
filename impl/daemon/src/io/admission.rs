//! Who may take up our time without having proven anything.
//!
//! tincd serves ten new connections a second. Behind one address there may be a whole room of
//! honest nodes, so we count instead how many connections are *unproven at the same time*, in
//! all and by address. What exceeds that, and whoever misbehaves, is parked in silence.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use v6router_core::node::ConnId;

/// Most unproven connections; ours.
const MAX_UNPROVEN: usize = 256;
/// Most unproven connections from one address (IPv6: one /64); ours.
const MAX_UNPROVEN_PER_ADDRESS: usize = 32;
/// Parked connections (tinc 1.0).
const PARKED: usize = 10;

/// Counts connections that were accepted and have not proven who they are.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    unproven: BTreeMap<ConnId, (IpAddr, Instant)>,
    per_address: HashMap<IpAddr, usize>,
}

impl Admission {
    /// Whether one more connection from `address` may be served. The core ends connections that
    /// prove nothing in time, so those that began before `since` and are still there have.
    pub(crate) fn has_room(&mut self, address: IpAddr, since: Instant) -> bool {
        // Connections are numbered in the order in which they began.
        while let Some((conn, (_, began))) = self.unproven.first_key_value()
            && *began < since
        {
            self.leave(*conn);
        }
        self.unproven.len() < MAX_UNPROVEN
            && self.per_address.get(&site(address)).copied().unwrap_or(0) < MAX_UNPROVEN_PER_ADDRESS
    }

    /// A connection is served from `now` on.
    pub(crate) fn enter(&mut self, conn: ConnId, address: IpAddr, now: Instant) {
        let site = site(address);
        self.unproven.insert(conn, (site, now));
        *self.per_address.entry(site).or_default() += 1;
    }

    /// A connection is gone, or has proven who it is.
    pub(crate) fn leave(&mut self, conn: ConnId) {
        let Some((site, _)) = self.unproven.remove(&conn) else {
            return;
        };
        if let Some(count) = self.per_address.get_mut(&site) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&site);
            }
        }
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

    struct Gate {
        admission: Admission,
        start: Instant,
    }

    impl Gate {
        fn filled(count: u64, address: impl Fn(u64) -> IpAddr) -> Self {
            let start = Instant::now();
            let mut admission = Admission::default();
            for n in 0..count {
                admission.enter(ConnId(n), address(n), start);
            }
            Self { admission, start }
        }

        fn has_room(&mut self, address: IpAddr) -> bool {
            self.admission.has_room(address, self.start)
        }
    }

    fn v4(n: u64) -> IpAddr {
        let [.., c, d] = n.to_be_bytes();
        IpAddr::from([192, 0, c, d])
    }

    #[test]
    fn one_address_cannot_take_all_room() {
        let mut gate = Gate::filled(32, |_| v4(1));
        assert!(!gate.has_room(v4(1)));
        assert!(gate.has_room(v4(2)));
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one() {
        let in_net = |net: &str, n: u64| format!("{net}::{n:x}").parse().unwrap();
        let mut gate = Gate::filled(32, |n| in_net("2001:db8:0:1", n));
        assert!(!gate.has_room(in_net("2001:db8:0:1", 99)));
        assert!(gate.has_room(in_net("2001:db8:0:2", 99)));
    }

    #[test]
    fn whoever_is_gone_makes_room() {
        let mut gate = Gate::filled(32, |_| v4(1));
        gate.admission.leave(ConnId(3));
        gate.admission.leave(ConnId(3));
        assert!(gate.has_room(v4(1)));
        gate.admission.enter(ConnId(99), v4(1), gate.start);
        assert!(!gate.has_room(v4(1)));
    }

    #[test]
    fn whoever_stayed_long_enough_has_proven_himself() {
        let mut gate = Gate::filled(32, |_| v4(1));
        let later = gate.start + std::time::Duration::from_secs(1);
        assert!(gate.admission.has_room(v4(1), later));
    }

    #[test]
    fn there_is_a_limit_for_all() {
        let mut gate = Gate::filled(256, v4);
        assert!(!gate.has_room(v4(999)));
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
