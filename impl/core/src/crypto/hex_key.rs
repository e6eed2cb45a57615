//! Keys as hexadecimal numbers (`PublicKey`, `PrivateKey`), as tinc had them before its PEM files.

use data_encoding::HEXUPPER_PERMISSIVE;
use rsa::BoxedUint;
use zeroize::Zeroizing;

use super::rsa::{PrivateKey, PublicKey, RsaError};
use crate::constants::HEX_KEY_EXPONENT;

/// A private exponent is computed modulo (p-1)(q-1), or modulo that divided by what p-1 and q-1
/// have in common: 2, and with primes made at random hardly ever more than a few dozen.
const LARGEST_COMMON: u32 = 1024;

/// Bits that the arithmetic below needs beyond those of the modulus.
const ROOM: u32 = 64;

impl PublicKey {
    /// Takes the modulus as a hexadecimal number; the exponent is [`HEX_KEY_EXPONENT`].
    ///
    /// # Errors
    /// If it is no such number, or of a size that is not supported.
    pub fn from_hex(modulus: &str) -> Result<Self, RsaError> {
        let modulus = digits(modulus)?;
        let bits = bits_of(&modulus)?;
        Self::from_numbers(number(&modulus, bits)?, HEX_KEY_EXPONENT.into())
    }
}

impl PrivateKey {
    /// Takes the private exponent and the modulus as hexadecimal numbers; the public exponent is
    /// [`HEX_KEY_EXPONENT`].
    ///
    /// # Errors
    /// If these are no numbers or do not belong together, or of a size that is not supported.
    pub fn from_hex(private_exponent: &str, modulus: &str) -> Result<Self, RsaError> {
        // Its size is checked here.
        PublicKey::from_hex(modulus)?;
        let (secret, modulus) = (digits(private_exponent)?, digits(modulus)?);
        let bits = bits_of(&modulus)?;
        let wide = bits + ROOM;
        let factors = factors(&number(&modulus, wide)?, &number(&secret, bits)?, wide)?
            .ok_or_else(|| RsaError::Malformed {
                reason: "private exponent and modulus do not belong together".to_owned(),
            })?;
        Self::from_parts(
            number(&modulus, bits)?,
            HEX_KEY_EXPONENT.into(),
            number(&secret, bits)?,
            factors,
        )
    }
}

/// The bytes of a hexadecimal number without leading zeros. The error does not tell the text,
/// which may be a secret.
fn digits(text: &str) -> Result<Zeroizing<Vec<u8>>, RsaError> {
    let text = text.trim_start_matches('0');
    let zero = if text.len() % 2 == 1 { "0" } else { "" };
    let even = Zeroizing::new([zero, text].concat());
    HEXUPPER_PERMISSIVE
        .decode(even.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| RsaError::Malformed {
            reason: "not a hexadecimal number".to_owned(),
        })
}

fn bits_of(bytes: &[u8]) -> Result<u32, RsaError> {
    u32::try_from(8 * bytes.len()).map_err(malformed)
}

fn number(bytes: &[u8], bits: u32) -> Result<BoxedUint, RsaError> {
    BoxedUint::from_be_slice(bytes, bits).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> RsaError {
    RsaError::Malformed {
        reason: error.to_string(),
    }
}

/// The prime factors of the modulus `n`, from the private exponent `d`: `d` times the public one,
/// less 1, is a multiple of (p-1)(q-1), at least after multiplication by what these have in
/// common; and (p-1)(q-1) is so near to `n` that there is one candidate for the multiple.
///
/// The library's way needs a public exponent above 65536. This one takes a time that depends on
/// the key, which is read once, before anybody is listened to.
fn factors(n: &BoxedUint, d: &BoxedUint, wide: u32) -> Result<Option<Vec<BoxedUint>>, RsaError> {
    let small = |value: u32| number(&value.to_be_bytes(), wide);
    let (one, two, four) = (small(1)?, small(2)?, small(4)?);
    let e = number(&HEX_KEY_EXPONENT.to_be_bytes(), wide)?;
    let product = e.wrapping_mul(d).wrapping_sub(&one);
    let (Some(modulus), Some(half)) = (n.to_nz().into_option(), two.to_nz().into_option()) else {
        return Ok(None);
    };
    for common in 1..=LARGEST_COMMON {
        let multiple = product.wrapping_mul(small(common)?);
        let times = multiple.div_rem_vartime(&modulus).0.wrapping_add(&one);
        let Some(times) = times.to_nz().into_option() else {
            continue;
        };
        let (totient, rest) = multiple.div_rem_vartime(&times);
        if bool::from(!rest.is_zero()) {
            continue;
        }
        let sum = n.wrapping_sub(&totient).wrapping_add(&one);
        let square = sum.wrapping_mul(&sum).wrapping_sub(n.wrapping_mul(&four));
        let Some(difference) = square.checked_sqrt_vartime() else {
            continue;
        };
        let p = sum.wrapping_add(&difference).div_rem_vartime(&half).0;
        let q = sum.wrapping_sub(&p);
        if p.wrapping_mul(&q) == *n {
            return Ok(Some(vec![p, q]));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    // Made for this test; they protect nothing. tincd 1.0.36 takes the first exponent.
    const MODULUS: &str = "\
        A4F6EB838210BC9037FEDA3B3B6AC02AF2895639F0D438985E696E0DF8005D0B972466931942F059\
        23CBCAD18FCCB37A9108D68849C05C08818F1D4B9E306CEE22A0776EFDB56EC857BAD11A2A59BC67\
        D6DCC6A2C28673CAFD100053CE52A627C7C1CC23EAA8B028D1C5F61657B2D029763354AEB5EB966C\
        12D11760571AF0EB";
    const EXPONENT: &str = "\
        565995A06BB52E68ABB811F3130CF3A36E9751B9A5C8BB687CD3AC6EFC3F2CF33E104BC14AFA54C8\
        FD85A9AF5AF480E6A8D1491C9FB74FE3C3B4AD0A41D79ADB6973CCDD6ABC5AB3F7BDC68DB899F234\
        871B11D645151EB69B132671578FE346C5AF46092807A19F8CA8F1563E105E399FC75B667BB69F3E\
        C8F1C91017359FFF";
    /// The same modulo (p-1)(q-1)/2.
    const SHORTER_EXPONENT: &str = "\
        3DE1FDEAAACD0208FB8A4D57557938DF552A69CAD5E9F1C4D9EF568003EFE6D727E1877BE58DC9C6\
        B9FC446930E2729604CDDD87AD721DF82ED1E6472BF646526049F93468F84C39EDE6FCEBA7757D65\
        C37356FDEA3976C96E899AC61F49EC5ED6A04BEC2C82202F890AFBC2A43D484D79BAC00275AC9B8E\
        5E374E3DBD87537";

    #[test]
    fn both_halves_fit_together() {
        let mut rng = StdRng::seed_from_u64(1);
        let public = PublicKey::from_hex(MODULUS).unwrap();
        assert_eq!(public.size(), 128);
        let block = vec![0x42; 128];
        let cipher = public.encrypt_block(&block).unwrap();
        for exponent in [EXPONENT, SHORTER_EXPONENT, &EXPONENT.to_lowercase()] {
            let private = PrivateKey::from_hex(exponent, MODULUS).unwrap();
            assert_eq!(*private.decrypt_block(&cipher, &mut rng).unwrap(), block);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let other = EXPONENT.replacen('5', "6", 1);
        let longer = format!("{EXPONENT}00");
        for exponent in [&other, &longer, "1", "0", ""] {
            assert!(
                PrivateKey::from_hex(exponent, MODULUS).is_err(),
                "{exponent}"
            );
        }
        assert_eq!(
            PublicKey::from_hex("FFFF").err(),
            Some(RsaError::Size { found: 16 })
        );
        assert!(PublicKey::from_hex("").is_err());
    }

    #[test]
    fn no_error_tells_a_secret() {
        let error = PrivateKey::from_hex("12345X", MODULUS).err().unwrap();
        assert!(!error.to_string().contains("12345"), "{error}");
    }
}
