//! The router beside the loop: keeps the kernel as `router.toml` wishes while interfaces and the
//! tunnel come and go, and puts everything back at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};
use v6router_core::router::RouterConfig;
use v6router_core::router::advertise::AdvertiseSettings;
use v6router_core::router::wish::{Link, wish};

use crate::io::advertiser::{Advertiser, Counts};
use crate::io::watch;
use crate::kernel::Keeper;

/// So long nobody is reached before our own packets try the venue; ours.
const TUNNEL_GRACE: Duration = Duration::from_secs(10);

/// How the loop speaks with the router.
#[derive(Debug, Clone)]
pub(super) struct Routing {
    commands: mpsc::UnboundedSender<Command>,
    advertised: Arc<Counts>,
}

#[derive(Debug)]
enum Command {
    Config(RouterConfig),
    Tunnel(bool),
    Stop(oneshot::Sender<()>),
}

impl Routing {
    /// Puts `config` in force, with `vpn` as the interface of the VPN, and keeps it so. What is
    /// changed is noted in the file `journal`; what a predecessor left there is put back first,
    /// also if there is nothing to put in force.
    ///
    /// # Errors
    /// If an interface is missing, or the kernel does not speak with us; nothing is changed then.
    pub(super) async fn start(
        config: Option<&RouterConfig>,
        vpn: &str,
        journal: &Path,
    ) -> anyhow::Result<Option<Self>> {
        let Some(config) = config else {
            return heal(journal).await.map(|_| None);
        };
        let open = Keeper::open(journal).await;
        let keeper = open.context("Couldn't set up addresses and routes")?;
        let links = keeper.links().await;
        present(config, &links.context("Couldn't read the interfaces")?)?;
        let advertiser = Advertiser::start(advertised(config));
        let advertiser = advertiser.context("Couldn't watch interfaces to advertise on")?;
        let advertised = Arc::clone(advertiser.counts());
        let mut router = Router {
            keeper,
            advertiser,
            config: config.clone(),
            vpn: vpn.to_owned(),
            reaches_anyone: false,
            tunnel: false,
            tunnel_lost: None,
            complaints: Vec::new(),
        };
        router.tell_hosts();
        router.apply().await;
        let (commands, from_loop) = mpsc::unbounded_channel();
        tokio::spawn(router.run(from_loop));
        Ok(Some(Self {
            commands,
            advertised,
        }))
    }

    /// What has happened on the networks that are advertised to.
    pub(super) fn counts(&self) -> &Counts {
        &self.advertised
    }

    /// Other wishes.
    pub(super) fn reload(&self, config: RouterConfig) {
        self.tell(Command::Config(config));
    }

    /// Whether anybody is reached through the tunnel.
    pub(super) fn tunnel(&self, is_up: bool) {
        self.tell(Command::Tunnel(is_up));
    }

    /// Puts everything back.
    pub(super) async fn stop(self) {
        let (done, is_done) = oneshot::channel();
        self.tell(Command::Stop(done));
        let _ = is_done.await;
    }

    fn tell(&self, command: Command) {
        // The task ends after everything else.
        let _ = self.commands.send(command);
    }
}

/// Puts back what a daemon that was killed has left behind; in words, what could not be put back.
///
/// # Errors
/// If the kernel does not speak with us, or the journal cannot be opened.
pub(super) async fn heal(journal: &Path) -> anyhow::Result<Vec<String>> {
    if !journal.exists() {
        return Ok(Vec::new());
    }
    let open = Keeper::open(journal).await;
    let keeper = open.with_context(|| format!("Couldn't heal by {}", journal.display()))?;
    Ok(keeper.restore().await)
}

/// Whether every interface is there that does not come and go.
fn present(config: &RouterConfig, links: &[Link]) -> anyhow::Result<()> {
    for one in &config.downstream {
        let interface = &one.interface;
        if !one.hotplug && !links.iter().any(|link| link.name == *interface) {
            bail!(
                "router.toml: there is no interface {interface} to advertise {} to; \
                 if it comes later, say `hotplug = true'",
                one.prefix
            );
        }
    }
    Ok(())
}

/// What is advertised on which interface.
fn advertised(config: &RouterConfig) -> BTreeMap<String, AdvertiseSettings> {
    let networks = config.downstream.iter();
    let advertised = networks.map(|one| (one.interface.clone(), one.advertisement()));
    advertised.collect()
}

struct Router {
    keeper: Keeper,
    advertiser: Advertiser,
    config: RouterConfig,
    vpn: String,
    /// Somebody is reached through the tunnel.
    reaches_anyone: bool,
    /// The same, or was a moment ago.
    tunnel: bool,
    /// When that moment is over.
    tunnel_lost: Option<Instant>,
    /// Said already.
    complaints: Vec<String>,
}

impl Router {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let (changed, mut changes) = mpsc::channel(1);
        if let Err(error) = watch::interfaces(changed) {
            warn!("Interfaces that come and go are not noticed: {error}");
        }
        loop {
            let lost = self.tunnel_lost;
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Config(config)) => {
                        self.advertiser.configure(advertised(&config));
                        self.config = config;
                        self.tell_hosts();
                    }
                    Some(Command::Tunnel(is_up)) => {
                        self.reaches_anyone = is_up;
                        self.tell_hosts();
                        if !self.tunnel_is(is_up) {
                            continue;
                        }
                    }
                    Some(Command::Stop(done)) => {
                        self.stop().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                Some(()) = changes.recv() => {}
                () = sleep_until(lost.unwrap_or_else(Instant::now)), if lost.is_some() => {
                    info!("Nobody is reached through the tunnel: our own packets try the venue");
                    self.tunnel_lost = None;
                    self.tunnel = false;
                }
            }
            self.apply().await;
        }
    }

    /// Hosts are told to look elsewhere while we can still speak to them.
    async fn stop(self) {
        let counts = self.advertiser.counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        info!(
            "Advertised {} times; asked for it {} times, and {} times by void messages",
            count(&counts.sent),
            count(&counts.solicited),
            count(&counts.void)
        );
        self.advertiser.stop().await;
        self.keeper.restore().await;
    }

    /// Whether there is a way out: without a gateway in the VPN it is our own, not the tunnel.
    fn tell_hosts(&self) {
        let is_way_out = self.reaches_anyone || self.config.gateway.is_none();
        self.advertiser.tunnel_is(is_way_out);
    }

    /// Whether that makes a difference now.
    fn tunnel_is(&mut self, is_up: bool) -> bool {
        if is_up {
            self.tunnel_lost = None;
            return !std::mem::replace(&mut self.tunnel, true);
        }
        if self.tunnel && self.tunnel_lost.is_none() {
            self.tunnel_lost = Some(Instant::now() + TUNNEL_GRACE);
        }
        false
    }

    async fn apply(&mut self) {
        let links = match self.keeper.links().await {
            Ok(links) => links,
            Err(error) => {
                error!("The interfaces cannot be read: {error}");
                return;
            }
        };
        let items = wish(&self.config, &self.vpn, &links, self.tunnel);
        let complaints = self.keeper.apply(&items).await;
        for complaint in &complaints {
            if !self.complaints.contains(complaint) {
                error!("{complaint}");
            }
        }
        self.complaints = complaints;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_named_with_its_prefix_unless_it_comes_and_goes() {
        let prefix: v6router_core::router::Prefix = "2001:db8:85a3:ef11::/64".parse().unwrap();
        let mut config = RouterConfig {
            address: "2001:db8:85a3:ef00::11/64".parse().unwrap(),
            gateway: None,
            pool: None,
            sites: Vec::new(),
            downstream: vec![v6router_core::router::Downstream {
                interface: "eth7".to_owned(),
                hotplug: false,
                on_link: true,
                prefix,
                address: prefix.address(1).unwrap(),
                dns: Vec::new(),
                search: Vec::new(),
                mtu: None,
            }],
        };
        let error = present(&config, &[]).unwrap_err().to_string();
        assert!(
            error.contains("no interface eth7") && error.contains("ef11::/64"),
            "{error}"
        );
        config.downstream[0].hotplug = true;
        present(&config, &[]).unwrap();
    }
}
