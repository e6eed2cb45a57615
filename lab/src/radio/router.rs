//! The border router's end (6LBR): it looks for its kits, connects to them, and passes packets between them and the Pi's
//! kernel. Router advertisements are the Pi's own business; they get what only the radio knows: our device address, and
//! contexts. Registrations are answered here.

use std::net::Ipv6Addr;
use std::time::Duration;

use sixlowpan::context::{Context, ContextId};
use sixlowpan::iid::DeviceAddress;
use sixlowpan::iphc::decompress;
use sixlowpan::nd::{ContextOption, Minutes, NdMessage, NdOption, NdPacket, Status};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use super::air::Air;
use super::bearer::{Bearer, End, Happening, QUEUE};
use super::counts::Counts;
use super::interface::Interface;
use super::recording::Recording;
use super::stations::{Station, Stations};
use super::{Pace, Result, RouterSettings, Settings};

/// How often is looked whether a kit can be found.
const SCAN: Duration = Duration::from_millis(100);

/// Next header and type of redirects (RFC 4443 section 1, RFC 4861 section 4.5).
const ICMPV6: u8 = 58;
const REDIRECT: u8 = 137;

/// A context's life where the prefix it is of has none that ends (RFC 6775 section 4.2: minutes).
const LONGEST: Minutes = Minutes(u16::MAX);

/// Connects to kits whenever they can be found, for ever.
///
/// # Errors
/// When the interface or the capture's file cannot be had.
pub async fn run(settings: &Settings, router: RouterSettings) -> Result<()> {
    let (tell, mut happenings) = mpsc::unbounded_channel();
    let mut all = Router {
        settings,
        contexts: router.contexts,
        stations: Stations::new(),
        interface: None,
        recording: Recording::begin(router.capture.as_deref(), settings.device)?,
        counts: Counts::default(),
    };
    let mut scan = interval(SCAN);
    scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = scan.tick() => {
                for (kit, pace) in &router.kits {
                    if !all.stations.all.contains_key(&kit.octets) {
                        all.connect(*kit, *pace, &tell).await;
                    }
                }
                all.stations.registry.expire(std::time::Instant::now());
            }
            Some((kit, happening)) = happenings.recv() => all.on(kit, happening).await?,
            packet = receive(all.interface.as_ref()) => all.out(&packet?),
        }
    }
}

/// The next packet from the kernel, if there is an interface to read it from.
async fn receive(interface: Option<&Interface>) -> Result<Vec<u8>> {
    match interface {
        Some(interface) => interface.receive().await,
        None => std::future::pending().await,
    }
}

struct Router<'s> {
    settings: &'s Settings,
    contexts: bool,
    stations: Stations,
    /// There while a kit is.
    interface: Option<Interface>,
    recording: Recording,
    counts: Counts,
}

impl Router<'_> {
    async fn connect(
        &mut self,
        kit: DeviceAddress,
        pace: Pace,
        tell: &mpsc::UnboundedSender<(DeviceAddress, Happening)>,
    ) {
        let Settings { device, mode, air } = self.settings;
        let Some(air) = Air::connect(air, *device, kit).await else {
            return;
        };
        let (payloads, waiting) = mpsc::channel(QUEUE);
        let tell = tell.clone();
        let tell = move |happening| drop(tell.send((kit, happening)));
        let witness = self.recording.connected(kit, pace);
        tokio::task::spawn_local(Bearer::new(air, End::Router, pace, tell, witness).run(waiting));
        self.stations.add(*device, kit, *mode, payloads);
    }

    async fn on(&mut self, kit: DeviceAddress, happening: Happening) -> Result<()> {
        match happening {
            Happening::Opened => {
                info!("{kit} is connected");
                if let Some(station) = self.stations.all.get_mut(&kit.octets) {
                    station.open = true;
                    if self.interface.is_none() {
                        let own = station.link.own.iid().link_local();
                        self.interface = Some(Interface::open(own, &[]).await?);
                    }
                }
            }
            Happening::Received(payload) => self.arrived(kit, &payload).await,
            Happening::Lost(why) => {
                info!("{kit} is lost: {why}; {}", self.counts);
                self.stations.remove(kit);
                if !self.stations.any_open() {
                    self.interface = None;
                }
            }
        }
        Ok(())
    }

    /// What a kit has sent.
    async fn arrived(&mut self, kit: DeviceAddress, payload: &[u8]) {
        let Some(station) = self.stations.all.get_mut(&kit.octets) else {
            return;
        };
        let packet = match decompress(payload, &station.link, &station.contexts) {
            Ok(packet) => packet,
            Err(error) => return self.counts.dropped("not understood", &error),
        };
        match NdPacket::parse(&packet) {
            Ok(Some(asked)) if self.answers(kit, &asked) => return,
            Ok(_) => {}
            Err(error) => return self.counts.dropped("malformed", &error),
        }
        if let Some(source) = source(&packet)
            && !source.is_unspecified()
            && !self.stations.heard(kit.octets, source)
        {
            return self.counts.dropped("of others' addresses", &source);
        }
        if let Some(interface) = &self.interface {
            interface.send(&packet).await;
        }
    }

    /// Answers what a kit asks of the radio's end, if it does.
    fn answers(&mut self, kit: DeviceAddress, asked: &NdPacket<'_>) -> bool {
        let answer = self
            .registered(kit, asked)
            .or_else(|| self.found(kit, asked));
        let station = self.stations.all.get_mut(&kit.octets);
        let Some((answer, station)) = answer.zip(station) else {
            return false;
        };
        station.send(&answer.to_vec(), &mut self.counts);
        true
    }

    /// What becomes of a registration, if a kit asks for one.
    fn registered(
        &mut self,
        kit: DeviceAddress,
        asked: &NdPacket<'_>,
    ) -> Option<NdPacket<'static>> {
        let (address, request) = asked.request()?;
        let Stations { all, registry } = &mut self.stations;
        let station = all.get_mut(&kit.octets)?;
        let mut contexts = station.contexts.iter();
        let status = if !self.contexts || contexts.any(|(_, context)| context.contains(address)) {
            let now = std::time::Instant::now();
            registry.register(kit.octets, address, request, now).status
        } else {
            Status::TOPOLOGICALLY_INCORRECT
        };
        match status {
            Status::SUCCESS if request.lifetime == Minutes(0) => {
                station.link.peer.deregister(address);
            }
            Status::SUCCESS => {
                station.link.peer.register(address);
                info!("{kit} has registered {address}");
            }
            Status(status) => info!("{kit} may not have {address}: status {status}"),
        }
        let node = station.link.peer.iid().link_local();
        asked.answer(status, self.settings.device.octets, node)
    }

    /// That our own address is ours, if a kit asks for it: on such an interface the kernel has no device address to tell.
    fn found(&self, kit: DeviceAddress, asked: &NdPacket<'_>) -> Option<NdPacket<'static>> {
        let own = self
            .stations
            .all
            .get(&kit.octets)?
            .link
            .own
            .iid()
            .link_local();
        let target = match asked.message {
            NdMessage::NeighbourSolicitation { target } if target == own => target,
            _ => return None,
        };
        (!asked.source.is_unspecified()).then(|| NdPacket {
            source: own,
            destination: asked.source,
            message: NdMessage::NeighbourAdvertisement {
                router: true,
                solicited: true,
                replaces: true,
                target,
            },
            options: vec![NdOption::TargetLinkAddress(self.settings.device.octets)],
        })
    }

    /// What the kernel sends to kits.
    fn out(&mut self, packet: &[u8]) {
        let Some(destination) = destination(packet) else {
            return self.counts.dropped("not IPv6", &"from the kernel");
        };
        if is_redirect(packet) {
            // Kits do not hear each other.
            return self.counts.dropped("redirects", &destination);
        }
        let told = match NdPacket::parse(packet) {
            Ok(Some(told)) if matches!(told.message, NdMessage::RouterAdvertisement { .. }) => {
                Some(self.with_radio(told))
            }
            _ => None,
        };
        let packet = told
            .as_ref()
            .map_or_else(|| packet.to_vec(), NdPacket::to_vec);
        let counts = &mut self.counts;
        let mut send = |station: &mut Station| {
            station.send(&packet, counts);
            for option in told.iter().flat_map(|told| &told.options) {
                if let NdOption::Context(told) = option {
                    station.contexts.set(told.id, told.context);
                }
            }
        };
        if destination.is_multicast() {
            // The air has none (RFC 7668 section 3.2.5): each gets its own.
            self.stations
                .all
                .values_mut()
                .filter(|station| station.open)
                .for_each(send);
        } else if let Some(station) = self.stations.with(destination) {
            send(station);
        } else {
            counts.dropped("to nobody", &destination);
        }
    }

    /// An advertisement with what the Pi's kernel does not know of.
    fn with_radio<'p>(&self, mut told: NdPacket<'p>) -> NdPacket<'p> {
        if told.link_address().is_none() {
            let own = NdOption::SourceLinkAddress(self.settings.device.octets);
            told.options.insert(0, own);
        }
        if self.contexts {
            let prefixes = told.options.iter().filter_map(|option| match option {
                NdOption::Prefix(prefix) if prefix.autonomous => Some(*prefix),
                _ => None,
            });
            let ids = (0..).map_while(ContextId::new);
            let contexts: Vec<_> = ids
                .zip(prefixes)
                .filter_map(|(id, prefix)| {
                    let minutes = prefix.valid_lifetime.as_secs() / 60;
                    Some(NdOption::Context(ContextOption {
                        id,
                        context: Context::new(prefix.prefix, prefix.length, true).ok()?,
                        lifetime: u16::try_from(minutes).map_or(LONGEST, Minutes),
                    }))
                })
                .collect();
            told.options.extend(contexts);
        }
        told
    }
}

/// Whether a packet tells that there is a shorter way (RFC 4861 section 4.5), as a kernel does that sends a packet out by
/// the interface by which it came.
fn is_redirect(packet: &[u8]) -> bool {
    packet.get(6) == Some(&ICMPV6) && packet.get(40) == Some(&REDIRECT)
}

/// Addresses of an IPv6 packet (RFC 8200 section 3).
fn source(packet: &[u8]) -> Option<Ipv6Addr> {
    address(packet, 8)
}

fn destination(packet: &[u8]) -> Option<Ipv6Addr> {
    address(packet, 24)
}

fn address(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
    let version = packet.first()? >> 4;
    let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
    (version == 6).then(|| octets.into())
}
