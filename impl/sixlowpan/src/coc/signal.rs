//! Commands that open and close channels and give credits (volume 3, part A, section 4).

use thiserror::Error;

/// The codes of the commands (volume 3, part A, section 4, table 4.2).
const REJECT: u8 = 0x01;
const DISCONNECT_REQUEST: u8 = 0x06;
const DISCONNECT_RESPONSE: u8 = 0x07;
const CONNECT_REQUEST: u8 = 0x14;
const CONNECT_RESPONSE: u8 = 0x15;
const CREDIT: u8 = 0x16;

/// What an end takes: what the other may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Octets of the longest SDU.
    pub mtu: u16,
    /// Octets of the longest payload of a frame.
    pub mps: u16,
    /// Frames that may be sent at once.
    pub credits: u16,
}

impl Terms {
    fn parse([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self {
            mtu: u16::from_le_bytes([a, b]),
            mps: u16::from_le_bytes([c, d]),
            credits: u16::from_le_bytes([e, f]),
        }
    }

    const fn to_octets(self) -> [u8; 6] {
        let ([a, b], [c, d]) = (self.mtu.to_le_bytes(), self.mps.to_le_bytes());
        let [e, f] = self.credits.to_le_bytes();
        [a, b, c, d, e, f]
    }
}

/// Why a channel was not opened: a result other than 0 (volume 3, part A, section 4.23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refusal(pub u16);

impl Refusal {
    /// Nothing listens there.
    pub const PSM_NOT_SUPPORTED: Self = Self(0x0002);
    /// There is no room for one more.
    pub const NO_RESOURCES: Self = Self(0x0004);
    /// Channels have other numbers.
    pub const INVALID_SOURCE_CID: Self = Self(0x0009);
    /// A channel has that number already.
    pub const SOURCE_CID_TAKEN: Self = Self(0x000a);
    /// Too short SDUs or frames.
    pub const UNACCEPTABLE_PARAMETERS: Self = Self(0x000b);
}

/// Why a command was not followed (volume 3, part A, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RejectReason {
    /// Its code is unknown.
    NotUnderstood,
    /// It speaks of a channel that does not exist between these two numbers.
    InvalidCid { ours: u16, theirs: u16 },
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// The receiver did not follow a command, for whatever reason.
    Rejected,
    Reject(RejectReason),
    ConnectRequest {
        psm: u16,
        source: u16,
        terms: Terms,
    },
    /// With the result 0 there is a channel.
    ConnectResponse {
        destination: u16,
        terms: Terms,
        result: u16,
    },
    Credit {
        cid: u16,
        credits: u16,
    },
    /// The numbers are those of the receiver and of the sender.
    DisconnectRequest {
        destination: u16,
        source: u16,
    },
    DisconnectResponse {
        destination: u16,
        source: u16,
    },
}

/// A command and what ties a response to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) id: u8,
    pub(super) command: Command,
}

/// What a device says of channels cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignalError {
    /// It has no room for its own head.
    #[error("a command of {0} octets has no head")]
    Short(usize),
    /// It has not the length that it says, or not that of its code.
    #[error("a command of code {code:#04x} has a wrong length")]
    Length {
        /// Its code.
        code: u8,
    },
    /// Its identifier is zero, which ties no response to it.
    #[error("a command has the identifier 0")]
    NoIdentifier,
    /// Its code is none of those that this end knows.
    #[error("a command of code {code:#04x} is unknown")]
    Unknown {
        /// Its code.
        code: u8,
        /// Its identifier.
        id: u8,
    },
}

impl Signal {
    pub(super) fn parse(octets: &[u8]) -> Result<Self, SignalError> {
        let &[code, id, a, b, ref data @ ..] = octets else {
            return Err(SignalError::Short(octets.len()));
        };
        let wrong = SignalError::Length { code };
        if usize::from(u16::from_le_bytes([a, b])) != data.len() {
            return Err(wrong);
        }
        if id == 0 {
            return Err(SignalError::NoIdentifier);
        }
        let word = |a, b| u16::from_le_bytes([a, b]);
        let command = match (code, data) {
            (REJECT, [_, _, ..]) => Command::Rejected,
            (CONNECT_REQUEST, &[a, b, c, d, ref terms @ ..]) => Command::ConnectRequest {
                psm: word(a, b),
                source: word(c, d),
                terms: Terms::parse(terms.try_into().map_err(|_| wrong)?),
            },
            (CONNECT_RESPONSE, &[a, b, ref terms @ .., c, d]) => Command::ConnectResponse {
                destination: word(a, b),
                terms: Terms::parse(terms.try_into().map_err(|_| wrong)?),
                result: word(c, d),
            },
            (CREDIT, &[a, b, c, d]) => Command::Credit {
                cid: word(a, b),
                credits: word(c, d),
            },
            (DISCONNECT_REQUEST, &[a, b, c, d]) => Command::DisconnectRequest {
                destination: word(a, b),
                source: word(c, d),
            },
            (DISCONNECT_RESPONSE, &[a, b, c, d]) => Command::DisconnectResponse {
                destination: word(a, b),
                source: word(c, d),
            },
            (
                REJECT | CONNECT_REQUEST | CONNECT_RESPONSE | CREDIT | DISCONNECT_REQUEST
                | DISCONNECT_RESPONSE,
                _,
            ) => return Err(wrong),
            _ => return Err(SignalError::Unknown { code, id }),
        };
        Ok(Self { id, command })
    }

    pub(super) fn to_vec(self) -> Vec<u8> {
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let (code, data): (u8, Vec<u8>) = match self.command {
            Command::Rejected | Command::Reject(RejectReason::NotUnderstood) => {
                (REJECT, words(&[0]))
            }
            Command::Reject(RejectReason::InvalidCid { ours, theirs }) => {
                (REJECT, words(&[2, ours, theirs]))
            }
            Command::ConnectRequest { psm, source, terms } => {
                let head: Vec<u8> = words(&[psm, source]);
                (CONNECT_REQUEST, [&head[..], &terms.to_octets()].concat())
            }
            Command::ConnectResponse {
                destination,
                terms,
                result,
            } => {
                let data = [
                    &destination.to_le_bytes()[..],
                    &terms.to_octets(),
                    &result.to_le_bytes(),
                ];
                (CONNECT_RESPONSE, data.concat())
            }
            Command::Credit { cid, credits } => (CREDIT, words(&[cid, credits])),
            Command::DisconnectRequest {
                destination,
                source,
            } => (DISCONNECT_REQUEST, words(&[destination, source])),
            Command::DisconnectResponse {
                destination,
                source,
            } => (DISCONNECT_RESPONSE, words(&[destination, source])),
        };
        // The longest has ten octets.
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_le_bytes();
        [&[code, self.id][..], &length, &data].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.12 asks, and what a node may answer.
    #[test]
    fn requests_and_responses_read_as_on_the_air() {
        let request = [0x14, 1, 10, 0, 0x23, 0, 0x40, 0, 0, 5, 0xf7, 0, 6, 0];
        let terms = Terms {
            mtu: 1280,
            mps: 247,
            credits: 6,
        };
        let read = Signal::parse(&request).unwrap();
        let command = Command::ConnectRequest {
            psm: 0x23,
            source: 0x40,
            terms,
        };
        assert_eq!(read, Signal { id: 1, command });
        assert_eq!(read.to_vec(), request);
        let response = [0x15, 1, 10, 0, 0x41, 0, 0, 5, 0xf7, 0, 6, 0, 0, 0];
        let read = Signal::parse(&response).unwrap();
        let command = Command::ConnectResponse {
            destination: 0x41,
            terms,
            result: 0,
        };
        assert_eq!(read, Signal { id: 1, command });
        assert_eq!(read.to_vec(), response);
    }

    #[test]
    fn commands_of_other_lengths_are_refused() {
        for code in [
            REJECT,
            CONNECT_REQUEST,
            CONNECT_RESPONSE,
            CREDIT,
            DISCONNECT_REQUEST,
        ] {
            let cut = [code, 1, 1, 0, 0];
            assert_eq!(Signal::parse(&cut), Err(SignalError::Length { code }));
        }
        let lies = [CREDIT, 1, 5, 0, 0x40, 0, 1, 0];
        assert_eq!(
            Signal::parse(&lies),
            Err(SignalError::Length { code: CREDIT })
        );
        assert_eq!(Signal::parse(&[CREDIT, 1, 0]), Err(SignalError::Short(3)));
        let nameless = [CREDIT, 0, 4, 0, 0x40, 0, 1, 0];
        assert_eq!(Signal::parse(&nameless), Err(SignalError::NoIdentifier));
        let unknown = SignalError::Unknown { code: 0x12, id: 9 };
        assert_eq!(Signal::parse(&[0x12, 9, 0, 0]), Err(unknown));
    }
}
