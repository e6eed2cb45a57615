//! How others shall seal packets for us: `Cipher`, `Digest`, `MACLength` and `Compression`.

use v6router_core::crypto::algorithm::{Digest, PacketCipher, PacketSpec, SpecError};

use super::server::ServerError;
use super::values::{BadValue, Reader};

/// Below this many bytes a MAC is guessed within hours at a thousand packets a second.
const SAFE_MAC_LENGTH: u8 = 4;

/// Reads the four variables, and complains about choices that protect nothing.
pub(super) fn packet_spec(r: &mut Reader<'_>) -> Result<PacketSpec, ServerError> {
    let default = PacketSpec::default();
    let cipher = named(r, "Cipher", PacketCipher::from_name)?.unwrap_or_else(|| default.cipher());
    let digest = named(r, "Digest", Digest::from_name)?.unwrap_or_else(|| default.digest());
    let mac_length = r
        .integer("MACLength")
        .unwrap_or_else(|| default.mac_length().into());
    let compression = r.integer("Compression").unwrap_or(0);
    let spec = PacketSpec::new(cipher, digest, mac_length, compression).map_err(|error| {
        let key = match error {
            SpecError::MacLength { .. } => "MACLength",
            _ => "Compression",
        };
        match r.text(key) {
            Some(entry) => BadValue::new(entry, error.to_string()).into(),
            None => ServerError::Missing(error.to_string()),
        }
    })?;
    for (key, weak, why) in [
        (
            "Cipher",
            cipher == PacketCipher::None,
            "packets to us can be read on the way",
        ),
        (
            "Cipher",
            cipher.is_legacy(),
            "a tincd on OpenSSL 3 without its legacy provider sends us no UDP packets",
        ),
        (
            "Digest",
            digest == Digest::None,
            "packets to us can be forged",
        ),
        (
            "MACLength",
            mac_length < SAFE_MAC_LENGTH.into(),
            "packets to us can be forged",
        ),
    ] {
        if weak && let Some(entry) = r.text(key) {
            r.complain(entry, why);
        }
    }
    Ok(spec)
}

fn named<T>(
    r: &Reader<'_>,
    key: &str,
    from_name: impl Fn(&str) -> Result<T, SpecError>,
) -> Result<Option<T>, BadValue> {
    r.text(key)
        .map(|entry| {
            from_name(&entry.value).map_err(|error| BadValue::new(entry, error.to_string()))
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;

    fn read(text: &str) -> (Result<PacketSpec, ServerError>, Vec<BadValue>) {
        let set = ConfigSet::from_text(text);
        let mut reader = Reader::new(&set);
        let spec = packet_spec(&mut reader);
        (spec, reader.into_complaints())
    }

    #[test]
    fn names_are_openssls_and_case_does_not_matter() {
        let (spec, complaints) = read("Cipher = AES-128-CBC\nDigest = SHA1\nMACLength = 20\n");
        let spec = spec.unwrap();
        assert_eq!(spec.cipher().to_string(), "aes-128-cbc");
        assert_eq!(spec.mac_length(), 20);
        assert!(complaints.is_empty());
        assert_eq!(read("").0.unwrap(), PacketSpec::default());
    }

    #[test]
    fn an_unknown_cipher_lists_those_there_are() {
        let text = read("Cipher = rot13\n").0.unwrap_err().to_string();
        assert!(
            text.starts_with("tinc.conf line 1: Cipher = rot13: "),
            "{text}"
        );
        assert!(text.contains("aes-256-cbc"), "{text}");
    }

    #[test]
    fn what_protects_nothing_or_few_have_is_pointed_out() {
        for (weak, complaints) in [
            ("Cipher = none\n", 1),
            ("Cipher = blowfish\n", 1),
            ("Digest = none\n", 1),
            ("MACLength = 0\n", 1),
            ("MACLength = 4\n", 0),
            ("Compression = 9\n", 0),
        ] {
            let (spec, found) = read(weak);
            assert!(spec.is_ok(), "{weak}");
            assert_eq!(found.len(), complaints, "{weak}");
        }
    }
}
