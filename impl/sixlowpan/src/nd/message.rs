//! The messages of neighbour discovery that nodes and routers of this link exchange, as whole
//! packets (RFC 4861 sections 4.1 to 4.4).

use std::net::Ipv6Addr;
use std::time::Duration;

use thiserror::Error;

use super::option::{InvalidOption, NdOption, Options};
use super::registration::{AddressRegistration, Status};
use crate::checksum;

/// The number of ICMPv6 among next headers (RFC 4443 section 1).
const ICMPV6: u8 = 58;
/// Hop limit that shows that no router passed the message on (RFC 4861 section 7.1).
const HOP_LIMIT: u8 = 255;
/// The types of the messages (RFC 4861 section 4).
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Flags of a neighbour advertisement (RFC 4861 section 4.4).
const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

/// A message without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NdMessage {
    /// A node asks for advertisements.
    RouterSolicitation,
    /// A router tells what nodes need.
    RouterAdvertisement {
        /// The hop limit that nodes are to use; 0 says nothing.
        hop_limit: u8,
        /// M, O and the preference, as they are carried (RFC 4861 section 4.2, RFC 4191
        /// section 2.2).
        flags: u8,
        /// How long the router serves as a default router, in seconds on the wire; 0 ends it.
        router_lifetime: Duration,
        /// How long a neighbour counts as reachable, in milliseconds on the wire; 0 says nothing.
        reachable_time: Duration,
        /// Time between solicitations, in milliseconds on the wire; 0 says nothing.
        retransmit_timer: Duration,
    },
    /// Somebody asks for a neighbour, or has an address registered.
    NeighbourSolicitation {
        /// The address asked for.
        target: Ipv6Addr,
    },
    /// A neighbour answers, or a router says what became of a registration.
    NeighbourAdvertisement {
        /// The sender is a router.
        router: bool,
        /// It was asked.
        solicited: bool,
        /// What was known of its link-layer address is to be replaced.
        replaces: bool,
        /// The address of which it speaks.
        target: Ipv6Addr,
    },
}

impl NdMessage {
    /// Reads the message that begins with `kind` and the four octets behind the checksum;
    /// `None` if it is none of these messages. With it what follows it.
    fn parse(kind: u8, head: [u8; 4], rest: &[u8]) -> Result<Option<(Self, &[u8])>, NdError> {
        let (message, rest) = match kind {
            ROUTER_SOLICITATION => (Self::RouterSolicitation, rest),
            ROUTER_ADVERTISEMENT => {
                let [hop_limit, flags, a, b] = head;
                let (reachable, rest) = rest.split_first_chunk().ok_or(NdError::Truncated)?;
                let (retransmit, rest) = rest.split_first_chunk().ok_or(NdError::Truncated)?;
                let advertisement = Self::RouterAdvertisement {
                    hop_limit,
                    flags,
                    router_lifetime: Duration::from_secs(u16::from_be_bytes([a, b]).into()),
                    reachable_time: Duration::from_millis(u32::from_be_bytes(*reachable).into()),
                    retransmit_timer: Duration::from_millis(u32::from_be_bytes(*retransmit).into()),
                };
                (advertisement, rest)
            }
            NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT => {
                let [flags, ..] = head;
                let (target, rest) = rest.split_first_chunk::<16>().ok_or(NdError::Truncated)?;
                let target = Ipv6Addr::from(*target);
                let message = match kind {
                    NEIGHBOUR_SOLICITATION => Self::NeighbourSolicitation { target },
                    _ => Self::NeighbourAdvertisement {
                        router: flags & FLAG_ROUTER != 0,
                        solicited: flags & FLAG_SOLICITED != 0,
                        replaces: flags & FLAG_OVERRIDE != 0,
                        target,
                    },
                };
                (message, rest)
            }
            _ => return Ok(None),
        };
        Ok(Some((message, rest)))
    }

    /// The message with a checksum of zero.
    fn to_vec(self) -> Vec<u8> {
        let head = |kind, octets: [u8; 4]| [&[kind, 0, 0, 0][..], &octets].concat();
        match self {
            Self::RouterSolicitation => head(ROUTER_SOLICITATION, [0; 4]),
            Self::RouterAdvertisement {
                hop_limit,
                flags,
                router_lifetime,
                reachable_time,
                retransmit_timer,
            } => {
                let lifetime = u16::try_from(router_lifetime.as_secs()).unwrap_or(u16::MAX);
                let [a, b] = lifetime.to_be_bytes();
                let millis = |time: Duration| {
                    u32::try_from(time.as_millis())
                        .unwrap_or(u32::MAX)
                        .to_be_bytes()
                };
                let times = [millis(reachable_time), millis(retransmit_timer)].concat();
                [head(ROUTER_ADVERTISEMENT, [hop_limit, flags, a, b]), times].concat()
            }
            Self::NeighbourSolicitation { target } => {
                [&head(NEIGHBOUR_SOLICITATION, [0; 4])[..], &target.octets()].concat()
            }
            Self::NeighbourAdvertisement {
                router,
                solicited,
                replaces,
                target,
            } => {
                let flag = |is_set, flag| if is_set { flag } else { 0 };
                let flags = flag(router, FLAG_ROUTER)
                    | flag(solicited, FLAG_SOLICITED)
                    | flag(replaces, FLAG_OVERRIDE);
                [
                    &head(NEIGHBOUR_ADVERTISEMENT, [flags, 0, 0, 0])[..],
                    &target.octets(),
                ]
                .concat()
            }
        }
    }
}

/// A message with its options, between two addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NdPacket<'a> {
    /// Who sends it.
    pub source: Ipv6Addr,
    /// To whom.
    pub destination: Ipv6Addr,
    /// What it says.
    pub message: NdMessage,
    /// What it adds, in this order.
    pub options: Vec<NdOption<'a>>,
}

impl<'a> NdPacket<'a> {
    /// Reads an IPv6 packet; `None` if it holds something else than such a message, or an
    /// extension header before it.
    ///
    /// # Errors
    /// If it holds such a message, which has to be discarded.
    pub fn parse(packet: &'a [u8]) -> Result<Option<Self>, NdError> {
        let split = packet.split_first_chunk::<8>().and_then(|(fixed, rest)| {
            let (source, rest) = rest.split_first_chunk::<16>()?;
            let (destination, payload) = rest.split_first_chunk::<16>()?;
            Some((
                fixed,
                Ipv6Addr::from(*source),
                Ipv6Addr::from(*destination),
                payload,
            ))
        });
        let Some((&[version, _, _, _, high, low, ICMPV6, hop_limit], source, destination, payload)) =
            split
        else {
            return Ok(None);
        };
        if version >> 4 != 6 {
            return Ok(None);
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let icmp = payload.get(..length).ok_or(NdError::Truncated)?;
        let Some((&[kind, code, _, _, a, b, c, d], rest)) = icmp.split_first_chunk() else {
            return Ok(None);
        };
        let Some((message, options)) = NdMessage::parse(kind, [a, b, c, d], rest)? else {
            return Ok(None);
        };
        if hop_limit != HOP_LIMIT {
            return Err(NdError::HopLimit(hop_limit));
        }
        if code != 0 {
            return Err(NdError::Code(code));
        }
        if checksum::of_message(source, destination, ICMPV6, icmp) != 0 {
            return Err(NdError::Checksum);
        }
        let read = Self {
            source,
            destination,
            message,
            options: Options::new(options).collect::<Result<_, _>>()?,
        };
        read.check().map(|()| Some(read))
    }

    /// What RFC 4861 sections 6.1 and 7.1 and RFC 6775 section 6.3 demand beyond the form.
    fn check(&self) -> Result<(), NdError> {
        let tells_link_address = self.link_address().is_some();
        match self.message {
            NdMessage::RouterSolicitation | NdMessage::NeighbourSolicitation { .. }
                if self.source.is_unspecified() && tells_link_address =>
            {
                return Err(NdError::LinkAddressOfNobody);
            }
            NdMessage::NeighbourSolicitation { .. }
                if self.source.is_unspecified() && !is_solicited_node(self.destination) =>
            {
                return Err(NdError::NobodyAsksOne(self.destination));
            }
            NdMessage::RouterAdvertisement { .. } if !self.source.is_unicast_link_local() => {
                return Err(NdError::SourceNotLinkLocal(self.source));
            }
            NdMessage::NeighbourAdvertisement {
                solicited: true, ..
            } if self.destination.is_multicast() => {
                return Err(NdError::SolicitedByAll);
            }
            _ => {}
        }
        match self.message {
            NdMessage::NeighbourSolicitation { target }
            | NdMessage::NeighbourAdvertisement { target, .. }
                if target.is_multicast() =>
            {
                Err(NdError::MulticastTarget(target))
            }
            NdMessage::NeighbourSolicitation { .. } => match self.registration() {
                Some(asked) if asked.status != Status::SUCCESS => {
                    Err(NdError::StatusInRequest(asked.status))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The sender's device address, as its source link-layer address option tells it.
    #[must_use]
    pub fn link_address(&self) -> Option<[u8; 6]> {
        self.options.iter().find_map(|option| match option {
            NdOption::SourceLinkAddress(device) => Some(*device),
            _ => None,
        })
    }

    /// The registration asked for or answered.
    #[must_use]
    pub fn registration(&self) -> Option<&AddressRegistration> {
        self.options.iter().find_map(|option| match option {
            NdOption::AddressRegistration(registration) => Some(registration),
            _ => None,
        })
    }

    /// The address that a solicitation asks to register, and how; `None` if it does not, or lacks
    /// the source or the link-layer address for it (RFC 6775 section 6.5).
    ///
    /// A plain registration is of the source, an extended one of the target (RFC 8505 section 5.1).
    #[must_use]
    pub fn request(&self) -> Option<(Ipv6Addr, &AddressRegistration)> {
        let NdMessage::NeighbourSolicitation { target } = self.message else {
            return None;
        };
        self.link_address()?;
        let asked = self.registration()?;
        if self.source.is_unspecified() {
            return None;
        }
        let address = asked.transaction.map_or(self.source, |_| target);
        Some((address, asked))
    }

    /// The advertisement by which the router with the device address `router` answers this
    /// [request](Self::request).
    ///
    /// It goes to where the request came from or, if the address was not registered, to the link-local
    /// address `node` of who asked, since another may have that address (RFC 6775 section 6.5.2).
    #[must_use]
    pub fn answer(
        &self,
        status: Status,
        router: [u8; 6],
        node: Ipv6Addr,
    ) -> Option<NdPacket<'static>> {
        let NdMessage::NeighbourSolicitation { target } = self.message else {
            return None;
        };
        let (_, asked) = self.request()?;
        let succeeded = status == Status::SUCCESS;
        let mut options = vec![NdOption::AddressRegistration(asked.answered(status))];
        if succeeded {
            options.insert(0, NdOption::TargetLinkAddress(router));
        }
        Some(NdPacket {
            source: self.destination,
            destination: if succeeded { self.source } else { node },
            message: NdMessage::NeighbourAdvertisement {
                router: true,
                solicited: true,
                replaces: true,
                target,
            },
            options,
        })
    }

    /// The IPv6 packet.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut icmp = self.message.to_vec();
        for option in &self.options {
            option.write(&mut icmp);
        }
        let sum = checksum::of_message(self.source, self.destination, ICMPV6, &icmp);
        if let Some(field) = icmp.get_mut(2..4) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        // What no link carries saturates here, and no end takes it.
        let [a, b] = u16::try_from(icmp.len()).unwrap_or(u16::MAX).to_be_bytes();
        let fixed = [0x60, 0, 0, 0, a, b, ICMPV6, HOP_LIMIT];
        let addresses = [self.source.octets(), self.destination.octets()].concat();
        [&fixed[..], &addresses, &icmp].concat()
    }
}

/// Whether `address` is the group of those whose addresses end alike (RFC 4291 section 2.7.1).
const fn is_solicited_node(address: Ipv6Addr) -> bool {
    matches!(
        address.octets(),
        [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ..]
    )
}

/// A message of neighbour discovery has to be discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NdError {
    /// It ends too early.
    #[error("the message is shorter than its type demands")]
    Truncated,
    /// A router passed it on, so that its sender may be anywhere.
    #[error("the hop limit is {0}, not 255")]
    HopLimit(u8),
    /// There is none but 0.
    #[error("the code is {0}, not 0")]
    Code(u8),
    /// It was changed, or the ends of a link disagree about an address that was left out.
    #[error("the checksum is wrong")]
    Checksum,
    /// One of its options is no option.
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// It tells the device address of a sender that has no address.
    #[error("the unspecified address has no link-layer address")]
    LinkAddressOfNobody,
    /// Who has no address yet asks the group of the one it wants.
    #[error("the unspecified address asks {0}, which is no solicited-node group")]
    NobodyAsksOne(Ipv6Addr),
    /// Nodes know routers by their link-local addresses.
    #[error("an advertisement came from {0}, which is not link-local")]
    SourceNotLinkLocal(Ipv6Addr),
    /// No node has it.
    #[error("{0} is the address of a group")]
    MulticastTarget(Ipv6Addr),
    /// What goes to a group answers nobody.
    #[error("an answer went to a group")]
    SolicitedByAll,
    /// What became of a registration is for the router to say.
    #[error("a request has the status {}", .0.0)]
    StatusInRequest(Status),
}
