//! The byte stream of a meta connection, cut into lines and packets and encrypted from some
//! point on.

use zeroize::{Zeroize as _, Zeroizing};

use super::MetaError;
use crate::constants::{MAX_LINE, MAX_PENDING_INPUT};
use crate::crypto::stream::MetaCipher;

/// Both directions of the stream.
#[derive(Default)]
pub(crate) struct Channel {
    /// What came and was not taken yet, decrypted if the direction is encrypted. There are
    /// packet keys in it.
    input: Zeroizing<Vec<u8>>,
    /// How much of `input` was taken.
    taken: usize,
    decrypt: Option<MetaCipher>,
    /// What is to be sent, encrypted if the direction is encrypted.
    output: Vec<u8>,
    encrypt: Option<MetaCipher>,
    /// One of the ciphers has encrypted as much as it may.
    spent: bool,
}

impl Channel {
    /// Takes what came in.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), MetaError> {
        self.forget_taken();
        let start = self.input.len();
        if start + bytes.len() > MAX_PENDING_INPUT {
            return Err(MetaError::Flooded);
        }
        self.input.extend_from_slice(bytes);
        if let (Some(cipher), Some(new)) = (&mut self.decrypt, self.input.get_mut(start..)) {
            self.spent |= cipher.apply(new).is_err();
        }
        Ok(())
    }

    /// The next line without its LF, if it is complete.
    pub(crate) fn line(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, MetaError> {
        if self.spent {
            return Err(MetaError::Spent);
        }
        let waiting = self.waiting();
        let searched = waiting.get(..MAX_LINE).unwrap_or(waiting);
        let Some(end) = searched.iter().position(|byte| *byte == b'\n') else {
            return if waiting.len() >= MAX_LINE {
                Err(MetaError::LineTooLong)
            } else {
                Ok(None)
            };
        };
        let line = waiting.get(..end).map(|line| Zeroizing::new(line.to_vec()));
        self.taken += end + 1;
        Ok(line)
    }

    /// The next `len` bytes, if they are all there.
    pub(crate) fn bytes(&mut self, len: usize) -> Option<Vec<u8>> {
        let bytes = self.waiting().get(..len)?.to_vec();
        self.taken += len;
        Some(bytes)
    }

    /// Appends bytes to what is to be sent.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let start = self.output.len();
        self.output.extend_from_slice(bytes);
        if let (Some(cipher), Some(new)) = (&mut self.encrypt, self.output.get_mut(start..)) {
            self.spent |= cipher.apply(new).is_err();
        }
    }

    /// How many bytes are to be sent.
    pub(crate) fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Takes what is to be sent.
    pub(crate) fn take_output(&mut self) -> Option<Vec<u8>> {
        let output = std::mem::take(&mut self.output);
        (!output.is_empty()).then_some(output)
    }

    /// Encrypts what is sent from now on.
    pub(crate) fn encrypt(&mut self, cipher: MetaCipher) {
        self.encrypt = Some(cipher);
    }

    /// Decrypts what was not taken yet and what will come: the peer encrypts from the byte
    /// after its METAKEY on, wherever TCP cuts.
    pub(crate) fn decrypt(&mut self, mut cipher: MetaCipher) {
        if let Some(rest) = self.input.get_mut(self.taken..) {
            self.spent |= cipher.apply(rest).is_err();
        }
        self.decrypt = Some(cipher);
    }

    /// Moves what was not taken to the front and wipes what is behind it.
    fn forget_taken(&mut self) {
        let rest = self.waiting().len();
        self.input.copy_within(self.taken.., 0);
        if let Some(old) = self.input.get_mut(rest..) {
            old.zeroize();
        }
        self.input.truncate(rest);
        self.taken = 0;
    }

    fn waiting(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_passes_and_one_more_byte_does_not() {
        let mut channel = Channel::default();
        let mut line = vec![b'x'; MAX_LINE - 1];
        line.push(b'\n');
        channel.receive(&line).unwrap();
        assert_eq!(channel.line().unwrap().unwrap().len(), MAX_LINE - 1);
        channel.receive(&[b'x'; MAX_LINE - 1]).unwrap();
        assert_eq!(channel.line(), Ok(None));
        channel.receive(b"x").unwrap();
        assert_eq!(channel.line(), Err(MetaError::LineTooLong));
    }

    #[test]
    fn input_that_nobody_takes_is_bounded() {
        let mut channel = Channel::default();
        let piece = [b'\n'; 16_384];
        let accepted = (0..100)
            .take_while(|_| channel.receive(&piece).is_ok())
            .count();
        assert!(accepted * piece.len() <= MAX_PENDING_INPUT);
        assert_eq!(channel.receive(&piece), Err(MetaError::Flooded));
    }

    #[test]
    fn bytes_of_a_packet_may_come_in_pieces() {
        let mut channel = Channel::default();
        channel.receive(b"17 4\nab").unwrap();
        assert_eq!(*channel.line().unwrap().unwrap(), b"17 4");
        assert_eq!(channel.bytes(4), None);
        channel.receive(b"\ncd8\n").unwrap();
        assert_eq!(channel.bytes(4).unwrap(), b"ab\nc");
        assert_eq!(channel.bytes(1).unwrap(), b"d");
        assert_eq!(*channel.line().unwrap().unwrap(), b"8");
    }
}
