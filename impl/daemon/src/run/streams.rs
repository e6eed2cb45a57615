//! Meta connections: who may open one, and what is remembered of each.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{info, warn};
use v6router_core::name::NodeName;
use v6router_core::node::{Backlog, ConnId, Input};

use super::daemon::Daemon;
use crate::config::Version;
use crate::io::admission::Admitted;
use crate::io::dial::{DialSetup, Dialled, prefer_speed};
use crate::io::meta::MetaStream;
use crate::io::proxy::Target;
use crate::io::resolve;
use crate::io::transport::Transport;

/// What we tell the mesh of a node whose name only a proxy could look up: an address that no
/// packet reaches (RFC 7600, the IPv4 dummy address). A name there would make tincd end.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// How often the least age of an attempt doubles: up to 16 seconds.
const MOST_DOUBLINGS: u32 = 4;

/// One meta connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) meta: MetaStream,
    pub(super) began: Instant,
    /// Whom we wanted to reach, or who the peer says it is.
    pub(super) node: Option<NodeName>,
    /// The host file of that node when it was read for this connection.
    pub(super) host: Option<Version>,
    /// We made the connection, to this place.
    pub(super) dialled: Option<Target>,
}

/// Attempts to connect.
#[derive(Debug)]
pub(super) struct Dialling {
    pub(super) setup: DialSetup,
    pub(super) attempts: HashMap<NodeName, Attempt>,
    /// Where something answered that has not proven to be the node, the latest last.
    pub(super) doubtful: HashMap<NodeName, Vec<Target>>,
    pub(super) results: mpsc::Sender<DialResult>,
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) started: Instant,
    /// How often it has begun anew since the network had changed.
    pub(super) renewals: u32,
    pub(super) task: JoinHandle<()>,
}

impl Attempt {
    /// Whether it may begin anew because the network has changed: the first time at once, and then ever more seldom, so
    /// that one comes to its end in a network that changes all the time.
    pub(super) fn may_begin_anew(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.started) >= least_age(self.renewals)
    }
}

/// How old an attempt has to be that was begun anew so often.
fn least_age(renewals: u32) -> Duration {
    let doublings = renewals.saturating_sub(1).min(MOST_DOUBLINGS);
    Duration::from_secs(u64::from(renewals.min(1)) << doublings)
}

/// How an attempt went.
#[derive(Debug)]
pub(super) struct DialResult {
    pub(super) node: NodeName,
    pub(super) started: Instant,
    pub(super) dialled: Option<Dialled>,
}

impl Daemon {
    /// Serves a connection that somebody made to us, now or when it is its turn.
    pub(super) fn accepted(&mut self, stream: TcpStream, peer: SocketAddr) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        match self.admission.ask(peer.ip()) {
            Admitted::Yes => {}
            Admitted::InPlaceOf(conn) => {
                warn!("Too many connections that prove nothing; the one that had most time ends");
                self.forget(conn);
                self.feed(Input::Closed { conn });
            }
            Admitted::Later => {
                let ip = peer.ip();
                if !self.admission.wait(ip, (stream, peer), Instant::now()) {
                    warn!(
                        "Too many connections from {ip} have still to prove who they are; others wait"
                    );
                }
                return;
            }
        }
        self.serve_stream(stream, peer);
    }

    /// Serves those whose turn has come.
    pub(super) fn serve_waiting(&mut self) {
        let patience = self.setup.config.numbers.ping_timeout;
        while let Some((stream, peer)) = self.admission.next(patience, Instant::now()) {
            self.serve_stream(stream, peer);
        }
    }

    fn serve_stream(&mut self, stream: TcpStream, peer: SocketAddr) {
        let _ = prefer_speed(&socket2::SockRef::from(&stream), peer.is_ipv4());
        self.look_up_name(peer);
        let (conn, backlog) = self.open(Transport::Tcp(stream), Instant::now(), None, None);
        self.admission.enter(conn, peer.ip());
        self.feed(Input::Accepted {
            conn,
            peer,
            backlog,
        });
    }

    /// An attempt to connect is over.
    pub(super) fn dialled(&mut self, result: DialResult) {
        let DialResult {
            node,
            started,
            dialled,
        } = result;
        // Cancelled meanwhile, or begun once more.
        let attempt = self.dialling.attempts.get(&node);
        if attempt.is_none_or(|attempt| attempt.started != started) {
            return;
        }
        self.dialling.attempts.remove(&node);
        let Some(Dialled { transport, target }) = dialled else {
            self.feed(Input::DialFailed { node });
            return;
        };
        let peer = match &target {
            Target::Address(address) => {
                self.look_up_name(*address);
                *address
            }
            Target::Name(_, port) => SocketAddr::from((NOWHERE, *port)),
        };
        // Until it has lasted, it may be anything.
        let doubtful = self.dialling.doubtful.entry(node.clone()).or_default();
        doubtful.retain(|other| *other != target);
        doubtful.push(target.clone());
        let (conn, backlog) =
            self.open(transport, Instant::now(), Some(node.clone()), Some(target));
        self.feed(Input::Connected {
            conn,
            node,
            peer,
            started,
            backlog,
        });
    }

    /// With `Hostnames`, has the log say what an address is called, beside everything else.
    pub(super) fn look_up_name(&self, peer: SocketAddr) {
        if !self.setup.config.hostnames {
            return;
        }
        // Strangers connect too: whoever comes while enough look-ups are under way has no name.
        let Ok(permit) = Arc::clone(&self.name_lookups).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            if let Some(name) = resolve::name_of(peer.ip()).await {
                info!("{} port {} is {name}", peer.ip(), peer.port());
            }
            drop(permit);
        });
    }

    /// Starts moving bytes of a new connection.
    fn open(
        &mut self,
        transport: Transport,
        began: Instant,
        node: Option<NodeName>,
        dialled: Option<Target>,
    ) -> (ConnId, Arc<Backlog>) {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let patience = self.setup.config.numbers.ping_timeout;
        let meta = MetaStream::start(conn, transport, self.channels.meta.clone(), patience);
        let backlog = meta.backlog();
        self.streams.insert(
            conn,
            Stream {
                meta,
                began,
                node,
                host: None,
                dialled,
            },
        );
        (conn, backlog)
    }

    /// Takes a connection out of the books.
    pub(super) fn forget(&mut self, conn: ConnId) -> Option<Stream> {
        self.admission.leave(conn);
        let stream = self.streams.remove(&conn)?;
        // The core ends what proves nothing in time: this address is the node's.
        if stream.began.elapsed() > self.proof_time()
            && let (Some(node), Some(target)) = (&stream.node, &stream.dialled)
            && let Some(doubtful) = self.dialling.doubtful.get_mut(node)
        {
            doubtful.retain(|other| other != target);
        }
        Some(stream)
    }

    /// By when the core has ended a connection that proves nothing: the time-out is noticed in
    /// the next pass of housekeeping.
    fn proof_time(&self) -> Duration {
        2 * self.setup.config.numbers.ping_timeout + Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_begins_anew_at_once_and_then_ever_more_seldom() {
        let ages = [0, 1, 2, 3, 4, 5, 6, 100].map(|renewals| least_age(renewals).as_secs());
        assert_eq!(ages, [0, 1, 2, 4, 8, 16, 16, 16]);
    }
}
