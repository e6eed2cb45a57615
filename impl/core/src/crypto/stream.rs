//! The stream ciphers of meta connections: one stream for the life of a connection, whatever
//! cuts TCP makes.

use aes::{Aes128, Aes192, Aes256};
use cipher::{KeyIvInit as _, StreamCipher as _};

use super::algorithm::StreamCipher;

/// One direction of a meta connection.
pub struct MetaCipher(Stream);

enum Stream {
    Encrypt128(Box<cfb_mode::BufEncryptor<Aes128>>),
    Encrypt192(Box<cfb_mode::BufEncryptor<Aes192>>),
    Encrypt256(Box<cfb_mode::BufEncryptor<Aes256>>),
    Decrypt128(Box<cfb_mode::BufDecryptor<Aes128>>),
    Decrypt192(Box<cfb_mode::BufDecryptor<Aes192>>),
    Decrypt256(Box<cfb_mode::BufDecryptor<Aes256>>),
    // Output feedback is the same in both directions.
    Either128(Box<ofb::Ofb<Aes128>>),
    Either192(Box<ofb::Ofb<Aes192>>),
    Either256(Box<ofb::Ofb<Aes256>>),
}

/// The last bytes of a METAKEY plaintext are too few for the cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} bytes are too few for the key and IV of {cipher}")]
pub struct MaterialError {
    cipher: StreamCipher,
    found: usize,
}

impl MetaCipher {
    /// The sending direction. Key and IV come from the end of `block`, the plaintext of a
    /// METAKEY: the key last, the IV just before it (legacy protocol).
    ///
    /// # Errors
    /// If the block is too short for the cipher.
    pub fn encryptor(cipher: StreamCipher, block: &[u8]) -> Result<Self, MaterialError> {
        Self::new(cipher, block, true)
    }

    /// The receiving direction; see [`MetaCipher::encryptor`].
    ///
    /// # Errors
    /// If the block is too short for the cipher.
    pub fn decryptor(cipher: StreamCipher, block: &[u8]) -> Result<Self, MaterialError> {
        Self::new(cipher, block, false)
    }

    fn new(cipher: StreamCipher, block: &[u8], encrypt: bool) -> Result<Self, MaterialError> {
        let short = MaterialError {
            cipher,
            found: block.len(),
        };
        let (rest, key) = split_end(block, cipher.key_len()).ok_or(short)?;
        let (_, iv) = split_end(rest, cipher.iv_len()).ok_or(short)?;
        macro_rules! stream {
            ($variant:ident, $type:ty) => {
                Stream::$variant(Box::new(
                    <$type>::new_from_slices(key, iv).map_err(|_| short)?,
                ))
            };
        }
        let stream = match (cipher, encrypt) {
            (StreamCipher::Aes128Cfb, true) => stream!(Encrypt128, cfb_mode::BufEncryptor<Aes128>),
            (StreamCipher::Aes192Cfb, true) => stream!(Encrypt192, cfb_mode::BufEncryptor<Aes192>),
            (StreamCipher::Aes256Cfb, true) => stream!(Encrypt256, cfb_mode::BufEncryptor<Aes256>),
            (StreamCipher::Aes128Cfb, false) => stream!(Decrypt128, cfb_mode::BufDecryptor<Aes128>),
            (StreamCipher::Aes192Cfb, false) => stream!(Decrypt192, cfb_mode::BufDecryptor<Aes192>),
            (StreamCipher::Aes256Cfb, false) => stream!(Decrypt256, cfb_mode::BufDecryptor<Aes256>),
            (StreamCipher::Aes128Ofb, _) => stream!(Either128, ofb::Ofb<Aes128>),
            (StreamCipher::Aes192Ofb, _) => stream!(Either192, ofb::Ofb<Aes192>),
            (StreamCipher::Aes256Ofb, _) => stream!(Either256, ofb::Ofb<Aes256>),
        };
        Ok(Self(stream))
    }

    /// Transforms the next bytes of the stream in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        match &mut self.0 {
            Stream::Encrypt128(stream) => stream.encrypt(bytes),
            Stream::Encrypt192(stream) => stream.encrypt(bytes),
            Stream::Encrypt256(stream) => stream.encrypt(bytes),
            Stream::Decrypt128(stream) => stream.decrypt(bytes),
            Stream::Decrypt192(stream) => stream.decrypt(bytes),
            Stream::Decrypt256(stream) => stream.decrypt(bytes),
            Stream::Either128(stream) => stream.apply_keystream(bytes),
            Stream::Either192(stream) => stream.apply_keystream(bytes),
            Stream::Either256(stream) => stream.apply_keystream(bytes),
        }
    }
}

fn split_end(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(len)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [StreamCipher; 6] = [
        StreamCipher::Aes128Cfb,
        StreamCipher::Aes192Cfb,
        StreamCipher::Aes256Cfb,
        StreamCipher::Aes128Ofb,
        StreamCipher::Aes192Ofb,
        StreamCipher::Aes256Ofb,
    ];

    #[test]
    fn a_block_without_room_for_key_and_iv_is_refused() {
        assert!(MetaCipher::encryptor(StreamCipher::Aes256Cfb, &[0; 47]).is_err());
        assert!(MetaCipher::encryptor(StreamCipher::Aes256Cfb, &[0; 48]).is_ok());
    }

    proptest! {
        #[test]
        fn what_one_end_encrypts_the_other_reads_whatever_the_cuts(
            cipher in 0_usize..6,
            block in any::<[u8; 64]>(),
            text in prop::collection::vec(any::<u8>(), 0..300),
            cut in 0_usize..300,
        ) {
            let mut there = MetaCipher::encryptor(ALL[cipher], &block).unwrap();
            let mut here = MetaCipher::decryptor(ALL[cipher], &block).unwrap();
            let cut = cut.min(text.len());
            let mut bytes = text.clone();
            let (first, second) = bytes.split_at_mut(cut);
            there.apply(first);
            there.apply(second);
            let (first, second) = bytes.split_at_mut(text.len() - cut);
            here.apply(first);
            here.apply(second);
            prop_assert_eq!(bytes, text);
        }
    }
}
