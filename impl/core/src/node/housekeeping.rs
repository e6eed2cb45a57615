//! What has to be looked after from time to time, and what operators ask for.

use std::sync::Arc;
use std::time::Instant;

use rand_core::CryptoRng;

use super::links::Link;
use super::{Closing, ConnId, Node, Timer, limits};
use crate::dataplane::Lease;
use crate::graph::NodeId;
use crate::name::NodeName;
use crate::subnet::{Mac, Subnet, SubnetAddr};
use crate::wire::request::Request;

impl Node {
    /// One pass, every `PingTimeout` seconds.
    pub(super) fn housekeeping(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        self.timers
            .set(Timer::Housekeeping, now + self.settings.ping_timeout);
        self.check_links(now, rng);
        self.expire_leases(now, rng);
        self.expire_retired_keys(now);
        self.past.expire(self.settings.ping_interval, now);
        if let Some(suspension) = self.contradictions.verdict() {
            tracing::warn!(
                "another node seems to use our name {}; no dialling for {suspension:?}",
                self.settings.name
            );
            self.suspended = Some(now + suspension);
        }
    }

    /// Pings who is due, drops who does not answer, does not authenticate or does not read.
    fn check_links(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        let conns: Vec<_> = self.links.keys().copied().collect();
        for conn in conns {
            match self.verdict(conn, now) {
                Verdict::Fine => {}
                Verdict::Ping => self.ping(conn, now),
                Verdict::Drop(how, why) => {
                    if let Some(link) = self.links.get(&conn) {
                        let peer = self.speaker(conn);
                        tracing::info!(
                            "closing the connection with {peer} ({}): {why}",
                            link.address
                        );
                    }
                    self.close(conn, how, now, rng);
                }
            }
        }
    }

    fn verdict(&self, conn: ConnId, now: Instant) -> Verdict {
        let (interval, timeout) = (self.settings.ping_interval, self.settings.ping_timeout);
        let Some(link) = self.links.get(&conn) else {
            return Verdict::Fine;
        };
        if link.backlog.bytes() > limits::BACKLOG {
            return Verdict::Drop(Closing::Now, "it does not read what we send");
        }
        let idle = now.saturating_duration_since(link.last_ping);
        match (&link.active, link.ping_unanswered) {
            (None, _) if idle >= timeout => {
                // Silence is for strangers. Whom we dialled ourselves may be busy with others like us, and would take
                // a connection that stays open for one more that is to be served.
                let how = match link.outgoing {
                    Some(_) => Closing::Now,
                    None => Closing::Tarpit,
                };
                Verdict::Drop(how, "no authentication in time")
            }
            (Some(_), true) if idle >= timeout => Verdict::Drop(Closing::Now, "ping timeout"),
            (Some(_), false) if idle >= interval => Verdict::Ping,
            _ => Verdict::Fine,
        }
    }

    fn ping(&mut self, conn: ConnId, now: Instant) {
        if let Some(link) = self.links.get_mut(&conn) {
            // Of two PINGs under way nobody can tell which is answered, and it is the first that is waited for.
            link.timed = (!link.ping_unanswered).then_some(now);
            if !link.ping_unanswered {
                link.last_ping = now;
            }
            link.ping_unanswered = true;
        }
        self.send(conn, &Request::Ping);
    }

    pub(super) fn pong(&mut self, conn: ConnId, now: Instant) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.ping_unanswered = false;
            if let Some(sent) = link.timed.take() {
                link.round_trip.took(now.saturating_duration_since(sent));
            }
            if let Some(active) = &mut link.active {
                active.proven = true;
            }
        }
    }

    /// A MAC address appeared behind our device: it is ours from now on.
    pub(super) fn learn(&mut self, mac: Mac, now: Instant, rng: &mut dyn CryptoRng) {
        if self.leases.contains_key(&mac) || self.leases.len() >= limits::SUBNETS {
            return;
        }
        self.leases.insert(mac, Arc::new(Lease::new(now)));
        self.stale.owners = true;
        let subnet = Subnet::from(SubnetAddr::Mac(mac));
        tracing::debug!("learned {mac}");
        let me = self.me();
        if let Some(own) = self.peers.get_mut(me)
            && own.subnets.insert(subnet)
        {
            self.subnet_script(me, subnet, true);
        }
        self.announce_subnet(self.me(), subnet, rng);
    }

    /// A MAC address is no longer ours.
    pub(super) fn unlearn(&mut self, mac: Mac, rng: &mut dyn CryptoRng) {
        let subnet = Subnet::from(SubnetAddr::Mac(mac));
        let me = self.me();
        self.leases.remove(&mac);
        self.stale.owners = true;
        if let Some(own) = self.peers.get_mut(me)
            && own.subnets.remove(&subnet)
        {
            self.withdraw_subnet(me, subnet, rng);
            self.subnet_script(me, subnet, false);
        }
    }

    fn expire_leases(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        let expired: Vec<_> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.idle(now) >= self.settings.mac_expire)
            .map(|(mac, _)| *mac)
            .collect();
        for mac in expired {
            tracing::debug!("{mac} has not been seen for long, it is forgotten");
            self.unlearn(mac, rng);
        }
    }

    pub(super) fn retry_now(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        self.suspended = None;
        self.forget_failures();
        self.timers.hasten(now);
        let active: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.active.is_some())
            .map(|(conn, _)| *conn)
            .collect();
        for conn in active {
            self.ping(conn, now);
        }
        self.timers_due(now, rng);
    }

    /// Takes new orders about whom to dial; connections that are to be dropped go first.
    pub(super) fn reload(
        &mut self,
        connect_to: Vec<NodeName>,
        drop: &[NodeName],
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let stale = |link: &Link| {
            link.meta
                .peer_name()
                .is_some_and(|name| drop.contains(name))
        };
        // Also those that are not activated yet: they would be by the key that was replaced.
        let stale: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| stale(link))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in stale {
            if let Some(name) = self.links.get(&conn).and_then(|link| link.meta.peer_name()) {
                tracing::info!("closing the connection with {name}: its host file changed");
            }
            self.close(conn, Closing::Now, now, rng);
        }
        self.set_outgoing(connect_to);
    }

    /// Forgets unreachable nodes with all that is theirs.
    pub(super) fn purge(&mut self, rng: &mut dyn CryptoRng) {
        let gone: Vec<_> = self
            .graph
            .nodes()
            .map(|(_, id)| id)
            .filter(|id| *id != self.me() && !self.is_reachable(*id))
            .collect();
        for id in &gone {
            if !self.settings.trust.is_strict() {
                self.take_subnets_of(*id, rng);
            }
            let targets: Vec<_> = self.graph.edges_from(*id).map(|(_, to, _)| to).collect();
            for to in targets {
                self.graph.remove_edge(*id, to);
                self.withdraw_edge(*id, to, None, rng);
            }
        }
        for id in gone {
            if !self.owns_by_file(id) && self.graph.forget(id) {
                self.peers.remove(id);
                self.stale.peers.insert(id);
            }
        }
        (self.stale.owners, self.stale.border) = (true, true);
    }

    fn take_subnets_of(&mut self, id: NodeId, rng: &mut dyn CryptoRng) {
        let subnets = match self.peers.get_mut(id) {
            Some(peer) => std::mem::take(&mut peer.subnets),
            None => return,
        };
        self.subnets_heard = self.subnets_heard.saturating_sub(subnets.len());
        for subnet in subnets {
            self.withdraw_subnet(id, subnet, rng);
        }
    }

    /// Ends everything in the order of tinc: connections with the scripts that follow from
    /// their end, then our own subnets.
    pub(super) fn shut_down(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        self.closing = true;
        self.set_outgoing(Vec::new());
        let conns: Vec<_> = self.links.keys().copied().collect();
        for conn in conns {
            self.close(conn, Closing::Now, now, rng);
        }
        let me = self.me();
        let subnets = match self.peers.get_mut(me) {
            Some(own) => std::mem::take(&mut own.subnets),
            None => return,
        };
        for subnet in subnets {
            self.subnet_script(me, subnet, false);
        }
    }
}

enum Verdict {
    Fine,
    Ping,
    Drop(Closing, &'static str),
}
