//! The other end of the socket: whoever asks.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

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
    /// Something else.
    #[error("no answer at {}: {}", .0.display(), describe(.1))]
    Broken(PathBuf, io::Error),
}

/// Asks the daemon whose socket is at `path`.
///
/// # Errors
/// If there is no answer.
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
        None => Ok(answer),
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
