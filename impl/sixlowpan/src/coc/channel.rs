//! A channel from its opening to its end.

use std::collections::VecDeque;

use super::error::{Closed, ReceiveError, SendError, Violation};
use super::flow::Open;
use super::settings::{Settings, is_dynamic, suffices};
use super::signal::{Command, Refusal, RejectReason, Signal, SignalError, Terms};
use super::{PSM, SIGNALLING_CID, frame};

/// Events that wait to be taken while credits are given back, at most: a bound of ours.
const MAX_UNREAD: usize = 16;
/// Answers that wait to be sent, at most: a bound of ours. What is asked beyond is not answered.
const MAX_ANSWERS: usize = 16;

/// What happened on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is open, and the other end takes this.
    Opened(Terms),
    /// An SDU arrived.
    Received(Vec<u8>),
    /// It is closed, or was not opened. What it has left to send is a farewell.
    Closed(Closed),
}

/// One end of a channel.
#[derive(Debug, Clone)]
pub struct Channel {
    settings: Settings,
    state: State,
    /// The identifier of the last command of this end.
    last_id: u8,
    /// Commands to send, before anything else.
    commands: VecDeque<Signal>,
    events: VecDeque<Event>,
}

#[derive(Debug, Clone)]
enum State {
    /// Waits for the other end to ask.
    Listening,
    /// Has asked with this identifier.
    Opening(u8),
    Open(Open),
    /// With the number of the other end, if there ever was a channel.
    Closed(Option<u16>),
}

impl Channel {
    /// The end that opens the channel: the router (RFC 7668 section 2.1).
    #[must_use]
    pub fn connect(settings: Settings) -> Self {
        let mut channel = Self::listen(settings);
        let request = Command::ConnectRequest {
            psm: PSM,
            source: settings.cid,
            terms: settings.terms,
        };
        channel.command(request);
        channel.state = State::Opening(channel.last_id);
        channel
    }

    /// The end that waits until the other opens the channel: the node.
    #[must_use]
    pub const fn listen(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Listening,
            last_id: 0,
            commands: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether SDUs can be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether [`send`](Self::send) takes an SDU now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.has_room())
    }

    /// Frames that this end may send at once; 0 if the channel is not open.
    #[must_use]
    pub const fn credits(&self) -> u16 {
        match &self.state {
            State::Open(open) => open.credits(),
            _ => 0,
        }
    }

    /// Queues an SDU.
    ///
    /// # Errors
    /// If it cannot be sent; nothing else changes.
    pub fn send(&mut self, sdu: &[u8]) -> Result<(), SendError> {
        match &mut self.state {
            State::Open(open) => open.push(sdu),
            _ => Err(SendError::NotOpen),
        }
    }

    /// Closes the channel; what waits is not sent any more.
    pub fn close(&mut self) {
        self.end(Closed::Here);
    }

    /// Takes a frame of the link.
    ///
    /// # Errors
    /// If there is something wrong with it. It is dropped, and the channel stays usable unless the
    /// error is a [`Violation`], for which it is closed.
    pub fn receive(&mut self, frame: &[u8]) -> Result<(), ReceiveError> {
        let (cid, payload) = frame::split(frame)?;
        let result = match cid {
            SIGNALLING_CID => self.receive_signal(payload),
            _ => self.receive_payload(cid, payload),
        };
        if let Err(ReceiveError::Violation(violation)) = result {
            self.end(violation.into());
        }
        result
    }

    fn receive_payload(&mut self, cid: u16, payload: &[u8]) -> Result<(), ReceiveError> {
        let Settings { cid: own, terms } = self.settings;
        match &mut self.state {
            State::Open(open) if cid == own => {
                if let Some(sdu) = open.take(payload, terms)? {
                    self.events.push_back(Event::Received(sdu));
                }
                Ok(())
            }
            _ => Err(ReceiveError::Cid(cid)),
        }
    }

    fn receive_signal(&mut self, payload: &[u8]) -> Result<(), ReceiveError> {
        let Signal { id, command } = match Signal::parse(payload) {
            Ok(signal) => signal,
            Err(error) => {
                if let SignalError::Unknown { id, .. } = error {
                    self.answer(id, Command::Reject(RejectReason::NotUnderstood));
                }
                return Err(error.into());
            }
        };
        match command {
            Command::ConnectRequest { psm, source, terms } => {
                self.requested(id, psm, source, terms);
                Ok(())
            }
            Command::ConnectResponse {
                destination,
                terms,
                result,
            } => self.responded(id, destination, terms, Refusal(result)),
            Command::Credit { cid, credits } => self.credited(cid, credits),
            Command::DisconnectRequest {
                destination,
                source,
            } => self.disconnected(id, destination, source),
            Command::Rejected | Command::Reject(_) => match self.state {
                State::Opening(asked) if asked == id => {
                    self.end(Closed::NotUnderstood);
                    Ok(())
                }
                _ => Err(ReceiveError::OutOfPlace),
            },
            // The farewell was heard.
            Command::DisconnectResponse { .. } if matches!(self.state, State::Closed(_)) => Ok(()),
            Command::DisconnectResponse { .. } => Err(ReceiveError::OutOfPlace),
        }
    }

    /// The other end wants to open a channel.
    fn requested(&mut self, id: u8, psm: u16, source: u16, peer: Terms) {
        let Settings { cid, terms } = self.settings;
        let refusal = match &self.state {
            _ if psm != PSM => Some(Refusal::PSM_NOT_SUPPORTED),
            _ if !is_dynamic(source) => Some(Refusal::INVALID_SOURCE_CID),
            State::Open(open) if open.peer_cid == source => Some(Refusal::SOURCE_CID_TAKEN),
            _ if !suffices(peer) => Some(Refusal::UNACCEPTABLE_PARAMETERS),
            State::Listening => None,
            _ => Some(Refusal::NO_RESOURCES),
        };
        let response = match refusal {
            Some(Refusal(result)) => Command::ConnectResponse {
                destination: 0,
                terms: Terms {
                    mtu: 0,
                    mps: 0,
                    credits: 0,
                },
                result,
            },
            None => {
                self.state = State::Open(Open::new(terms, peer, source));
                self.events.push_back(Event::Opened(peer));
                Command::ConnectResponse {
                    destination: cid,
                    terms,
                    result: 0,
                }
            }
        };
        self.answer(id, response);
    }

    /// The other end has opened the channel, or not.
    fn responded(
        &mut self,
        id: u8,
        cid: u16,
        peer: Terms,
        refusal: Refusal,
    ) -> Result<(), ReceiveError> {
        match self.state {
            State::Opening(asked) if asked == id => {}
            _ => return Err(ReceiveError::OutOfPlace),
        }
        if refusal != Refusal(0) {
            self.end(Closed::Refused(refusal));
            return Ok(());
        }
        self.state = State::Open(Open::new(self.settings.terms, peer, cid));
        if !is_dynamic(cid) || !suffices(peer) {
            return Err(Violation::Terms(cid).into());
        }
        self.events.push_back(Event::Opened(peer));
        Ok(())
    }

    /// The other end takes more frames.
    fn credited(&mut self, cid: u16, given: u16) -> Result<(), ReceiveError> {
        let State::Open(open) = &mut self.state else {
            return Err(ReceiveError::OutOfPlace);
        };
        // It names its own end of the channel.
        if cid != open.peer_cid {
            return Err(ReceiveError::OutOfPlace);
        }
        Ok(open.credited(given)?)
    }

    /// The other end closes the channel.
    fn disconnected(&mut self, id: u8, destination: u16, source: u16) -> Result<(), ReceiveError> {
        let peer_cid = match &self.state {
            State::Open(open) => Some(open.peer_cid),
            State::Closed(peer_cid) => *peer_cid,
            State::Listening | State::Opening(_) => None,
        };
        if destination != self.settings.cid || Some(source) != peer_cid {
            let reason = RejectReason::InvalidCid {
                ours: destination,
                theirs: source,
            };
            self.answer(id, Command::Reject(reason));
            return Err(ReceiveError::OutOfPlace);
        }
        if self.is_open() {
            self.state = State::Closed(peer_cid);
            self.events.push_back(Event::Closed(Closed::There));
        }
        let farewell = Command::DisconnectResponse {
            destination,
            source,
        };
        self.answer(id, farewell);
        Ok(())
    }

    /// Ends the channel on behalf of this end, unless it has ended.
    fn end(&mut self, why: Closed) {
        let peer_cid = match &self.state {
            State::Closed(_) => return,
            State::Open(open) => Some(open.peer_cid),
            State::Listening | State::Opening(_) => None,
        };
        self.state = State::Closed(peer_cid);
        if let Some(destination) = peer_cid {
            let source = self.settings.cid;
            self.command(Command::DisconnectRequest {
                destination,
                source,
            });
        }
        self.events.push_back(Event::Closed(why));
    }

    /// The next frame for the link. Commands come first, so that credits do not wait behind SDUs.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        let signal = match self.commands.pop_front() {
            Some(signal) => Some(signal),
            None => self.credit(),
        };
        if let Some(signal) = signal {
            return Some(frame::join(SIGNALLING_CID, &signal.to_vec()));
        }
        let State::Open(open) = &mut self.state else {
            return None;
        };
        let payload = open.next_payload()?;
        Some(frame::join(open.peer_cid, &payload))
    }

    /// The credits to give back, unless what they brought is not taken.
    fn credit(&mut self) -> Option<Signal> {
        let Settings { cid, terms } = self.settings;
        let State::Open(open) = &mut self.state else {
            return None;
        };
        if self.events.len() >= MAX_UNREAD {
            return None;
        }
        let credits = open.give(terms)?;
        let id = self.next_id();
        let command = Command::Credit { cid, credits };
        Some(Signal { id, command })
    }

    /// What happened, in its order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn command(&mut self, command: Command) {
        let id = self.next_id();
        self.commands.push_back(Signal { id, command });
    }

    fn answer(&mut self, id: u8, command: Command) {
        if self.commands.len() < MAX_ANSWERS {
            self.commands.push_back(Signal { id, command });
        }
    }

    /// Identifiers begin anew at 1 (volume 3, part A, section 4).
    fn next_id(&mut self) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}

#[cfg(test)]
mod tests;
