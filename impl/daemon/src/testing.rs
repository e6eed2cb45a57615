//! A configuration directory that exists for the length of one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::config::Layout;

pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("v6router-test-{}-{nth}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, making the directories above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A network without name whose files are all here.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(None, Some(self.0.clone()), Some(self.0.join("pid")), None).unwrap()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A key pair that protects nothing.
pub(crate) const PRIVATE_KEY: &str = include_str!("../testdata/rsa_key.priv");
/// Its public half.
pub(crate) const PUBLIC_KEY: &str = include_str!("../testdata/rsa_key.pub");

/// The modulus of a key in hexadecimal that protects nothing.
pub(crate) const HEX_MODULUS: &str = "\
    A4F6EB838210BC9037FEDA3B3B6AC02AF2895639F0D438985E696E0DF8005D0B972466931942F059\
    23CBCAD18FCCB37A9108D68849C05C08818F1D4B9E306CEE22A0776EFDB56EC857BAD11A2A59BC67\
    D6DCC6A2C28673CAFD100053CE52A627C7C1CC23EAA8B028D1C5F61657B2D029763354AEB5EB966C\
    12D11760571AF0EB";
/// Its private exponent.
pub(crate) const HEX_PRIVATE_EXPONENT: &str = "\
    565995A06BB52E68ABB811F3130CF3A36E9751B9A5C8BB687CD3AC6EFC3F2CF33E104BC14AFA54C8\
    FD85A9AF5AF480E6A8D1491C9FB74FE3C3B4AD0A41D79ADB6973CCDD6ABC5AB3F7BDC68DB899F234\
    871B11D645151EB69B132671578FE346C5AF46092807A19F8CA8F1563E105E399FC75B667BB69F3E\
    C8F1C91017359FFF";
