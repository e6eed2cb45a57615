//! The other end of the socket: whoever asks.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::IgnoredAny;
use socket2::{Domain, SockAddr, Socket, Type};

use super::metrics::END;
use crate::config::describe;

/// What is asked for the status as JSON.
pub(crate) const JSON: &str = "status json";
/// What is asked for the status in the text format of Prometheus.
pub(crate) const METRICS: &str = "status metrics";

/// How long a daemon may take to answer; ours, longer than it takes itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer, bytes; ours. That of a mesh of a thousand nodes is a megabyte.
const LONGEST_ANSWER: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody is there.
    #[error("no daemon answers at {}", .0.display())]
    NotRunning(PathBuf),
    /// Somebody is, but not for us.
    #[error("{} is for root and the daemon's user", .0.display())]
    NotAllowed(PathBuf),
    /// The daemon does not know what was asked.
    #[error("the daemon does not understand: {0}")]
    Refused(String),
    /// It has begun to answer.
    #[error("the answer at {} was cut short", .0.display())]
    Cut(PathBuf),
    /// Something else.
    #[error("no answer at {}: {}", .0.display(), describe(.1))]
    Broken(PathBuf, io::Error),
}

/// Asks the daemon whose socket is at `path`.
///
/// # Errors
/// If there is no answer, or not all of it.
pub(crate) fn ask(path: &Path, request: &str) -> Result<String, AskError> {
    let answer = converse(path, request).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            AskError::NotRunning(path.to_owned())
        }
        io::ErrorKind::PermissionDenied => AskError::NotAllowed(path.to_owned()),
        _ => AskError::Broken(path.to_owned(), error),
    })?;
    match answer.strip_prefix("error: ") {
        Some(why) => Err(AskError::Refused(why.trim_end().to_owned())),
        None if is_whole(request, &answer) => Ok(answer),
        None => Err(AskError::Cut(path.to_owned())),
    }
}

/// A daemon that ends, or is too slow, leaves half an answer, and nothing else tells that it is one.
fn is_whole(request: &str, answer: &str) -> bool {
    match request {
        METRICS => answer.ends_with(END),
        _ => serde_json::from_str::<IgnoredAny>(answer).is_ok(),
    }
}

fn converse(path: &Path, request: &str) -> io::Result<String> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // It holds for the connection, too.
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&SockAddr::unix(path)?)?;
    let mut stream = UnixStream::from(OwnedFd::from(socket));
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;
    use crate::testing::TempDir;

    /// What we make of `answer`.
    fn told(request: &str, answer: &str) -> Result<String, AskError> {
        let dir = TempDir::new();
        let path = dir.path().join("status");
        let listener = UnixListener::bind(&path).unwrap();
        thread::scope(|threads| {
            threads.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            });
            ask(&path, request)
        })
    }

    #[test]
    fn half_an_answer_is_none() {
        for (request, answer) in [
            (JSON, "{\n  \"name\": \"pi\"\n}\n"),
            (METRICS, "v6router_uptime_seconds 1\n# EOF\n"),
        ] {
            assert_eq!(told(request, answer).unwrap(), answer);
            for end in [1, answer.len() / 2, answer.len() - 2] {
                let half = told(request, &answer[..end]);
                assert!(matches!(half, Err(AskError::Cut(_))), "{half:?}");
            }
        }
    }
}
