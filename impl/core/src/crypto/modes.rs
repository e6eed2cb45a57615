//! Block ciphers in their modes of operation over one packet at a time.

use cipher::block_padding::{Padding as _, Pkcs7};
use cipher::{
    Array, Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt as _,
    BlockModeEncrypt as _, BlockSizeUser, InnerIvInit as _, Key, KeyInit,
};

use super::cipher::{Cipher, Mode};

/// `$then` with `$type` as the block cipher's type.
macro_rules! with_block {
    ($block:expr, $type:ident => $then:expr) => {
        with_block!(@ $block, $type, $then,
            Aes128 = aes::Aes128, Aes192 = aes::Aes192, Aes256 = aes::Aes256,
            Camellia128 = camellia::Camellia128, Camellia192 = camellia::Camellia192,
            Camellia256 = camellia::Camellia256,
            Aria128 = aria::Aria128, Aria192 = aria::Aria192, Aria256 = aria::Aria256,
            Sm4 = sm4::Sm4, DesEde = des::TdesEde2, DesEde3 = des::TdesEde3,
            Blowfish = blowfish::Blowfish)
    };
    (@ $block:expr, $type:ident, $then:expr, $($name:ident = $known:ty),*) => {
        match $block {
            $($crate::crypto::cipher::Block::$name => { type $type = $known; $then })*
        }
    };
}
pub(super) use with_block;

/// What encrypts and decrypts the bodies of packets, each from the same state.
pub(super) trait BodyCipher: Send + Sync {
    /// Appends the padding of what stands behind `start`, if the mode has any.
    fn pad(&self, out: &mut Vec<u8>, start: usize);

    /// Encrypts in place what has its padding.
    fn encrypt(&self, body: &mut [u8]);

    /// Decrypts in place; says how much is left without padding, or `None` if it cannot have
    /// been encrypted by this cipher.
    fn decrypt(&self, body: &mut [u8]) -> Option<usize>;
}

/// Makes a key ready; key and IV have the lengths of the cipher by construction.
pub(super) fn body_cipher(cipher: Cipher, key: &[u8], iv: &[u8]) -> Box<dyn BodyCipher> {
    with_block!(cipher.block, C => Box::new(Keyed::<C>::new(cipher.mode, key, iv)))
}

struct Keyed<C: BlockSizeUser> {
    cipher: C,
    iv: Block<C>,
    mode: Mode,
}

impl<C: KeyInit + BlockSizeUser> Keyed<C> {
    fn new(mode: Mode, key: &[u8], iv: &[u8]) -> Self {
        let mut first = Block::<C>::default();
        for (slot, byte) in first.iter_mut().zip(iv) {
            *slot = *byte;
        }
        Self {
            // The default stands for no key at all.
            cipher: C::new_from_slice(key).unwrap_or_else(|_| C::new(&Key::<C>::default())),
            iv: first,
            mode,
        }
    }
}

impl<C> BodyCipher for Keyed<C>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync,
{
    fn pad(&self, out: &mut Vec<u8>, start: usize) {
        if matches!(self.mode, Mode::Cbc | Mode::Ecb) {
            pad(out, start, C::block_size());
        }
    }

    fn encrypt(&self, body: &mut [u8]) {
        let Self { cipher, iv, mode } = self;
        match mode {
            Mode::Cbc => {
                let (blocks, _) = Array::slice_as_chunks_mut(body);
                cbc::Encryptor::inner_iv_init(cipher, iv).encrypt_blocks(blocks);
            }
            Mode::Ecb => {
                let (blocks, _) = Array::slice_as_chunks_mut(body);
                cipher.encrypt_blocks(blocks);
            }
            Mode::Cfb => cfb_mode::Encryptor::inner_iv_init(cipher, iv).encrypt(body),
            Mode::Ofb => output_feedback(cipher, iv, body),
            Mode::Cfb8 => narrow_feedback(cipher, iv, body, 8, Direction::Encrypt),
            Mode::Cfb1 => narrow_feedback(cipher, iv, body, 1, Direction::Encrypt),
        }
    }

    fn decrypt(&self, body: &mut [u8]) -> Option<usize> {
        let Self { cipher, iv, mode } = self;
        match mode {
            Mode::Cbc | Mode::Ecb => {
                let (blocks, []) = Array::slice_as_chunks_mut(body) else {
                    return None;
                };
                match mode {
                    Mode::Cbc => cbc::Decryptor::inner_iv_init(cipher, iv).decrypt_blocks(blocks),
                    _ => cipher.decrypt_blocks(blocks),
                }
                return Pkcs7::unpad_blocks(blocks).ok().map(<[u8]>::len);
            }
            Mode::Cfb => cfb_mode::Decryptor::inner_iv_init(cipher, iv).decrypt(body),
            Mode::Ofb => output_feedback(cipher, iv, body),
            Mode::Cfb8 => narrow_feedback(cipher, iv, body, 8, Direction::Decrypt),
            Mode::Cfb1 => narrow_feedback(cipher, iv, body, 1, Direction::Decrypt),
        }
        Some(body.len())
    }
}

/// Appends 1 to `block_len` bytes of padding (PKCS#7, RFC 5652 section 6.3).
pub(super) fn pad(out: &mut Vec<u8>, start: usize, block_len: usize) {
    let padding = block_len - (out.len() - start) % block_len;
    // No block has more than 255 bytes.
    let fill = u8::try_from(padding).unwrap_or_default();
    out.resize(out.len() + padding, fill);
}

/// Output feedback (NIST SP 800-38A section 6.4).
fn output_feedback<C: BlockCipherEncrypt>(cipher: &C, iv: &Block<C>, body: &mut [u8]) {
    let mut register = iv.clone();
    for part in body.chunks_mut(C::block_size()) {
        cipher.encrypt_block(&mut register);
        for (byte, key) in part.iter_mut().zip(&register) {
            *byte ^= key;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Encrypt,
    Decrypt,
}

/// Cipher feedback of 8 bits or 1 bit at a time (NIST SP 800-38A section 6.3), highest bit first.
fn narrow_feedback<C: BlockCipherEncrypt>(
    cipher: &C,
    iv: &Block<C>,
    body: &mut [u8],
    bits: u32,
    direction: Direction,
) {
    let mut register = iv.clone();
    for byte in body {
        let mut left = 8;
        while left > 0 {
            left -= bits;
            let mut keystream = register.clone();
            cipher.encrypt_block(&mut keystream);
            let first = keystream.first().copied().unwrap_or_default();
            let mask = u8::MAX >> (8 - bits);
            let before = (*byte >> left) & mask;
            let after = before ^ (first >> (8 - bits));
            *byte ^= (before ^ after) << left;
            let fed = match direction {
                Direction::Encrypt => after,
                Direction::Decrypt => before,
            };
            // The register moves left by `bits`; the ciphertext comes in at its end.
            let mut carry = u16::from(fed);
            for slot in register.iter_mut().rev() {
                let [high, low] = ((u16::from(*slot) << bits) | carry).to_be_bytes();
                *slot = low;
                carry = high.into();
            }
        }
    }
}
