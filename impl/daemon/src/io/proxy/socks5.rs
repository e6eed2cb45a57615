//! SOCKS 5 (RFC 1928) with user and password (RFC 1929).
//!
//! tincd sends everything in one burst. We wait for each answer, as the RFC has it: the password
//! is sent only to a proxy that asks for it.

use std::net::IpAddr;

use super::{Dialogue, ProxyError, Step, Target};
use crate::config::Login;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
/// Version of the sub-negotiation (RFC 1929).
const LOGIN_VERSION: u8 = 1;
/// Address types (RFC 1928 section 5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
/// Up to the first byte of the address in an answer.
const HEAD: usize = 5;

/// A greeting, perhaps a login, a request.
pub(super) struct Socks5 {
    state: State,
    login: Option<Login>,
    request: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    Start,
    Greeted,
    Method,
    LoggedIn,
    Login,
    Asked,
    Head,
    Tail,
}

impl Socks5 {
    pub(super) fn new(login: Option<Login>, target: &Target) -> Self {
        let mut request = vec![VERSION, 1, 0];
        let port = match target {
            Target::Address(address) => {
                match address.ip().to_canonical() {
                    IpAddr::V4(ip) => {
                        request.push(IPV4);
                        request.extend(ip.octets());
                    }
                    IpAddr::V6(ip) => {
                        request.push(IPV6);
                        request.extend(ip.octets());
                    }
                }
                address.port()
            }
            Target::Name(name, port) => {
                request.push(NAME);
                push_counted(&mut request, name.as_bytes());
                *port
            }
        };
        request.extend(port.to_be_bytes());
        Self {
            state: State::Start,
            login,
            request,
        }
    }

    fn ask(&mut self) -> Step {
        self.state = State::Asked;
        Step::Write(std::mem::take(&mut self.request))
    }

    fn log_in(&mut self) -> Result<Step, ProxyError> {
        let Some(login) = self.login.take() else {
            return Err(ProxyError::Refused("it wants a user and a password".into()));
        };
        let mut words = vec![LOGIN_VERSION];
        push_counted(&mut words, login.user.as_bytes());
        push_counted(&mut words, login.password.as_bytes());
        self.state = State::LoggedIn;
        Ok(Step::Write(words))
    }
}

impl Dialogue for Socks5 {
    fn step(&mut self, read: &[u8]) -> Result<Step, ProxyError> {
        match (self.state, read) {
            (State::Start, _) => {
                self.state = State::Greeted;
                let mut greeting = vec![VERSION, 1, NO_AUTHENTICATION];
                if self.login.is_some() {
                    greeting = vec![VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD];
                }
                Ok(Step::Write(greeting))
            }
            (State::Greeted, _) => {
                self.state = State::Method;
                Ok(Step::Read(2))
            }
            (State::Method, [VERSION, NO_AUTHENTICATION]) => Ok(self.ask()),
            (State::Method, [VERSION, USER_AND_PASSWORD]) => self.log_in(),
            (State::Method, [VERSION, _]) => Err(ProxyError::Refused(
                "it takes none of our ways to authenticate".into(),
            )),
            (State::LoggedIn, _) => {
                self.state = State::Login;
                Ok(Step::Read(2))
            }
            // RFC 1929 has version 1; some proxies answer with 5, which is all that tincd takes.
            (State::Login, [LOGIN_VERSION | VERSION, 0]) => Ok(self.ask()),
            (State::Login, [LOGIN_VERSION | VERSION, _]) => {
                Err(ProxyError::Refused("wrong user or password".into()))
            }
            (State::Asked, _) => {
                self.state = State::Head;
                Ok(Step::Read(HEAD))
            }
            (State::Head, [VERSION, 0, _, kind, first]) => {
                self.state = State::Tail;
                // The first byte of the address is read; two of the port follow it.
                match *kind {
                    IPV4 => Ok(Step::Read(3 + 2)),
                    IPV6 => Ok(Step::Read(15 + 2)),
                    NAME => Ok(Step::Read(usize::from(*first) + 2)),
                    _ => Err(ProxyError::Nonsense("SOCKS 5")),
                }
            }
            (State::Head, [VERSION, code, ..]) => Err(ProxyError::Refused(reason(*code))),
            (State::Tail, _) => Ok(Step::Done),
            (State::Method | State::Login | State::Head, _) => Err(ProxyError::Nonsense("SOCKS 5")),
        }
    }
}

/// Appends a word after the byte that says how long it is; callers see to at most 255 bytes.
fn push_counted(bytes: &mut Vec<u8>, word: &[u8]) {
    let count = u8::try_from(word.len()).unwrap_or(u8::MAX);
    bytes.push(count);
    bytes.extend(word.iter().take(count.into()));
}

/// RFC 1928 section 6.
fn reason(code: u8) -> String {
    match code {
        1 => "general failure".into(),
        2 => "its rules do not allow it".into(),
        3 => "network unreachable".into(),
        4 => "host unreachable".into(),
        5 => "connection refused".into(),
        6 => "the connection took too long".into(),
        7 => "it cannot make connections".into(),
        8 => "it does not know this type of address".into(),
        code => format!("code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{login, named, play, v4, v6};
    use super::*;

    /// "Granted", by type of address, and then the first byte of the peer.
    const GRANTED: [&[u8]; 3] = [
        b"\x05\0\0\x01\x7f\0\0\x01\x01\x020",
        b"\x05\0\0\x03\x04host\x01\x020",
        b"\x05\0\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x020",
    ];

    fn answers(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn every_type_of_address_is_read_to_its_last_byte() {
        for granted in GRANTED {
            let (written, left) = play(Socks5::new(None, &v4()), &answers(&[b"\x05\0", granted]));
            assert_eq!(written, b"\x05\x01\0\x05\x01\0\x01\xc0\0\x02\x07\x02\x8f");
            assert_eq!(left.unwrap(), 1);
        }
    }

    #[test]
    fn ipv6_addresses_and_names_are_told() {
        let (written, _) = play(Socks5::new(None, &v6()), b"\x05\0");
        assert_eq!(
            written[3..],
            *b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x02\x8f"
        );
        let (written, _) = play(Socks5::new(None, &named()), b"\x05\0");
        assert_eq!(written[3..], *b"\x05\x01\0\x03\x0api.example\x02\x8f");
    }

    #[test]
    fn the_login_is_answered_by_either_version() {
        for version in [b"\x01\0", b"\x05\0"] {
            let answer = answers(&[b"\x05\x02", version, GRANTED[0]]);
            let (written, left) = play(Socks5::new(login(), &v4()), &answer);
            let expected = answers(&[
                b"\x05\x02\0\x02",
                b"\x01\x02me\x06secret",
                b"\x05\x01\0\x01\xc0\0\x02\x07\x02\x8f",
            ]);
            assert_eq!(written, expected);
            assert_eq!(left.unwrap(), 1);
        }
    }

    #[test]
    fn a_password_is_not_told_to_a_proxy_that_does_not_ask() {
        let (written, left) = play(
            Socks5::new(login(), &v4()),
            &answers(&[b"\x05\0", GRANTED[0]]),
        );
        assert!(left.is_ok());
        assert!(!written.windows(6).any(|six| six == b"secret"));
    }

    #[test]
    fn a_refusal_says_why() {
        for (answer, why) in [
            (&b"\x05\xff"[..], "none of our ways"),
            (b"\x05\x02\x01\x01", "wrong user or password"),
            (b"\x05\0\x05\x05\0\x01\0", "connection refused"),
            (b"HTTP/1.1 400", "not SOCKS 5"),
        ] {
            let (_, outcome) = play(Socks5::new(login(), &v4()), answer);
            let text = outcome.unwrap_err().to_string();
            assert!(text.contains(why), "{text}");
        }
        let (_, outcome) = play(Socks5::new(None, &v4()), b"\x05\x02");
        assert!(outcome.unwrap_err().to_string().contains("wants a user"));
    }
}
