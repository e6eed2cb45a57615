//! The daemon's end of the socket: one line asked, one answer, end.
//!
//! Only the owner of the socket can connect. Whoever does can still not hold up the daemon: he has
//! a place among few, a line of few bytes, and little time for either direction.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, lchown};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::client::{JSON, METRICS};
use super::{Status, metrics};
use crate::config::describe;
use crate::kernel;

/// Who is answered at the same time; ours. Others wait in the kernel's queue.
const AT_ONCE: usize = 8;
/// How many wait there; ours.
const QUEUE: i32 = 16;
/// How long a question may take to come, and an answer to be taken; ours.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest question, bytes; ours.
const LONGEST_REQUEST: u64 = 128;
/// The socket is its owner's alone.
const MODE: Mode = Mode::from_bits_truncate(0o600);

/// Somebody asks the loop what it knows.
pub(crate) type Asked = oneshot::Sender<Status>;

/// Answers as long as it lives; then the socket is removed.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where the socket is, also when the root directory has changed.
    dir: File,
    name: OsString,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers at `path`, where `owner`, if given, may ask beside root. Within a tokio runtime.
    ///
    /// # Errors
    /// If somebody else answers there, if something else is there, or what the system says.
    pub(crate) fn start(
        path: &Path,
        owner: Option<Uid>,
        asked: mpsc::Sender<Asked>,
    ) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        let dir = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits())
            .open(parent)?;
        make_room(path)?;
        let listener = UnixListener::from_std(listen(path, owner)?)?;
        Ok(Self {
            dir,
            name: name.to_owned(),
            task: tokio::spawn(serve(listener, asked)),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // Where `-U` has put it out of reach, the next start removes it.
        let _ = unlinkat(&self.dir, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
}

/// Removes a socket at which nobody answers any more.
fn make_room(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("it is there, and no socket"));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // A queue that is full is somebody's, too.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn listen(path: &Path, owner: Option<Uid>) -> io::Result<std::os::unix::net::UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux gives the file the mode of the socket, so that nobody can connect in between.
    fchmod(&socket, MODE)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(owner) = owner {
        lchown(path, Some(owner.as_raw()), None)?;
    }
    socket.listen(QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

async fn serve(listener: UnixListener, asked: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let asked = asked.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, asked).await {
                        debug!(
                            "A question about our status had no answer: {}",
                            describe(&error)
                        );
                    }
                    drop(place);
                });
            }
            Err(error) => {
                debug!("Nobody can ask for our status: {}", describe(&error));
                // Out of descriptors, most likely: some come free only with time.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let (from, mut to) = stream.split();
    let mut line = String::new();
    let mut from = BufReader::new(from.take(LONGEST_REQUEST));
    timeout(PATIENCE, from.read_line(&mut line)).await??;
    let answer = match line.strip_suffix('\n') {
        Some(JSON) => {
            let status = whole(asked).await?;
            serde_json::to_string_pretty(&status).map_err(io::Error::other)? + "\n"
        }
        Some(METRICS) => metrics(&whole(asked).await?),
        _ => format!("error: known are: {JSON}, {METRICS}\n"),
    };
    timeout(PATIENCE, to.write_all(answer.as_bytes())).await??;
    to.shutdown().await
}

/// What the loop knows, and what the kernel does.
async fn whole(asked: mpsc::Sender<Asked>) -> io::Result<Status> {
    let stopped = || io::Error::other("the daemon stops");
    let (answer, answered) = oneshot::channel();
    asked.send(answer).await.map_err(|_| stopped())?;
    let mut status = answered.await.map_err(|_| stopped())?;
    // What the kernel does not tell is missing.
    match timeout(PATIENCE, kernel::find(&mut status)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("The kernel does not tell what is near: {error}"),
        Err(_) => debug!("The kernel takes too long to tell what is near"),
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::thread;

    use super::super::{AskError, ask};
    use super::*;
    use crate::testing::TempDir;

    fn named(name: &str) -> Status {
        Status {
            name: name.to_owned(),
            ..Status::default()
        }
    }

    /// Begins to answer; whoever asks is told `name`.
    fn start(path: &Path, name: &'static str) -> Server {
        let (asked, mut asks) = mpsc::channel::<Asked>(1);
        tokio::spawn(async move {
            while let Some(answer) = asks.recv().await {
                let _ = answer.send(named(name));
            }
        });
        Server::start(path, None, asked).unwrap()
    }

    /// Asks on a thread of its own.
    async fn told(path: &Path, request: &'static str) -> Result<String, AskError> {
        let path = path.to_owned();
        let (answer, answered) = oneshot::channel();
        thread::spawn(move || answer.send(ask(&path, request)));
        answered.await.unwrap()
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
        let dir = TempDir::new();
        let path = dir.path().join("status");
        let server = start(&path, "pi");
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = told(&path, JSON).await.unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), named("pi"));
        let text = told(&path, METRICS).await.unwrap();
        assert!(text.contains("name=\"pi\""), "{text}");
        drop(server);
        assert!(!path.exists());
        assert!(matches!(
            told(&path, JSON).await,
            Err(AskError::NotRunning(_))
        ));
    }

    #[tokio::test]
    async fn a_socket_is_replaced_only_if_nobody_answers_there() {
        let dir = TempDir::new();
        let path = dir.path().join("status");
        drop(listen(&path, None).unwrap());
        assert!(path.exists());
        assert!(matches!(
            told(&path, JSON).await,
            Err(AskError::NotRunning(_))
        ));
        let server = start(&path, "pi");
        let (asked, _asks) = mpsc::channel(1);
        let error = Server::start(&path, None, asked.clone()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        told(&path, JSON).await.unwrap();
        drop(server);
        fs::write(&path, "precious").unwrap();
        let error = Server::start(&path, None, asked).unwrap_err();
        assert_eq!(error.to_string(), "it is there, and no socket");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn who_says_nothing_or_too_much_keeps_nobody_from_being_answered() {
        let dir = TempDir::new();
        let path = dir.path().join("status");
        let _server = start(&path, "pi");
        let mut silent = Vec::new();
        for _ in 1..AT_ONCE {
            silent.push(UnixStream::connect(&path).await.unwrap());
        }
        told(&path, JSON).await.unwrap();
        let mut much = UnixStream::connect(&path).await.unwrap();
        much.write_all(&[b'x'; 4096]).await.unwrap();
        let mut answer = String::new();
        // It may be cut off with an error, for what it said was not read.
        let _ = much.read_to_string(&mut answer).await;
        assert!(
            answer.is_empty() || answer.starts_with("error: "),
            "{answer}"
        );
        told(&path, JSON).await.unwrap();
        let refused = told(&path, "status please").await;
        assert!(matches!(refused, Err(AskError::Refused(_))), "{refused:?}");
    }
}
