//! Whether rules do what is said of them, seen by a machine inside.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};

use super::{address_of, dns, failed, http, login};
use crate::fabric::{Lab, Node, Result, udp_socket};
use crate::model::{Fate, Protocol, Way, WebProxy};
use crate::plan::{Place, WallPlan};

/// How long may take what must happen; it takes a millisecond.
const LIMIT: Duration = Duration::from_secs(10);

/// How often a later packet must have been there and back before an earlier one is believed to be lost: several times,
/// since on a busy machine one may overtake another.
const ROUNDS: usize = 3;

/// How long an answer that has arrived may take to be told to whoever waits for it.
const TELLING: Duration = Duration::from_millis(50);

/// Inner port of the first flow when they are counted; below the range for outgoing connections.
const FIRST_PORT: u16 = 21_000;

/// Where flows that are counted go; nothing else is up then.
const FLOWS_TO: u16 = 655;

/// How many flows more than the limit are tried, and how many are sent before their arrival is waited for.
const EXCESS: u32 = 8;
const VOLLEY: usize = 32;

/// A machine inside, and what it looks at.
pub(super) struct Outlook<'a> {
    device: &'a Node,
    /// The next one inside, if there is one.
    neighbour: Option<&'a Node>,
    router: &'a Node,
    /// The router's address inside.
    inside: Ipv4Addr,
    server: &'a Node,
    /// The server's address.
    outside: Ipv4Addr,
}

impl<'a> Outlook<'a> {
    /// What can be seen at a venue; `None` where nobody is to see it, or nobody to be seen.
    pub(super) fn of(lab: &'a Lab, place: &'a Place) -> Result<Option<Self>> {
        let (Some(device), Some((server, outside))) = (place.guests.first(), &place.outside) else {
            return Ok(None);
        };
        let neighbour = place.guests.get(1).map(|name| lab.node(name));
        Ok(Some(Self {
            device: lab.node(device)?,
            neighbour: neighbour.transpose()?,
            router: lab.node(&place.router)?,
            inside: place.address,
            server: lab.node(server)?,
            outside: *outside,
        }))
    }

    /// Tries every way of a wall that was just raised.
    pub(super) async fn wall(&self, wall: &WallPlan) -> Result<()> {
        let ways = wall.ways.iter().map(async |way| {
            let measured = match way.protocol {
                Protocol::Tcp => self.tcp(way).await?,
                Protocol::Udp => self.udp(way).await?,
            };
            self.compare(&wall.ruleset.kind, &way.to_string(), way.fate, measured)
        });
        try_join_all(ways).await?;
        if let Some(limit) = wall.flows {
            let measured = self.flows(limit).await?;
            self.compare(&wall.ruleset.kind, "flows for each device", limit, measured)?;
        }
        Ok(())
    }

    /// Whether whoever looks for a page ends up on the login page.
    pub(super) async fn portal(&self) -> Result<()> {
        login::login_page(self.device, self.inside).await.map(drop)
    }

    /// Whether the proxy connects to the ports it should, and refuses others.
    pub(super) async fn proxy(&self, proxy: &WebProxy) -> Result<()> {
        let listener = self.listen(0).await?;
        let free = listener
            .local_addr()
            .map_err(|error| self.failed(error))?
            .port();
        let (listener, port) = match proxy.only.first() {
            Some(port) => (self.listen(*port).await?, *port),
            None => (listener, free),
        };
        let ask = async |port: u16| {
            let target = format!("{}:{port}", self.outside);
            let asked = ("CONNECT", target.as_str(), target.as_str());
            http::ask(self.device, (self.inside, proxy.port), asked).await
        };
        let answer = ask(port).await?;
        // The last packet that says so is the proxy's.
        self.rounds().await?;
        let measured = match (answer.status, listener.accept().is_ok()) {
            (200, true) => "connected".to_owned(),
            (status, _) => format!("answered with {status}"),
        };
        let connected = "connected".to_owned();
        self.compare(
            "[proxy]",
            &format!("CONNECT to {port}"),
            connected,
            measured,
        )?;
        if !proxy.only.is_empty() {
            let answer = ask(free).await?;
            self.compare("[proxy]", &format!("CONNECT to {free}"), 403, answer.status)?;
        }
        Ok(())
    }

    /// Whether a neighbour hears nothing.
    pub(super) async fn isolation(&self) -> Result<()> {
        let Some(neighbour) = self.neighbour else {
            return Ok(());
        };
        let address = address_of(neighbour).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let (ours, theirs, routers) = (
            udp_socket(self.device, Ipv4Addr::UNSPECIFIED, 0).await?,
            udp_socket(neighbour, address, 0).await?,
            udp_socket(self.router, self.inside, 0).await?,
        );
        for _ in 0..ROUNDS {
            // A neighbour whose hardware address cannot be asked for is told of as unreachable.
            let _ = ours.send_to(STRAY, local(self.device, &theirs)?).await;
            pass(self.device, &ours, &routers, local(self.router, &routers)?).await?;
            let source = pass(self.router, &routers, &theirs, local(neighbour, &theirs)?).await;
            let heard = source.map(|(words, _)| words)?;
            let measured = if heard == STRAY { "heard" } else { "not heard" };
            self.compare("isolation", "a neighbour", "not heard", measured)?;
        }
        Ok(())
    }

    async fn tcp(&self, way: &Way) -> Result<Fate> {
        let listener = self.listen(way.port).await?;
        let to = SocketAddr::from((self.outside, way.port));
        let connect = async move { TcpStream::connect(to).await.map(drop) };
        let mut connecting = Box::pin(self.device.run(move || Box::pin(connect)));
        let ended = if way.fate == Fate::Dropped {
            // First asked is first sent.
            let rounds = async {
                self.rounds().await?;
                sleep(TELLING).await;
                Ok(())
            };
            tokio::select! {
                biased;
                ended = &mut connecting => Some(ended?),
                passed = rounds => passed.map(|()| None)?,
            }
        } else {
            timeout(LIMIT, &mut connecting).await.ok().transpose()?
        };
        let has_arrived = || listener.accept().is_ok();
        Ok(match ended {
            None if has_arrived() => Fate::Passes,
            None => Fate::Dropped,
            Some(Ok(())) => {
                self.rounds().await?;
                if has_arrived() {
                    Fate::Passes
                } else {
                    Fate::Hijacked
                }
            }
            Some(Err(error)) => self.refused(error)?,
        })
    }

    async fn udp(&self, way: &Way) -> Result<Fate> {
        let theirs = udp_socket(self.server, self.outside, way.port).await?;
        let ours = udp_socket(self.device, Ipv4Addr::UNSPECIFIED, 0).await?;
        let to = SocketAddr::from((self.outside, way.port));
        ours.connect(to).await.map_err(|error| self.failed(error))?;
        // Something to which a venue that answers in others' names has an answer.
        let question = dns::question(1, "www.example");
        ours.send(&question)
            .await
            .map_err(|error| self.failed(error))?;
        let (mut there, mut here) = ([0; 512], [0; 512]);
        let seen = async {
            tokio::select! {
                heard = theirs.recv_from(&mut there) => heard.map(|_| Fate::Passes),
                heard = ours.recv(&mut here) => heard.map(|_| Fate::Hijacked),
            }
        };
        let seen = if way.fate == Fate::Dropped {
            self.rounds().await?;
            timeout(TELLING, seen).await
        } else {
            timeout(LIMIT, seen).await
        };
        match seen {
            Err(_) => Ok(Fate::Dropped),
            Ok(Ok(fate)) => Ok(fate),
            Ok(Err(error)) => self.refused(error),
        }
    }

    /// How many flows of the device's arrive, of a few more than may.
    async fn flows(&self, limit: u32) -> Result<u32> {
        let server = udp_socket(self.server, self.outside, FLOWS_TO).await?;
        // Asked of the kernel itself, which knows at once what has arrived.
        let server = server.into_std().map_err(|error| self.failed(error))?;
        let ports: Vec<u16> = (FIRST_PORT..)
            .zip(0..limit + EXCESS)
            .map(|(port, _)| port)
            .collect();
        let mut sources = HashSet::new();
        for volley in ports.chunks(VOLLEY) {
            for port in volley {
                let ours = udp_socket(self.device, Ipv4Addr::UNSPECIFIED, *port).await?;
                let sent = ours.send_to(STRAY, (self.outside, FLOWS_TO)).await;
                sent.map_err(|error| self.failed(error))?;
            }
            self.rounds().await?;
            let mut words = [0; 16];
            while let Ok((_, source)) = server.recv_from(&mut words) {
                sources.insert(source);
            }
        }
        Ok(u32::try_from(sources.len()).unwrap_or(u32::MAX))
    }

    /// Lets packets go from the machine to the router, from there to the server, and back. What was sent before has
    /// arrived then, or never will.
    async fn rounds(&self) -> Result<()> {
        let (device, inner, outer, server) = (
            udp_socket(self.device, Ipv4Addr::UNSPECIFIED, 0).await?,
            udp_socket(self.router, self.inside, 0).await?,
            udp_socket(self.router, Ipv4Addr::UNSPECIFIED, 0).await?,
            udp_socket(self.server, self.outside, 0).await?,
        );
        for _ in 0..ROUNDS {
            let to = local(self.router, &inner)?;
            let (_, back) = pass(self.device, &device, &inner, to).await?;
            let to = local(self.server, &server)?;
            let (_, mapped) = pass(self.router, &outer, &server, to).await?;
            pass(self.server, &server, &outer, mapped).await?;
            pass(self.router, &inner, &device, back).await?;
        }
        Ok(())
    }

    async fn listen(&self, port: u16) -> Result<TcpListener> {
        let address = SocketAddr::from((self.outside, port));
        let listen = move || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            io::Result::Ok(listener)
        };
        let listener = self.server.run(move || Box::pin(async move { listen() }));
        let what = format!("listen on {address}");
        listener
            .await?
            .map_err(|error| failed(self.server, &what, error))
    }

    fn refused(&self, error: io::Error) -> Result<Fate> {
        match error.kind() {
            ErrorKind::ConnectionRefused => Ok(Fate::Reset),
            ErrorKind::HostUnreachable => Ok(Fate::Prohibited),
            _ => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> crate::fabric::FabricError {
        failed(self.device, "try the walls around it", error)
    }

    /// Fails with both values where they differ.
    fn compare<T: PartialEq + std::fmt::Display>(
        &self,
        rule: &str,
        what: &str,
        stated: T,
        measured: T,
    ) -> Result<()> {
        if stated == measured {
            return Ok(());
        }
        let reason = format!("{what}: stated as {stated} and measured as {measured}");
        Err(failed(self.router, &format!("keep to {rule}"), reason))
    }
}

/// What is to be lost, and what is not.
const STRAY: &[u8] = b"stray";
const FENCE: &[u8] = b"fence";

fn local(node: &Node, socket: &UdpSocket) -> Result<SocketAddr> {
    socket
        .local_addr()
        .map_err(|error| failed(node, "ask for a socket's address", error))
}

/// Sends something that must arrive: what arrives there next, and as whose.
async fn pass(
    node: &Node,
    from: &UdpSocket,
    at: &UdpSocket,
    to: SocketAddr,
) -> Result<(Vec<u8>, SocketAddr)> {
    let what = format!("pass a datagram to {to}");
    let sent = from.send_to(FENCE, to).await;
    sent.map_err(|error| failed(node, &what, error))?;
    let mut words = [0; 16];
    let heard = timeout(LIMIT, at.recv_from(&mut words)).await;
    let late = |_| {
        failed(
            node,
            &what,
            format!("nothing arrived within {} s", LIMIT.as_secs()),
        )
    };
    let (len, source) = heard
        .map_err(late)?
        .map_err(|error| failed(node, &what, error))?;
    Ok((words.get(..len).unwrap_or_default().to_vec(), source))
}
