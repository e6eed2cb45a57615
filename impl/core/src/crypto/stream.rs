//! The stream ciphers of meta connections: one stream for the life of a connection, whatever
//! cuts TCP makes.

use cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipher};
use ofb::OfbCore;

use super::algorithm;
use super::cipher::{Cipher, Mode};
use super::modes::with_block;
use crate::constants::SMALL_BLOCK_BUDGET;

/// One direction of a meta connection.
pub struct MetaCipher {
    stream: Box<dyn Stream>,
    /// Bytes that may still pass.
    budget: u64,
}

/// A stream that goes on where it stopped.
trait Stream: Send + Sync {
    fn apply(&mut self, bytes: &mut [u8]);
}

impl<C: BlockCipherEncrypt + Send + Sync> Stream for cfb_mode::BufEncryptor<C> {
    fn apply(&mut self, bytes: &mut [u8]) {
        self.encrypt(bytes);
    }
}

impl<C: BlockCipherEncrypt + Send + Sync> Stream for cfb_mode::BufDecryptor<C> {
    fn apply(&mut self, bytes: &mut [u8]) {
        self.decrypt(bytes);
    }
}

/// Output feedback, which is the same in both directions.
struct Output<S>(S);

impl<S: StreamCipher + Send + Sync> Stream for Output<S> {
    fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }
}

/// The last bytes of a METAKEY plaintext are too few for the cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} bytes are too few for the key and IV of {cipher}")]
pub struct MaterialError {
    cipher: algorithm::StreamCipher,
    found: usize,
}

/// The cipher has encrypted as much as one key of it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent;

impl MetaCipher {
    /// The sending direction. Key and IV come from the end of `block`, the plaintext of a
    /// METAKEY: the key last, the IV just before it (legacy protocol).
    ///
    /// # Errors
    /// If the block is too short for the cipher.
    pub fn encryptor(cipher: algorithm::StreamCipher, block: &[u8]) -> Result<Self, MaterialError> {
        Self::new(cipher, block, true)
    }

    /// The receiving direction; see [`MetaCipher::encryptor`].
    ///
    /// # Errors
    /// If the block is too short for the cipher.
    pub fn decryptor(cipher: algorithm::StreamCipher, block: &[u8]) -> Result<Self, MaterialError> {
        Self::new(cipher, block, false)
    }

    fn new(
        cipher: algorithm::StreamCipher,
        block: &[u8],
        encrypt: bool,
    ) -> Result<Self, MaterialError> {
        let short = MaterialError {
            cipher,
            found: block.len(),
        };
        let (rest, key) = split_end(block, cipher.key_len()).ok_or(short)?;
        let (_, iv) = split_end(rest, cipher.iv_len()).ok_or(short)?;
        let Cipher { block, mode } = cipher.cipher();
        let stream: Box<dyn Stream> = with_block!(block, C => match (mode, encrypt) {
            (Mode::Ofb, _) => Box::new(Output(ofb::Ofb::<C>::from_core(
                keyed::<OfbCore<C>>(key, iv).ok_or(short)?,
            ))),
            (_, true) => Box::new(keyed::<cfb_mode::BufEncryptor<C>>(key, iv).ok_or(short)?),
            (_, false) => Box::new(keyed::<cfb_mode::BufDecryptor<C>>(key, iv).ok_or(short)?),
        });
        let budget = match cipher.iv_len() {
            ..=8 => SMALL_BLOCK_BUDGET,
            _ => u64::MAX,
        };
        Ok(Self { stream, budget })
    }

    /// Transforms the next bytes of the stream in place.
    ///
    /// # Errors
    /// If more bytes passed than one key of a cipher with small blocks may encrypt. They are
    /// transformed all the same; the connection is to be closed.
    pub fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Spent> {
        self.stream.apply(bytes);
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let left = self.budget.checked_sub(len);
        self.budget = left.unwrap_or(0);
        left.map(drop).ok_or(Spent)
    }
}

/// The mode at its beginning. Blowfish takes keys of several lengths, so that the length is not
/// its type's.
fn keyed<M: InnerIvInit<Inner: KeyInit>>(key: &[u8], iv: &[u8]) -> Option<M> {
    let cipher = M::Inner::new_from_slice(key).ok()?;
    M::inner_iv_slice_init(cipher, iv).ok()
}

fn split_end(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(len)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::algorithm::StreamCipher;
    use super::*;

    #[test]
    fn a_block_without_room_for_key_and_iv_is_refused() {
        let aes = StreamCipher::from_number(429).unwrap();
        assert!(MetaCipher::encryptor(aes, &[0; 47]).is_err());
        assert!(MetaCipher::encryptor(aes, &[0; 48]).is_ok());
    }

    /// Blocks of 8 bytes repeat too soon (CVE-2016-2183); those of 16 never do.
    #[test]
    fn small_blocks_are_spent_after_two_gigabytes() {
        let stream = |number| {
            let cipher = StreamCipher::from_number(number).unwrap();
            MetaCipher::decryptor(cipher, &[7; 64]).unwrap()
        };
        assert_eq!(stream(429).budget, u64::MAX);
        for small in [94, 93, 61, 62] {
            let mut stream = stream(small);
            assert_eq!(stream.budget, 1 << 31);
            stream.budget = 100;
            assert_eq!(stream.apply(&mut [0; 100]), Ok(()));
            assert_eq!(stream.apply(&mut [0; 1]), Err(Spent));
            assert_eq!(stream.apply(&mut [0; 1]), Err(Spent));
        }
    }

    proptest! {
        #[test]
        fn what_one_end_encrypts_the_other_reads_whatever_the_cuts(
            cipher in prop::sample::select(StreamCipher::all().collect::<Vec<_>>()),
            block in any::<[u8; 64]>(),
            text in prop::collection::vec(any::<u8>(), 0..300),
            cut in 0_usize..300,
        ) {
            let mut there = MetaCipher::encryptor(cipher, &block).unwrap();
            let mut here = MetaCipher::decryptor(cipher, &block).unwrap();
            let cut = cut.min(text.len());
            let mut bytes = text.clone();
            let (first, second) = bytes.split_at_mut(cut);
            there.apply(first).unwrap();
            there.apply(second).unwrap();
            let (first, second) = bytes.split_at_mut(text.len() - cut);
            here.apply(first).unwrap();
            here.apply(second).unwrap();
            prop_assert_eq!(bytes, text);
        }
    }
}
