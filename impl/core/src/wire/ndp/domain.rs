//! Domain names as search lists have them (RFC 8106 section 5.2).

use std::fmt;
use std::str::FromStr;

/// Longest label in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;
/// Longest name on the wire, its lengths and final zero included (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;

/// A legal domain name without its final dot: labels of letters, digits, `-` and `_`. Names in
/// other scripts are written as they travel, `xn--…` (RFC 5890).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(String);

/// Why a text is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainNameError {
    /// A label that is empty, too long, or has other characters.
    #[error("{0:?} is no label of 1 to 63 letters, digits, '-' or '_', and no '-' at its ends")]
    Label(String),
    /// All of it is too long.
    #[error("a name of {0} bytes is longer than 253")]
    TooLong(usize),
}

impl DomainName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Bytes on the wire.
    #[must_use]
    pub(crate) fn encoded_len(&self) -> usize {
        // Each dot became a length, the first label has one more, and a zero ends it.
        self.0.len() + 2
    }

    /// Appends the name as labels, uncompressed (RFC 1035 section 3.1).
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for label in self.0.split('.') {
            // Labels that exist are short.
            out.push(u8::try_from(label.len()).unwrap_or(0));
            out.extend(label.as_bytes());
        }
        out.push(0);
    }

    /// Reads one name and returns it with what stands behind it; `None` if it is malformed,
    /// compressed or of other characters.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut text = String::new();
        loop {
            let (&len, rest) = bytes.split_first()?;
            let (label, rest) = rest.split_at_checked(len.into())?;
            bytes = rest;
            if label.is_empty() {
                return Some((text.parse().ok()?, bytes));
            }
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(str::from_utf8(label).ok().filter(|label| is_label(label))?);
            if text.len() > MAX_NAME {
                return None;
            }
        }
    }
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for DomainName {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, DomainNameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Some(label) = name.split('.').find(|label| !is_label(label)) {
            return Err(DomainNameError::Label(label.to_owned()));
        }
        if name.len() + 2 > MAX_NAME {
            return Err(DomainNameError::TooLong(name.len()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        name.parse::<DomainName>().unwrap().encode(&mut bytes);
        bytes
    }

    #[test]
    fn a_name_is_labels_and_a_zero() {
        assert_eq!(encoded("kits.example."), b"\x04kits\x07example\0");
        assert_eq!("a.b".parse::<DomainName>().unwrap().encoded_len(), 5);
    }

    #[test]
    fn what_no_resolver_takes_is_refused() {
        let long = vec!["a".repeat(63); 4].join(".");
        for wrong in ["", ".", "a..b", ".a", "-a", "a-", "a b", "ä.example", &long] {
            assert!(wrong.parse::<DomainName>().is_err(), "{wrong}");
        }
        assert!(long[2..].parse::<DomainName>().is_ok());
    }

    #[test]
    fn compressed_and_cut_names_are_not_read() {
        for wrong in [
            &b"\xc0\x04"[..],
            b"\x04kits",
            b"\x04kit",
            b"",
            b"\0",
            b"\x02a.\0",
        ] {
            assert_eq!(DomainName::decode(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn names_read_as_they_were_written(name in "[a-z0-9]{1,20}(\\.[a-z0-9_]{1,63}){0,3}") {
            let mut bytes = encoded(&name);
            bytes.push(9);
            let (read, rest) = DomainName::decode(&bytes).unwrap();
            prop_assert_eq!(read.encoded_len() + 1, bytes.len());
            prop_assert_eq!((read.as_str(), rest), (name.as_str(), &[9][..]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![0..3_u8, any::<u8>()], 0..300)) {
            let _ = DomainName::decode(&bytes);
        }
    }
}
