//! A channel over the air, at the pace of its connection.

use std::fmt;
use std::time::Duration;

use sixlowpan::coc::{Channel, Event, Settings};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Pace;
use super::air::Air;

/// Octets of a link-layer packet's payload (Bluetooth 4.1; volume 6, part B, section 2.4).
const LINK_PACKET: usize = 27;

/// How long nothing may be heard until a connection counts as lost: a common supervision timeout.
pub(super) const SUPERVISION: Duration = Duration::from_secs(4);

/// How often an end that has nothing to say shows that it is there.
const PRESENCE: Duration = Duration::from_secs(1);

/// How long a channel may take to be opened.
const OPENING: Duration = Duration::from_secs(10);

/// Payloads that wait for a channel that is slow. More would only wait longer: these are up to half a second of one that
/// meets every 30 ms.
pub(super) const QUEUE: usize = 8;

/// Which end of the channel we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The router, which opens it.
    Router,
    /// The node, which waits for that.
    Node,
}

/// What happens on a channel.
#[derive(Debug)]
pub(super) enum Happening {
    /// It is open.
    Opened,
    /// A payload has arrived.
    Received(Vec<u8>),
    /// It has ended, for this reason. Nothing more happens.
    Lost(Loss),
}

/// Why a connection is lost.
#[derive(Debug)]
pub(super) enum Loss {
    /// Nothing was heard for too long.
    Silence,
    /// The other device is gone.
    Gone(String),
    /// We wanted it.
    Here,
    /// There is no channel, or none any more.
    Channel(String),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("nothing was heard any more"),
            Self::Gone(why) => write!(f, "the other device is gone: {why}"),
            Self::Here => f.write_str("it was closed here"),
            Self::Channel(why) => f.write_str(why),
        }
    }
}

/// Which way a frame goes, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

/// Who sees what is on the air.
pub(super) trait Witness {
    /// A frame passes.
    fn frame(&self, way: Way, frame: &[u8]);
    /// The connection is lost.
    fn lost(&mut self, why: &Loss);
}

/// Nobody.
impl Witness for () {
    fn frame(&self, _: Way, _: &[u8]) {}
    fn lost(&mut self, _: &Loss) {}
}

/// A channel and its connection.
pub(super) struct Bearer<T, W> {
    air: Air,
    channel: Channel,
    pace: Pace,
    begun: Instant,
    /// The frame that is being sent, and how many packets of it were.
    sending: Option<(Vec<u8>, usize)>,
    last_sent: Instant,
    last_heard: Instant,
    tell: T,
    witness: W,
}

impl<T: FnMut(Happening), W: Witness> Bearer<T, W> {
    /// What happens is told to `tell`.
    pub(super) fn new(air: Air, end: End, pace: Pace, tell: T, witness: W) -> Self {
        let now = Instant::now();
        let settings = Settings::default();
        Self {
            air,
            channel: match end {
                End::Router => Channel::connect(settings),
                End::Node => Channel::listen(settings),
            },
            pace,
            begun: now,
            sending: None,
            last_sent: now,
            last_heard: now,
            tell,
            witness,
        }
    }

    /// Sends what comes by `payloads` and tells what arrives, until the connection is lost or `payloads` ends.
    pub(super) async fn run(mut self, mut payloads: mpsc::Receiver<Vec<u8>>) {
        let why = loop {
            if self.sending.is_none() {
                self.sending = self.channel.poll_frame().map(|frame| (frame, 0));
            }
            let now = Instant::now();
            let next = self.next_event(now);
            let silent = self.last_heard + SUPERVISION;
            let opened_by = self.begun + OPENING;
            let done = tokio::select! {
                heard = self.air.receive() => match heard {
                    Ok(Some(frame)) => {
                        let frame = frame.to_vec();
                        self.heard(&frame)
                    }
                    Ok(None) => Err(Loss::Gone("it has closed the connection".to_owned())),
                    Err(error) => Err(Loss::Gone(error.to_string())),
                },
                payload = payloads.recv(), if self.sending.is_none() && self.channel.is_ready() => match payload {
                    Some(payload) => self.channel.send(&payload).map_err(|error| Loss::Channel(error.to_string())),
                    None => Err(Loss::Here),
                },
                () = sleep_until(next), if self.sending.is_some() => self.event().await,
                () = sleep_until(self.last_sent + PRESENCE) => self.say(&[]).await,
                () = sleep_until(silent) => Err(Loss::Silence),
                () = sleep_until(opened_by), if !self.channel.is_open() => {
                    Err(Loss::Channel("no channel was opened".to_owned()))
                }
            };
            if let Err(why) = done {
                break why;
            }
        };
        self.witness.lost(&why);
        (self.tell)(Happening::Lost(why));
    }

    /// When the devices hear each other next.
    fn next_event(&self, now: Instant) -> Instant {
        let interval = self.pace.interval;
        let passed = now.duration_since(self.begun).as_nanos() / interval.as_nanos().max(1);
        let events = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1);
        self.begun + interval * events
    }

    /// Sends as much as fits into one meeting of the devices.
    async fn event(&mut self) -> Result<(), Loss> {
        let mut room = usize::from(self.pace.packets);
        while room > 0 {
            let Some((frame, sent)) = self.sending.take() else {
                break;
            };
            let left = frame.len().div_ceil(LINK_PACKET) - sent;
            if left > room {
                self.sending = Some((frame, sent + room));
                break;
            }
            room -= left;
            self.say(&frame).await?;
            self.sending = self.channel.poll_frame().map(|frame| (frame, 0));
        }
        Ok(())
    }

    async fn say(&mut self, frame: &[u8]) -> Result<(), Loss> {
        self.last_sent = Instant::now();
        if !frame.is_empty() {
            self.witness.frame(Way::Out, frame);
        }
        self.air
            .send(frame)
            .await
            .map_err(|error| Loss::Gone(error.to_string()))
    }

    fn heard(&mut self, frame: &[u8]) -> Result<(), Loss> {
        self.last_heard = Instant::now();
        if frame.is_empty() {
            return Ok(());
        }
        self.witness.frame(Way::In, frame);
        // What cannot be understood is dropped; if it ends the channel, an event says so.
        if let Err(error) = self.channel.receive(frame) {
            tracing::debug!(%error, "a frame was not taken");
        }
        while let Some(event) = self.channel.poll_event() {
            match event {
                Event::Opened(_) => (self.tell)(Happening::Opened),
                Event::Received(payload) => (self.tell)(Happening::Received(payload)),
                Event::Closed(why) => return Err(Loss::Channel(why.to_string())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::task::LocalSet;

    use super::*;

    const PACE: Pace = Pace {
        interval: Duration::from_millis(8),
        packets: 6,
    };

    type Told = Rc<RefCell<Vec<Happening>>>;

    fn end(air: Air, end: End) -> (Told, mpsc::Sender<Vec<u8>>, impl Future<Output = ()>) {
        let told = Told::default();
        let (payloads, waiting) = mpsc::channel(QUEUE);
        let tell = told.clone();
        let tell = move |happening| tell.borrow_mut().push(happening);
        let running = Bearer::new(air, end, PACE, tell, ()).run(waiting);
        (told, payloads, running)
    }

    #[tokio::test]
    async fn what_is_sent_arrives_whole_and_in_order() {
        let (here, there) = Air::pair().unwrap();
        let (_, payloads, router) = end(here, End::Router);
        let (told, _others, node) = end(there, End::Node);
        let all: Vec<Vec<u8>> = (0..20).map(|n| vec![n; 64 * usize::from(n) + 64]).collect();
        let sent = all.clone();
        let arrived = async {
            for payload in sent {
                payloads.send(payload).await.unwrap();
            }
            // Closed once everything was taken, which is heard at the other end as well.
            let count = || {
                told.borrow()
                    .iter()
                    .filter(|it| matches!(it, Happening::Received(_)))
                    .count()
            };
            while count() < all.len() {
                tokio::task::yield_now().await;
            }
            drop(payloads);
        };
        let both = async { tokio::join!(router, node, arrived) };
        LocalSet::new().run_until(both).await;
        let told = told.borrow();
        assert!(matches!(told.first(), Some(Happening::Opened)));
        assert!(
            matches!(told.last(), Some(Happening::Lost(Loss::Gone(_)))),
            "{told:?}"
        );
        let received: Vec<&Vec<u8>> = told
            .iter()
            .filter_map(|happening| match happening {
                Happening::Received(payload) => Some(payload),
                _ => None,
            })
            .collect();
        assert_eq!(received, all.iter().collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_the_end() {
        let (here, _there) = Air::pair().unwrap();
        let (told, _payloads, router) = end(here, End::Router);
        let begun = Instant::now();
        router.await;
        assert!(matches!(
            told.borrow().as_slice(),
            [Happening::Lost(Loss::Silence)]
        ));
        assert_eq!(begun.elapsed(), SUPERVISION);
    }
}
