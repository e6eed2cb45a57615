//! The Internet checksum (RFC 1071) over whole packets.

/// Ones' complement sum of 16-bit words.
///
/// Words are added as the machine reads them; where the bytes of the result go, that comes out
/// right on either kind of machine (RFC 1071 section 2B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of some bytes; an odd one at the end counts as if a zero followed.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let (eights, rest) = bytes.as_chunks::<8>();
        let sum = eights.iter().fold(0_u128, |sum, eight| {
            sum + u128::from(u64::from_ne_bytes(*eight))
        });
        let mut last = [0; 8];
        for (slot, byte) in last.iter_mut().zip(rest) {
            *slot = *byte;
        }
        let half = |half: u128| Self(u64::try_from(half).unwrap_or_default()).reduced();
        let low = half(sum & u128::from(u64::MAX));
        let last = Self(u64::from_ne_bytes(last)).reduced();
        low.and(half(sum >> 64)).and(last)
    }

    /// The sum of a word that is written with its high byte first.
    #[must_use]
    pub fn of_word(word: u16) -> Self {
        Self(u16::from_ne_bytes(word.to_be_bytes()).into())
    }

    /// The sum of what both are of; the second begins at an even place.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0).reduced()
    }

    /// The sum without a word that is part of it.
    #[must_use]
    pub fn without(self, word: u16) -> Self {
        self.and(Self::of_word(!word))
    }

    /// The bytes of the sum, as a header holds it.
    #[must_use]
    pub fn bytes(self) -> [u8; 2] {
        self.folded().to_ne_bytes()
    }

    /// The bytes of the checksum: the sum's complement.
    #[must_use]
    pub fn checksum(self) -> [u8; 2] {
        (!self.folded()).to_ne_bytes()
    }

    /// Whether this, of a packet with its checksum, says that the packet is intact.
    #[must_use]
    pub fn is_intact(self) -> bool {
        self.folded() == u16::MAX
    }

    /// Small enough that many can be added.
    fn reduced(self) -> Self {
        Self((self.0 & 0xffff) + (self.0 >> 16 & 0xffff) + (self.0 >> 32 & 0xffff) + (self.0 >> 48))
    }

    fn folded(self) -> u16 {
        let mut sum = self.0;
        while let Some(carried) = Some(sum >> 16).filter(|carried| *carried > 0) {
            sum = (sum & 0xffff) + carried;
        }
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use pnet_packet::util;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::of(&bytes).bytes(), [0xdd, 0xf2]);
        assert_eq!(Sum::of(&bytes).checksum(), [0x22, 0x0d]);
    }

    #[test]
    fn of_nothing_the_sum_is_zero() {
        assert_eq!(Sum::of(&[]).bytes(), [0; 2]);
        assert_eq!(Sum::of(&[]).checksum(), [0xff; 2]);
    }

    proptest! {
        /// Of nothing, the other one says that the checksum is zero.
        #[test]
        fn it_is_what_others_compute(bytes in prop::collection::vec(any::<u8>(), 1..2000)) {
            // Its second argument is the word that is left out; there is no such word.
            let expected = util::checksum(&bytes, usize::MAX);
            prop_assert_eq!(Sum::of(&bytes).checksum(), expected.to_be_bytes());
        }

        #[test]
        fn the_sum_of_parts_is_that_of_the_whole(
            words in prop::collection::vec(any::<[u8; 2]>(), 0..100), rest: Vec<u8>,
        ) {
            let whole = [words.as_flattened(), &rest].concat();
            let parts = Sum::of(words.as_flattened()).and(Sum::of(&rest));
            prop_assert_eq!(parts.bytes(), Sum::of(&whole).bytes());
        }

        #[test]
        fn a_word_can_be_taken_out(bytes in prop::collection::vec(1..=u8::MAX, 1..50), word: u16) {
            let with = Sum::of(&bytes).and(Sum::of_word(word));
            prop_assert_eq!(with.without(word).bytes(), Sum::of(&bytes).bytes());
        }

        #[test]
        fn what_carries_its_checksum_is_intact(mut words in prop::collection::vec(any::<[u8; 2]>(), 1..50)) {
            words[0] = [0; 2];
            words[0] = Sum::of(words.as_flattened()).checksum();
            prop_assert!(Sum::of(words.as_flattened()).is_intact());
        }
    }
}
