//! The cipher of a packet's body: AES in CBC mode without a detour, everything else behind one.

use aes::{Aes128Dec, Aes128Enc, Aes192Dec, Aes192Enc, Aes256Dec, Aes256Enc};
use cipher::block_padding::Pkcs7;
use cipher::{Array, BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit};
use zeroize::Zeroizing;

use super::algorithm::PacketCipher;
use super::cipher::{Block, Cipher, Mode};
use super::modes::{BodyCipher, body_cipher, pad};

/// Bytes of an AES block, which are the bytes of its IV too.
const BLOCK_LEN: usize = 16;

/// Encrypts bodies. The key schedule is made once.
pub(super) enum Encryptor {
    None,
    Aes128(Box<Aes128Enc>, [u8; BLOCK_LEN]),
    Aes192(Box<Aes192Enc>, [u8; BLOCK_LEN]),
    Aes256(Box<Aes256Enc>, [u8; BLOCK_LEN]),
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

/// The variant of `Self` for a cipher; key and IV have its lengths by construction.
macro_rules! ready {
    ($cipher:expr, $key:expr, $iv:expr) => {
        match $cipher {
            PacketCipher::None => Self::None,
            PacketCipher::Block(cipher) => match cipher {
                Cipher {
                    block: Block::Aes128,
                    mode: Mode::Cbc,
                } => Self::Aes128(schedule($key), first_block($iv)),
                Cipher {
                    block: Block::Aes192,
                    mode: Mode::Cbc,
                } => Self::Aes192(schedule($key), first_block($iv)),
                Cipher {
                    block: Block::Aes256,
                    mode: Mode::Cbc,
                } => Self::Aes256(schedule($key), first_block($iv)),
                cipher => Self::Other(body_cipher(cipher, $key, $iv)),
            },
        }
    };
}

impl Encryptor {
    /// Makes a key ready.
    pub(super) fn new(cipher: PacketCipher, key: &[u8], iv: &[u8]) -> Self {
        ready!(cipher, key, iv)
    }

    /// Encrypts what stands behind `start`, padding included.
    pub(super) fn encrypt(&self, out: &mut Vec<u8>, start: usize) {
        match self {
            Self::None => {}
            Self::Aes128(key, iv) => encrypt(&**key, iv, out, start),
            Self::Aes192(key, iv) => encrypt(&**key, iv, out, start),
            Self::Aes256(key, iv) => encrypt(&**key, iv, out, start),
            Self::Other(cipher) => cipher.encrypt(out, start),
        }
    }
}

impl Decryptor {
    /// Makes a key ready.
    pub(super) fn new(cipher: PacketCipher, key: &[u8], iv: &[u8]) -> Self {
        ready!(cipher, key, iv)
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

fn encrypt<C>(key: &C, iv: &[u8; BLOCK_LEN], out: &mut Vec<u8>, start: usize)
where
    C: cipher::BlockCipherEncrypt<BlockSize = cipher::consts::U16>,
{
    pad(out, start, BLOCK_LEN);
    let body = out.get_mut(start..).unwrap_or_default();
    let (blocks, _) = Array::slice_as_chunks_mut(body);
    cbc::Encryptor::inner_iv_init(key, &Array::from(*iv)).encrypt_blocks(blocks);
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
