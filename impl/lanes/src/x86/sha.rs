//! SHA-256 by the SHA extensions.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_set_epi64x, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::{bytes, register};
use crate::hmac::State;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// The constants of the rounds (FIPS 180-4 section 4.2.2).
#[rustfmt::skip]
const ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Proof that the processor has the SHA extensions.
#[derive(Clone, Copy)]
pub(crate) struct ShaNi(());

impl ShaNi {
    /// `None` without the SHA extensions.
    pub(crate) fn new() -> Option<Self> {
        let has = std::arch::is_x86_feature_detected!("sha")
            && std::arch::is_x86_feature_detected!("avx")
            && std::arch::is_x86_feature_detected!("ssse3")
            && std::arch::is_x86_feature_detected!("sse4.1");
        has.then_some(Self(()))
    }

    /// Compresses whole blocks, as many for each state.
    pub(crate) fn compress<const N: usize>(self, states: [&mut State; N], messages: [&[u8]; N]) {
        // SAFETY: there is a `ShaNi` only where the processor has these extensions.
        unsafe { abreast(states, messages) }
    }
}

#[target_feature(enable = "avx,sha,sse2,ssse3,sse4.1")]
fn abreast<const N: usize>(states: [&mut State; N], messages: [&[u8]; N]) {
    // The words of a block are big-endian.
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let messages = messages.map(|message| message.as_chunks::<BLOCK>().0);
    let mut chains = [[register([0; 16]); 2]; N];
    for (chain, state) in chains.iter_mut().zip(&states) {
        *chain = gathered(state);
    }
    for at in 0..messages.first().map_or(0, |message| message.len()) {
        let mut schedules = [[register([0; 16]); 4]; N];
        for (schedule, message) in schedules.iter_mut().zip(messages) {
            let block = message.get(at).unwrap_or(&[0; BLOCK]);
            for (words, bytes) in schedule.iter_mut().zip(block.as_chunks::<16>().0) {
                *words = _mm_shuffle_epi8(register(*bytes), big_endian);
            }
        }
        let before = chains;
        for (quarter, constants) in ROUND_CONSTANTS.as_chunks::<16>().0.iter().enumerate() {
            // Places of the schedule are used again in turn, so that nothing is moved about.
            for four in 0..4 {
                let constants = words(std::array::from_fn(|at| constants[4 * four + at]));
                for ([low, high], schedule) in chains.iter_mut().zip(&mut schedules) {
                    let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|at| schedule[(four + at) % 4]);
                    let sum = _mm_add_epi32(w0, constants);
                    *high = _mm_sha256rnds2_epu32(*high, *low, sum);
                    *low = _mm_sha256rnds2_epu32(*low, *high, _mm_shuffle_epi32::<0x0e>(sum));
                    if quarter < 3 {
                        let next = _mm_sha256msg1_epu32(w0, w1);
                        let next = _mm_add_epi32(next, _mm_alignr_epi8::<4>(w3, w2));
                        schedule[four] = _mm_sha256msg2_epu32(next, w3);
                    }
                }
            }
        }
        for (chain, before) in chains.iter_mut().zip(before) {
            for (now, before) in chain.iter_mut().zip(before) {
                *now = _mm_add_epi32(*now, before);
            }
        }
    }
    for (state, chain) in states.into_iter().zip(chains) {
        *state = spread(chain);
    }
}

fn words(words: [u32; 4]) -> __m128i {
    let [a, b, c, d] = words.map(u32::to_ne_bytes);
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip([a, b, c, d].as_flattened()) {
        *to = *from;
    }
    register(bytes)
}

/// A state as the instructions take it: ABEF and CDGH, the first of each highest.
#[target_feature(enable = "sse2,ssse3,sse4.1")]
fn gathered(&[a, b, c, d, e, f, g, h]: &State) -> [__m128i; 2] {
    [words([f, e, b, a]), words([h, g, d, c])]
}

/// The other way round.
#[target_feature(enable = "sse2,ssse3,sse4.1")]
fn spread(chain: [__m128i; 2]) -> State {
    let [[f, e, b, a], [h, g, d, c]] = chain.map(|register| {
        let bytes = bytes(register);
        let words = bytes.as_chunks::<4>().0;
        std::array::from_fn(|at| words.get(at).map_or(0, |word| u32::from_ne_bytes(*word)))
    });
    [a, b, c, d, e, f, g, h]
}
