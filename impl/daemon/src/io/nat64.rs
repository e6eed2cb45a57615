//! A way to IPv4 addresses in a network that has none and translates (NAT64, RFC 8305 section 7.1).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tracing::debug;
use v6router_core::nat64::{Prefix, WELL_KNOWN_NAME};

use super::dial::DialSetup;
use super::resolve::look_up;
use crate::config::{Address, Family};

/// By which addresses the network translates to those that were found, where all of them are of IPv4 and there is no
/// route to any. Only then its resolver is asked for the prefix (RFC 7050).
pub(crate) async fn translated(found: &[SocketAddr], setup: &DialSetup) -> Vec<SocketAddr> {
    let lacks_route = |address: &SocketAddr| address.is_ipv4() && !has_route(*address, setup);
    let Some(first) = found.first().filter(|_| found.iter().all(lacks_route)) else {
        return Vec::new();
    };
    let asked = Address {
        host: WELL_KNOWN_NAME.to_owned(),
        port: first.port().into(),
    };
    match look_up(&asked, Family::V6).await {
        Ok(told) => synthesised(found, &told),
        Err(error) => {
            debug!("There is no route to {first}, and no NAT64: {error}");
            Vec::new()
        }
    }
}

/// Each address by each prefix that was told.
fn synthesised(found: &[SocketAddr], told: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut prefixes: Vec<Prefix> = Vec::new();
    for address in told {
        let SocketAddr::V6(address) = address else {
            continue;
        };
        if let Some(prefix) = Prefix::discovered(*address.ip())
            && !prefixes.contains(&prefix)
        {
            prefixes.push(prefix);
        }
    }
    let by = |prefix: &Prefix| {
        let prefix = *prefix;
        found.iter().filter_map(move |address| match address {
            SocketAddr::V4(v4) => Some((prefix.synthesised(*v4.ip()), v4.port()).into()),
            SocketAddr::V6(_) => None,
        })
    };
    prefixes.iter().flat_map(by).collect()
}

/// Whether the kernel would send there what a connection sends. A datagram socket that is connected sends nothing.
fn has_route(address: SocketAddr, setup: &DialSetup) -> bool {
    let connect = || -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.bind_device(setup.interface.as_deref().map(str::as_bytes))?;
        if let Some(mark) = setup.mark {
            socket.set_mark(mark)?;
        }
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
        socket.connect(&address.into())
    };
    connect().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|a| a.parse().unwrap()).collect()
    }

    #[test]
    fn each_address_is_translated_once_by_each_prefix() {
        let found = addresses(&["192.0.2.33:655", "198.51.100.10:443"]);
        // Both well-known addresses behind one prefix, one behind another, and one that tells nothing.
        let told = addresses(&[
            "[64:ff9b::c000:aa]:655",
            "[64:ff9b::c000:ab]:655",
            "[2001:db8:122:344:c0:0:aa00::]:655",
            "[2001:db8::1]:655",
        ]);
        let expected = addresses(&[
            "[64:ff9b::c000:221]:655",
            "[64:ff9b::c633:640a]:443",
            "[2001:db8:122:344:c0:2:2100:0]:655",
            "[2001:db8:122:344:c6:3364:a00:0]:443",
        ]);
        assert_eq!(synthesised(&found, &told), expected);
    }
}
