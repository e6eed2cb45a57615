//! RSA keys in files: reading them with errors that say where, and making new ones (`-K`).

mod generate;
mod pem;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use v6router_core::crypto::rsa::{PrivateKey, PublicKey, RsaError};
use zeroize::Zeroizing;

pub(crate) use generate::generate;

use crate::config::describe;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The file cannot be read.
    #[error("Error reading RSA {kind} key file `{}': {}", .path.display(), describe(.error))]
    Open {
        /// `private` or `public`.
        kind: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    /// The file has no such block.
    #[error("{}: no RSA {kind} key, a block that begins with `-----BEGIN {label}-----'; {remedy}", .path.display())]
    Missing {
        kind: &'static str,
        path: PathBuf,
        label: &'static str,
        remedy: &'static str,
    },
    /// The block is no key.
    #[error("{} line {line}: {what}", .path.display())]
    Malformed {
        path: PathBuf,
        line: usize,
        what: String,
    },
}

/// A private key, and what to warn about.
pub(crate) struct Loaded {
    pub(crate) key: PrivateKey,
    /// Others may read the file.
    pub(crate) exposed: bool,
}

/// Labels of private keys: PKCS#1 as tincd writes it, PKCS#8 as other tools do.
const PRIVATE: [&str; 2] = ["RSA PRIVATE KEY", "PRIVATE KEY"];
/// Labels of public keys, in the order in which tincd looks for them.
const PUBLIC: [&str; 2] = ["RSA PUBLIC KEY", "PUBLIC KEY"];

/// Reads our own key.
///
/// # Errors
/// If the file cannot be read or has no usable private key.
pub(crate) fn read_private(path: &Path) -> Result<Loaded, KeyError> {
    let failed = |error| KeyError::Open {
        kind: "private",
        path: path.to_owned(),
        error,
    };
    let mut file = File::open(path).map_err(failed)?;
    let exposed = file.metadata().map_err(failed)?.mode() & 0o077 != 0;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(failed)?;
    let remedy = "make one with -K";
    let key = first_block(
        &text,
        path,
        "private",
        &PRIVATE,
        remedy,
        PrivateKey::from_pem,
    )?;
    Ok(Loaded { key, exposed })
}

/// Reads a peer's key from its host file or a file of its own.
///
/// # Errors
/// If the file cannot be read or has no usable public key.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, KeyError> {
    let bytes = std::fs::read(path).map_err(|error| KeyError::Open {
        kind: "public",
        path: path.to_owned(),
        error,
    })?;
    let remedy = "copy the node's own host file here";
    let text = String::from_utf8_lossy(&bytes);
    first_block(&text, path, "public", &PUBLIC, remedy, PublicKey::from_pem)
}

fn first_block<T>(
    text: &str,
    path: &Path,
    kind: &'static str,
    labels: &[&'static str; 2],
    remedy: &'static str,
    read: impl Fn(&str) -> Result<T, RsaError>,
) -> Result<T, KeyError> {
    let blocks = pem::blocks(text);
    let block = labels
        .iter()
        .find_map(|label| blocks.iter().find(|block| block.label == *label))
        .ok_or_else(|| KeyError::Missing {
            kind,
            path: path.to_owned(),
            label: labels[0],
            remedy,
        })?;
    let malformed = |what| KeyError::Malformed {
        path: path.to_owned(),
        line: block.line,
        what,
    };
    if !block.complete {
        return Err(malformed(format!(
            "the key has no line `-----END {}-----': the file was cut off",
            block.label
        )));
    }
    if block.text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(malformed(
            "the key is encrypted by a passphrase, which a daemon cannot ask for".to_owned(),
        ));
    }
    read(block.text).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing::{PRIVATE_KEY, PUBLIC_KEY, TempDir};

    #[test]
    fn a_key_that_others_may_read_is_pointed_out() {
        let dir = TempDir::new();
        let path = dir.write("key", PRIVATE_KEY);
        for (mode, exposed) in [(0o600, false), (0o640, true), (0o604, true)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                read_private(&path)
                    .unwrap_or_else(|e| panic!("{e}"))
                    .exposed,
                exposed
            );
        }
    }

    #[test]
    fn a_retired_key_does_not_count() {
        let dir = TempDir::new();
        let (old, _) = pem::retire(PRIVATE_KEY.as_bytes());
        let path = dir.write("key", std::str::from_utf8(&old).unwrap());
        assert!(matches!(read_private(&path), Err(KeyError::Missing { .. })));
    }

    #[test]
    fn a_broken_key_names_its_file_and_line() {
        let dir = TempDir::new();
        let broken = PUBLIC_KEY.replacen("MI", "!!", 1);
        let path = dir.write("hosts/x", &format!("# one\n# two\n{broken}"));
        let error = read_public(&path).err().unwrap().to_string();
        assert!(error.contains("hosts/x line 3: "), "{error}");
        let cut = PRIVATE_KEY.split_once("-----END").unwrap().0;
        let path = dir.write("key", cut);
        let error = read_private(&path).err().unwrap().to_string();
        assert!(error.contains("cut off"), "{error}");
    }

    #[test]
    fn a_missing_key_file_reads_as_in_tincd() {
        let error = read_private(Path::new("/nonexistent")).err().unwrap();
        assert_eq!(
            error.to_string(),
            "Error reading RSA private key file `/nonexistent': No such file or directory"
        );
    }
}
