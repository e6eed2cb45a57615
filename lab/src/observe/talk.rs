//! A TCP connection that is kept, with something said on it all the time: how long it falls silent while the network
//! between its ends changes.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Result;
use crate::fabric::Node;
use crate::radio::ECHO_PORT;

/// How often something is said, and how much, octets: little enough for a slow radio.
const PACE: Duration = Duration::from_millis(200);
const WORD: usize = 64;

/// How far the echo may be behind until nothing more is said. A pause then is not followed by a flood.
const AHEAD: u64 = 20 * WORD as u64;

/// A conversation with an echo server (RFC 862), until it is dropped.
#[derive(Debug)]
pub struct Talk {
    heard: Arc<Mutex<Heard>>,
    changes: watch::Receiver<()>,
    task: JoinHandle<()>,
}

/// What was heard so far.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Octets that came back.
    pub octets: u64,
    /// The longest time in which nothing came back.
    pub longest_pause: Duration,
    /// Why the conversation has ended, if it has.
    pub ended: Option<String>,
    last: Option<Instant>,
}

impl Talk {
    /// Connects from a node to the echo server at `server` and begins to talk.
    pub async fn begin(node: &Node, server: IpAddr) -> Result<io::Result<Self>> {
        let connecting = node.run(move || Box::pin(TcpStream::connect((server, ECHO_PORT))));
        let stream = match connecting.await? {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(error)),
        };
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (tell, changes) = watch::channel(());
        let told = heard.clone();
        // The socket stays one of the node's network wherever it is used.
        let task = tokio::spawn(async move {
            let (reader, writer) = stream.into_split();
            let why = tokio::select! {
                ended = say(writer, &told) => ended,
                ended = listen(reader, &told, &tell) => ended,
            };
            lock(&told).ended =
                Some(why.map_or_else(|error| error.to_string(), |()| "the other end".to_owned()));
            let _ = tell.send(());
        });
        Ok(Ok(Self {
            heard,
            changes,
            task,
        }))
    }

    /// What was heard so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let mut heard = lock(&self.heard).clone();
        // The pause that is going on counts too.
        if let Some(last) = heard.last {
            heard.longest_pause = heard.longest_pause.max(last.elapsed());
        }
        heard
    }

    /// Waits until something new was heard, or the conversation has ended.
    pub async fn goes_on(&mut self) {
        let _ = self.changes.changed().await;
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Says numbered words.
async fn say(mut writer: OwnedWriteHalf, heard: &Mutex<Heard>) -> io::Result<()> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = 0;
    loop {
        pace.tick().await;
        if said - lock(heard).octets < AHEAD {
            writer.write_all(&word(said)).await?;
            said += WORD as u64;
        }
    }
}

async fn listen(
    mut reader: OwnedReadHalf,
    heard: &Mutex<Heard>,
    tell: &watch::Sender<()>,
) -> io::Result<()> {
    let mut at = 0;
    let mut room = [0; WORD];
    loop {
        reader.read_exact(&mut room).await?;
        if room != word(at) {
            return Err(io::Error::other("what came back is not what was said"));
        }
        at += WORD as u64;
        let mut heard = lock(heard);
        let now = Instant::now();
        if let Some(last) = heard.last.replace(now) {
            heard.longest_pause = heard.longest_pause.max(now - last);
        }
        heard.octets = at;
        drop(heard);
        let _ = tell.send(());
    }
}

/// What is said at a place of the stream.
fn word(at: u64) -> [u8; WORD] {
    let mut word = [b'v'; WORD];
    let (number, _) = word.split_at_mut(8);
    number.copy_from_slice(&at.to_be_bytes());
    word
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
