//! Digests and the MACs made of them.

use cipher::KeyInit;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::algorithm::{Digest, PacketSpec};

impl Digest {
    /// The whole digest of some bytes; nothing for [`Digest::None`].
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// The MAC of packets: an HMAC whose key is the whole key material, cut to its first bytes.
pub(super) struct PacketMac {
    state: MacState,
    len: usize,
}

enum MacState {
    None,
    Sha1(Box<Hmac<Sha1>>),
    Sha224(Box<Hmac<Sha224>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl PacketMac {
    /// Makes a key ready for MACs; `material` is all of its bytes.
    pub(super) fn new(spec: PacketSpec, material: &[u8]) -> Self {
        macro_rules! state {
            ($variant:ident, $digest:ty) => {
                // HMAC takes keys of any length.
                <Hmac<$digest> as KeyInit>::new_from_slice(material)
                    .map_or(MacState::None, |state| MacState::$variant(Box::new(state)))
            };
        }
        let state = match spec.digest() {
            Digest::None => MacState::None,
            Digest::Sha1 => state!(Sha1, Sha1),
            Digest::Sha224 => state!(Sha224, Sha224),
            Digest::Sha256 => state!(Sha256, Sha256),
            Digest::Sha384 => state!(Sha384, Sha384),
            Digest::Sha512 => state!(Sha512, Sha512),
        };
        Self {
            state,
            len: spec.mac_on_wire(),
        }
    }

    /// Bytes of MAC that a packet carries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Calls `then` with the whole MAC of `body`.
    fn compute<T>(&self, body: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
        macro_rules! finish {
            ($state:expr) => {{
                let mut mac = (**$state).clone();
                mac.update(body);
                then(&mac.finalize().into_bytes())
            }};
        }
        match &self.state {
            MacState::None => then(&[]),
            MacState::Sha1(state) => finish!(state),
            MacState::Sha224(state) => finish!(state),
            MacState::Sha256(state) => finish!(state),
            MacState::Sha384(state) => finish!(state),
            MacState::Sha512(state) => finish!(state),
        }
    }

    /// Appends the MAC of what stands behind `start`.
    pub(super) fn append(&self, out: &mut Vec<u8>, start: usize) {
        if self.len == 0 {
            return;
        }
        let body = out.get(start..).unwrap_or_default();
        // Copied out, because the body is borrowed from where the MAC goes.
        let mut mac = [0; 64];
        self.compute(body, |full| {
            for (slot, byte) in mac.iter_mut().zip(full) {
                *slot = *byte;
            }
        });
        out.extend_from_slice(mac.get(..self.len).unwrap_or_default());
    }

    /// Whether a datagram ends in the MAC of what is before it; compared in constant time.
    pub(super) fn verifies(&self, datagram: &[u8]) -> bool {
        if self.len == 0 {
            return true;
        }
        let Some(split) = datagram.len().checked_sub(self.len) else {
            return false;
        };
        let Some((body, mac)) = datagram.split_at_checked(split) else {
            return false;
        };
        self.compute(body, |full| {
            full.get(..self.len)
                .is_some_and(|expected| expected.ct_eq(mac).into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_as_long_as_it_says() {
        for digest in [
            Digest::None,
            Digest::Sha1,
            Digest::Sha224,
            Digest::Sha256,
            Digest::Sha384,
            Digest::Sha512,
        ] {
            assert_eq!(digest.hash(b"abc").len(), digest.size());
        }
    }
}
