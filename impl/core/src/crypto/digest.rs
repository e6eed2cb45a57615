//! Digests by OpenSSL's names and object numbers.

use std::fmt;

use super::spec::SpecError;

/// Digest of MACs and challenges (`Digest`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Digest {
    /// No MAC at all.
    None,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// MD5 and SHA-1, one behind the other.
    Md5Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-512/224.
    Sha512_224,
    /// SHA-512/256.
    Sha512_256,
    /// SHA3-224.
    Sha3_224,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
    /// BLAKE2s with 256 bits.
    Blake2s256,
    /// BLAKE2b with 512 bits.
    Blake2b512,
    /// RIPEMD-160.
    Ripemd160,
    /// SM3.
    Sm3,
}

struct Row {
    digest: Digest,
    /// OpenSSL object number, as it stands in requests.
    number: i32,
    /// Bytes of the digest.
    size: usize,
    /// Names OpenSSL knows it by, the usual one first.
    names: &'static [&'static str],
}

#[rustfmt::skip]
const DIGESTS: [Row; 18] = [
    row(Digest::Sha256, 672, 32, &["sha256", "sha-256", "sha2-256", "rsa-sha256", "sha256withrsaencryption"]),
    row(Digest::Sha512, 674, 64, &["sha512", "sha-512", "sha2-512", "rsa-sha512", "sha512withrsaencryption"]),
    row(Digest::Sha384, 673, 48, &["sha384", "sha-384", "sha2-384", "rsa-sha384", "sha384withrsaencryption"]),
    row(Digest::Sha224, 675, 28, &["sha224", "sha-224", "sha2-224", "rsa-sha224", "sha224withrsaencryption"]),
    row(Digest::Sha512_256, 1095, 32, &["sha512-256", "sha-512/256", "sha2-512/256", "rsa-sha512/256", "sha512-256withrsaencryption"]),
    row(Digest::Sha512_224, 1094, 28, &["sha512-224", "sha-512/224", "sha2-512/224", "rsa-sha512/224", "sha512-224withrsaencryption"]),
    row(Digest::Sha3_256, 1097, 32, &["sha3-256", "rsa-sha3-256", "id-rsassa-pkcs1-v1_5-with-sha3-256"]),
    row(Digest::Sha3_512, 1099, 64, &["sha3-512", "rsa-sha3-512", "id-rsassa-pkcs1-v1_5-with-sha3-512"]),
    row(Digest::Sha3_384, 1098, 48, &["sha3-384", "rsa-sha3-384", "id-rsassa-pkcs1-v1_5-with-sha3-384"]),
    row(Digest::Sha3_224, 1096, 28, &["sha3-224", "rsa-sha3-224", "id-rsassa-pkcs1-v1_5-with-sha3-224"]),
    row(Digest::Blake2s256, 1057, 32, &["blake2s256", "blake2s-256"]),
    row(Digest::Blake2b512, 1056, 64, &["blake2b512", "blake2b-512"]),
    row(Digest::Sm3, 1143, 32, &["sm3", "rsa-sm3", "sm3withrsaencryption"]),
    row(Digest::Ripemd160, 117, 20, &["ripemd160", "ripemd-160", "ripemd", "rmd160", "rsa-ripemd160", "ripemd160withrsa"]),
    row(Digest::Sha1, 64, 20, &["sha1", "sha-1", "ssl3-sha1", "rsa-sha1", "rsa-sha1-2", "sha1withrsaencryption"]),
    row(Digest::Md5Sha1, 114, 36, &["md5-sha1"]),
    row(Digest::Md5, 4, 16, &["md5", "ssl3-md5", "rsa-md5", "md5withrsaencryption"]),
    row(Digest::None, 0, 0, &["none"]),
];

const fn row(digest: Digest, number: i32, size: usize, names: &'static [&'static str]) -> Row {
    Row {
        digest,
        number,
        size,
        names,
    }
}

/// OpenSSL's other digests, and why there are no MACs of them. tincd starts with each, and then
/// no packet gets through.
const REFUSED: [(&[&str], &str); 2] = [
    (
        &["md4", "rsa-md4", "md4withrsaencryption", "whirlpool"],
        "OpenSSL 3 has it in its legacy provider only, without which tincd takes no packet",
    ),
    (
        &["shake128", "shake-128", "shake256", "shake-256"],
        "OpenSSL makes no MAC of a digest without a length of its own",
    ),
];

impl Digest {
    /// Every digest there is.
    pub fn all() -> impl Iterator<Item = Self> {
        DIGESTS.iter().map(|row| row.digest)
    }

    fn row(self) -> Option<&'static Row> {
        DIGESTS.iter().find(|row| row.digest == self)
    }

    /// Bytes of the whole digest; 0 for none.
    #[must_use]
    pub fn size(self) -> usize {
        self.row().map_or(0, |row| row.size)
    }

    /// The OpenSSL object number; 0 for none.
    #[must_use]
    pub fn number(self) -> i32 {
        self.row().map_or(0, |row| row.number)
    }

    /// The digest of an OpenSSL object number, if we have it.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let row = DIGESTS.iter().find(|row| row.number == number);
        row.map(|row| row.digest)
    }

    /// The digest of an OpenSSL name in any case.
    ///
    /// # Errors
    /// If we have none of that name; the message says why, or lists those we have.
    pub fn from_name(name: &str) -> Result<Self, SpecError> {
        let wanted = name.to_ascii_lowercase();
        let found = DIGESTS
            .iter()
            .find(|row| row.names.contains(&wanted.as_str()));
        let refused = REFUSED
            .iter()
            .find(|(names, _)| names.contains(&wanted.as_str()));
        match (found, refused) {
            (Some(row), _) => Ok(row.digest),
            (None, Some((_, why))) => Err(SpecError::Refused {
                found: name.to_owned(),
                why,
                instead: "sha256",
            }),
            (None, None) => Err(SpecError::Unknown {
                kind: "digest",
                found: name.to_owned(),
                known: Self::all()
                    .map(|digest| digest.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.row().map_or(&[][..], |row| row.names);
        f.write_str(names.first().unwrap_or(&""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_openssl_s_in_any_case() {
        assert_eq!(Digest::from_name("RSA-SHA256"), Ok(Digest::Sha256));
        assert_eq!(Digest::from_name("RIPEMD-160"), Ok(Digest::Ripemd160));
        assert_eq!(Digest::from_name("SHA-512/256"), Ok(Digest::Sha512_256));
        let error = Digest::from_name("crc32").unwrap_err().to_string();
        assert!(
            error.contains("\"crc32\"") && error.contains("blake2s256"),
            "{error}"
        );
    }

    #[test]
    fn digests_of_which_there_are_no_macs_are_refused_with_the_reason() {
        for (name, why) in [
            ("WHIRLPOOL", "legacy"),
            ("md4", "legacy"),
            ("shake-128", "length"),
        ] {
            let error = Digest::from_name(name).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("sha256"), "{error}");
        }
    }

    #[test]
    fn numbers_and_names_lead_back_to_their_digest() {
        for digest in Digest::all() {
            assert_eq!(Digest::from_number(digest.number()), Some(digest));
            assert_eq!(Digest::from_name(&digest.to_string()), Ok(digest));
        }
        assert_eq!(Digest::from_number(804), None);
    }
}
