//! AES in CBC mode (NIST SP 800-38A section 6.2), encryption only: decryption is no chain.

use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use cipher::consts::U16;
use cipher::{Array, BlockCipherEncrypt, KeyInit};

use crate::{LANES, together};

/// Bytes of a block and of the IV.
const BLOCK: usize = 16;

/// Encrypts packets, each of which begins with the same IV. The key schedule is made once and wiped
/// when dropped.
pub struct CbcEncryptor {
    key: Key,
    iv: [u8; BLOCK],
}

enum Key {
    #[cfg(target_arch = "x86_64")]
    AesNi(Box<crate::x86::aes::Key>),
    Aes128(Box<Aes128Enc>),
    Aes192(Box<Aes192Enc>),
    Aes256(Box<Aes256Enc>),
}

impl CbcEncryptor {
    /// Makes a key of 16, 24 or 32 bytes ready; `None` for any other length.
    #[must_use]
    pub fn new(key: &[u8], iv: [u8; BLOCK]) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if let Some(key) = crate::x86::aes::Key::new(key) {
            let key = Key::AesNi(Box::new(key));
            return Some(Self { key, iv });
        }
        Self::portable(key, iv)
    }

    fn portable(key: &[u8], iv: [u8; BLOCK]) -> Option<Self> {
        let key = match key.len() {
            16 => Key::Aes128(Box::new(Aes128Enc::new_from_slice(key).ok()?)),
            24 => Key::Aes192(Box::new(Aes192Enc::new_from_slice(key).ok()?)),
            32 => Key::Aes256(Box::new(Aes256Enc::new_from_slice(key).ok()?)),
            _ => return None,
        };
        Some(Self { key, iv })
    }

    /// Encrypts each packet in place. Those of one length beside each other go fastest; what is
    /// behind the last whole block of a packet is left as it is.
    pub fn encrypt(&self, packets: &mut [&mut [u8]]) {
        together(
            packets,
            |packet| packet.len(),
            |some| match &self.key {
                #[cfg(target_arch = "x86_64")]
                Key::AesNi(key) => key.encrypt_cbc(&self.iv, some),
                Key::Aes128(key) => encrypt(&**key, self.iv, some),
                Key::Aes192(key) => encrypt(&**key, self.iv, some),
                Key::Aes256(key) => encrypt(&**key, self.iv, some),
            },
        );
    }
}

/// Packets of one length, as many blocks at once as there are packets.
fn encrypt<C>(key: &C, iv: [u8; BLOCK], packets: &mut [&mut [u8]])
where
    C: BlockCipherEncrypt<BlockSize = U16>,
{
    let mut chains = [Array::from(iv); LANES];
    let chains = chains.get_mut(..packets.len()).unwrap_or_default();
    let blocks = packets.first().map_or(0, |packet| packet.len() / BLOCK);
    for at in (0..blocks).map(|block| block * BLOCK) {
        for (chain, packet) in chains.iter_mut().zip(&*packets) {
            let block = packet.get(at..at + BLOCK).unwrap_or_default();
            for (byte, plain) in chain.iter_mut().zip(block) {
                *byte ^= plain;
            }
        }
        key.encrypt_blocks(chains);
        for (chain, packet) in chains.iter().zip(&mut *packets) {
            if let Some(block) = packet.get_mut(at..at + BLOCK) {
                block.copy_from_slice(chain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cbc::cipher::BlockModeEncrypt as _;
    use cipher::InnerIvInit as _;
    use proptest::prelude::*;

    use super::*;

    /// One packet by the `cbc` crate.
    fn reference(key: &[u8], iv: [u8; BLOCK], packet: &mut [u8]) {
        fn run<C: BlockCipherEncrypt<BlockSize = U16>>(key: C, iv: [u8; BLOCK], packet: &mut [u8]) {
            let (blocks, _) = Array::slice_as_chunks_mut(packet);
            cbc::Encryptor::inner_iv_init(key, &Array::from(iv)).encrypt_blocks(blocks);
        }
        match key.len() {
            16 => run(Aes128Enc::new_from_slice(key).unwrap(), iv, packet),
            24 => run(Aes192Enc::new_from_slice(key).unwrap(), iv, packet),
            _ => run(Aes256Enc::new_from_slice(key).unwrap(), iv, packet),
        }
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        for len in (0..40).filter(|len| ![16, 24, 32].contains(len)) {
            assert!(CbcEncryptor::new(&vec![0; len], [0; BLOCK]).is_none());
        }
    }

    /// A key of each length, packets of any lengths (whole blocks and not), and some that are alike.
    fn cases() -> impl Strategy<Value = (Vec<u8>, [u8; BLOCK], Vec<Vec<u8>>)> {
        let key = prop::sample::select(vec![16, 24, 32]);
        let key = key.prop_flat_map(|len| prop::collection::vec(any::<u8>(), len));
        let len = prop_oneof![Just(64usize), Just(1408), 0..200usize];
        let packet = len.prop_flat_map(|len| prop::collection::vec(any::<u8>(), len));
        (
            key,
            any::<[u8; BLOCK]>(),
            prop::collection::vec(packet, 0..20),
        )
    }

    proptest! {
        #[test]
        fn packets_side_by_side_are_those_one_by_one((key, iv, packets) in cases()) {
            let mut expected = packets.clone();
            for packet in &mut expected {
                reference(&key, iv, packet);
            }
            for encryptor in [CbcEncryptor::new, CbcEncryptor::portable] {
                let mut packets = packets.clone();
                let mut lanes: Vec<&mut [u8]> = packets.iter_mut().map(Vec::as_mut_slice).collect();
                encryptor(&key, iv).unwrap().encrypt(&mut lanes);
                prop_assert_eq!(&packets, &expected);
            }
        }
    }
}
