//! AES by AES-NI.

use std::arch::x86_64::{
    __m128i, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_aeskeygenassist_si128, _mm_xor_si128,
};

use zeroize::Zeroize as _;

use super::{bytes, register};

/// Round keys of a key of 256 bits (FIPS 197 section 5).
const MOST_ROUND_KEYS: usize = 15;

/// A key schedule.
pub(crate) struct Key {
    round_keys: [[u8; 16]; MOST_ROUND_KEYS],
    /// 10, 12 or 14.
    rounds: usize,
}

impl Drop for Key {
    fn drop(&mut self) {
        self.round_keys.zeroize();
    }
}

impl Key {
    /// The schedule of a key; `None` if it has no length of AES or the processor has no AES-NI.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let rounds = match key.len() {
            16 => 10,
            24 => 12,
            32 => 14,
            _ => return None,
        };
        if !std::arch::is_x86_feature_detected!("aes")
            || !std::arch::is_x86_feature_detected!("avx")
        {
            return None;
        }
        // SAFETY: the processor has AES-NI.
        let round_keys = unsafe { expand(key) };
        Some(Self { round_keys, rounds })
    }

    /// Encrypts packets of one length in CBC mode, one, two, four or eight at once.
    pub(crate) fn encrypt_cbc(&self, iv: &[u8; 16], packets: &mut [&mut [u8]]) {
        // SAFETY: a key exists only where the processor has AES-NI.
        unsafe {
            match self.rounds {
                10 => self.with_rounds::<11>(iv, packets),
                12 => self.with_rounds::<13>(iv, packets),
                _ => self.with_rounds::<15>(iv, packets),
            }
        }
    }

    #[target_feature(enable = "aes,avx,sse2")]
    fn with_rounds<const R: usize>(&self, iv: &[u8; 16], packets: &mut [&mut [u8]]) {
        let Some(keys) = self.round_keys.first_chunk::<R>() else {
            return;
        };
        let keys = keys.map(register);
        match packets {
            [a, b, c, d, e, f, g, h] => abreast(&keys, iv, [a, b, c, d, e, f, g, h]),
            [a, b, c, d] => abreast(&keys, iv, [a, b, c, d]),
            [a, b] => abreast(&keys, iv, [a, b]),
            some => {
                for packet in some {
                    abreast(&keys, iv, [packet]);
                }
            }
        }
    }
}

/// The key expansion of FIPS 197 section 5.2, words in memory order.
#[target_feature(enable = "aes,avx,sse2")]
fn expand(key: &[u8]) -> [[u8; 16]; MOST_ROUND_KEYS] {
    let mut words = [[0; 4]; 4 * MOST_ROUND_KEYS];
    for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
        *word = *bytes;
    }
    let width = key.len() / 4;
    let mut round_constant = 1_u8;
    for at in width..words.len() {
        let [before, back] =
            [at - 1, at - width].map(|at| words.get(at).copied().unwrap_or_default());
        let mut word = before;
        if at % width == 0 {
            word = substituted(word);
            word.rotate_left(1);
            word[0] ^= round_constant;
            // Doubled in the field of AES (FIPS 197 section 4.2.1).
            round_constant = (round_constant << 1) ^ ((round_constant >> 7) * 0x1b);
        } else if width > 6 && at % width == 4 {
            word = substituted(word);
        }
        if let Some(slot) = words.get_mut(at) {
            *slot = std::array::from_fn(|byte| word[byte] ^ back[byte]);
        }
    }
    let mut keys = [[0; 16]; MOST_ROUND_KEYS];
    for (key, words) in keys.iter_mut().zip(words.as_chunks::<4>().0) {
        key.copy_from_slice(words.as_flattened());
    }
    words.zeroize();
    keys
}

/// The S-box on each byte of a word.
#[target_feature(enable = "aes,avx,sse2")]
fn substituted(word: [u8; 4]) -> [u8; 4] {
    let mut input = [0; 16];
    input[4..8].copy_from_slice(&word);
    let [a, b, c, d, ..] = bytes(_mm_aeskeygenassist_si128::<0>(register(input)));
    [a, b, c, d]
}

/// `N` packets of one length.
#[target_feature(enable = "aes,avx,sse2")]
#[inline]
fn abreast<const N: usize, const R: usize>(
    keys: &[__m128i; R],
    iv: &[u8; 16],
    packets: [&mut [u8]; N],
) {
    let mut packets = packets.map(|packet| packet.as_chunks_mut::<16>().0);
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return;
    };
    let middle = keys.get(1..R - 1).unwrap_or_default();
    let mut chains = [register(*iv); N];
    for at in 0..packets.first().map_or(0, |packet| packet.len()) {
        for (chain, packet) in chains.iter_mut().zip(&packets) {
            let plain = packet.get(at).copied().unwrap_or_default();
            *chain = _mm_xor_si128(_mm_xor_si128(*chain, register(plain)), *first);
        }
        for key in middle {
            for chain in &mut chains {
                *chain = _mm_aesenc_si128(*chain, *key);
            }
        }
        for (chain, packet) in chains.iter_mut().zip(&mut packets) {
            *chain = _mm_aesenclast_si128(*chain, *last);
            if let Some(block) = packet.get_mut(at) {
                *block = bytes(*chain);
            }
        }
    }
}
