//! A choice of algorithms for packets, checked.

use super::algorithm::{Digest, PacketCipher};
use super::compression::Compression;
use crate::constants::{DEFAULT_MAC_LENGTH, MAX_COMPRESSION};

/// Bytes of the longest MAC: a whole SHA-512.
pub(super) const LONGEST_MAC: usize = 64;

/// How packets to a node are sealed: what the node itself configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketSpec {
    cipher: PacketCipher,
    digest: Digest,
    mac_length: u8,
    compression: Compression,
}

impl Default for PacketSpec {
    fn default() -> Self {
        Self {
            cipher: PacketCipher::default(),
            digest: Digest::default(),
            mac_length: DEFAULT_MAC_LENGTH,
            compression: Compression::default(),
        }
    }
}

impl PacketSpec {
    /// Checks a choice of cipher, digest, bytes of MAC and compression level.
    ///
    /// # Errors
    /// If the MAC is longer than its digest, or there is no such level.
    pub fn new(
        cipher: PacketCipher,
        digest: Digest,
        mac_length: i32,
        compression: i32,
    ) -> Result<Self, SpecError> {
        let longest = match digest {
            // tincd announces its default MACLength with `Digest = none`; no MAC is sent then.
            Digest::None => LONGEST_MAC,
            digest => digest.size(),
        };
        let mac_length = u8::try_from(mac_length)
            .ok()
            .filter(|length| usize::from(*length) <= longest)
            .ok_or_else(|| SpecError::MacLength {
                found: mac_length,
                longest: digest.size(),
                digest,
            })?;
        let compression =
            Compression::new(compression).ok_or(SpecError::Compression { found: compression })?;
        Ok(Self {
            cipher,
            digest,
            mac_length,
            compression,
        })
    }

    /// The cipher.
    #[must_use]
    pub const fn cipher(&self) -> PacketCipher {
        self.cipher
    }

    /// The digest of the MAC.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// `MACLength` as announced, in bytes.
    #[must_use]
    pub const fn mac_length(&self) -> u8 {
        self.mac_length
    }

    /// The compression of frames.
    #[must_use]
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes of MAC that a packet carries.
    #[must_use]
    pub fn mac_on_wire(&self) -> usize {
        match self.digest {
            Digest::None => 0,
            _ => self.mac_length.into(),
        }
    }

    /// Bytes of key material: key and IV, or the single byte that stands for no cipher.
    #[must_use]
    pub fn material_len(&self) -> usize {
        (self.cipher.key_len() + self.cipher.iv_len()).max(1)
    }

    /// Cipher, digest, MAC length and compression as they stand in ANS_KEY.
    #[must_use]
    pub fn numbers(&self) -> (i32, i32, i32, i32) {
        (
            self.cipher.number(),
            self.digest.number(),
            self.mac_length.into(),
            self.compression.level(),
        )
    }
}

/// Why packets cannot be sealed as wished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// We have no algorithm of that name.
    #[error("unknown {kind} \"{found}\"; supported are {known}")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// The name.
        found: String,
        /// What there is.
        known: String,
    },
    /// OpenSSL has an algorithm of that name, but packets cannot be sealed by it.
    #[error("{found} is not supported: {why}; use {instead}")]
    Refused {
        /// The name.
        found: String,
        /// Why not.
        why: &'static str,
        /// What would do.
        instead: &'static str,
    },
    /// The MAC would be longer than its digest.
    #[error("a MAC of {digest} has 0 to {longest} bytes, not {found}")]
    MacLength {
        /// The length.
        found: i32,
        /// The digest's size.
        longest: usize,
        /// The digest.
        digest: Digest,
    },
    /// There is no such level.
    #[error("compression levels are 0 to {MAX_COMPRESSION}, not {found}")]
    Compression {
        /// The level.
        found: i32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_no_longer_than_its_digest() {
        let spec = |digest, length| PacketSpec::new(PacketCipher::default(), digest, length, 0);
        assert!(spec(Digest::Sha256, 32).is_ok());
        assert!(spec(Digest::Sha256, 33).is_err());
        assert!(spec(Digest::Sha256, -1).is_err());
        assert_eq!(spec(Digest::None, 4).unwrap().mac_on_wire(), 0);
    }
}
