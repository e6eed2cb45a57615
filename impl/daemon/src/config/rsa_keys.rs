//! RSA keys as variables name them: `PrivateKey`, `PrivateKeyFile`, `PublicKey`, `PublicKeyFile`.

use std::fmt;
use std::path::{Path, PathBuf};

use v6router_core::crypto::rsa::{PrivateKey, PublicKey};

use super::host::HostError;
use super::layout::Layout;
use super::values::{BadValue, Reader};
use crate::keys;

/// Our own private key.
pub(crate) enum OwnKey {
    /// In a file.
    File(PathBuf),
    /// In `PrivateKey` itself.
    Given(Box<PrivateKey>),
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

/// Our own key: `PrivateKey`, to which `PublicKey` has the modulus, before `PrivateKeyFile`.
pub(super) fn own(r: &mut Reader<'_>, layout: &Layout) -> Result<OwnKey, BadValue> {
    let Some(private) = r.text("PrivateKey") else {
        let file = r.text("PrivateKeyFile").map(|entry| &entry.value);
        return Ok(OwnKey::File(
            file.map_or_else(|| layout.private_key(), PathBuf::from),
        ));
    };
    let hidden = private.hidden();
    let Some(public) = r.text("PublicKey") else {
        let why = "PublicKey has to be set too; or make a new pair of keys with -K";
        return Err(BadValue::new(&hidden, why));
    };
    let key = PrivateKey::from_hex(&private.value, &public.value)
        .map_err(|error| BadValue::new(&hidden, error.to_string()))?;
    let why = "keys in hexadecimal are obsolete; consider a new pair made with -K";
    r.complain(&hidden, why);
    Ok(OwnKey::Given(Box::new(key)))
}

/// A peer's key: `PublicKey`, else from `PublicKeyFile`, else from its host file.
pub(super) fn public(r: &Reader<'_>, host_file: &Path) -> Result<PublicKey, HostError> {
    if let Some(entry) = r.text("PublicKey") {
        return PublicKey::from_hex(&entry.value)
            .map_err(|error| BadValue::new(&entry.hidden(), error.to_string()).into());
    }
    let key = match r.text("PublicKeyFile") {
        Some(entry) => keys::read_public(Path::new(&entry.value))?,
        None => keys::read_public(host_file)?,
    };
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;
    use crate::testing::{HEX_MODULUS, HEX_PRIVATE_EXPONENT, PUBLIC_KEY, TempDir};

    fn read(text: &str) -> (Result<OwnKey, BadValue>, Vec<BadValue>) {
        let set = ConfigSet::from_text(text);
        let mut reader = Reader::new(&set);
        let key = own(&mut reader, &TempDir::new().layout());
        (key, reader.into_complaints())
    }

    fn peer(text: &str) -> Result<PublicKey, HostError> {
        let dir = TempDir::new();
        let host = dir.write("hosts/peer", text);
        public(&Reader::new(&ConfigSet::from_text(text)), &host)
    }

    #[test]
    fn a_private_key_in_hexadecimal_counts_before_a_file() {
        let (key, complaints) = read(&format!(
            "PrivateKeyFile = /nonexistent\nPrivateKey = {HEX_PRIVATE_EXPONENT}\nPublicKey = {HEX_MODULUS}\n"
        ));
        let Ok(OwnKey::Given(key)) = key else {
            panic!("the key is not taken");
        };
        assert_eq!(key.public().size(), 128);
        assert_eq!(complaints.len(), 1);
        assert!(
            !complaints[0]
                .to_string()
                .contains(&HEX_PRIVATE_EXPONENT[..16]),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_private_key_that_cannot_be_used_is_refused_without_telling_it() {
        for text in [
            "PrivateKey = 123456ABCDEF\n".to_owned(),
            format!("PrivateKey = 123456ABCDEF\nPublicKey = {HEX_MODULUS}\n"),
            format!("PrivateKey = 123456XYZ\nPublicKey = {HEX_MODULUS}\n"),
        ] {
            let error = read(&text).0.unwrap_err().to_string();
            assert!(
                error.starts_with("tinc.conf line 1: PrivateKey = ...: "),
                "{error}"
            );
            assert!(!error.contains("123456"), "{error}");
        }
    }

    #[test]
    fn without_it_the_key_is_in_its_file() {
        let (key, _) = read("PrivateKeyFile = /etc/tinc/key\n");
        assert!(matches!(key, Ok(OwnKey::File(path)) if path == Path::new("/etc/tinc/key")));
        let (key, _) = read("");
        assert!(matches!(key, Ok(OwnKey::File(path)) if path.ends_with("rsa_key.priv")));
    }

    #[test]
    fn a_peer_s_key_is_looked_for_in_tincd_s_order() {
        let dir = TempDir::new();
        let file = dir.write("pem", PUBLIC_KEY);
        let file = format!("PublicKeyFile = {}\n", file.display());
        let hex = format!("PublicKey = {HEX_MODULUS}\n");
        let found = |text: &str| {
            let key = peer(text).unwrap_or_else(|error| panic!("{error}"));
            key.to_pem().unwrap()
        };
        let by_hex = found(&hex);
        assert_eq!(found(&format!("{file}{hex}{PUBLIC_KEY}")), by_hex);
        assert_eq!(found(&file), PUBLIC_KEY);
        assert_eq!(found(PUBLIC_KEY), PUBLIC_KEY);
        assert!(peer("PublicKeyFile = /nonexistent\n").is_err());
        let error = peer("PublicKey = 12\n").err().unwrap().to_string();
        assert!(error.contains("PublicKey = ...: an RSA key has"), "{error}");
    }
}
