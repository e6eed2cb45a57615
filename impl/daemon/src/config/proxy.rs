//! `Proxy`: by whose help outgoing connections are made (tinc manual, `Proxy`).

use std::fmt;

use zeroize::Zeroizing;

use super::host::Address;
use super::server::port;
use super::syntax::Assignment;
use super::values::{BadValue, Reader};

/// Who connects for us.
#[derive(Debug, Clone)]
pub(crate) enum Proxy {
    /// A server that is told where to connect to.
    Server {
        /// Where it is.
        at: Address,
        /// What it speaks.
        protocol: Protocol,
    },
    /// A shell command whose standard input and output are the connection.
    Exec(String),
}

/// What a proxy server speaks, and what it wants to know of us.
#[derive(Debug, Clone)]
pub(crate) enum Protocol {
    /// SOCKS 4: IPv4 addresses only.
    Socks4 {
        /// Empty if not given.
        user: String,
    },
    /// SOCKS 4a: also names.
    Socks4a {
        /// Empty if not given.
        user: String,
    },
    /// SOCKS 5 (RFC 1928).
    Socks5 {
        /// RFC 1929, if given.
        login: Option<Login>,
    },
    /// `CONNECT` (RFC 9110 section 9.3.6).
    Http,
}

/// What kind it is and where; nothing that is nobody else's business.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, protocol) = match self {
            Self::Exec(_) => return f.write_str("exec"),
            Self::Server { at, protocol } => (at, protocol),
        };
        let protocol = match protocol {
            Protocol::Socks4 { .. } => "socks4",
            Protocol::Socks4a { .. } => "socks4a",
            Protocol::Socks5 { .. } => "socks5",
            Protocol::Http => "http",
        };
        write!(f, "{protocol} {} port {}", at.host, at.port)
    }
}

/// A user and his password.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// Longest user or password (RFC 1929: one byte says how long it is).
const MAX_WORD: usize = 255;

impl Proxy {
    /// Reads `Proxy`; `None` connects without help.
    ///
    /// # Errors
    /// If its type is unknown or something is missing.
    pub(super) fn read(r: &Reader<'_>) -> Result<Option<Self>, BadValue> {
        r.text("Proxy").map_or(Ok(None), Self::parse)
    }

    fn parse(entry: &Assignment) -> Result<Option<Self>, BadValue> {
        let (kind, rest) = entry
            .value
            .split_once([' ', '\t'])
            .unwrap_or((&entry.value, ""));
        let rest = rest.trim_start();
        let kind = kind.to_ascii_lowercase();
        let mut words = rest.split_whitespace();
        match kind.as_str() {
            "none" => return Ok(None),
            "exec" if rest.is_empty() => {
                return Err(bad(entry, "`Proxy = exec COMMAND' expected"));
            }
            "exec" => return Ok(Some(Self::Exec(rest.to_owned()))),
            "socks4" | "socks4a" | "socks5" | "http" => {}
            _ => {
                let want = "expected one of none, socks4, socks4a, socks5, http, exec";
                return Err(bad(entry, want));
            }
        }
        let (Some(host), Some(port_text)) = (words.next(), words.next()) else {
            return Err(bad(entry, format!("`Proxy = {kind} HOST PORT' expected")));
        };
        let at = Address {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port(&hidden(entry), port_text)?,
        };
        let (user, password) = (words.next().unwrap_or_default(), words.next());
        if user.len().max(password.map_or(0, str::len)) > MAX_WORD || user.contains('\0') {
            return Err(bad(entry, "a user and a password have at most 255 bytes"));
        }
        let user = user.to_owned();
        let protocol = match (kind.as_str(), password) {
            ("socks4", _) => Protocol::Socks4 { user },
            ("socks4a", _) => Protocol::Socks4a { user },
            ("socks5", Some(password)) => Protocol::Socks5 {
                login: Some(Login {
                    user,
                    password: Zeroizing::new(password.to_owned()),
                }),
            },
            // A user without password is none, as in tincd.
            ("socks5", None) => Protocol::Socks5 { login: None },
            _ => Protocol::Http,
        };
        Ok(Some(Self::Server { at, protocol }))
    }
}

fn bad(entry: &Assignment, want: impl Into<String>) -> BadValue {
    BadValue::new(&hidden(entry), want)
}

/// The entry without what may be a password.
fn hidden(entry: &Assignment) -> Assignment {
    let shown: Vec<&str> = entry.value.split_whitespace().take(3).collect();
    Assignment {
        value: shown.join(" "),
        ..entry.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;

    fn read(text: &str) -> Result<Option<Proxy>, BadValue> {
        let set = ConfigSet::from_text(&format!("Proxy = {text}\n"));
        Proxy::read(&Reader::new(&set))
    }

    fn server(text: &str) -> (String, Protocol) {
        let Ok(Some(Proxy::Server { at, protocol })) = read(text) else {
            panic!("{text}")
        };
        (format!("{} {}", at.host, at.port), protocol)
    }

    #[test]
    fn every_kind_of_proxy_is_understood() {
        assert!(matches!(read("none"), Ok(None)));
        let Ok(Some(Proxy::Exec(command))) = read("exec nc  -X connect $REMOTEADDRESS") else {
            panic!()
        };
        assert_eq!(command, "nc  -X connect $REMOTEADDRESS");
        let (at, protocol) = server("Socks4 192.0.2.1 1080 me");
        assert_eq!(at, "192.0.2.1 1080");
        assert!(matches!(protocol, Protocol::Socks4 { user } if user == "me"));
        let (_, protocol) = server("socks4a proxy 1080");
        assert!(matches!(protocol, Protocol::Socks4a { user } if user.is_empty()));
        let (_, protocol) = server("socks5 proxy 1080 me secret");
        let Protocol::Socks5 { login: Some(login) } = protocol else {
            panic!()
        };
        assert_eq!(
            (login.user.as_str(), login.password.as_str()),
            ("me", "secret")
        );
        let (_, protocol) = server("socks5 proxy 1080");
        assert!(matches!(protocol, Protocol::Socks5 { login: None }));
        let (at, protocol) = server("http [2001:db8::1] 3128");
        assert_eq!(at, "2001:db8::1 3128");
        assert!(matches!(protocol, Protocol::Http));
    }

    #[test]
    fn what_is_missing_is_named_and_a_password_is_not_shown() {
        for (text, want) in [
            ("socks6 h 1", "expected one of none"),
            ("socks5", "`Proxy = socks5 HOST PORT' expected"),
            ("http proxy", "`Proxy = http HOST PORT' expected"),
            ("socks5 proxy 70000 me secret", "port number"),
            ("exec", "COMMAND"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let long = "x".repeat(256);
        let error = read(&format!("socks5 h 1 me {long}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("255") && !error.contains(&long), "{error}");
    }
}
