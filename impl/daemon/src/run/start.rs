//! What has to stand before the loop can begin: sockets, threads, the node.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::net::if_::if_nametoindex;
use nix::unistd::User;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tracing::{error, warn};
use v6router_core::addr::Port;
use v6router_core::crypto::rsa::PrivateKey;
use v6router_core::node::{Node, Settings, SocketFamily};
use v6router_core::options::Options;
use v6router_core::router::wish::MARK;

use super::daemon::{Announcing, Channels, Daemon, Setup};
use super::picture::Pictures;
use super::residents;
use super::routing::Routing;
use super::streams::Dialling;
use crate::cli::Invocation;
use crate::config::{Listen, ServerConfig, describe};
use crate::io::admission::{Admission, Tarpit};
use crate::io::datapath::{Datapath, Deliveries};
use crate::io::device::Device;
use crate::io::dial::DialSetup;
use crate::io::listen::{self, Pair};
use crate::io::notify::Manager;
use crate::io::proxy::Surroundings;
use crate::io::socket::UdpSetup;
use crate::io::watch::{self, Sleep};
use crate::logging::Log;
use crate::scripts::{Runner, Scripts};
use crate::status::{Asked, Server};

/// Chunks of bytes, connections and such that may wait for the loop; ours.
const EVENTS: usize = 256;

/// Names of addresses that are looked up for the log at the same time; ours.
const NAME_LOOKUPS: usize = 8;

impl Setup {
    /// Opens the sockets before `tinc-up`, unless it may be what gives us the address or the interface to bind to: who
    /// starts at the same moment as we do and dials us is not turned away meanwhile.
    ///
    /// # Errors
    /// If not one address could be bound.
    pub(super) async fn open_early(&mut self) -> anyhow::Result<()> {
        let Listen {
            bind_to, interface, ..
        } = &self.config.listen;
        if bind_to.is_empty() && interface.is_none() {
            self.opened = Some(self.open().await?);
        }
        Ok(())
    }

    /// Opens the sockets.
    async fn open(&mut self) -> anyhow::Result<Vec<Pair>> {
        let config = &self.config;
        let udp = UdpSetup {
            dont_fragment: config.options.contains(Options::PMTU_DISCOVERY),
            receive_buffer: config.numbers.udp_receive_buffer,
            send_buffer: config.numbers.udp_send_buffer,
            mark: mark(config),
            segmentation: config.udp_segmentation,
            coalescing: config.udp_coalescing,
        };
        let inherited = std::mem::take(&mut self.inherited);
        Ok(listen::open(&config.listen, udp, inherited).await?)
    }
}

impl Daemon {
    /// Starts the threads and the node by the sockets, opens these if they are not, and waits for our own `subnet-up`.
    pub(super) async fn start(
        mut setup: Setup,
        log: Log,
        private_key: PrivateKey,
        device: &Arc<Device>,
        routing: Option<Routing>,
        scripts: Scripts,
    ) -> anyhow::Result<Self> {
        let pairs = match setup.opened.take() {
            Some(pairs) => pairs,
            None => setup.open().await?,
        };
        let config = &setup.config;
        let addresses: Vec<SocketAddr> = pairs.iter().map(|pair| pair.address).collect();
        let (listeners, sockets): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .map(|Pair { tcp, udp, .. }| (tcp, udp))
            .unzip();

        let mut rng = rand::rng();
        let settings = settings(
            config,
            private_key,
            setup.invocation.bypass_security,
            &addresses,
        );
        let node = Node::new(settings, Instant::now(), &mut rng);
        let (datapath, reports) = Datapath::start(Arc::clone(device), sockets, node.forwarding())
            .context("Couldn't start the packet threads")?;
        let (meta, from_meta) = mpsc::channel(EVENTS);
        let (network, from_network) = mpsc::channel(1);
        // No interface has number 0.
        let own = if_nametoindex(device.name()).unwrap_or_default();
        if let Err(error) = watch::network(own, network) {
            warn!("Changes of the network go unnoticed: {}", describe(&error));
        }
        let (results, from_dials) = mpsc::channel(EVENTS);
        let (accepted, from_acceptors) = mpsc::channel(EVENTS);
        let acceptors = listeners
            .into_iter()
            .map(|listener| {
                Ok(tokio::spawn(accept(
                    TcpListener::from_std(listener)?,
                    accepted.clone(),
                )))
            })
            .collect::<io::Result<_>>()
            .context("Couldn't listen")?;
        let dialling = Dialling {
            setup: DialSetup {
                family: config.listen.family,
                interface: config.listen.interface.clone(),
                mark: mark(config),
                sources: sources(&addresses),
                timeout: config.numbers.ping_timeout,
                proxy: config.proxy.clone(),
                surroundings: Surroundings {
                    name: config.name.clone(),
                    netname: setup
                        .invocation
                        .layout
                        .netname()
                        .unwrap_or_default()
                        .to_owned(),
                },
            },
            attempts: HashMap::new(),
            doubtful: HashMap::new(),
            results,
        };
        let (asked, from_status) = mpsc::channel(EVENTS);
        let status_server = answer_at(&setup.invocation, asked);
        let mut daemon = Self {
            setup,
            log,
            node,
            rng,
            device: Arc::clone(device),
            datapath,
            deliveries: Deliveries::new(device),
            routing,
            reports,
            runner: Runner::start(scripts),
            streams: HashMap::new(),
            next_conn: 0,
            admission: Admission::default(),
            tarpit: Tarpit::default(),
            dialling,
            channels: Channels {
                meta,
                from_meta,
                from_dials,
                from_acceptors,
                from_network,
                from_status,
            },
            acceptors,
            announcing: Announcing::default(),
            pictures: Pictures::default(),
            heartbeat: None,
            manager: Manager::find(),
            sleep: Sleep::watch(),
            began: Instant::now(),
            status_server,
            name_lookups: Arc::new(Semaphore::new(NAME_LOOKUPS)),
        };
        daemon.tell_of_device();
        daemon.guard_border();
        let path = Arc::downgrade(daemon.datapath.shared());
        tokio::spawn(residents::watch(path));
        daemon.carry_out();
        Ok(daemon)
    }
}

/// What routing rules know the tunnel's packets by, where the tunnel is the way out.
fn mark(config: &ServerConfig) -> Option<u32> {
    let way_out = config.router.as_ref().and_then(|router| router.gateway);
    way_out.map(|_| MARK)
}

/// Begins to answer who asks for our status; without that the mesh is as well.
fn answer_at(invocation: &Invocation, asked: mpsc::Sender<Asked>) -> Option<Server> {
    let path = invocation.layout.status_socket();
    let user = invocation.user.as_deref();
    // Nobody of that name ends the start, later.
    let owner = user.and_then(|user| Some(User::from_name(user).ok()??.uid));
    match Server::start(&path, owner, asked) {
        Ok(server) => Some(server),
        Err(error) => {
            let (path, why) = (path.display(), describe(&error));
            warn!("Nobody can ask for our status at {path}: {why}");
            None
        }
    }
}

fn settings(
    config: &ServerConfig,
    private_key: PrivateKey,
    bypass_security: bool,
    addresses: &[SocketAddr],
) -> Settings {
    let numbers = &config.numbers;
    Settings {
        name: config.name.clone(),
        private_key,
        policy: config.policy,
        port: announced_port(config.listen.port.as_ref(), addresses),
        subnets: config.subnets.clone(),
        connect_to: config.connect_to.clone(),
        packet: config.packet,
        options: config.options,
        ping_interval: numbers.ping_interval,
        ping_timeout: numbers.ping_timeout,
        key_expire: numbers.key_expire,
        mac_expire: numbers.mac_expire,
        min_timeout: numbers.min_timeout,
        max_timeout: numbers.max_timeout,
        replay_window: numbers.replay_window,
        max_output_buffer: numbers.max_output_buffer,
        local_discovery: config.local_discovery,
        pmtu: numbers.pmtu,
        bypass_security,
        sockets: addresses.iter().map(SocketFamily::of).collect(),
        trust: config.trust,
        owners: config.owners.clone(),
    }
}

/// The port that others are told: that of `Port`, as in tincd also if we listen elsewhere, but
/// always as a number, and never as 0.
fn announced_port(configured: Option<&Port>, addresses: &[SocketAddr]) -> Port {
    configured
        .and_then(listen::port_number)
        .filter(|port| *port != 0)
        .or_else(|| addresses.first().map(SocketAddr::port))
        .unwrap_or_default()
        .into()
}

/// The address from which outgoing connections of a family start, by any port: ours, if there is just one.
fn sources(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let of = |v4: bool| {
        let mut found = addresses
            .iter()
            .filter(move |address| address.is_ipv4() == v4);
        let sole = found.next().filter(|_| found.next().is_none());
        sole.map(|address| {
            let mut source = *address;
            source.set_port(0);
            source
        })
    };
    [of(true), of(false)].into_iter().flatten().collect()
}

/// Hands connections to the loop, for ever.
async fn accept(listener: TcpListener, accepted: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                if accepted.send(connection).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                error!("Accepting a connection failed: {}", describe(&error));
                // Out of descriptors, most likely: some come free only with time.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_a_number_that_is_not_zero() {
        let addresses = ["192.0.2.1:1655".parse().unwrap()];
        for (configured, announced) in [
            (None, 1655),
            (Some("0"), 1655),
            (Some("700"), 700),
            (Some("https"), 443),
        ] {
            let port: Option<Port> = configured.map(|text| text.parse().unwrap());
            assert_eq!(announced_port(port.as_ref(), &addresses), announced.into());
        }
    }
}
