//! SOCKS 4 and its extension 4a for names.

use std::net::{IpAddr, Ipv4Addr};

use super::{Dialogue, ProxyError, Step, Target};

/// An address that no server has: a name follows (SOCKS 4a).
const NAME_FOLLOWS: Ipv4Addr = Ipv4Addr::new(0, 0, 0, 1);
/// "Request granted" (SOCKS 4).
const GRANTED: u8 = 0x5a;

/// One request and one answer of eight bytes.
pub(super) struct Socks4 {
    state: State,
}

enum State {
    Request(Vec<u8>),
    Asked,
    Answered,
}

impl Socks4 {
    pub(super) fn new(user: &str, target: &Target, names: bool) -> Result<Self, ProxyError> {
        let (ip, port, name) = match target {
            Target::Address(address) => match address.ip().to_canonical() {
                IpAddr::V4(ip) => (ip, address.port(), None),
                IpAddr::V6(_) => {
                    return Err(ProxyError::Impossible(
                        "SOCKS 4 cannot carry IPv6 addresses",
                    ));
                }
            },
            Target::Name(name, port) if names => (NAME_FOLLOWS, *port, Some(name)),
            Target::Name(..) => {
                return Err(ProxyError::Impossible(
                    "SOCKS 4 cannot carry names; socks4a can",
                ));
            }
        };
        let mut request = vec![4, 1];
        request.extend(port.to_be_bytes());
        request.extend(ip.octets());
        request.extend(user.as_bytes());
        request.push(0);
        if let Some(name) = name {
            request.extend(name.as_bytes());
            request.push(0);
        }
        Ok(Self {
            state: State::Request(request),
        })
    }
}

impl Dialogue for Socks4 {
    fn step(&mut self, read: &[u8]) -> Result<Step, ProxyError> {
        match std::mem::replace(&mut self.state, State::Answered) {
            State::Request(request) => {
                self.state = State::Asked;
                Ok(Step::Write(request))
            }
            State::Asked => Ok(Step::Read(8)),
            State::Answered => match read {
                [0, GRANTED, ..] => Ok(Step::Done),
                [0, code @ 0x5b..=0x5d, ..] => Err(ProxyError::Refused(format!("code {code}"))),
                _ => Err(ProxyError::Nonsense("SOCKS 4")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{named, play, v4, v6};
    use super::*;

    const YES: [u8; 9] = [0, 0x5a, 0, 0, 0, 0, 0, 0, b'0'];

    #[test]
    fn an_address_and_a_user_are_told() {
        let dialogue = Socks4::new("me", &v4(), false).unwrap();
        let (written, left) = play(dialogue, &YES);
        assert_eq!(written, b"\x04\x01\x02\x8f\xc0\x00\x02\x07me\0");
        assert_eq!(left.unwrap(), 1, "the peer's first byte was read");
    }

    #[test]
    fn a_name_follows_an_impossible_address() {
        let dialogue = Socks4::new("", &named(), true).unwrap();
        let (written, _) = play(dialogue, &YES);
        assert_eq!(written, b"\x04\x01\x02\x8f\0\0\0\x01\0pi.example\0");
    }

    #[test]
    fn what_it_cannot_do_is_said() {
        assert!(Socks4::new("", &named(), false).is_err());
        assert!(Socks4::new("", &v6(), true).is_err());
        let refused = play(
            Socks4::new("", &v4(), false).unwrap(),
            &[0, 0x5b, 0, 0, 0, 0, 0, 0],
        );
        assert_eq!(
            refused.1.unwrap_err().to_string(),
            "the proxy refused: code 91"
        );
        let other = play(Socks4::new("", &v4(), false).unwrap(), b"HTTP/1.1");
        assert!(matches!(other.1, Err(ProxyError::Nonsense(_))));
    }
}
