//! Connections through a proxy: what is said to it before the peer hears anything.
//!
//! Each protocol is a [`Dialogue`], a state machine that knows no socket: it says what to write
//! and how many bytes to read next, never one byte more than belongs to the proxy, so that what
//! follows is the peer's from its first byte.

mod exec;
mod http;
mod socks4;
mod socks5;

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::config::{Protocol, describe};
pub(crate) use exec::{Surroundings, run};

/// Whom a connection shall reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A numeric address.
    Address(SocketAddr),
    /// A name that we cannot look up; the proxy shall try.
    Name(String, u16),
}

impl Target {
    /// Whether a name may be told to a proxy: nothing in it can be mistaken for something else.
    pub(crate) fn is_fit(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= MAX_NAME
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    }
}

/// Longest name (RFC 1928 section 5: one byte says how long it is).
const MAX_NAME: usize = 255;

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{} port {}", address.ip(), address.port()),
            Self::Name(name, port) => write!(f, "{name} port {port}"),
        }
    }
}

/// Why a proxy did not connect us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// It said no.
    #[error("the proxy refused: {0}")]
    Refused(String),
    /// It speaks something else.
    #[error("the proxy's answer is not {0}; is that what it speaks?")]
    Nonsense(&'static str),
    /// This kind of proxy cannot do that.
    #[error("{0}")]
    Impossible(&'static str),
    /// The connection to it broke.
    #[error("the proxy ended the dialogue: {reason}", reason = describe(.0))]
    Broken(#[from] io::Error),
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Write this.
    Write(Vec<u8>),
    /// Read exactly so many bytes, at least one.
    Read(usize),
    /// The proxy has connected us: all that follows is between us and the peer.
    Done,
}

/// A dialogue with a proxy that has not come to its end.
trait Dialogue: Send {
    /// Goes on with what was read last: nothing at the beginning and after a write.
    fn step(&mut self, read: &[u8]) -> Result<Step, ProxyError>;
}

fn dialogue(protocol: &Protocol, target: &Target) -> Result<Box<dyn Dialogue>, ProxyError> {
    Ok(match protocol {
        Protocol::Socks4 { user } => Box::new(socks4::Socks4::new(user, target, false)?),
        Protocol::Socks4a { user } => Box::new(socks4::Socks4::new(user, target, true)?),
        Protocol::Socks5 { login } => Box::new(socks5::Socks5::new(login.clone(), target)),
        Protocol::Http => Box::new(http::Http::new(target)),
    })
}

/// Has the proxy at the other end of `stream` connect us to `target`.
///
/// # Errors
/// If it does not.
pub(crate) async fn negotiate(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    protocol: &Protocol,
    target: &Target,
) -> Result<(), ProxyError> {
    let mut dialogue = dialogue(protocol, target)?;
    let mut buffer = Vec::new();
    loop {
        match dialogue.step(&buffer)? {
            Step::Write(bytes) => {
                buffer.clear();
                stream.write_all(&bytes).await?;
            }
            Step::Read(count) => {
                buffer.resize(count, 0);
                stream.read_exact(&mut buffer).await?;
            }
            Step::Done => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Login;

    /// Plays a dialogue with a proxy that says `answer`; returns what was written and how many
    /// bytes of the answer were left for the peer.
    pub(super) fn play(
        mut dialogue: impl Dialogue,
        answer: &[u8],
    ) -> (Vec<u8>, Result<usize, ProxyError>) {
        let (mut written, mut rest, mut read) = (Vec::new(), answer, &answer[..0]);
        loop {
            match dialogue.step(read) {
                Ok(Step::Write(bytes)) => {
                    written.extend(bytes);
                    read = &[];
                }
                Ok(Step::Read(count)) => {
                    assert!(count > 0, "reads nothing");
                    let Some((now, later)) = rest.split_at_checked(count) else {
                        let end = io::ErrorKind::UnexpectedEof.into();
                        return (written, Err(ProxyError::Broken(end)));
                    };
                    (read, rest) = (now, later);
                }
                Ok(Step::Done) => return (written, Ok(rest.len())),
                Err(error) => return (written, Err(error)),
            }
        }
    }

    pub(super) fn v4() -> Target {
        Target::Address("192.0.2.7:655".parse().unwrap())
    }

    pub(super) fn v6() -> Target {
        Target::Address("[2001:db8::7]:655".parse().unwrap())
    }

    pub(super) fn named() -> Target {
        Target::Name("pi.example".into(), 655)
    }

    pub(super) fn login() -> Option<Login> {
        Some(Login {
            user: "me".into(),
            password: "secret".to_owned().into(),
        })
    }

    #[test]
    fn only_plain_names_are_told_to_a_proxy() {
        for good in ["pi.example", "a-b.c", "7"] {
            assert!(Target::is_fit(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a\r\nHost: b",
            "a/b",
            "::1",
            "b\u{fc}cher",
            &"a".repeat(256),
        ] {
            assert!(!Target::is_fit(bad), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever a proxy answers: no panic, no reading without end.
        #[test]
        fn no_answer_of_a_proxy_does_harm(
            answer in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..400),
                proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(3), Just(5), Just(90), any::<u8>()], 0..400),
                "HTTP/1\\.[01] [0-9]{0,4} ?[ -~\r\n]{0,200}".prop_map(String::into_bytes),
            ],
            kind in 0..5_u8,
            target in prop_oneof![Just(v4()), Just(v6()), Just(named())],
        ) {
            let user = String::new();
            let protocol = match kind {
                0 => Protocol::Socks4 { user },
                1 => Protocol::Socks4a { user },
                2 => Protocol::Socks5 { login: None },
                3 => Protocol::Socks5 { login: login() },
                _ => Protocol::Http,
            };
            struct Boxed(Box<dyn Dialogue>);
            impl Dialogue for Boxed {
                fn step(&mut self, read: &[u8]) -> Result<Step, ProxyError> {
                    self.0.step(read)
                }
            }
            if let Ok(dialogue) = dialogue(&protocol, &target) {
                let (_, outcome) = play(Boxed(dialogue), &answer);
                if let Ok(left) = outcome {
                    prop_assert!(left <= answer.len());
                }
            }
        }
    }
}
