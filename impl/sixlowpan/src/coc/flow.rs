//! What flows through an open channel, and the credits for it (volume 3, part A, section 10.1).

use std::collections::VecDeque;

use super::error::{SendError, Violation};
use super::sdu::{Incoming, Outgoing};
use super::signal::Terms;
use crate::MTU;

/// SDUs that wait to be sent, at most: a bound of ours. Several seconds of a slow link.
const MAX_WAITING: usize = 16;

/// What there is only while the channel is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// The number that the other end gave the channel.
    pub(super) peer_cid: u16,
    peer: Terms,
    /// Frames that this end may send.
    credits: u16,
    /// Frames that the other end may send.
    granted: u16,
    waiting: VecDeque<Outgoing>,
    incoming: Incoming,
}

impl Open {
    pub(super) fn new(own: Terms, peer: Terms, peer_cid: u16) -> Self {
        Self {
            peer_cid,
            peer,
            credits: peer.credits,
            granted: own.credits,
            waiting: VecDeque::new(),
            incoming: Incoming::default(),
        }
    }

    /// Takes the payload of a frame.
    pub(super) fn take(
        &mut self,
        payload: &[u8],
        own: Terms,
    ) -> Result<Option<Vec<u8>>, Violation> {
        self.granted = self.granted.checked_sub(1).ok_or(Violation::NoCredit)?;
        if payload.len() > own.mps.into() {
            return Err(Violation::LongFrame(payload.len()));
        }
        self.incoming.push(payload, own.mtu)
    }

    /// The payload of the next frame, if there is one and a credit for it.
    pub(super) fn next_payload(&mut self) -> Option<Vec<u8>> {
        let sdu = self.waiting.front_mut()?;
        self.credits = self.credits.checked_sub(1)?;
        let payload = sdu.next_payload(self.peer.mps).to_vec();
        if sdu.is_sent() {
            self.waiting.pop_front();
        }
        Some(payload)
    }

    /// Queues an SDU.
    pub(super) fn push(&mut self, sdu: &[u8]) -> Result<(), SendError> {
        if sdu.len() > MTU {
            return Err(SendError::TooLong(sdu.len()));
        }
        if !self.has_room() {
            return Err(SendError::Full);
        }
        self.waiting.push_back(Outgoing::new(sdu));
        Ok(())
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Frames that this end may send.
    pub(super) const fn credits(&self) -> u16 {
        self.credits
    }

    /// Takes credits of the other end.
    pub(super) fn credited(&mut self, given: u16) -> Result<(), Violation> {
        let held = self.credits;
        let sum = held.checked_add(given).filter(|_| given > 0);
        self.credits = sum.ok_or(Violation::Credits { given, held })?;
        Ok(())
    }

    /// Gives credits back: once half of them are spent, all of those.
    pub(super) fn give(&mut self, own: Terms) -> Option<u16> {
        if self.granted > own.credits / 2 {
            return None;
        }
        let due = own.credits.saturating_sub(self.granted);
        self.granted = own.credits;
        Some(due)
    }
}
