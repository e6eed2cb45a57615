//! Names to addresses, beside the control loop.
//!
//! The system's resolver blocks, so it runs on threads of its own. Each attempt to connect asks
//! anew: an address may have changed meanwhile.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::listen::port_number;
use crate::config::{Address, Family, describe};

/// How long a look-up may take; ours. A resolver of the usual settings has then given up its
/// first server and asked the second.
const LIMIT: Duration = Duration::from_secs(10);

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// A service that `/etc/services` does not know.
    #[error("port {0} is no service of /etc/services")]
    Service(v6router_core::addr::Port),
    /// The resolver said so.
    #[error("looking up {0} failed: {reason}", reason = describe(.1))]
    Failed(String, std::io::Error),
    /// The resolver says nothing.
    #[error("looking up {0} takes too long")]
    Slow(String),
    /// Only addresses of the other family.
    #[error("{0} has no address of the family that AddressFamily asks for")]
    Family(String),
}

/// All addresses of a place, best first, families in turns.
///
/// # Errors
/// If there is none.
pub(crate) async fn look_up(
    address: &Address,
    family: Family,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let Address { host, port } = address;
    let number = port_number(port).ok_or_else(|| ResolveError::Service(port.clone()))?;
    let asked = tokio::net::lookup_host((host.as_str(), number));
    let found: Vec<SocketAddr> = match tokio::time::timeout(LIMIT, asked).await {
        Ok(Ok(found)) => found.filter(|found| family.takes(found)).collect(),
        Ok(Err(error)) => return Err(ResolveError::Failed(host.clone(), error)),
        Err(_) => return Err(ResolveError::Slow(host.clone())),
    };
    if found.is_empty() {
        return Err(ResolveError::Family(host.clone()));
    }
    Ok(in_turns(found))
}

/// Families in turns, beginning with the family of the first (RFC 8305 section 4): if one of them
/// leads nowhere, the second attempt already is of the other.
fn in_turns(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = found.first().is_some_and(SocketAddr::is_ipv4);
    let (one, other): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv4() == first_is_v4);
    let mut turns = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

/// What an address is called, if it has a name.
pub(crate) async fn name_of(ip: IpAddr) -> Option<String> {
    let asked = tokio::task::spawn_blocking(move || dns_lookup::lookup_addr(&ip));
    let name = tokio::time::timeout(LIMIT, asked).await.ok()?.ok()?.ok()?;
    // An address without a name is given back as it is.
    (name.parse::<IpAddr>().is_err()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|a| a.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_keep_their_own_order() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(in_turns(found), expected);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        let at = |host: &str, port: &str| Address {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        };
        let text = |result: Result<Vec<SocketAddr>, ResolveError>| result.unwrap_err().to_string();
        assert_eq!(
            text(look_up(&at("::1", "no_such_service"), Family::Any).await),
            "port no_such_service is no service of /etc/services"
        );
        assert!(text(look_up(&at("::1", "655"), Family::V4).await).contains("AddressFamily"));
        let found = look_up(&at("::1", "655"), Family::V6).await.unwrap();
        assert_eq!(found, addresses(&["[::1]:655"]));
    }
}
