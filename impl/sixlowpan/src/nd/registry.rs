//! The addresses that nodes have registered with a router (RFC 6775 section 6.5, RFC 8505 section
//! 5), as a table that is told the time.
//!
//! Whoever keeps routes to the nodes follows the [`Change`]s. A channel is whatever tells one
//! node's channel from another's.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use super::option::Minutes;
use super::registration::{AddressRegistration, Owner, Status};

/// Transaction identifiers from here on count what came right after a restart (RFC 6550 section
/// 7.2).
const RESTARTED: u8 = 128;
/// Transaction identifiers further apart than this cannot be ordered (RFC 6550 section 7.2).
const SEQUENCE_WINDOW: u8 = 16;

/// How much a router remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Addresses of all nodes together.
    pub total: usize,
    /// Addresses of one channel, so that no node can use up what others need.
    pub per_channel: usize,
}

/// A registered address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered<C> {
    /// The channel by which it is reached.
    pub channel: C,
    /// Who registered it.
    pub owner: Owner,
    /// The last transaction of its owner.
    pub transaction: Option<u8>,
    /// When it is to be forgotten, unless it is registered again.
    pub expires: Instant,
}

/// What is to be answered, and what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome<C> {
    /// For the answer.
    pub status: Status,
    /// What changed for routes, if anything.
    pub change: Option<Change<C>>,
}

/// What a registration changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<C> {
    /// The address is reached by the channel of the request from now on.
    Added,
    /// It was reached by this other channel before.
    Moved {
        /// The channel left.
        from: C,
    },
    /// It is no longer reached.
    Removed,
}

impl<C> Outcome<C> {
    const fn refused(status: Status) -> Self {
        Self {
            status,
            change: None,
        }
    }

    const fn done(change: Option<Change<C>>) -> Self {
        let status = Status::SUCCESS;
        Self { status, change }
    }
}

/// The table.
#[derive(Debug, Clone)]
pub struct Registry<C> {
    limits: Limits,
    registered: BTreeMap<Ipv6Addr, Registered<C>>,
}

impl<C: Copy + Eq> Registry<C> {
    /// A table that holds nothing yet.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        let registered = BTreeMap::new();
        Self { limits, registered }
    }

    /// Takes a request that came by `channel`. Whether the prefix of `address` is one of the link is
    /// for the caller to know, who refuses it with [`Status::TOPOLOGICALLY_INCORRECT`] otherwise.
    ///
    /// Link-local addresses belong to the channel and are not registered (RFC 7668 section 3.2.3).
    pub fn register(
        &mut self,
        channel: C,
        address: Ipv6Addr,
        request: &AddressRegistration,
        now: Instant,
    ) -> Outcome<C> {
        let is_global = !(address.is_multicast()
            || address.is_unspecified()
            || address.is_loopback()
            || address.is_unicast_link_local());
        if !is_global {
            return Outcome::refused(Status::TOPOLOGICALLY_INCORRECT);
        }
        let found = self
            .registered
            .get(&address)
            .filter(|known| known.expires > now);
        if let Some(known) = found {
            if known.owner != request.owner {
                return Outcome::refused(Status::DUPLICATE);
            }
            if is_stale(known, request.transaction, channel) {
                return Outcome::refused(Status::MOVED);
            }
        }
        let from = found.map(|known| known.channel);
        if request.lifetime == Minutes(0) {
            let removed = self.registered.remove(&address).map(|_| Change::Removed);
            return Outcome::done(removed);
        }
        if from != Some(channel) && !self.has_room(channel, address, now) {
            return Outcome::refused(Status::CACHE_FULL);
        }
        let known = Registered {
            channel,
            owner: request.owner,
            transaction: request.transaction,
            expires: now + Duration::from(request.lifetime),
        };
        // One that has expired but was not taken away yet still has its route.
        let before = self.registered.insert(address, known);
        Outcome::done(match before {
            None => Some(Change::Added),
            Some(before) if before.channel == channel => None,
            Some(before) => Some(Change::Moved {
                from: before.channel,
            }),
        })
    }

    /// Whether `channel` may have one more address, which it does not have yet.
    fn has_room(&self, channel: C, address: Ipv6Addr, now: Instant) -> bool {
        let others = || {
            self.registered
                .iter()
                .filter(|(other, known)| **other != address && known.expires > now)
        };
        let of_channel = others()
            .filter(|(_, known)| known.channel == channel)
            .count();
        others().count() < self.limits.total && of_channel < self.limits.per_channel
    }

    /// Forgets the addresses that were not registered again in time, and says which and where.
    pub fn expire(&mut self, now: Instant) -> Vec<(Ipv6Addr, C)> {
        self.remove(|known| known.expires <= now)
    }

    /// Forgets the addresses of a channel that was lost, and says which.
    pub fn channel_lost(&mut self, channel: C) -> Vec<Ipv6Addr> {
        let lost = self.remove(|known| known.channel == channel);
        lost.into_iter().map(|(address, _)| address).collect()
    }

    fn remove(&mut self, is_over: impl Fn(&Registered<C>) -> bool) -> Vec<(Ipv6Addr, C)> {
        let over = self.iter().filter(|(_, known)| is_over(known));
        let over: Vec<_> = over
            .map(|(address, known)| (address, known.channel))
            .collect();
        for (address, _) in &over {
            self.registered.remove(address);
        }
        over
    }

    /// When [`expire`](Self::expire) is due next.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.registered.values().map(|known| known.expires).min()
    }

    /// Where an address is reached.
    #[must_use]
    pub fn get(&self, address: Ipv6Addr) -> Option<&Registered<C>> {
        self.registered.get(&address)
    }

    /// All addresses, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv6Addr, &Registered<C>)> {
        self.registered
            .iter()
            .map(|(address, known)| (*address, known))
    }
}

/// Whether the owner of an address has registered it again since it sent a request (RFC 8505 section
/// 5.2). A channel keeps what is sent in order, so that of two transactions which cannot be ordered
/// the one that comes by the same channel is the later one.
fn is_stale<C: Eq>(known: &Registered<C>, transaction: Option<u8>, channel: C) -> bool {
    let (Some(last), Some(this)) = (known.transaction, transaction) else {
        return false;
    };
    match is_newer(last, this) {
        Some(newer) => newer,
        None => known.channel != channel,
    }
}

/// Whether transaction `a` came after `b`; `None` if that cannot be told (RFC 6550 section 7.2).
fn is_newer(a: u8, b: u8) -> Option<bool> {
    match (a >= RESTARTED, b >= RESTARTED) {
        // Behind 255 comes 0.
        (true, false) => Some(b.wrapping_sub(a) > SEQUENCE_WINDOW),
        (false, true) => Some(a.wrapping_sub(b) <= SEQUENCE_WINDOW),
        (true, true) => (a.abs_diff(b) <= SEQUENCE_WINDOW).then_some(a > b),
        // Behind 127 comes 0.
        (false, false) => {
            let ahead = a.wrapping_sub(b) % RESTARTED;
            let behind = b.wrapping_sub(a) % RESTARTED;
            (ahead.min(behind) <= SEQUENCE_WINDOW).then_some(ahead != 0 && ahead < behind)
        }
    }
}

#[cfg(test)]
mod tests;
