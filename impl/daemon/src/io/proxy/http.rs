//! `CONNECT` of HTTP (RFC 9110 section 9.3.6).

use std::net::SocketAddr;

use super::{Dialogue, ProxyError, Step, Target};

/// Longest header of an answer, bytes; ours.
const MAX_HEADER: usize = 16 * 1024;
/// What is shown of a refusal, bytes.
const MAX_SHOWN: usize = 100;

/// One request and one header.
pub(super) struct Http {
    request: Option<Vec<u8>>,
    header: Vec<u8>,
}

impl Http {
    pub(super) fn new(target: &Target) -> Self {
        let place = match target {
            // Writes the brackets around IPv6 addresses, and no zone.
            Target::Address(address) => SocketAddr::new(address.ip(), address.port()).to_string(),
            Target::Name(name, port) => format!("{name}:{port}"),
        };
        let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n");
        Self {
            request: Some(request.into_bytes()),
            header: Vec::new(),
        }
    }

    /// What the first line says.
    fn verdict(&self) -> Result<Step, ProxyError> {
        let line = self
            .header
            .split(|b| *b == b'\n')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.trim_end().splitn(2, ' ');
        let version = words.next().unwrap_or_default().to_ascii_uppercase();
        let status = words.next().unwrap_or_default().trim_start();
        // Any 2xx means that the tunnel stands.
        let is_number = status
            .get(..3)
            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        match (version.as_str(), is_number) {
            ("HTTP/1.0" | "HTTP/1.1", true) if status.starts_with('2') => Ok(Step::Done),
            ("HTTP/1.0" | "HTTP/1.1", true) => Err(ProxyError::Refused(
                status.chars().take(MAX_SHOWN).collect(),
            )),
            _ => Err(ProxyError::Nonsense("HTTP/1")),
        }
    }
}

impl Dialogue for Http {
    fn step(&mut self, read: &[u8]) -> Result<Step, ProxyError> {
        if let Some(request) = self.request.take() {
            return Ok(Step::Write(request));
        }
        self.header.extend_from_slice(read);
        if self.header.len() > MAX_HEADER {
            return Err(ProxyError::Nonsense("HTTP/1"));
        }
        // As many bytes as are missing at least of the blank line, since what follows it is the
        // peer's.
        match self.header.as_slice() {
            [.., b'\n', b'\r', b'\n'] | [.., b'\n', b'\n'] => self.verdict(),
            [.., b'\n', b'\r'] | [.., b'\n'] => Ok(Step::Read(1)),
            _ => Ok(Step::Read(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{named, play, v4, v6};
    use super::*;

    #[test]
    fn the_target_is_named_and_ipv6_has_brackets() {
        for (target, place) in [
            (v4(), "192.0.2.7:655"),
            (v6(), "[2001:db8::7]:655"),
            (named(), "pi.example:655"),
        ] {
            let (written, _) = play(Http::new(&target), b"");
            let expected = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n");
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }

    #[test]
    fn the_peers_first_byte_stays_for_us() {
        for answer in [
            "HTTP/1.1 200 Connection established\r\n\r\n0",
            "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n0",
            "http/1.1 204\r\n\r\n0",
            "HTTP/1.1 200 OK\n\n0",
            "HTTP/1.1 200 OK\r\nA: b\n\r\n0",
        ] {
            let (_, left) = play(Http::new(&v4()), answer.as_bytes());
            assert_eq!(left.unwrap(), 1, "{answer:?}");
        }
    }

    #[test]
    fn a_refusal_shows_the_proxys_own_words() {
        let text = |answer: &str| {
            let (_, outcome) = play(Http::new(&v4()), answer.as_bytes());
            outcome.unwrap_err().to_string()
        };
        assert_eq!(
            text("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            "the proxy refused: 407 Proxy Authentication Required"
        );
        assert!(text("SSH-2.0-OpenSSH\r\n\r\n").contains("not HTTP/1"));
        assert!(text("HTTP/1.1 2\r\n\r\n").contains("not HTTP/1"));
        assert!(text(&"A: b\r\n".repeat(4000)).contains("not HTTP/1"));
    }
}
