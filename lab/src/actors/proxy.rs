//! The web proxy of a venue from which nothing else leads out: HTTP's CONNECT (RFC 9110 section 9.3.6) and no more.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Result;
use crate::fabric::{FabricError, Node};

/// Most bytes that the head of a request may have.
const LONGEST_HEAD: u64 = 8192;

/// A proxy on a node, until this is dropped.
#[derive(Debug)]
pub struct Proxy {
    _on: watch::Sender<()>,
}

impl Proxy {
    /// Serves on an address of `node`.
    ///
    /// # Errors
    /// When the node does not give it the address.
    pub async fn start(node: &Node, address: SocketAddr) -> Result<Self> {
        let (on, until) = watch::channel(());
        let begin = async move || {
            let listener = TcpListener::bind(address).await?;
            tokio::task::spawn_local(serve(listener, until));
            io::Result::Ok(())
        };
        let begun = node.run(move || Box::pin(begin())).await?;
        begun.map_err(|error| FabricError::Node {
            node: node.name().to_owned(),
            what: format!("serve as a proxy on {address}"),
            reason: error.to_string(),
        })?;
        Ok(Self { _on: on })
    }
}

async fn serve(listener: TcpListener, mut until: watch::Receiver<()>) {
    loop {
        tokio::select! {
            // Only when the proxy is gone.
            _ = until.changed() => return,
            accepted = listener.accept() => {
                // Whoever was gone before it was served.
                let Ok((client, _)) = accepted else {
                    continue;
                };
                let mut until = until.clone();
                tokio::task::spawn_local(async move {
                    tokio::select! {
                        _ = until.changed() => {}
                        // Whoever is cut off will notice.
                        _ = relay(client) => {}
                    }
                });
            }
        }
    }
}

/// Reads where a client wants to go, and carries bytes to there and back.
async fn relay(client: TcpStream) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\n\r\n") && !head.ends_with("\n\n") {
        let room = LONGEST_HEAD.saturating_sub(head.len() as u64);
        if (&mut client).take(room).read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let mut answer = async |status: &str| {
        let answer = format!("HTTP/1.1 {status}\r\n\r\n");
        client.write_all(answer.as_bytes()).await
    };
    let Some(target) = target(&head) else {
        return answer("400 Bad Request").await;
    };
    let Ok(mut server) = TcpStream::connect(target).await else {
        return answer("502 Bad Gateway").await;
    };
    answer("200 Connection established").await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Whom a request is to be connected with. Names are not looked up: a venue of the lab has no name server.
fn target(head: &str) -> Option<SocketAddr> {
    let mut words = head.lines().next()?.split(' ');
    match (words.next()?, words.next()?, words.next()?) {
        ("CONNECT", target, version) if version.starts_with("HTTP/1.") => target.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connect_leads_anywhere() {
        let target = |line: &str| target(&format!("{line}\r\nHost: x\r\n\r\n"));
        assert_eq!(
            target("CONNECT 198.51.100.10:655 HTTP/1.1"),
            "198.51.100.10:655".parse().ok()
        );
        assert_eq!(
            target("CONNECT [2001:db8::1]:655 HTTP/1.0"),
            "[2001:db8::1]:655".parse().ok()
        );
        assert_eq!(target("GET http://198.51.100.10/ HTTP/1.1"), None);
        assert_eq!(target("CONNECT 198.51.100.10:655"), None);
        assert_eq!(target("CONNECT 198.51.100.10 HTTP/1.1"), None);
        assert_eq!(target(""), None);
    }
}
