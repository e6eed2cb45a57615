//! AES-CBC and HMAC-SHA-256 of several packets side by side.
//!
//! Both are chains: within one packet each step waits for the one before, and most of what the
//! processor could do meanwhile is lost. Packets do not wait for each other, so a few of them
//! worked on in turns take hardly longer than one. The results are those of one packet at a time,
//! byte for byte.
//!
//! Processors with instructions for AES and SHA-256 use them, found out when a key is made ready.
//! Elsewhere the RustCrypto crates do the work, which on processors without such instructions are
//! table-free software: AES there computes several blocks at once, or wastes the room of the others.

mod cbc;
mod hmac;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use cbc::CbcEncryptor;
pub use hmac::HmacSha256;

/// How many packets are worked on at once; more may be given.
pub const LANES: usize = 8;

/// Calls `work` with as many of the first lanes as have one length and go together.
///
/// `work` is given one, two, four or [`LANES`] of them, as many as there are.
fn together<L>(mut lanes: &mut [L], len: impl Fn(&L) -> usize, mut work: impl FnMut(&mut [L])) {
    while let Some(first) = lanes.first().map(&len) {
        let alike = lanes
            .iter()
            .take(LANES)
            .take_while(|lane| len(lane) == first);
        let count = 1 << alike.count().max(1).ilog2();
        let (now, later) = lanes.split_at_mut(count);
        work(now);
        lanes = later;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lanes_go_together_by_length_and_each_goes_once(
            lens in prop::collection::vec(0..3usize, 0..40),
        ) {
            let mut lanes: Vec<_> = lens.iter().map(|len| (*len, 0)).collect();
            together(&mut lanes, |lane| lane.0, |some| {
                assert!([1, 2, 4, LANES].contains(&some.len()));
                assert!(some.iter().all(|lane| lane.0 == some[0].0));
                some.iter_mut().for_each(|lane| lane.1 += 1);
            });
            prop_assert!(lanes.iter().all(|lane| lane.1 == 1));
        }
    }
}
