//! From a line to a [`Request`].

use data_encoding::HEXUPPER_PERMISSIVE;
use zeroize::Zeroizing;

use super::{Ack, AddEdge, AnsKey, AnsKeyMaterial, MetaKey, Request, RequestError, Version};
use crate::addr::{Endpoint, WordError};
use crate::constants::{MAX_LINE, MAX_WORD};
use crate::name::{NameError, NodeName};
use crate::options::Options;
use crate::scanf::rest_of_number;
use crate::subnet::Subnet;

impl Request {
    /// Reads one line, given without its LF.
    ///
    /// # Errors
    /// If the line is too long, has a NUL byte, an unknown number, or a field that is missing
    /// or malformed. Except where [`RequestError::is_only_ours`], tincd closes the connection
    /// for it.
    pub fn parse(line: &[u8]) -> Result<Self, RequestError> {
        if line.len() >= MAX_LINE {
            return Err(RequestError::TooLong { found: line.len() });
        }
        if line.contains(&0) {
            return Err(RequestError::Nul);
        }
        let mut words = Words { rest: line };
        let word = words.up_to(MAX_LINE).ok_or(RequestError::NotANumber)?;
        let number: i32 = word.parse().map_err(|_| no_request_number(word))?;
        let request = title(number).ok_or(RequestError::Unknown { number })?;
        let mut fields = Fields { words, request };
        Ok(match number {
            0 => Self::Id {
                name: fields.name("name")?,
                version: fields.version()?,
            },
            1 => Self::MetaKey(MetaKey {
                cipher: fields.number("cipher")?,
                digest: fields.number("digest")?,
                mac_length: fields.number("MAC length")?,
                compression: fields.number("compression")?,
                key: fields.bytes("key")?,
            }),
            2 => Self::Challenge(fields.bytes("challenge")?),
            3 => Self::ChalReply(fields.bytes("reply")?),
            4 => Self::Ack(Ack {
                port: fields.word("port")?.parse().map_err(fields.endpoint())?,
                weight: fields.last_number("weight")?,
                options: fields.options()?,
            }),
            8 => Self::Ping,
            9 => Self::Pong,
            10 => Self::AddSubnet {
                nonce: fields.nonce()?,
                owner: fields.name("owner")?,
                subnet: fields.subnet()?,
            },
            11 => Self::DelSubnet {
                nonce: fields.nonce()?,
                owner: fields.name("owner")?,
                subnet: fields.subnet()?,
            },
            12 => {
                let nonce = fields.nonce()?;
                let (from, to) = fields.edge()?;
                Self::AddEdge(AddEdge {
                    nonce,
                    from,
                    to,
                    endpoint: {
                        let (host, port) = (fields.word("address")?, fields.word("port")?);
                        Endpoint::parse(host, port).map_err(fields.endpoint())?
                    },
                    options: fields.options()?,
                    weight: fields.last_number("weight")?,
                })
            }
            13 => {
                let nonce = fields.nonce()?;
                let (from, to) = fields.edge()?;
                Self::DelEdge { nonce, from, to }
            }
            14 => Self::KeyChanged {
                nonce: fields.nonce()?,
                node: fields.name("node")?,
            },
            15 => Self::ReqKey {
                from: fields.name("from")?,
                to: fields.name("to")?,
            },
            16 => Self::AnsKey(AnsKey {
                from: fields.name("from")?,
                to: fields.name("to")?,
                key: AnsKeyMaterial(Zeroizing::new(fields.word("key")?.to_owned())),
                cipher: fields.number("cipher")?,
                digest: fields.number("digest")?,
                mac_length: fields.number("MAC length")?,
                compression: fields.last_number("compression")?,
                endpoint: match (fields.words.next(), fields.words.next()) {
                    (Some(host), Some(port)) => {
                        Some(Endpoint::parse(host, port).map_err(fields.endpoint())?)
                    }
                    _ => None,
                },
            }),
            17 => Self::Packet {
                len: fields.packet_length()?,
            },
            _ => return Err(RequestError::Unknown { number }),
        })
    }
}

/// The protocol's name of a request number.
pub(super) fn title(number: i32) -> Option<&'static str> {
    Some(match number {
        0 => "ID",
        1 => "METAKEY",
        2 => "CHALLENGE",
        3 => "CHAL_REPLY",
        4 => "ACK",
        8 => "PING",
        9 => "PONG",
        10 => "ADD_SUBNET",
        11 => "DEL_SUBNET",
        12 => "ADD_EDGE",
        13 => "DEL_EDGE",
        14 => "KEY_CHANGED",
        15 => "REQ_KEY",
        16 => "ANS_KEY",
        17 => "PACKET",
        _ => return None,
    })
}

/// What is wrong with a word that is not a request number: only ours if tincd reads one in it, of a request that nodes
/// pass on as it came, and can do with what that leaves of the word.
fn no_request_number(word: &str) -> RequestError {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let digits = unsigned.chars().map_while(|c| c.to_digit(10));
    // Bits that there is no room for are lost (atoi(3)).
    let read = digits.fold(0_i32, |read, digit| {
        read.wrapping_mul(10).wrapping_add_unsigned(digit)
    });
    let number = if word.starts_with('-') {
        read.wrapping_neg()
    } else {
        read
    };
    let passes = |rest: &str| match number {
        10..=14 => rest.is_empty() || rest_of_number(rest, 16).is_some(),
        15 | 16 => rest.is_empty() || is_name(rest),
        // Nobody passes on the others. What follows a PACKET would be taken for lines.
        _ => false,
    };
    match title(number) {
        Some(request) if rest_of_number(word, 10).is_some_and(passes) => RequestError::Number {
            request,
            field: "request number",
        },
        _ => RequestError::NotANumber,
    }
}

/// Words of a line: separated by any ASCII white space. Text is cut at [`MAX_WORD`] bytes, numbers are not.
///
/// A word that is not UTF-8 comes out as the replacement character, which no field takes.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// The next word if that has at most so many bytes, else as much of it.
    fn up_to(&mut self, most: usize) -> Option<&'a str> {
        // `is_ascii_whitespace` leaves out the vertical tab, which the C locale has.
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let start = self.rest.iter().position(|byte| !blank(byte))?;
        let (_, rest) = self.rest.split_at(start);
        let len = rest.iter().position(blank).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(len.min(most));
        self.rest = rest;
        Some(str::from_utf8(word).unwrap_or("\u{fffd}"))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.up_to(MAX_WORD)
    }
}

/// Typed reading of a request's fields.
struct Fields<'a> {
    words: Words<'a>,
    request: &'static str,
}

impl<'a> Fields<'a> {
    fn word(&mut self, field: &'static str) -> Result<&'a str, RequestError> {
        self.up_to(MAX_WORD, field)
    }

    /// A word with a number in it, of which tincd reads every digit.
    fn numeral(&mut self, field: &'static str) -> Result<&'a str, RequestError> {
        self.up_to(MAX_LINE, field)
    }

    fn up_to(&mut self, most: usize, field: &'static str) -> Result<&'a str, RequestError> {
        self.words.up_to(most).ok_or(RequestError::Missing {
            request: self.request,
            field,
        })
    }

    fn malformed(&self, field: &'static str) -> RequestError {
        RequestError::Malformed {
            request: self.request,
            field,
        }
    }

    /// A number behind which tincd wants another.
    fn number(&mut self, field: &'static str) -> Result<i32, RequestError> {
        let word = self.numeral(field)?;
        let leaves_a_number = |rest: &str| rest.is_empty() || rest_of_number(rest, 10).is_some();
        word.parse()
            .map_err(|_| self.no_number(field, word, 10, leaves_a_number))
    }

    /// A number behind which tincd wants no number.
    fn last_number(&mut self, field: &'static str) -> Result<i32, RequestError> {
        let word = self.numeral(field)?;
        word.parse()
            .map_err(|_| self.no_number(field, word, 10, |_| true))
    }

    /// What is wrong with a word that is not a number of that radix: only ours if tincd reads a number in it, and can
    /// do with what that leaves of the word.
    fn no_number(
        &self,
        field: &'static str,
        word: &str,
        radix: u32,
        passes: impl Fn(&str) -> bool,
    ) -> RequestError {
        if rest_of_number(word, radix).is_some_and(passes) {
            RequestError::Number {
                request: self.request,
                field,
            }
        } else {
            self.malformed(field)
        }
    }

    fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, RequestError> {
        let word = self.word(field)?;
        HEXUPPER_PERMISSIVE
            .decode(word.as_bytes())
            .map_err(|_| self.malformed(field))
    }

    fn name(&mut self, field: &'static str) -> Result<NodeName, RequestError> {
        self.word(field)?
            .parse()
            .map_err(|source| RequestError::Name {
                request: self.request,
                source,
            })
    }

    fn edge(&mut self) -> Result<(NodeName, NodeName), RequestError> {
        let (from, to) = (self.name("from")?, self.name("to")?);
        if from == to {
            return Err(RequestError::SelfEdge {
                request: self.request,
                node: from,
            });
        }
        Ok((from, to))
    }

    fn subnet(&mut self) -> Result<Subnet, RequestError> {
        self.word("subnet")?
            .parse()
            .map_err(|source| RequestError::Subnet {
                request: self.request,
                source,
            })
    }

    fn endpoint(&self) -> impl Fn(WordError) -> RequestError + use<> {
        let request = self.request;
        move |source| RequestError::Endpoint { request, source }
    }

    /// Only the leading decimal number counts, so `17.7` is version 17.
    fn version(&mut self) -> Result<Version, RequestError> {
        let word = self.word("version")?;
        let (major, rest) = match word.find(|c: char| !c.is_ascii_digit()) {
            Some(end) => word.split_at(end),
            None => (word, ""),
        };
        Ok(Version {
            major: major.parse().map_err(|_| self.malformed("version"))?,
            minor: rest.strip_prefix('.').and_then(|rest| rest.parse().ok()),
        })
    }

    /// Its value means nothing beyond making a line unique, so one of another form than ours is no error. If it ends
    /// with other characters, tincd takes these for the next field, a name, and the line may pass if that can be.
    fn nonce(&mut self) -> Result<u32, RequestError> {
        let word = self.numeral("nonce")?;
        if rest_of_number(word, 16) == Some("") {
            return Ok(u32::from_str_radix(word, 16).unwrap_or(u32::MAX));
        }
        Err(self.no_number("nonce", word, 16, is_name))
    }

    fn options(&mut self) -> Result<Options, RequestError> {
        let word = self.numeral("options")?;
        u32::from_str_radix(word, 16).map(Options).map_err(|_| {
            let weight_follows = Words { ..self.words }.next().is_some();
            self.no_number("options", word, 16, |rest| match rest {
                "" => weight_follows,
                _ => rest_of_number(rest, 10).is_some(),
            })
        })
    }

    fn packet_length(&mut self) -> Result<usize, RequestError> {
        match self.numeral("length")?.parse() {
            Ok(len) if len <= MAX_LINE => Ok(len),
            _ => Err(self.malformed("length")),
        }
    }
}

/// Whether tincd takes a text for a name, however long.
fn is_name(text: &str) -> bool {
    matches!(
        text.parse::<NodeName>(),
        Ok(_) | Err(NameError::TooLong { .. })
    )
}

#[cfg(test)]
mod tests;
