//! The cipher of a packet's body: AES in CBC mode without a detour, everything else behind one.

use aes::{Aes128Dec, Aes192Dec, Aes256Dec};
use cipher::block_padding::Pkcs7;
use cipher::{Array, BlockModeDecrypt as _, InnerIvInit as _, KeyInit};
use lanes::CbcEncryptor;
use zeroize::Zeroizing;

use super::algorithm::PacketCipher;
use super::cipher::{Block, Cipher, Mode};
use super::modes::{BodyCipher, body_cipher, pad};

/// Bytes of an AES block, which are the bytes of its IV too.
const BLOCK_LEN: usize = 16;

/// Encrypts bodies. The key schedule is made once.
pub(super) enum Encryptor {
    None,
    AesCbc(CbcEncryptor),
    Other(Box<dyn BodyCipher>),
}

/// Decrypts bodies. The key schedule is made once.
pub(super) enum Decryptor {
    None,
    Aes128(Box<Aes128Dec>, [u8; BLOCK_LEN]),
    Aes192(Box<Aes192Dec>, [u8; BLOCK_LEN]),
    Aes256(Box<Aes256Dec>, [u8; BLOCK_LEN]),
    Other(Box<dyn BodyCipher>),
}

impl Encryptor {
    /// Makes a key ready; key and IV have the lengths of the cipher by construction.
    pub(super) fn new(cipher: PacketCipher, key: &[u8], iv: &[u8]) -> Self {
        let PacketCipher::Block(cipher) = cipher else {
            return Self::None;
        };
        let is_aes_cbc = matches!(
            cipher,
            Cipher {
                block: Block::Aes128 | Block::Aes192 | Block::Aes256,
                mode: Mode::Cbc,
            }
        );
        match CbcEncryptor::new(key, first_block(iv)).filter(|_| is_aes_cbc) {
            Some(encryptor) => Self::AesCbc(encryptor),
            None => Self::Other(body_cipher(cipher, key, iv)),
        }
    }

    /// Appends the padding of what stands behind `start`, if there is any.
    pub(super) fn pad(&self, out: &mut Vec<u8>, start: usize) {
        match self {
            Self::None => {}
            Self::AesCbc(_) => pad(out, start, BLOCK_LEN),
            Self::Other(cipher) => cipher.pad(out, start),
        }
    }

    /// Encrypts bodies with their padding, each by itself.
    pub(super) fn encrypt(&self, bodies: &mut [&mut [u8]]) {
        match self {
            Self::None => {}
            Self::AesCbc(encryptor) => encryptor.encrypt(bodies),
            Self::Other(cipher) => bodies.iter_mut().for_each(|body| cipher.encrypt(body)),
        }
    }
}

impl Decryptor {
    /// Makes a key ready; key and IV have the lengths of the cipher by construction.
    pub(super) fn new(cipher: PacketCipher, key: &[u8], iv: &[u8]) -> Self {
        match cipher {
            PacketCipher::None => Self::None,
            PacketCipher::Block(cipher) => match (cipher.block, cipher.mode) {
                (Block::Aes128, Mode::Cbc) => Self::Aes128(schedule(key), first_block(iv)),
                (Block::Aes192, Mode::Cbc) => Self::Aes192(schedule(key), first_block(iv)),
                (Block::Aes256, Mode::Cbc) => Self::Aes256(schedule(key), first_block(iv)),
                _ => Self::Other(body_cipher(cipher, key, iv)),
            },
        }
    }

    /// Decrypts in place; says how much is left without padding, or `None` if it cannot have
    /// been encrypted by this cipher.
    pub(super) fn decrypt(&self, body: &mut [u8]) -> Option<usize> {
        match self {
            Self::None => Some(body.len()),
            Self::Aes128(key, iv) => decrypt(&**key, iv, body),
            Self::Aes192(key, iv) => decrypt(&**key, iv, body),
            Self::Aes256(key, iv) => decrypt(&**key, iv, body),
            Self::Other(cipher) => cipher.decrypt(body),
        }
    }
}

fn schedule<C: KeyInit>(key: &[u8]) -> Box<C>
where
    Array<u8, C::KeySize>: Default,
{
    // The default stands for no key at all.
    let mut bytes = Zeroizing::new(Array::<u8, C::KeySize>::default());
    for (slot, byte) in bytes.iter_mut().zip(key) {
        *slot = *byte;
    }
    Box::new(C::new(&bytes))
}

fn first_block(iv: &[u8]) -> [u8; BLOCK_LEN] {
    iv.first_chunk().copied().unwrap_or_default()
}

fn decrypt<C>(key: &C, iv: &[u8; BLOCK_LEN], body: &mut [u8]) -> Option<usize>
where
    C: cipher::BlockCipherDecrypt<BlockSize = cipher::consts::U16>,
{
    cbc::Decryptor::inner_iv_init(key, &Array::from(*iv))
        .decrypt_padded::<Pkcs7>(body)
        .map(<[u8]>::len)
        .ok()
}
