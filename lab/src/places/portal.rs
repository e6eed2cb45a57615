//! A captive portal's own side: it answers to every name with the router's address, sends every browser to its login
//! page, and puts whoever logs in among the guests, whom the wall lets pass.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UdpSocket};

use super::{DNS_PORT, GUESTS, PORTAL, dns, failed, http};
use crate::fabric::{Node, Result, load_ruleset};
use crate::model::Remembers;
use crate::plan::{Place, Ruleset};

/// Where the login page is.
pub(super) const LOGIN: &str = "/login";

/// Neighbours and their hardware addresses, in the network of whoever reads it.
const NEIGHBOURS: &str = "/proc/thread-self/net/arp";

/// Serves on a venue's router, as long as that lasts.
pub(super) async fn start(router: &Node, place: &Place) -> Result<()> {
    let address = place.address;
    let remembers = place.portal.unwrap_or_default().remembers;
    let serve = move |client| page(client, address, remembers);
    http::listen(router, (address, 80).into(), serve).await?;
    let begin = async move {
        let socket = UdpSocket::bind((address, DNS_PORT)).await?;
        tokio::task::spawn_local(names(socket, address));
        io::Result::Ok(())
    };
    let begun = router.run(move || Box::pin(begin)).await?;
    begun.map_err(|error| failed(router, "answer to names", error))
}

async fn names(socket: UdpSocket, address: Ipv4Addr) {
    let mut question = [0; 512];
    loop {
        // Errors are about guests who did not wait for their answer.
        let Ok((len, guest)) = socket.recv_from(&mut question).await else {
            continue;
        };
        if let Some(answer) = dns::answer(question.get(..len).unwrap_or_default(), address) {
            let _ = socket.send_to(&answer, guest).await;
        }
    }
}

async fn page(client: TcpStream, router: Ipv4Addr, remembers: Remembers) -> io::Result<()> {
    let guest = client.peer_addr()?.ip();
    let mut client = BufReader::new(client);
    let Some(head) = http::head(&mut client).await? else {
        return Ok(());
    };
    let mut words = head.split_whitespace();
    let (status, location, body) = match (words.next(), words.next()) {
        (Some("GET"), Some(LOGIN)) => ("200 OK", String::new(), form()),
        (Some("POST"), Some(LOGIN)) => match admit(guest, remembers) {
            Ok(()) => ("200 OK", String::new(), "You are online.\n".to_owned()),
            Err(reason) => ("500 Internal Server Error", String::new(), reason),
        },
        _ => {
            let location = format!("Location: http://{router}{LOGIN}\r\n");
            ("302 Found", location, String::new())
        }
    };
    let len = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{location}Content-Type: text/html\r\nContent-Length: {len}\r\n\
         Connection: close\r\n\r\n"
    );
    client.write_all((head + &body).as_bytes()).await?;
    client.shutdown().await
}

fn form() -> String {
    format!(
        "<!DOCTYPE html>\n<title>Welcome</title>\n\
         <form method=\"post\" action=\"{LOGIN}\"><button>I accept</button></form>\n"
    )
}

/// Puts a device among the guests. Called on the router's thread.
fn admit(guest: IpAddr, remembers: Remembers) -> std::result::Result<(), String> {
    let device = match remembers {
        Remembers::Address => guest.to_string(),
        Remembers::Mac => {
            let known = std::fs::read_to_string(NEIGHBOURS).map_err(|error| error.to_string())?;
            hardware_address(&known, guest).ok_or_else(|| format!("{guest} is not near"))?
        }
    };
    let text = format!("add element inet {PORTAL} {GUESTS} {{ {device} }}\n");
    let kind = format!("with {device} among the guests");
    load_ruleset(&Ruleset { kind, text }).map_err(|(what, reason)| format!("{what}: {reason}"))
}

/// A neighbour's hardware address: the fourth column of the kernel's table.
fn hardware_address(known: &str, neighbour: IpAddr) -> Option<String> {
    let mut rows = known.lines().map(|row| row.split_whitespace());
    rows.find_map(|mut row| {
        let same = row.next()? == neighbour.to_string();
        row.nth(2).filter(|_| same).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_found_by_the_whole_address() {
        let known = "IP address       HW type     Flags       HW address            Mask     Device\n\
             192.168.1.10     0x1         0x2         02:76:36:00:05:00     *        lan0\n\
             192.168.1.1      0x1         0x2         02:76:36:00:04:00     *        lan0\n";
        let found = |text: &str| hardware_address(known, text.parse().unwrap());
        assert_eq!(found("192.168.1.1").as_deref(), Some("02:76:36:00:04:00"));
        assert_eq!(found("192.168.1.2"), None);
    }
}
