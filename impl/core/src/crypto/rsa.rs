//! RSA as the handshake uses it: raw blocks without padding, and keys as PEM.

use rand_core::CryptoRng;
use rsa::hazmat::{rsa_decrypt_and_check, rsa_encrypt};
use rsa::pkcs1::{
    ALGORITHM_OID, DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey, LineEnding,
    RsaPublicKeyRef,
};
use rsa::pkcs8::{DecodePrivateKey, Document, SubjectPublicKeyInfoRef};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, PrivateKey as RsaPrivateKey, PublicKey as RsaPublicKey};
use zeroize::Zeroizing;

use crate::constants::{MAX_RSA_BITS, MIN_RSA_BITS};

/// The public key of a node.
#[derive(Clone)]
pub struct PublicKey(RsaPublicKey);

/// Our own key pair. It is wiped when dropped and has no `Debug`.
#[derive(Clone)]
pub struct PrivateKey {
    secret: RsaPrivateKey,
    public: PublicKey,
}

/// What is wrong with a key or a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RsaError {
    /// The PEM block is of another kind.
    #[error("expected a PEM block \"{expected}\", found \"{found}\"")]
    Label {
        /// The kinds that would do.
        expected: &'static str,
        /// What the first line says.
        found: String,
    },
    /// The PEM block does not hold a key.
    #[error("the key is malformed: {reason}")]
    Malformed {
        /// As the decoder puts it.
        reason: String,
    },
    /// The modulus is too short or too long.
    #[error("an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, this one {found}")]
    Size {
        /// Its bits.
        found: usize,
    },
    /// The block has not the length of the modulus, or is not below it.
    #[error("the block does not fit the key")]
    Block,
    /// The arithmetic failed.
    #[error("RSA failed: {reason}")]
    Failed {
        /// As the library puts it.
        reason: String,
    },
}

impl PublicKey {
    /// Reads a PEM block "RSA PUBLIC KEY" (PKCS#1) or "PUBLIC KEY" (RFC 5280).
    ///
    /// # Errors
    /// If it is neither, or of a size that is not supported.
    pub fn from_pem(pem: &str) -> Result<Self, RsaError> {
        let found = label(pem);
        if !matches!(found, "RSA PUBLIC KEY" | "PUBLIC KEY") {
            return Err(RsaError::Label {
                expected: "RSA PUBLIC KEY",
                found: found.to_owned(),
            });
        }
        let (_, document) = Document::from_pem(pem).map_err(malformed)?;
        if found == "RSA PUBLIC KEY" {
            return Self::from_pkcs1(document.as_bytes());
        }
        let info = SubjectPublicKeyInfoRef::try_from(document.as_bytes()).map_err(malformed)?;
        info.algorithm
            .assert_algorithm_oid(ALGORITHM_OID)
            .map_err(malformed)?;
        Self::from_pkcs1(info.subject_public_key.raw_bytes())
    }

    /// Reads the DER of PKCS#1. Done by hand because the library takes no keys below 1024 bits,
    /// which tincd makes on request.
    fn from_pkcs1(der: &[u8]) -> Result<Self, RsaError> {
        let parts = RsaPublicKeyRef::try_from(der).map_err(malformed)?;
        let number = |bytes: &[u8]| {
            let bits = u32::try_from(8 * bytes.len()).map_err(malformed)?;
            BoxedUint::from_be_slice(bytes, bits).map_err(malformed)
        };
        Self::from_numbers(
            number(parts.modulus.as_bytes())?,
            number(parts.public_exponent.as_bytes())?,
        )
    }

    /// A key made of its modulus and exponent.
    pub(super) fn from_numbers(modulus: BoxedUint, exponent: BoxedUint) -> Result<Self, RsaError> {
        check_size(&modulus)?;
        RsaPublicKey::new_with_size_limits(modulus, exponent, MIN_RSA_BITS..=MAX_RSA_BITS)
            .map(Self)
            .map_err(failed)
    }

    /// The PEM block "RSA PUBLIC KEY" as tincd writes it.
    ///
    /// # Errors
    /// If the key cannot be encoded.
    pub fn to_pem(&self) -> Result<String, RsaError> {
        self.0.to_pkcs1_pem(LineEnding::LF).map_err(malformed)
    }

    /// Bytes of the modulus, and of every block.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// `block^e mod n`, without padding.
    ///
    /// # Errors
    /// If the block is not as long as the modulus, or not below it.
    pub fn encrypt_block(&self, block: &[u8]) -> Result<Vec<u8>, RsaError> {
        let message = Zeroizing::new(block_number(&self.0, block)?);
        let cipher = rsa_encrypt(&self.0, &message).map_err(failed)?;
        Ok(number_block(&cipher, self.size()))
    }
}

impl PrivateKey {
    /// Makes a key pair with public exponent 65537.
    ///
    /// # Errors
    /// If the size is not supported.
    pub fn generate(rng: &mut dyn CryptoRng, bits: usize) -> Result<Self, RsaError> {
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(RsaError::Size { found: bits });
        }
        // The library's own lower bound is for keys that are to be secure; tinc's is 512 bits.
        let secret = RsaPrivateKey::new_unchecked(rng, bits).map_err(failed)?;
        Ok(Self::from(secret))
    }

    /// Reads a PEM block "RSA PRIVATE KEY" (PKCS#1) or "PRIVATE KEY" (RFC 5208).
    ///
    /// # Errors
    /// If it is neither, not consistent in itself, or of a size that is not supported.
    pub fn from_pem(pem: &str) -> Result<Self, RsaError> {
        let secret = match label(pem) {
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_pem(pem).map_err(malformed)?,
            "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_pem(pem).map_err(malformed)?,
            found => {
                return Err(RsaError::Label {
                    expected: "RSA PRIVATE KEY",
                    found: found.to_owned(),
                });
            }
        };
        check_size(secret.n())?;
        Ok(Self::from(secret))
    }

    /// A key pair made of modulus, both exponents and the factors of the modulus.
    pub(super) fn from_parts(
        modulus: BoxedUint,
        public_exponent: BoxedUint,
        private_exponent: BoxedUint,
        factors: Vec<BoxedUint>,
    ) -> Result<Self, RsaError> {
        RsaPrivateKey::from_components(modulus, public_exponent, private_exponent, factors)
            .map(Self::from)
            .map_err(failed)
    }

    /// The PEM block "RSA PRIVATE KEY" as tincd writes it.
    ///
    /// # Errors
    /// If the key cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, RsaError> {
        self.secret.to_pkcs1_pem(LineEnding::LF).map_err(malformed)
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// `block^d mod n`, without padding, blinded.
    ///
    /// # Errors
    /// If the block is not as long as the modulus, or not below it.
    pub fn decrypt_block(
        &self,
        block: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Zeroizing<Vec<u8>>, RsaError> {
        let cipher = block_number(&self.secret, block)?;
        let message = rsa_decrypt_and_check(&self.secret, Some(rng), &cipher).map_err(failed)?;
        let message = Zeroizing::new(message);
        Ok(Zeroizing::new(number_block(&message, self.public.size())))
    }
}

impl From<RsaPrivateKey> for PrivateKey {
    fn from(secret: RsaPrivateKey) -> Self {
        let public = PublicKey(secret.to_public_key());
        Self { secret, public }
    }
}

/// What the first line of a PEM block says it is.
fn label(pem: &str) -> &str {
    let first = pem.trim_start().lines().next().unwrap_or_default();
    first
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.trim_end().strip_suffix("-----"))
        .unwrap_or(first)
}

fn check_size(modulus: &BoxedUint) -> Result<(), RsaError> {
    let found = usize::try_from(modulus.bit_width_vartime()).unwrap_or(usize::MAX);
    if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&found) {
        Ok(())
    } else {
        Err(RsaError::Size { found })
    }
}

/// The number a block stands for, if it may be put into the key.
fn block_number(key: &impl PublicKeyParts, block: &[u8]) -> Result<BoxedUint, RsaError> {
    if block.len() != key.size() {
        return Err(RsaError::Block);
    }
    let number = BoxedUint::from_be_slice(block, key.n().as_ref().bits_precision())
        .map_err(|_| RsaError::Block)?;
    if number < *key.n().as_ref() {
        Ok(number)
    } else {
        Err(RsaError::Block)
    }
}

/// A number as a block of `size` bytes, padded with zeros on the left.
fn number_block(number: &BoxedUint, size: usize) -> Vec<u8> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let mut block = vec![0; size];
    for (slot, byte) in block.iter_mut().rev().zip(bytes.iter().rev()) {
        *slot = *byte;
    }
    block
}

fn malformed(error: impl std::fmt::Display) -> RsaError {
    RsaError::Malformed {
        reason: error.to_string(),
    }
}

fn failed(error: rsa::Error) -> RsaError {
    RsaError::Failed {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use rsa::pkcs8::EncodePublicKey as _;

    use super::*;

    fn pair() -> (PrivateKey, StdRng) {
        let mut rng = StdRng::seed_from_u64(3);
        (PrivateKey::generate(&mut rng, 1024).unwrap(), rng)
    }

    #[test]
    fn a_block_comes_back_with_its_leading_zeros() {
        let (key, mut rng) = pair();
        let mut block = vec![0; key.public().size()];
        block[5] = 0x7f;
        let cipher = key.public().encrypt_block(&block).unwrap();
        assert_eq!(cipher.len(), 128);
        assert_eq!(*key.decrypt_block(&cipher, &mut rng).unwrap(), block);
    }

    #[test]
    fn a_block_not_below_the_modulus_is_refused() {
        let (key, mut rng) = pair();
        let block = vec![0xff; key.public().size()];
        assert_eq!(key.public().encrypt_block(&block), Err(RsaError::Block));
        assert!(key.decrypt_block(&block, &mut rng).is_err());
        assert!(key.decrypt_block(&[1; 127], &mut rng).is_err());
    }

    #[test]
    fn keys_survive_their_pem() {
        let mut rng = StdRng::seed_from_u64(3);
        for bits in [512, 1024] {
            let key = PrivateKey::generate(&mut rng, bits).unwrap();
            let again = PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap();
            let public = PublicKey::from_pem(&key.public().to_pem().unwrap()).unwrap();
            let block = vec![1; bits / 8];
            let cipher = public.encrypt_block(&block).unwrap();
            assert_eq!(*again.decrypt_block(&cipher, &mut rng).unwrap(), block);
        }
    }

    #[test]
    fn public_keys_are_read_from_both_kinds_of_pem() {
        let key = pair().0.public().clone();
        let text = key.0.to_public_key_pem(LineEnding::LF).unwrap();
        assert!(text.starts_with("-----BEGIN PUBLIC KEY-----"));
        let again = PublicKey::from_pem(&text).unwrap();
        assert_eq!(again.to_pem().unwrap(), key.to_pem().unwrap());
    }

    #[test]
    fn what_is_not_a_key_is_said_to_be_none() {
        let (key, _) = pair();
        let swapped = PublicKey::from_pem(&key.to_pem().unwrap()).err().unwrap();
        assert!(swapped.to_string().contains("RSA PRIVATE KEY"), "{swapped}");
        let text = "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n";
        assert!(matches!(
            PublicKey::from_pem(text),
            Err(RsaError::Malformed { .. })
        ));
        let size = PrivateKey::generate(&mut StdRng::seed_from_u64(1), 256).err();
        assert_eq!(size, Some(RsaError::Size { found: 256 }));
    }
}
