//! A stranger who wears a server out: connections that prove nothing, and packets of rubbish.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Result;
use crate::fabric::{FabricError, Node};

/// How long a stranger waits before the next connection in place of one that was closed.
const AGAIN: Duration = Duration::from_secs(2);

/// Time between two bytes of one who is slow.
const SLOW: Duration = Duration::from_millis(500);

/// Time between two bursts of packets.
const BURST: Duration = Duration::from_millis(2);

/// Sockets to send rubbish from, each with a port of its own.
const SOCKETS: usize = 64;

/// Longest packet of rubbish, bytes.
const LONGEST: usize = 1200;

/// Bytes that packets are cut out of: to make new ones for each would cost more than to send them.
const RUBBISH: usize = 1 << 16;

/// What a stranger does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Nothing.
    Idle,
    /// Sends a byte now and then, of a line that never ends.
    Slow,
    /// Sends bytes without meaning.
    Babbling,
    /// Sends a line that never ends.
    Endless,
    /// Gives a name, and a key that nobody can read.
    Lying,
}

/// How many addresses of its network a stranger has; as many before them are left to routers.
const ADDRESSES: u32 = 16;

/// Floods from one node to one address, which go on until this is dropped.
#[derive(Debug)]
pub struct Flood {
    target: SocketAddr,
    /// Where it comes from.
    sources: Vec<IpAddr>,
    on: watch::Sender<()>,
    rubbish: Option<Rubbish>,
}

/// Packets under way.
#[derive(Debug)]
struct Rubbish {
    sent: Arc<AtomicU64>,
    since: Instant,
}

impl Flood {
    /// A stranger on `node`, who has more addresses than one.
    ///
    /// # Errors
    /// When the node has no address from which `target` can be reached, or cannot be given more.
    pub async fn new(node: &Node, target: SocketAddr) -> Result<Self> {
        // Thousands of sockets are more than a process may usually have unless it asks.
        if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
        }
        let interfaces = node.interfaces().iter();
        let mut own = interfaces
            .flat_map(|interface| &interface.addresses)
            .map(|address| address.net)
            .filter(|net| net.is_ipv4() == target.is_ipv4());
        let own = own
            .next()
            .ok_or_else(|| failed(node, "it has no address for that"))?;
        let sources: Vec<IpAddr> = (ADDRESSES..2 * ADDRESSES)
            .filter_map(|n| Some(own.nth(n)?.addr))
            .collect();
        let first = sources
            .first()
            .ok_or_else(|| failed(node, "its network is too small"))?;
        let all = format!("{first}/{}", if own.is_ipv4() { 28 } else { 124 });
        let given = node
            .exec(&["ip", "route", "add", "local", &all, "dev", "lo"])
            .await?;
        if !given.status.success() {
            return Err(failed(node, &String::from_utf8_lossy(&given.stderr)).into());
        }
        Ok(Self {
            target,
            sources,
            on: watch::Sender::new(()),
            rubbish: None,
        })
    }

    /// Keeps `count` connections. One that is closed is made again.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn connect(&self, node: &Node, count: usize, manner: Manner) -> Result<()> {
        let (sources, target) = (self.sources.clone(), self.target);
        let on = self.on.subscribe();
        let begin = move || {
            for source in sources.into_iter().cycle().take(count) {
                let mut on = on.clone();
                tokio::task::spawn_local(async move {
                    tokio::select! {
                        // Only when the flood is over.
                        _ = on.changed() => {}
                        () = pester(source, target, manner) => {}
                    }
                });
            }
        };
        node.run(move || Box::pin(async move { begin() })).await?;
        Ok(())
    }

    /// Sends so many packets of rubbish a second.
    ///
    /// # Errors
    /// When the node gives no sockets.
    pub async fn send(&mut self, node: &Node, per_second: u32) -> Result<()> {
        let (sources, target) = (self.sources.clone(), self.target);
        let open = move || {
            let from = sources.into_iter().cycle().take(SOCKETS);
            from.map(|source| {
                let socket = UdpSocket::bind((source, 0))?;
                socket.connect(target)?;
                Ok(socket)
            })
            .collect::<io::Result<Vec<_>>>()
        };
        let opened = node.run(move || Box::pin(async move { open() })).await?;
        let sockets = opened.map_err(|error| failed(node, &error.to_string()))?;
        let sent = Arc::new(AtomicU64::new(0));
        self.rubbish = Some(Rubbish {
            sent: Arc::clone(&sent),
            since: Instant::now(),
        });
        let on = self.on.subscribe();
        // A socket stays in the namespace in which it was opened; the node's own thread has other things to do.
        std::thread::spawn(move || pour(&sockets, per_second, &sent, &on));
        Ok(())
    }

    /// Packets of rubbish sent a second so far.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rubbish.as_ref().map_or(0.0, |rubbish| {
            let sent = rubbish.sent.load(Ordering::Relaxed) as f64;
            sent / rubbish.since.elapsed().as_secs_f64()
        })
    }
}

fn failed(node: &Node, reason: &str) -> FabricError {
    FabricError::Node {
        node: node.name().to_owned(),
        what: "make a flood".to_owned(),
        reason: reason.trim().to_owned(),
    }
}

async fn pester(source: IpAddr, target: SocketAddr, manner: Manner) {
    loop {
        if let Ok(stream) = connect(source, target).await {
            stay(stream, manner).await;
        }
        sleep(AGAIN).await;
    }
}

async fn connect(source: IpAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = match source {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind((source, 0).into())?;
    socket.connect(target).await
}

/// Stays until the other end has had enough.
async fn stay(mut stream: TcpStream, manner: Manner) {
    let mut heard = [0; 64];
    let (first, then) = manner.words();
    let mut said = stream.write_all(&first).await;
    while said.is_ok() {
        match timeout(SLOW, stream.read(&mut heard)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) => said = stream.write_all(&then).await,
        }
    }
}

impl Manner {
    /// What is sent at once, and what is sent again and again.
    fn words(self) -> (Vec<u8>, Vec<u8>) {
        let mut babble = vec![0; 4000];
        Noise::default().fill(&mut babble);
        match self {
            Self::Idle => (Vec::new(), Vec::new()),
            Self::Slow => (b"0".to_vec(), b"0".to_vec()),
            Self::Babbling => (babble.clone(), babble),
            Self::Endless => (vec![b'0'; 100_000], vec![b'0'; 100_000]),
            Self::Lying => {
                let key = "AB".repeat(256);
                let greeting = format!("0 node_two 17\n1 428 672 0 0 {key}\n");
                (greeting.into_bytes(), babble)
            }
        }
    }
}

impl FromStr for Manner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            ("idle", Self::Idle),
            ("slow", Self::Slow),
            ("babbling", Self::Babbling),
            ("endless", Self::Endless),
            ("lying", Self::Lying),
        ];
        let found = all.iter().find(|(name, _)| *name == text);
        found.map(|(_, manner)| *manner).ok_or_else(|| {
            let names = all.map(|(name, _)| name).join(", ");
            format!("no stranger is {text:?}, only {names}")
        })
    }
}

/// Sends what is due, looks whether that is to go on, and rests a little. What it could not send in time, because the
/// machine had other things to do, is left out: made up for in one burst, it would be a flood of another kind.
fn pour(sockets: &[UdpSocket], per_second: u32, sent: &AtomicU64, on: &watch::Receiver<()>) {
    let mut noise = Noise::default();
    let mut rubbish = vec![0; RUBBISH];
    noise.fill(&mut rubbish);
    let mut turns = sockets.iter().cycle();
    let mut last = Instant::now();
    let mut due = 0.0;
    // An error when nobody holds the other end any more.
    while on.has_changed().is_ok() {
        let passed = last.elapsed();
        last += passed;
        due += passed.min(4 * BURST).as_secs_f64() * f64::from(per_second);
        while due >= 1.0 {
            due -= 1.0;
            let from = noise.below(RUBBISH - LONGEST);
            let len = noise.below(LONGEST) + 1;
            let packet = rubbish.get(from..from + len).unwrap_or_default();
            // Where there is no room for it there is rubbish enough.
            if turns
                .next()
                .is_some_and(|socket| socket.send(packet).is_ok())
            {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        std::thread::sleep(BURST);
    }
}

/// Bytes without meaning, the same each time (xorshift64; Marsaglia 2003).
struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit as u64)).unwrap_or_default()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let noise = self.next().to_ne_bytes();
            chunk.copy_from_slice(noise.get(..chunk.len()).unwrap_or_default());
        }
    }
}
