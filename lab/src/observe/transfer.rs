//! How long it takes to send a file by TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::{ObserveError, Result};
use crate::fabric::Node;

/// Bytes handed to the kernel, or taken from it, at a time.
const CHUNK: usize = 64 * 1024;

/// Sends `len` bytes from one node to another, which is at `address`, and returns how long that took from the first SYN
/// on; `None` if they have not all arrived `within` that time.
///
/// # Errors
/// When a socket fails, or what arrives is not as long as what was sent.
pub async fn transfer(
    from: &Node,
    to: &Node,
    address: IpAddr,
    len: usize,
    within: Duration,
) -> Result<Option<Duration>> {
    let failed = |node: &Node, what| {
        let node = node.name().to_owned();
        move |reason| ObserveError::Socket { node, what, reason }
    };
    let bind = move || std::net::TcpListener::bind(SocketAddr::new(address, 0));
    let opened = to.run(move || Box::pin(async move { bind() })).await?;
    let listener = opened.and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    let listener = listener.map_err(failed(to, "listen"))?;
    let target = listener.local_addr().map_err(failed(to, "listen"))?;
    let began = Instant::now();
    let sending = from.run(move || Box::pin(send(target, len)));
    let both = async {
        let (sent, received) = tokio::join!(sending, receive(&listener));
        sent?.map_err(failed(from, "send"))?;
        let arrived = received.map_err(failed(to, "receive"))?;
        if arrived != len {
            let reason = io::Error::other(format!("{arrived} of {len} bytes arrived"));
            return Err(failed(to, "receive")(reason));
        }
        Ok(began.elapsed())
    };
    // Whoever sends is dropped with this, and its connection with it.
    let ended = tokio::time::timeout(within, both).await;
    ended.ok().transpose()
}

async fn send(target: SocketAddr, len: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(target).await?;
    let chunk = vec![b'v'; CHUNK];
    let mut left = len;
    while left > 0 {
        let now = left.min(CHUNK);
        stream
            .write_all(chunk.get(..now).unwrap_or_default())
            .await?;
        left -= now;
    }
    stream.shutdown().await
}

/// How much comes by the first connection.
async fn receive(listener: &TcpListener) -> io::Result<usize> {
    let (mut stream, _) = listener.accept().await?;
    let mut room = vec![0; CHUNK];
    let mut arrived = 0;
    loop {
        match stream.read(&mut room).await? {
            0 => return Ok(arrived),
            more => arrived += more,
        }
    }
}
