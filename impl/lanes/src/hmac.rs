//! HMAC-SHA-256 (RFC 2104, RFC 6234).

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{LANES, together};

/// Bytes of a block of SHA-256.
pub(crate) const BLOCK: usize = 64;
/// Bytes of a MAC.
const MAC: usize = 32;

pub(crate) type State = [u32; 8];

/// The state before the first block (FIPS 180-4 section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Makes MACs. What does not depend on the packet is computed once and wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct HmacSha256 {
    inner: State,
    outer: State,
    #[zeroize(skip)]
    compress: Compress,
}

/// What compresses one block for each state, each from its own place in as many messages: as many
/// of both as [`together`] gives.
#[derive(Clone, Copy)]
enum Compress {
    #[cfg(target_arch = "x86_64")]
    ShaNi(crate::x86::sha::ShaNi),
    Portable,
}

/// A message on its way through the hash.
struct Lane<'a> {
    body: &'a [u8],
    mac: &'a mut [u8; MAC],
}

impl HmacSha256 {
    /// Makes a key of any length ready.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(instructions) = crate::x86::sha::ShaNi::new() {
            return Self::with(key, Compress::ShaNi(instructions));
        }
        Self::with(key, Compress::Portable)
    }

    fn with(key: &[u8], compress: Compress) -> Self {
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            let mut state = INITIAL;
            compress.message([&mut state], [key], 0);
            write(&state, &mut block);
        } else {
            for (slot, byte) in block.iter_mut().zip(key) {
                *slot = *byte;
            }
        }
        let padded = |pad: u8| {
            let mut state = INITIAL;
            let mut padded = block.map(|byte| byte ^ pad);
            compress.blocks([&mut state], [&padded]);
            padded.zeroize();
            state
        };
        let (inner, outer) = (padded(0x36), padded(0x5c));
        block.zeroize();
        Self {
            inner,
            outer,
            compress,
        }
    }

    /// Writes the MAC of each body to its place; bodies without one are left out. Those of one
    /// length beside each other go fastest.
    pub fn compute(&self, bodies: &[&[u8]], macs: &mut [[u8; MAC]]) {
        for (bodies, macs) in bodies.chunks(LANES).zip(macs.chunks_mut(LANES)) {
            let mut lanes = [const { None }; LANES];
            for ((lane, body), mac) in lanes.iter_mut().zip(bodies).zip(macs) {
                *lane = Some(Lane { body, mac });
            }
            let count = lanes.iter().flatten().count();
            let lanes = lanes.get_mut(..count).unwrap_or_default();
            let len = |lane: &Option<Lane<'_>>| lane.as_ref().map_or(0, |lane| lane.body.len());
            // Two fill the unit that does it, and more would not find room in the registers.
            together(lanes, len, |some| {
                let (pairs, rest) = some.as_chunks_mut::<2>();
                for [one, other] in pairs {
                    self.abreast([one, other]);
                }
                for lane in rest {
                    self.abreast([lane]);
                }
            });
        }
    }

    /// `N` bodies of one length.
    fn abreast<const N: usize>(&self, lanes: [&mut Option<Lane<'_>>; N]) {
        let mut states = [self.inner; N];
        let bodies = lanes
            .each_ref()
            .map(|lane| lane.as_ref().map_or(&[][..], |lane| lane.body));
        self.compress.message(states.each_mut(), bodies, 1);
        let mut inner = [[0; MAC]; N];
        for (bytes, state) in inner.iter_mut().zip(&states) {
            write(state, bytes);
        }
        let mut states = [self.outer; N];
        self.compress.message(
            states.each_mut(),
            inner.each_ref().map(<[u8; MAC]>::as_slice),
            1,
        );
        for (lane, state) in lanes.into_iter().zip(&states) {
            if let Some(Lane { mac, .. }) = lane {
                write(state, mac.as_mut_slice());
            }
        }
    }
}

impl Compress {
    /// Whole messages of one length with their padding (FIPS 180-4 section 5.1.1), before each of
    /// which `before` blocks were compressed.
    fn message<const N: usize>(
        self,
        mut states: [&mut State; N],
        messages: [&[u8]; N],
        before: u64,
    ) {
        let parts = messages.map(<[u8]>::as_chunks::<BLOCK>);
        self.blocks(
            states.each_mut().map(|state| &mut **state),
            parts.map(|(blocks, _)| blocks.as_flattened()),
        );
        let mut ends = [[0; 2 * BLOCK]; N];
        let mut used = 0;
        for ((end, (blocks, rest)), _) in ends.iter_mut().zip(parts).zip(messages) {
            let bytes =
                before * BLOCK as u64 + blocks.len() as u64 * BLOCK as u64 + rest.len() as u64;
            // The mark, and the length in bits in the last eight bytes of a block.
            used = (rest.len() + 1 + 8).next_multiple_of(BLOCK);
            for (slot, byte) in end.iter_mut().zip(rest.iter().chain(&[0x80])) {
                *slot = *byte;
            }
            let length = (bytes * 8).to_be_bytes();
            for (slot, byte) in end.iter_mut().take(used).rev().zip(length.iter().rev()) {
                *slot = *byte;
            }
        }
        self.blocks(
            states,
            ends.each_ref()
                .map(|end| end.get(..used).unwrap_or_default()),
        );
    }

    /// Whole blocks, as many from each message.
    fn blocks<const N: usize>(self, states: [&mut State; N], messages: [&[u8]; N]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi(instructions) => instructions.compress(states, messages),
            Self::Portable => {
                for (state, message) in states.into_iter().zip(messages) {
                    compress256(state, message.as_chunks().0);
                }
            }
        }
    }
}

/// The bytes of a state (FIPS 180-4 section 3.1: big-endian words).
fn write(state: &State, bytes: &mut [u8]) {
    let words = state.iter().flat_map(|word| word.to_be_bytes());
    for (slot, byte) in bytes.iter_mut().zip(words) {
        *slot = byte;
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    proptest! {
        #[test]
        fn macs_side_by_side_are_those_one_by_one(
            key in prop::collection::vec(any::<u8>(), 0..200),
            bodies in prop::collection::vec(
                prop_oneof![Just(48usize), Just(1424), 0..300usize]
                    .prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)),
                0..20,
            ),
        ) {
            let expected: Vec<[u8; MAC]> = bodies
                .iter()
                .map(|body| {
                    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
                    mac.chain_update(body).finalize().into_bytes().into()
                })
                .collect();
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            for hmac in [HmacSha256::new(&key), HmacSha256::with(&key, Compress::Portable)] {
                let mut macs = vec![[0; MAC]; bodies.len()];
                hmac.compute(&bodies, &mut macs);
                prop_assert_eq!(&macs, &expected);
            }
        }
    }
}
