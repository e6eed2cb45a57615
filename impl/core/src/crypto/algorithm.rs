//! Which ciphers and digests there are, by OpenSSL's names and object numbers.

use std::fmt;

pub use super::spec::{PacketSpec, SpecError};

/// One row of a table of algorithms.
struct Row<T> {
    algorithm: T,
    /// OpenSSL object number, as it stands in requests.
    number: i32,
    /// Names OpenSSL knows it by, the usual one first.
    names: &'static [&'static str],
}

/// Cipher of UDP packets (`Cipher`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PacketCipher {
    /// No encryption at all.
    None,
    /// AES-128 in CBC mode.
    Aes128Cbc,
    /// AES-192 in CBC mode.
    Aes192Cbc,
    /// AES-256 in CBC mode.
    #[default]
    Aes256Cbc,
}

const PACKET_CIPHERS: [Row<PacketCipher>; 4] = [
    Row {
        algorithm: PacketCipher::Aes256Cbc,
        number: 427,
        names: &["aes-256-cbc", "aes256"],
    },
    Row {
        algorithm: PacketCipher::Aes192Cbc,
        number: 423,
        names: &["aes-192-cbc", "aes192"],
    },
    Row {
        algorithm: PacketCipher::Aes128Cbc,
        number: 419,
        names: &["aes-128-cbc", "aes128"],
    },
    Row {
        algorithm: PacketCipher::None,
        number: 0,
        names: &["none"],
    },
];

impl PacketCipher {
    /// Bytes of key; 0 for none.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc => 24,
            Self::Aes256Cbc => 32,
        }
    }

    /// Bytes of IV; 0 for none.
    #[must_use]
    pub const fn iv_len(self) -> usize {
        match self {
            Self::None => 0,
            _ => 16,
        }
    }
}

/// Digest of MACs and challenges (`Digest`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Digest {
    /// No MAC at all.
    None,
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

const DIGESTS: [Row<Digest>; 6] = [
    Row {
        algorithm: Digest::Sha256,
        number: 672,
        names: &["sha256", "sha-256", "sha2-256", "rsa-sha256"],
    },
    Row {
        algorithm: Digest::Sha512,
        number: 674,
        names: &["sha512", "sha-512", "sha2-512", "rsa-sha512"],
    },
    Row {
        algorithm: Digest::Sha384,
        number: 673,
        names: &["sha384", "sha-384", "sha2-384", "rsa-sha384"],
    },
    Row {
        algorithm: Digest::Sha224,
        number: 675,
        names: &["sha224", "sha-224", "sha2-224", "rsa-sha224"],
    },
    Row {
        algorithm: Digest::Sha1,
        number: 64,
        names: &["sha1", "sha-1", "rsa-sha1"],
    },
    Row {
        algorithm: Digest::None,
        number: 0,
        names: &["none"],
    },
];

impl Digest {
    /// Bytes of the whole digest; 0 for none.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::None => 0,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// Stream cipher of meta connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCipher {
    /// AES-128 in CFB-128 mode.
    Aes128Cfb,
    /// AES-192 in CFB-128 mode.
    Aes192Cfb,
    /// AES-256 in CFB-128 mode.
    Aes256Cfb,
    /// AES-128 in OFB mode.
    Aes128Ofb,
    /// AES-192 in OFB mode.
    Aes192Ofb,
    /// AES-256 in OFB mode.
    Aes256Ofb,
}

const STREAM_CIPHERS: [Row<StreamCipher>; 6] = [
    Row {
        algorithm: StreamCipher::Aes256Cfb,
        number: 429,
        names: &["aes-256-cfb"],
    },
    Row {
        algorithm: StreamCipher::Aes192Cfb,
        number: 425,
        names: &["aes-192-cfb"],
    },
    Row {
        algorithm: StreamCipher::Aes128Cfb,
        number: 421,
        names: &["aes-128-cfb"],
    },
    Row {
        algorithm: StreamCipher::Aes256Ofb,
        number: 428,
        names: &["aes-256-ofb"],
    },
    Row {
        algorithm: StreamCipher::Aes192Ofb,
        number: 424,
        names: &["aes-192-ofb"],
    },
    Row {
        algorithm: StreamCipher::Aes128Ofb,
        number: 420,
        names: &["aes-128-ofb"],
    },
];

impl StreamCipher {
    /// Bytes of key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Cfb | Self::Aes128Ofb => 16,
            Self::Aes192Cfb | Self::Aes192Ofb => 24,
            Self::Aes256Cfb | Self::Aes256Ofb => 32,
        }
    }

    /// Bytes of IV.
    #[must_use]
    pub const fn iv_len(self) -> usize {
        16
    }

    /// The cipher a node announces for its meta connections: as strong as the one of its UDP
    /// packets (legacy protocol).
    #[must_use]
    pub const fn matching(cipher: PacketCipher) -> Self {
        match cipher {
            PacketCipher::None | PacketCipher::Aes128Cbc => Self::Aes128Cfb,
            PacketCipher::Aes192Cbc => Self::Aes192Cfb,
            PacketCipher::Aes256Cbc => Self::Aes256Cfb,
        }
    }
}

/// Gives an algorithm its numbers and names from its table.
macro_rules! tabled {
    ($type:ty, $table:ident, $kind:literal) => {
        impl $type {
            /// The OpenSSL object number; 0 for none.
            #[must_use]
            pub fn number(self) -> i32 {
                let row = $table.iter().find(|row| row.algorithm == self);
                row.map_or(0, |row| row.number)
            }

            /// The algorithm of an OpenSSL object number, if we have it.
            #[must_use]
            pub fn from_number(number: i32) -> Option<Self> {
                let row = $table.iter().find(|row| row.number == number);
                row.map(|row| row.algorithm)
            }

            /// The algorithm of an OpenSSL name in any case.
            ///
            /// # Errors
            /// If we have none of that name; the message lists those we have.
            pub fn from_name(name: &str) -> Result<Self, SpecError> {
                let named = |row: &&Row<Self>| {
                    row.names
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(name))
                };
                match $table.iter().find(named) {
                    Some(row) => Ok(row.algorithm),
                    None => Err(SpecError::Unknown {
                        kind: $kind,
                        found: name.to_owned(),
                        known: $table
                            .iter()
                            .filter_map(|row| row.names.first().copied())
                            .collect(),
                    }),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let row = $table.iter().find(|row| row.algorithm == *self);
                f.write_str(row.and_then(|row| row.names.first()).unwrap_or(&"unknown"))
            }
        }
    };
}

tabled!(PacketCipher, PACKET_CIPHERS, "cipher");
tabled!(Digest, DIGESTS, "digest");
tabled!(StreamCipher, STREAM_CIPHERS, "stream cipher");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_openssl_s_in_any_case() {
        assert_eq!(
            PacketCipher::from_name("AES-256-CBC"),
            Ok(PacketCipher::Aes256Cbc)
        );
        assert_eq!(
            PacketCipher::from_name("aes128"),
            Ok(PacketCipher::Aes128Cbc)
        );
        assert_eq!(Digest::from_name("RSA-SHA256"), Ok(Digest::Sha256));
        let error = Digest::from_name("whirlpool").unwrap_err().to_string();
        assert!(
            error.contains("\"whirlpool\"") && error.contains("sha256"),
            "{error}"
        );
    }

    #[test]
    fn numbers_are_openssl_s_and_unique() {
        for row in &PACKET_CIPHERS {
            assert_eq!(PacketCipher::from_number(row.number), Some(row.algorithm));
        }
        for row in &DIGESTS {
            assert_eq!(Digest::from_number(row.number), Some(row.algorithm));
        }
        for row in &STREAM_CIPHERS {
            assert_eq!(StreamCipher::from_number(row.number), Some(row.algorithm));
        }
        assert_eq!(PacketCipher::from_number(91), None);
    }
}
