//! The kit's end: the node of RFC 7668, and what its firmware offers.

use sixlowpan::context::Contexts;
use sixlowpan::iid::DeviceAddress;
use sixlowpan::iphc::{NextHeaders, compress, decompress};
use sixlowpan::link::Link;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::air::Air;
use super::bearer::{Bearer, End, Happening, Loss, QUEUE};
use super::counts::Counts;
use super::host::{Action, Host};
use super::interface::Interface;
use super::{KitSettings, Result, Settings, firmware};

/// The kernel is to learn of routers and ways from nobody: that is ours to do here.
const LEARN_NOTHING: [(&str, &str); 2] = [("accept_ra", "0"), ("accept_redirects", "0")];

/// Waits for a router, is connected to it until the connection is lost, and waits again; meanwhile offers what kits offer.
///
/// # Errors
/// When the directory of the air, the interface or a socket cannot be had.
pub async fn run(settings: &Settings, kit: KitSettings) -> Result<()> {
    let services = firmware::offer();
    let radio = async {
        loop {
            info!("{} can be connected to", settings.device);
            let (air, router) = Air::accept(&settings.air, settings.device).await?;
            info!("{router} has connected");
            Kit::connected(settings, kit, air, router).await?;
        }
    };
    tokio::select! {
        ended = radio => ended,
        ended = services => ended,
    }
}

/// A kit that is connected.
struct Kit {
    link: Link,
    contexts: Contexts,
    host: Host,
    interface: Interface,
    payloads: mpsc::Sender<Vec<u8>>,
    counts: Counts,
}

impl Kit {
    async fn connected(
        settings: &Settings,
        kit: KitSettings,
        air: Air,
        router: DeviceAddress,
    ) -> Result<()> {
        let (tell, mut happenings) = mpsc::unbounded_channel();
        let (payloads, waiting) = mpsc::channel(QUEUE);
        let tell = move |happening| drop(tell.send(happening));
        let bearer = Bearer::new(air, End::Node, kit.pace, tell, ());
        let bearer = tokio::task::spawn_local(bearer.run(waiting));
        let link = Link::new(settings.device, router, settings.mode);
        let mut kit = Self {
            interface: Interface::open(link.own.iid().link_local(), &LEARN_NOTHING).await?,
            host: Host::new(
                settings.device,
                settings.mode,
                kit.registers,
                Instant::now(),
            ),
            link,
            contexts: Contexts::default(),
            payloads,
            counts: Counts::default(),
        };
        let lost = kit.serve(&mut happenings).await;
        bearer.abort();
        info!("the connection is lost: {}; {}", lost?, kit.counts);
        Ok(())
    }

    /// Until the connection is lost; why.
    async fn serve(&mut self, happenings: &mut mpsc::UnboundedReceiver<Happening>) -> Result<Loss> {
        let mut open = false;
        loop {
            let due = self.host.due();
            tokio::select! {
                happening = happenings.recv() => match happening {
                    Some(Happening::Opened) => open = true,
                    Some(Happening::Received(payload)) => self.arrived(&payload).await?,
                    Some(Happening::Lost(why)) => return Ok(why),
                    None => return Ok(Loss::Here),
                },
                packet = self.interface.receive(), if open => self.send(&packet?),
                () = sleep_until(due), if open => {
                    let actions = self.host.on_time(Instant::now());
                    self.act(actions).await?;
                }
            }
        }
    }

    async fn arrived(&mut self, payload: &[u8]) -> Result<()> {
        match decompress(payload, &self.link, &self.contexts) {
            Ok(packet) => match self.host.receive(&packet, Instant::now()) {
                Some(actions) => self.act(actions).await?,
                None => self.interface.send(&packet).await,
            },
            Err(error) => self.counts.dropped("not understood", &error),
        }
        Ok(())
    }

    async fn act(&mut self, actions: Vec<Action>) -> Result<()> {
        for action in actions {
            match action {
                Action::Send(packet) => self.send(&packet),
                Action::Have {
                    address,
                    lifetimes,
                    router,
                } => {
                    info!("{address} is ours");
                    self.interface.add(address, Some(lifetimes)).await?;
                    self.interface.default_route(router).await?;
                }
                Action::Registered(address) => self.link.own.register(address),
                Action::Context(id, Some(context)) => self.contexts.set(id, context),
                Action::Context(id, None) => self.contexts.remove(id),
            }
        }
        Ok(())
    }

    fn send(&mut self, packet: &[u8]) {
        match compress(packet, &self.link, &self.contexts, NextHeaders::default()) {
            Ok(payload) => {
                if let Err(error) = self.payloads.try_send(payload) {
                    self.counts.dropped("for want of room", &error);
                }
            }
            // What the kernel says in IPv4, above all.
            Err(error) => self.counts.dropped("not IPv6", &error),
        }
    }
}
