//! Who may take up our time without having proven anything.
//!
//! tincd serves ten new connections a second. Behind one address there may be a whole room of
//! honest nodes, so we count instead how many connections are *unproven at the same time*, in
//! all and, in a crowd, by address. What exceeds the limit of an address waits, unread, until somebody has
//! proven itself or is gone: a room of honest nodes is served one after the other as fast as it answers, and a flood
//! keeps only those waiting who came through the same address. The newest is served first: whoever has waited longest
//! will have given up before it is done. Where all are too many, the one that
//! had most time, of the address that has most, makes room for the newest: whoever proves itself
//! at once gets in, however many do nothing. Who misbehaves is parked in silence.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use v6router_core::node::ConnId;

/// Most unproven connections; ours.
const MAX_UNPROVEN: usize = 256;
/// Most unproven connections from one address (IPv6: one /64) once there is a crowd; ours.
const MAX_UNPROVEN_PER_ADDRESS: usize = 32;
/// So many unproven connections are a crowd; ours.
const CROWD: usize = MAX_UNPROVEN / 2;
/// Most connections that wait to be served; ours. The kernel keeps up to 64 KiB of what each has said.
const MAX_WAITING: usize = 2048;
/// Most addresses remembered because a node proved itself from there; ours.
const MAX_PROVEN: usize = 4096;
/// Parked connections (tinc 1.0).
const PARKED: usize = 10;

/// Counts connections that were accepted and have not proven who they are, and keeps those, as `T`, that have to wait
/// until they are served.
#[derive(Debug)]
pub(crate) struct Admission<T> {
    unproven: BTreeMap<ConnId, IpAddr>,
    per_address: HashMap<IpAddr, usize>,
    /// Where nodes proved themselves before: they make room last.
    proven: HashSet<IpAddr>,
    waiting: WaitingRoom<T>,
    /// Room was made since somebody was last taken from the waiting room.
    room: bool,
}

impl<T> Default for Admission<T> {
    fn default() -> Self {
        Self {
            unproven: BTreeMap::new(),
            per_address: HashMap::new(),
            proven: HashSet::new(),
            waiting: WaitingRoom::default(),
            room: false,
        }
    }
}

/// What to do with a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Serve it.
    Yes,
    /// Serve it once this one is closed.
    InPlaceOf(ConnId),
    /// Its address has enough, or nobody has more: let it wait.
    Later,
}

impl<T> Admission<T> {
    /// Whether one more connection from `address` may be served.
    pub(crate) fn ask(&self, address: IpAddr) -> Admitted {
        let site = site(address);
        if self.has_room_for(site) {
            return Admitted::Yes;
        }
        if self.has_enough(site) {
            return Admitted::Later;
        }
        let greed = |site: &IpAddr| (!self.proven.contains(site), self.of_site(*site));
        let Some(most) = self.per_address.keys().map(greed).max() else {
            return Admitted::Later;
        };
        if most.1 <= self.of_site(site) {
            // Taking turns with itself would only keep us busy.
            return Admitted::Later;
        }
        // Connections are numbered in the order in which they began.
        let mut oldest = self.unproven.iter();
        match oldest.find(|(_, site)| greed(site) == most) {
            Some((conn, _)) => Admitted::InPlaceOf(*conn),
            None => Admitted::Later,
        }
    }

    /// In a crowd, an address has its share.
    fn has_enough(&self, site: IpAddr) -> bool {
        self.unproven.len() >= CROWD && self.of_site(site) >= MAX_UNPROVEN_PER_ADDRESS
    }

    fn has_room_for(&self, site: IpAddr) -> bool {
        self.unproven.len() < MAX_UNPROVEN && !self.has_enough(site)
    }

    fn of_site(&self, site: IpAddr) -> usize {
        self.per_address.get(&site).copied().unwrap_or(0)
    }

    /// Lets a connection wait; says `false` if it is the only one.
    ///
    /// Where too many wait, the one that has waited longest through the address with most is closed.
    pub(crate) fn wait(&mut self, address: IpAddr, connection: T, now: Instant) -> bool {
        let others = self.waiting.count > 0;
        self.waiting.enter(site(address), connection, now);
        others
    }

    /// The next that has waited, for less than `patience`, and may be served: the newest of those through the address
    /// that has least.
    pub(crate) fn next(&mut self, patience: Duration, now: Instant) -> Option<T> {
        if !self.room || self.waiting.count == 0 {
            return None;
        }
        self.waiting
            .retain(|since| now.saturating_duration_since(since) < patience);
        let sites = self.waiting.queues.keys().copied();
        let may = sites.filter(|site| self.has_room_for(*site));
        let next = may.min_by_key(|site| self.of_site(*site));
        let next = next.and_then(|site| self.waiting.newest(site));
        self.room = next.is_some();
        next
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
        self.room = true;
        Some(site)
    }
}

/// Connections that are not read yet, by address, each with the moment from which on it waits.
#[derive(Debug)]
struct WaitingRoom<T> {
    queues: HashMap<IpAddr, VecDeque<(Instant, T)>>,
    count: usize,
}

impl<T> Default for WaitingRoom<T> {
    fn default() -> Self {
        Self {
            queues: HashMap::new(),
            count: 0,
        }
    }
}

impl<T> WaitingRoom<T> {
    fn enter(&mut self, site: IpAddr, connection: T, now: Instant) {
        if self.count == MAX_WAITING
            && let Some(longest) = self.queues.values_mut().max_by_key(|queue| queue.len())
            && longest.pop_front().is_some()
        {
            self.count -= 1;
        }
        let queue = self.queues.entry(site).or_default();
        queue.push_back((now, connection));
        self.count += 1;
    }

    fn newest(&mut self, site: IpAddr) -> Option<T> {
        let (_, connection) = self.queues.get_mut(&site)?.pop_back()?;
        self.count -= 1;
        Some(connection)
    }

    /// Closes the others, and forgets addresses through which nobody waits.
    fn retain(&mut self, may_wait: impl Fn(Instant) -> bool) {
        self.queues.retain(|_, queue| {
            while queue.front().is_some_and(|(since, _)| !may_wait(*since)) {
                queue.pop_front();
                self.count -= 1;
            }
            !queue.is_empty()
        });
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

    const PATIENCE: Duration = Duration::from_secs(5);

    fn filled(count: u64, address: impl Fn(u64) -> IpAddr) -> Admission<u64> {
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
        assert_eq!(admission.ask(v4(1)), Admitted::Later);
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
        assert_eq!(admission.ask(v4(500)), Admitted::Later);
        assert_eq!(admission.ask(v4(501)), Admitted::Yes);
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one() {
        let in_net = |net: &str, n: u64| format!("{net}::{n:x}").parse().unwrap();
        let admission = filled(128, |n| in_net("2001:db8:0:1", n));
        assert_eq!(admission.ask(in_net("2001:db8:0:1", 999)), Admitted::Later);
        assert_eq!(admission.ask(in_net("2001:db8:0:2", 999)), Admitted::Yes);
    }

    #[test]
    fn whoever_is_gone_makes_room() {
        let mut admission = filled(128, |_| v4(1));
        assert_eq!(admission.leave(ConnId(3)), Some(v4(1)));
        assert_eq!(admission.leave(ConnId(3)), None);
        assert_eq!(admission.ask(v4(1)), Admitted::Yes);
        admission.enter(ConnId(999), v4(1));
        assert_eq!(admission.ask(v4(1)), Admitted::Later);
    }

    #[test]
    fn a_room_full_of_honest_nodes_meets_no_limit() {
        let mut admission = Admission::<u64>::default();
        for n in 0..1000 {
            assert_eq!(admission.ask(v4(1)), Admitted::Yes);
            admission.enter(ConnId(n), v4(1));
            admission.proved(ConnId(n));
            assert!(!admission.waits_for(ConnId(n)));
        }
    }

    #[test]
    fn a_room_that_comes_at_once_is_served_to_the_last_one() {
        let now = Instant::now();
        let mut admission = Admission::default();
        let mut served = VecDeque::new();
        for n in 0..1000 {
            if admission.ask(v4(1)) == Admitted::Yes {
                admission.enter(ConnId(n), v4(1));
                served.push_back(n);
            } else {
                assert_eq!(admission.wait(v4(1), n, now), n != 128);
            }
        }
        assert_eq!(served.len(), 128);
        assert_eq!(admission.next(PATIENCE, now), None, "no room was made");
        let mut all = Vec::new();
        while let Some(proven) = served.pop_front() {
            all.push(proven);
            admission.proved(ConnId(proven));
            while let Some(next) = admission.next(PATIENCE, now) {
                admission.enter(ConnId(next), v4(1));
                served.push_back(next);
            }
            assert!(served.len() <= 128);
        }
        assert_eq!(all[128], 999, "the newest first");
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn who_waits_beside_a_flood_of_another_address_does_not_wait_for_it() {
        let now = Instant::now();
        let mut admission = filled(128, |_| v4(1));
        for n in 1000..2000 {
            assert_eq!(admission.ask(v4(1)), Admitted::Later);
            admission.wait(v4(1), n, now);
        }
        // Another address goes past them as long as it has not its share itself.
        for n in 200..232 {
            assert_eq!(admission.ask(v4(2)), Admitted::Yes);
            admission.enter(ConnId(n), v4(2));
        }
        assert_eq!(admission.ask(v4(2)), Admitted::Later);
        admission.wait(v4(2), 7, now);
        admission.proved(ConnId(200));
        assert_eq!(admission.next(PATIENCE, now), Some(7));
        admission.enter(ConnId(7000), v4(2));
        assert_eq!(admission.next(PATIENCE, now), None);
    }

    #[test]
    fn who_has_waited_too_long_has_given_up() {
        let start = Instant::now();
        let mut admission = filled(128, |_| v4(1));
        for n in 0..10 {
            admission.wait(v4(1), n, start + Duration::from_secs(n));
        }
        admission.leave(ConnId(0));
        admission.leave(ConnId(1));
        admission.leave(ConnId(2));
        let now = start + PATIENCE + Duration::from_secs(7);
        let next = |admission: &mut Admission<_>| admission.next(PATIENCE, now);
        assert_eq!(next(&mut admission), Some(9));
        assert_eq!(next(&mut admission), Some(8));
        assert_eq!(next(&mut admission), None);
        assert!(!admission.wait(v4(1), 10, now));
    }

    #[test]
    fn the_waiting_room_is_bounded_and_the_longest_queue_loses_its_oldest() {
        let now = Instant::now();
        let mut admission = filled(128, |_| v4(1));
        admission.wait(v4(2), 1, now);
        let most = u64::try_from(MAX_WAITING).unwrap();
        for n in 2..2 * most {
            admission.wait(v4(1), n, now);
        }
        assert_eq!(admission.waiting.count, MAX_WAITING);
        for n in 0..128 {
            admission.leave(ConnId(n));
        }
        let left: Vec<u64> = std::iter::from_fn(|| admission.next(PATIENCE, now)).collect();
        assert_eq!(left.len(), MAX_WAITING);
        assert!(
            left.contains(&1) && !left.contains(&2),
            "of another address"
        );
    }

    #[test]
    fn when_all_room_is_taken_the_oldest_of_the_greediest_address_makes_room() {
        // One connection each, but for an address that has two.
        let admission = filled(256, |n| if n == 200 { v4(100) } else { v4(n) });
        assert_eq!(admission.ask(v4(999)), Admitted::InPlaceOf(ConnId(100)));
        assert_eq!(admission.ask(v4(100)), Admitted::Later);
        let admission = filled(256, v4);
        assert_eq!(admission.ask(v4(999)), Admitted::InPlaceOf(ConnId(0)));
        assert_eq!(admission.ask(v4(5)), Admitted::Later);
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
