//! As much of HTTP/1.1 (RFC 9112) as a portal, its guests and a proxy need: one request a connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::failed;
use crate::fabric::{Node, Result};

/// Most bytes that the head of a message may have.
const LONGEST_HEAD: u64 = 8192;

/// How long somebody may take to answer a request; it takes a few milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer, as far as anybody looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where to go instead.
    pub(super) location: Option<String>,
    pub(super) body: String,
}

/// Serves each connection to an address of a node's with `serve`, as long as the node lasts.
pub(super) async fn listen<F>(
    node: &Node,
    address: SocketAddr,
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let begin = async move || {
        let listener = TcpListener::bind(address).await?;
        tokio::task::spawn_local(async move {
            loop {
                // Whoever is gone before being served, or is cut off later, will notice.
                if let Ok((client, _)) = listener.accept().await {
                    tokio::task::spawn_local(serve(client));
                }
            }
        });
        io::Result::Ok(())
    };
    let begun = node.run(move || Box::pin(begin())).await?;
    begun.map_err(|error| failed(node, &format!("serve on {address}"), error))
}

/// The head of a message, up to the empty line; `None` if it ends before that or is too long.
pub(super) async fn head(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\n\r\n") && !head.ends_with("\n\n") {
        let room = LONGEST_HEAD.saturating_sub(head.len() as u64);
        if (&mut *from).take(room).read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

/// Asks `server` from a node, as a browser would that was told to go to `host`.
///
/// # Errors
/// When nobody answers, or not as HTTP has it.
pub(super) async fn ask(
    node: &Node,
    server: (Ipv4Addr, u16),
    (method, path, host): (&str, &str, &str),
) -> Result<Answer> {
    let what = format!("{method} http://{host}{path} of {}:{}", server.0, server.1);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    // What comes after that is no longer HTTP.
    let connects = method == "CONNECT";
    let exchange = async move {
        let mut stream = BufReader::new(TcpStream::connect(server).await?);
        stream.write_all(request.as_bytes()).await?;
        let head = head(&mut stream).await?;
        let mut answer = head
            .as_deref()
            .and_then(answer)
            .ok_or_else(|| io::Error::other(format!("answered with {head:?}, which is no HTTP")))?;
        if !connects {
            stream.read_to_string(&mut answer.body).await?;
        }
        io::Result::Ok(answer)
    };
    let asked = timeout(LIMIT, node.run(move || Box::pin(exchange))).await;
    let late = |_| {
        failed(
            node,
            &what,
            format!("no answer within {} s", LIMIT.as_secs()),
        )
    };
    asked
        .map_err(late)??
        .map_err(|error| failed(node, &what, error))
}

fn answer(head: &str) -> Option<Answer> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let version = words.next()?.starts_with("HTTP/1.");
    let status = words.next().filter(|_| version)?.parse().ok()?;
    let location = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    Some(Answer {
        status,
        location,
        body: String::new(),
    })
}
