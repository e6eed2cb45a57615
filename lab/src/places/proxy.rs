//! The web proxy of a venue from which nothing else leads out: HTTP's CONNECT (RFC 9110 section 9.3.6) and no more.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::http;
use crate::fabric::{Node, Result};
use crate::model::WebProxy;

/// Serves on an address of `node`, as long as that lasts.
pub(super) async fn start(node: &Node, address: Ipv4Addr, proxy: &WebProxy) -> Result<()> {
    let only: Arc<[u16]> = proxy.only.clone().into();
    let serve = move |client| relay(client, only.clone());
    http::listen(node, (address, proxy.port).into(), serve).await
}

/// Reads where a client wants to go, and carries bytes to there and back.
async fn relay(client: TcpStream, only: Arc<[u16]>) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let Some(head) = http::head(&mut client).await? else {
        return Ok(());
    };
    let mut answer = async |status: &str| {
        let answer = format!("HTTP/1.1 {status}\r\n\r\n");
        client.write_all(answer.as_bytes()).await
    };
    let Some(target) = target(&head) else {
        return answer("400 Bad Request").await;
    };
    if !only.is_empty() && !only.contains(&target.port()) {
        return answer("403 Forbidden").await;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        return answer("502 Bad Gateway").await;
    };
    answer("200 Connection established").await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Whom a request is to be connected with. Names are not looked up.
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
