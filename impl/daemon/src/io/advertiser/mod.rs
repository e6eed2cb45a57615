//! Router advertisements on interfaces of ours: feeds a [`Schedule`] for each of them with what
//! its socket hears and what the kernel tells of its link.

mod links;

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info, warn};
use v6router_core::router::advertise::{
    AdvertiseSettings, Input, Link, MIN_DELAY_BETWEEN, Schedule,
};
use v6router_core::wire::ndp::RouterSolicitation;

use super::icmp6::Icmp6;
use links::Links;

/// Solicitations that wait for us; ours. What does not fit is lost, and repeated by its sender
/// (RFC 4861 section 6.3.7).
const MAX_HEARD: usize = 64;
/// The last word comes within [`MIN_DELAY_BETWEEN`]; a machine that is busy gets so much more.
const GRACE: Duration = Duration::from_secs(1);

/// Advertises on interfaces until it is stopped.
#[derive(Debug)]
pub(crate) struct Advertiser {
    wish: watch::Sender<Wish>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

/// What there is to do; only the latest counts.
#[derive(Debug, Default)]
struct Wish {
    /// By the names of the interfaces.
    interfaces: BTreeMap<String, AdvertiseSettings>,
    tunnel_up: bool,
}

/// What has happened on all interfaces.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Advertisements that were sent.
    pub(crate) sent: AtomicU64,
    /// Solicitations that were heard.
    pub(crate) solicited: AtomicU64,
    /// Solicitations that were void, and dropped.
    pub(crate) void: AtomicU64,
}

impl Advertiser {
    /// Begins to advertise on interfaces, by their names, as they come up; the tunnel is down at
    /// first. Within a tokio runtime.
    ///
    /// # Errors
    /// If the kernel does not tell us of its links.
    pub(crate) fn start(interfaces: BTreeMap<String, AdvertiseSettings>) -> io::Result<Self> {
        let links = Links::watch()?;
        let (wish, wished) = watch::channel(Wish {
            interfaces,
            tunnel_up: false,
        });
        let counts = Arc::new(Counts::default());
        let (hear, heard) = mpsc::channel(MAX_HEARD);
        let worker = Worker {
            wished,
            interfaces: BTreeMap::new(),
            links,
            hear,
            heard,
            counts: Arc::clone(&counts),
            rng: StdRng::from_rng(&mut rand::rng()),
        };
        let task = tokio::spawn(worker.run());
        Ok(Self { wish, counts, task })
    }

    /// Advertises other things, or on other interfaces. What is advertised no more is withdrawn.
    pub(crate) fn configure(&self, interfaces: BTreeMap<String, AdvertiseSettings>) {
        self.wish.send_modify(|wish| wish.interfaces = interfaces);
    }

    /// Whether the tunnel leads somewhere.
    pub(crate) fn tunnel_is(&self, up: bool) {
        self.wish
            .send_if_modified(|wish| std::mem::replace(&mut wish.tunnel_up, up) != up);
    }

    /// What has happened so far.
    pub(crate) const fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Tells all hosts to look elsewhere, which takes up to three seconds where they were told
    /// something just before.
    pub(crate) async fn stop(self) {
        let Self { wish, mut task, .. } = self;
        drop(wish);
        if timeout(MIN_DELAY_BETWEEN + GRACE, &mut task).await.is_err() {
            warn!("Hosts may not know that we advertise no more");
            task.abort();
        }
    }
}

struct Worker {
    wished: watch::Receiver<Wish>,
    interfaces: BTreeMap<String, Interface>,
    links: Links,
    hear: mpsc::Sender<Heard>,
    heard: mpsc::Receiver<Heard>,
    counts: Arc<Counts>,
    rng: StdRng,
}

/// A solicitation, and the number of the interface on which it was heard.
struct Heard {
    index: u32,
    solicitation: RouterSolicitation,
}

struct Interface {
    schedule: Schedule,
    place: Option<Place>,
}

/// Where an interface that is up advertises.
struct Place {
    index: u32,
    link_local: Ipv6Addr,
    socket: Arc<Icmp6>,
    reader: JoinHandle<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Worker {
    async fn run(mut self) {
        let mut is_wished = true;
        self.configure();
        self.look().await;
        while is_wished || !self.is_ended() {
            let deadlines = self.interfaces.values();
            let deadline = deadlines.filter_map(|one| one.schedule.deadline()).min();
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                changed = self.wished.changed(), if is_wished => {
                    is_wished = changed.is_ok();
                    if is_wished {
                        self.configure();
                        self.look().await;
                    } else {
                        self.tell_all(&Input::Stop);
                    }
                }
                () = self.links.changed() => self.look().await,
                Some(heard) = self.heard.recv() => self.hear(heard),
                () = due => self.tell_all(&Input::Timer),
            }
        }
    }

    /// Whether every last word has been said.
    fn is_ended(&self) -> bool {
        self.interfaces.values().all(|one| one.schedule.is_ended())
    }

    /// Takes over what is wished.
    fn configure(&mut self) {
        let now = Instant::now();
        let wish = self.wished.borrow_and_update();
        for (name, settings) in &wish.interfaces {
            let interface = self.interfaces.entry(name.clone());
            // One that was given up is kept: when it spoke last counts.
            let interface = interface.or_insert_with(|| Interface::new(settings.clone(), now));
            let up = wish.tunnel_up;
            for input in [Input::Configure(settings.clone()), Input::Tunnel { up }] {
                interface.tell(name, input, &self.counts, &mut self.rng);
            }
        }
        for (name, interface) in &mut self.interfaces {
            if !wish.interfaces.contains_key(name) {
                interface.tell(name, Input::Stop, &self.counts, &mut self.rng);
            }
        }
    }

    /// Looks at all links.
    async fn look(&mut self) {
        let found = match self.links.look().await {
            Ok(found) => found,
            Err(error) => {
                warn!("Interfaces cannot be looked at: {error}");
                return;
            }
        };
        for (name, interface) in &mut self.interfaces {
            let found = found.get(name).filter(|_| !interface.schedule.is_ended());
            let input = match found {
                Some((index, link)) => {
                    interface.take_place(name, *index, link, &self.hear, &self.counts)
                }
                None => interface.leave(name),
            };
            interface.tell(name, input, &self.counts, &mut self.rng);
        }
    }

    fn hear(
        &mut self,
        Heard {
            index,
            solicitation,
        }: Heard,
    ) {
        let mut interfaces = self.interfaces.iter_mut();
        let place = |interface: &Interface| interface.place.as_ref().map(|place| place.index);
        if let Some((name, interface)) = interfaces.find(|(_, one)| place(one) == Some(index)) {
            let input = Input::Solicited(solicitation);
            interface.tell(name, input, &self.counts, &mut self.rng);
        }
    }

    fn tell_all(&mut self, input: &Input) {
        for (name, interface) in &mut self.interfaces {
            interface.tell(name, input.clone(), &self.counts, &mut self.rng);
        }
    }
}

impl Interface {
    fn new(settings: AdvertiseSettings, now: Instant) -> Self {
        Self {
            schedule: Schedule::new(settings, now),
            place: None,
        }
    }

    /// Tells the schedule of something, and sends what follows from it.
    fn tell(&mut self, name: &str, input: Input, counts: &Counts, rng: &mut StdRng) {
        self.schedule.handle(input, Instant::now(), rng);
        while let Some(send) = self.schedule.poll_send() {
            let Some(place) = &self.place else {
                continue;
            };
            match place.socket.send(place.link_local, send.to, &send.message) {
                Ok(()) => {
                    counts.sent.fetch_add(1, Ordering::Relaxed);
                    debug!("Advertised to {} on {name}", send.to);
                }
                // It may have gone a moment ago, of which we hear as well.
                Err(error) => debug!("Can't advertise to {} on {name}: {error}", send.to),
            }
        }
    }

    /// The interface is up.
    fn take_place(
        &mut self,
        name: &str,
        index: u32,
        link: &Link,
        hear: &mpsc::Sender<Heard>,
        counts: &Arc<Counts>,
    ) -> Input {
        let link_local = link.link_local;
        match &mut self.place {
            Some(place) if place.index == index => place.link_local = link_local,
            place => match Icmp6::open(name, index) {
                Ok(socket) => {
                    let socket = Arc::new(socket);
                    let reader = read(Arc::clone(&socket), index, hear.clone(), Arc::clone(counts));
                    *place = Some(Place {
                        index,
                        link_local,
                        socket,
                        reader: tokio::spawn(reader),
                    });
                    info!("Advertising on {name}");
                }
                Err(error) => {
                    warn!("Can't advertise on {name}: {error}");
                    *place = None;
                    return Input::LinkDown;
                }
            },
        }
        Input::LinkUp(link.clone())
    }

    /// The interface is down or not there, or was given up.
    fn leave(&mut self, name: &str) -> Input {
        if self.place.take().is_some() {
            info!("Advertising on {name} no more");
        }
        Input::LinkDown
    }
}

/// Passes on what a socket hears, as long as it does.
async fn read(socket: Arc<Icmp6>, index: u32, hear: mpsc::Sender<Heard>, counts: Arc<Counts>) {
    loop {
        match socket.receive().await {
            Ok(Ok(solicitation)) => {
                counts.solicited.fetch_add(1, Ordering::Relaxed);
                // More than we can take are a flood: nobody is owed an answer each time.
                let _ = hear.try_send(Heard {
                    index,
                    solicitation,
                });
            }
            Ok(Err(error)) => {
                counts.void.fetch_add(1, Ordering::Relaxed);
                debug!("A void solicitation: {error}");
            }
            Err(error) => {
                debug!("Solicitations are heard no more: {error}");
                return;
            }
        }
        // A flood must not keep the daemon from its other work.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests;
