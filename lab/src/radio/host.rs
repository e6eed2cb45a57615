//! How a kit comes to its addresses and its router: neighbour discovery as a host of RFC 6775 does it, over a channel on
//! which only that router hears it (RFC 7668 section 3.2.3). Told what arrives and what time it is, it says what is to be
//! done.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use sixlowpan::context::{Context, ContextId};
use sixlowpan::iid::{DeviceAddress, Iid, IidMode};
use sixlowpan::nd::{
    AddressRegistration, Minutes, NdMessage, NdOption, NdPacket, PrefixInformation, Status,
};
use tokio::time::Instant;

/// All routers on a link (RFC 4291 section 2.7.1).
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// How often is asked for a router, at first and at last, and how many times until it is asked less often (RFC 6775
/// section 9, `RTR_SOLICITATION_INTERVAL` and following).
const SOLICITATION: Duration = Duration::from_secs(10);
const SOLICITATION_AT_LAST: Duration = Duration::from_secs(60);
const SOLICITATIONS: u32 = 3;

/// How long an answer to a registration is waited for (RFC 4861 section 10, `RETRANS_TIMER`).
const RETRANSMISSION: Duration = Duration::from_secs(1);

/// What a registration asks for, and when it is asked for again.
const REGISTRATION: Minutes = Minutes(60);
const RENEWAL: Duration = Duration::from_secs(30 * 60);

/// The least that somebody unknown can shorten the life of an address to (RFC 4862 section 5.5.3).
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Addresses kept: a bound of ours.
const MOST: usize = 16;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send this packet.
    Send(Vec<u8>),
    /// Have this address, valid and preferred for so long, and send everything from it to this router.
    Have {
        /// The address.
        address: Ipv6Addr,
        /// Valid, and preferred.
        lifetimes: [Duration; 2],
        /// The router.
        router: Ipv6Addr,
    },
    /// Leave this address out of packets from now on: the router knows it.
    Registered(Ipv6Addr),
    /// Use this context, or do not any more.
    Context(ContextId, Option<Context>),
}

/// The host.
pub(super) struct Host {
    device: DeviceAddress,
    iid: Iid,
    registers: bool,
    /// When to ask for a router, and how often it was done.
    solicit: (Instant, u32),
    addresses: BTreeMap<Ipv6Addr, Own>,
}

/// An address of ours.
struct Own {
    router: Ipv6Addr,
    /// Until when it is valid, and preferred.
    lifetimes: [Instant; 2],
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    /// The router has not answered yet; to be asked again then.
    Asked(Instant),
    /// Ours; to be registered again then, if that is done at all.
    Ours(Option<Instant>),
    /// Somebody else has it.
    Refused,
}

impl Host {
    /// One that is connected now.
    pub(super) fn new(device: DeviceAddress, mode: IidMode, registers: bool, now: Instant) -> Self {
        Self {
            device,
            iid: Iid::of_device(device, mode),
            registers,
            solicit: (now, 0),
            addresses: BTreeMap::new(),
        }
    }

    /// When [`on_time`](Self::on_time) has something to do.
    pub(super) fn due(&self) -> Instant {
        let registrations = self.addresses.values().filter_map(|own| match own.state {
            State::Asked(at) => Some(at),
            State::Ours(at) => at,
            State::Refused => None,
        });
        registrations
            .min()
            .map_or(self.solicit.0, |at| at.min(self.solicit.0))
    }

    /// What the time has come for.
    pub(super) fn on_time(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.solicit.0 <= now {
            let times = self.solicit.1 + 1;
            let doubled = SOLICITATION
                * 2_u32
                    .saturating_pow(times.saturating_sub(SOLICITATIONS))
                    .min(8);
            self.solicit = (now + doubled.min(SOLICITATION_AT_LAST), times);
            actions.push(Action::Send(self.solicitation()));
        }
        let (device, iid) = (self.device, self.iid);
        for (address, own) in &mut self.addresses {
            match own.state {
                State::Asked(at) if at <= now => own.state = State::Asked(now + RETRANSMISSION),
                State::Ours(Some(at)) if at <= now => {
                    own.state = State::Ours(Some(now + RETRANSMISSION));
                }
                _ => continue,
            }
            actions.push(Action::Send(registration(
                device, iid, *address, own.router,
            )));
        }
        actions
    }

    /// Whether a packet was meant for us rather than for the kernel, and what is to be done about it.
    pub(super) fn receive(&mut self, packet: &[u8], now: Instant) -> Option<Vec<Action>> {
        // What should have been discovery and is not, is nobody's business.
        let Ok(parsed) = NdPacket::parse(packet) else {
            return Some(Vec::new());
        };
        let packet = parsed?;
        Some(match packet.message {
            NdMessage::RouterAdvertisement {
                router_lifetime, ..
            } => self.advertised(&packet, router_lifetime, now),
            NdMessage::NeighbourAdvertisement { .. } => match packet.registration() {
                Some(answer) => self.answered(packet.source, &packet, answer.status, now),
                None => Vec::new(),
            },
            NdMessage::NeighbourSolicitation { target } => self.asked(&packet, target),
            NdMessage::RouterSolicitation => Vec::new(),
        })
    }

    fn advertised(
        &mut self,
        packet: &NdPacket<'_>,
        lifetime: Duration,
        now: Instant,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if !lifetime.is_zero() {
            // Asked for again before it is forgotten.
            self.solicit = (now + lifetime.mul_f32(0.8), 0);
        }
        for option in &packet.options {
            match option {
                NdOption::Context(told) => {
                    let context = (told.lifetime.0 > 0).then_some(told.context);
                    actions.push(Action::Context(told.id, context));
                }
                NdOption::Prefix(prefix) if prefix.autonomous && prefix.length == 64 => {
                    actions.extend(self.told(packet.source, prefix, now));
                }
                _ => {}
            }
        }
        actions
    }

    /// A prefix to make an address in (RFC 4862 section 5.5.3).
    fn told(
        &mut self,
        router: Ipv6Addr,
        prefix: &PrefixInformation,
        now: Instant,
    ) -> Option<Action> {
        if prefix.preferred_lifetime > prefix.valid_lifetime {
            return None;
        }
        let address = self.iid.in_prefix(prefix.prefix);
        if let Some(own) = self.addresses.get_mut(&address) {
            let left = own.lifetimes[0].saturating_duration_since(now);
            let told = prefix.valid_lifetime;
            let valid = if told > TWO_HOURS || told > left {
                told
            } else {
                left.min(TWO_HOURS)
            };
            own.router = router;
            own.lifetimes = [now + valid, now + prefix.preferred_lifetime];
            let ours = matches!(own.state, State::Ours(_));
            return ours.then_some(Action::Have {
                address,
                lifetimes: [valid, prefix.preferred_lifetime],
                router,
            });
        }
        if prefix.valid_lifetime.is_zero() || self.addresses.len() >= MOST {
            return None;
        }
        let lifetimes = [prefix.valid_lifetime, prefix.preferred_lifetime];
        let (state, action) = if self.registers {
            let request = registration(self.device, self.iid, address, router);
            (State::Asked(now + RETRANSMISSION), Action::Send(request))
        } else {
            let have = Action::Have {
                address,
                lifetimes,
                router,
            };
            (State::Ours(None), have)
        };
        let own = Own {
            router,
            lifetimes: lifetimes.map(|time| now + time),
            state,
        };
        self.addresses.insert(address, own);
        Some(action)
    }

    /// What became of a registration.
    fn answered(
        &mut self,
        router: Ipv6Addr,
        packet: &NdPacket<'_>,
        status: Status,
        now: Instant,
    ) -> Vec<Action> {
        // A refusal goes to the link-local address and does not tell which address it is about. Answers come in the order of
        // the questions, so it is the first that waits.
        let refused = status != Status::SUCCESS;
        let found = self.addresses.iter_mut().find(|(address, own)| {
            own.router == router
                && (refused && matches!(own.state, State::Asked(_))
                    || **address == packet.destination)
        });
        let Some((address, own)) = found else {
            return Vec::new();
        };
        if refused {
            own.state = State::Refused;
            return Vec::new();
        }
        let first = matches!(own.state, State::Asked(_));
        own.state = State::Ours(Some(now + RENEWAL));
        if !first {
            return Vec::new();
        }
        let left = own
            .lifetimes
            .map(|until| until.saturating_duration_since(now));
        let have = Action::Have {
            address: *address,
            lifetimes: left,
            router,
        };
        vec![Action::Registered(*address), have]
    }

    /// Somebody asks whether an address is ours, as Linux does.
    fn asked(&self, packet: &NdPacket<'_>, target: Ipv6Addr) -> Vec<Action> {
        let ours = target == self.iid.link_local() || self.addresses.contains_key(&target);
        if !ours || packet.source.is_unspecified() {
            return Vec::new();
        }
        let answer = NdPacket {
            source: target,
            destination: packet.source,
            message: NdMessage::NeighbourAdvertisement {
                router: false,
                solicited: true,
                replaces: true,
                target,
            },
            options: vec![NdOption::TargetLinkAddress(self.device.octets)],
        };
        vec![Action::Send(answer.to_vec())]
    }

    fn solicitation(&self) -> Vec<u8> {
        NdPacket {
            source: self.iid.link_local(),
            destination: ALL_ROUTERS,
            message: NdMessage::RouterSolicitation,
            options: vec![NdOption::SourceLinkAddress(self.device.octets)],
        }
        .to_vec()
    }
}

/// The request to register an address, whose source is that address (RFC 6775 section 5.5.1).
fn registration(device: DeviceAddress, iid: Iid, address: Ipv6Addr, router: Ipv6Addr) -> Vec<u8> {
    NdPacket {
        source: address,
        destination: router,
        message: NdMessage::NeighbourSolicitation { target: router },
        options: vec![
            NdOption::SourceLinkAddress(device.octets),
            NdOption::AddressRegistration(AddressRegistration::plain(iid.0, REGISTRATION)),
        ],
    }
    .to_vec()
}

#[cfg(test)]
mod tests;
