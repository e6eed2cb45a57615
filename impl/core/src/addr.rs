//! Addresses as the mesh tells them: numeric where possible, opaque text otherwise.
//!
//! A peer may announce an edge whose address is not numeric. Such text is kept, forwarded and
//! shown, but never resolved and never sent to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use crate::constants::MAX_OPAQUE_LEN;

/// The host part of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A numeric address; IPv4-mapped IPv6 addresses are stored as IPv4.
    Ip(IpAddr),
    /// Printable text without white space that is no numeric address.
    Opaque(Arc<str>),
}

impl FromStr for Host {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        match text.parse::<IpAddr>() {
            Ok(ip) => Ok(ip.into()),
            Err(_) => opaque(text).map(Self::Opaque),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Opaque(text) => f.pad(text),
        }
    }
}

/// The port part of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// A port number; 0 stands for unknown.
    Number(u16),
    /// Printable text without white space that is no port number, such as a service name.
    Opaque(Arc<str>),
}

impl Port {
    /// The number, unless it is opaque or 0.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        match self {
            Self::Number(0) | Self::Opaque(_) => None,
            Self::Number(number) => Some(*number),
        }
    }
}

impl FromStr for Port {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        // `u16::from_str` alone would take a leading plus sign.
        if text.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Ok(Self::Number(number));
        }
        opaque(text).map(Self::Opaque)
    }
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Opaque(text) => f.pad(text),
        }
    }
}

/// Where a node can be reached: the address pair of ADD_EDGE and of a relayed ANS_KEY.
///
/// Shown as `ADDR port PORT`, the form of tincd's node and edge lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The address.
    pub host: Host,
    /// The port.
    pub port: Port,
}

impl Endpoint {
    /// Reads the two words of a request.
    ///
    /// # Errors
    /// If a word is empty, too long or has characters that are not printable ASCII.
    pub fn parse(host: &str, port: &str) -> Result<Self, WordError> {
        Ok(Self {
            host: host.parse()?,
            port: port.parse()?,
        })
    }

    /// The address to send to, if both parts are numeric and the port is not 0.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match &self.host {
            Host::Ip(ip) => Some(SocketAddr::new(ip.to_canonical(), self.port.number()?)),
            Host::Opaque(_) => None,
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self {
            host: addr.ip().into(),
            port: addr.port().into(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

/// Why a word cannot stand for a host or a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// There is no text at all.
    #[error("an address or port cannot be empty")]
    Empty,
    /// White space, a control character or anything beyond ASCII. Such text would end up in
    /// logs and in the environment of scripts.
    #[error("an address or port is printable ASCII without blanks, found {found:?}")]
    Character {
        /// The first such character.
        found: char,
    },
    /// Longer than we store. The protocol itself allows 2048 bytes.
    #[error("an address or port has at most {MAX_OPAQUE_LEN} bytes, found {found}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
}

fn opaque(text: &str) -> Result<Arc<str>, WordError> {
    if text.is_empty() {
        return Err(WordError::Empty);
    }
    if let Some(found) = text.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(WordError::Character { found });
    }
    if text.len() > MAX_OPAQUE_LEN {
        return Err(WordError::TooLong { found: text.len() });
    }
    Ok(Arc::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_endpoints_become_socket_addresses() {
        let endpoint = Endpoint::parse("10.99.10.2", "655").unwrap();
        assert_eq!(
            endpoint.socket_addr(),
            Some("10.99.10.2:655".parse().unwrap())
        );
        assert_eq!(endpoint.to_string(), "10.99.10.2 port 655");
        let endpoint = Endpoint::parse("2001:db8::1", "655").unwrap();
        assert_eq!(endpoint.to_string(), "2001:db8::1 port 655");
    }

    #[test]
    fn mapped_addresses_are_the_same_as_plain_ones() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:655".parse().unwrap();
        assert_eq!(
            Endpoint::from(mapped),
            Endpoint::parse("192.0.2.1", "655").unwrap()
        );
        assert_eq!(
            Endpoint::parse("::ffff:192.0.2.1", "655").unwrap(),
            Endpoint::from(mapped)
        );
    }

    #[test]
    fn opaque_text_is_kept_and_never_sent_to() {
        for (host, port) in [
            ("some.host.name", "655"),
            ("fe80::1%eth0", "655"),
            ("192.0.2.1", "tinc"),
            ("192.0.2.1", "0"),
            ("192.0.2.1", "65536"),
        ] {
            let endpoint = Endpoint::parse(host, port).unwrap();
            assert_eq!(endpoint.socket_addr(), None);
            assert_eq!(endpoint.to_string(), format!("{host} port {port}"));
        }
    }

    #[test]
    fn words_that_could_fool_a_terminal_or_a_script_are_refused() {
        for bad in ["", "a b", "a\u{1b}[2J", "a\0", "n\u{e9}", &"x".repeat(256)] {
            assert!(Endpoint::parse(bad, "655").is_err(), "{bad:?}");
            assert!(Endpoint::parse("192.0.2.1", bad).is_err(), "{bad:?}");
        }
    }
}
