//! One connection of the meta protocol: a task that moves bytes both ways.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use v6router_core::node::{Backlog, ConnId};

use super::transport::Transport;

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Bytes that may wait for a peer that does not read before it is given up; ours. Packets stop
/// being added much earlier (`MaxOutputBufferSize`), so this is a flood of requests.
const MAX_QUEUED: usize = 8 << 20;

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum MetaEvent {
    /// Bytes arrived.
    Bytes(Vec<u8>),
    /// The peer closed it, it broke, or it did not take what we sent. For the log.
    Ended(String),
}

/// Our end of a connection. Dropping it ends the connection at once.
#[derive(Debug)]
pub(crate) struct MetaStream {
    stream: Arc<Transport>,
    queue: mpsc::UnboundedSender<Vec<u8>>,
    backlog: Arc<Backlog>,
    task: JoinHandle<()>,
}

impl MetaStream {
    /// Starts moving bytes. Writing may stand still for `patience` before the peer is given up.
    pub(crate) fn start(
        conn: ConnId,
        stream: Transport,
        events: mpsc::Sender<(ConnId, MetaEvent)>,
        patience: Duration,
    ) -> Self {
        let stream = Arc::new(stream);
        let backlog = Arc::new(Backlog::default());
        let (queue, outgoing) = mpsc::unbounded_channel();
        let pump = Pump {
            stream: Arc::clone(&stream),
            outgoing,
            backlog: Arc::clone(&backlog),
            patience,
        };
        let task = tokio::spawn(async move {
            let why = pump.run(conn, &events).await;
            // Nobody listens any more when the daemon ends.
            let _ = events.send((conn, MetaEvent::Ended(why))).await;
        });
        Self {
            stream,
            queue,
            backlog,
            task,
        }
    }

    /// What waits to be written, shared with the core.
    pub(crate) fn backlog(&self) -> Arc<Backlog> {
        Arc::clone(&self.backlog)
    }

    /// Writes bytes, and queues what there is no room for now; says `false` if the peer has stopped reading and must be
    /// given up.
    pub(crate) fn send(&self, mut bytes: Vec<u8>) -> bool {
        // Nothing is before them, and mostly there is room: the pump need not be woken.
        if self.backlog.bytes() == 0
            && let Ok(written) = self.stream.try_write(&bytes)
        {
            bytes.drain(..written);
        }
        if bytes.is_empty() {
            return true;
        }
        self.backlog.add(bytes.len());
        // A pump that has ended reports that by itself.
        let _ = self.queue.send(bytes);
        self.backlog.bytes() <= MAX_QUEUED
    }

    /// Stops moving bytes and hands over the open socket.
    pub(crate) fn park(self) -> Arc<Transport> {
        Arc::clone(&self.stream)
    }

    /// Writes what is queued as far as it goes without waiting for the peer, then closes.
    pub(crate) async fn finish(mut self, grace: Duration) {
        let (closed, _) = mpsc::unbounded_channel();
        self.queue = closed;
        // The pump ends by itself once it has written everything.
        let _ = tokio::time::timeout(grace, &mut self.task).await;
    }
}

impl Drop for MetaStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pump {
    stream: Arc<Transport>,
    outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
    backlog: Arc<Backlog>,
    patience: Duration,
}

impl Pump {
    /// What can be read now; nothing at the end. There is no room kept for it: a thousand neighbours would take a thousand
    /// times that much, and most have nothing to say.
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut room = [0; CHUNK];
        let count = self.stream.try_read(&mut room)?;
        Ok(room.get(..count).unwrap_or_default().to_vec())
    }

    /// Moves bytes until something ends it, and says what.
    async fn run(mut self, conn: ConnId, events: &mpsc::Sender<(ConnId, MetaEvent)>) -> String {
        let mut pending: Vec<u8> = Vec::new();
        let mut written = 0;
        let mut last_progress = Instant::now();
        loop {
            let waiting = written < pending.len();
            tokio::select! {
                ready = self.stream.readable() => {
                    match ready.and_then(|()| self.read()) {
                        Ok(bytes) if bytes.is_empty() => return "closed by the peer".to_owned(),
                        Ok(bytes) => {
                            // A full channel makes the peer wait, not us grow.
                            if events.send((conn, MetaEvent::Bytes(bytes))).await.is_err() {
                                return "the daemon ends".to_owned();
                            }
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return error.to_string(),
                    }
                }
                more = self.outgoing.recv(), if !waiting => {
                    let Some(bytes) = more else {
                        return "closed by us".to_owned();
                    };
                    pending = bytes;
                    // Small requests leave together.
                    while pending.len() < CHUNK && let Ok(more) = self.outgoing.try_recv() {
                        pending.extend_from_slice(&more);
                    }
                    written = 0;
                    last_progress = Instant::now();
                }
                // Not late if it can be written now, whatever else was slow.
                ready = timeout_at(last_progress + self.patience, self.stream.writable()), if waiting => {
                    let Ok(ready) = ready else {
                        return format!("took none of our bytes for {} s", self.patience.as_secs());
                    };
                    let rest = pending.get(written..).unwrap_or_default();
                    match ready.and_then(|()| self.stream.try_write(rest)) {
                        Ok(count) => {
                            written += count;
                            self.backlog.sub(count);
                            last_progress = Instant::now();
                            if written == pending.len() {
                                // It may be long before there is something again.
                                (pending, written) = (Vec::new(), 0);
                            }
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return error.to_string(),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::*;

    const CONN: ConnId = ConnId(1);

    async fn pair() -> (Transport, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (Transport::Tcp(ours), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_in_order_and_the_end_is_told() {
        let (ours, mut theirs) = pair().await;
        let (tx, mut events) = mpsc::channel(8);
        let stream = MetaStream::start(CONN, ours, tx, Duration::from_secs(5));
        for part in ["one ", "two ", "three"] {
            assert!(stream.send(part.into()));
        }
        let mut got = [0; 13];
        theirs.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"one two three");
        assert_eq!(stream.backlog().bytes(), 0);
        theirs.write_all(b"hello").await.unwrap();
        let Some((CONN, MetaEvent::Bytes(bytes))) = events.recv().await else {
            panic!()
        };
        assert_eq!(bytes, b"hello");
        drop(theirs);
        let Some((CONN, MetaEvent::Ended(_))) = events.recv().await else {
            panic!()
        };
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_given_up() {
        let (ours, _theirs) = pair().await;
        let (tx, mut events) = mpsc::channel(8);
        let stream = MetaStream::start(CONN, ours, tx, Duration::from_millis(50));
        let mut sent = 0;
        while stream.send(vec![0; 1 << 20]) {
            sent += 1;
            assert!(sent < 100, "the queue grows without limit");
        }
        let Some((CONN, MetaEvent::Ended(why))) = events.recv().await else {
            panic!()
        };
        assert!(why.starts_with("took none of our bytes"), "{why}");
    }

    #[tokio::test]
    async fn a_peer_is_not_given_up_for_what_the_daemon_itself_was_slow_at() {
        const PATIENCE: Duration = Duration::from_millis(50);
        // Which of two things that are ready comes first is chance; eight times.
        for _ in 0..8 {
            let (ours, mut theirs) = pair().await;
            let (tx, mut events) = mpsc::channel(1);
            tx.try_send((CONN, MetaEvent::Bytes(Vec::new()))).unwrap();
            let stream = MetaStream::start(CONN, ours, tx, PATIENCE);
            assert!(stream.send(vec![0; MAX_QUEUED]));
            let mut got = vec![0; MAX_QUEUED];
            theirs.read_exact(&mut got[..CHUNK]).await.unwrap();
            // In the midst of writing something is read that nobody takes, and no turn comes.
            theirs.write_all(b"hello").await.unwrap();
            let mut read = CHUNK;
            while read < MAX_QUEUED
                && let Ok(count) = timeout(2 * PATIENCE, theirs.read(&mut got[read..])).await
            {
                read += count.unwrap();
            }
            events.recv().await.unwrap();
            theirs.read_exact(&mut got[read..]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_parked_connection_stays_open_and_silent() {
        let (ours, mut theirs) = pair().await;
        let (tx, _events) = mpsc::channel(8);
        let stream = MetaStream::start(CONN, ours, tx, Duration::from_secs(5));
        let parked = stream.park();
        let mut byte = [0];
        let read = timeout(Duration::from_millis(100), theirs.read(&mut byte)).await;
        assert!(read.is_err(), "the peer was told something");
        drop(parked);
        assert_eq!(theirs.read(&mut byte).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_queued_at_the_end_is_still_written() {
        let (ours, mut theirs) = pair().await;
        let (tx, _events) = mpsc::channel(8);
        let stream = MetaStream::start(CONN, ours, tx, Duration::from_secs(5));
        stream.send(b"farewell".to_vec());
        stream.finish(Duration::from_secs(1)).await;
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"farewell");
    }
}
