//! Digests and the MACs made of them.

use blake2::{Blake2b512, Blake2s256};
use cipher::KeyInit;
use digest::common::BlockSizeUser;
use digest::consts::{U36, U64};
use digest::{Digest as _, FixedOutput, HashMarker, Output, OutputSizeUser, Update};
use hmac::{Hmac, Mac, SimpleHmac};
use md5::Md5;
use ripemd::Ripemd160;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use sm3::Sm3;
use subtle::ConstantTimeEq as _;

use super::algorithm::{Digest, PacketSpec};
use super::spec::LONGEST_MAC;

/// `$then` with `$type` as the digest's type, or `$none`.
macro_rules! with_digest {
    ($digest:expr, $type:ident => $then:expr, None => $none:expr) => {
        with_digest!(@ $digest, $type, $then, $none,
            Md5, Sha1, Md5Sha1, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256, Sha3_224,
            Sha3_256, Sha3_384, Sha3_512, Blake2s256, Blake2b512, Ripemd160, Sm3)
    };
    (@ $digest:expr, $type:ident, $then:expr, $none:expr, $($name:ident),*) => {
        match $digest {
            Digest::None => $none,
            $(Digest::$name => { type $type = $name; $then })*
        }
    };
}

impl Digest {
    /// The whole digest of some bytes; nothing for [`Digest::None`].
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> Vec<u8> {
        with_digest!(self, D => D::digest(bytes).to_vec(), None => Vec::new())
    }
}

/// The MAC of packets: an HMAC whose key is the whole key material, cut to its first bytes.
pub(super) struct PacketMac {
    state: MacState,
    len: usize,
}

enum MacState {
    None,
    /// The default, without a detour.
    Sha256(Box<Hmac<Sha256>>),
    Other(Box<dyn WholeMac>),
}

/// An HMAC by whatever digest.
trait WholeMac: Send + Sync {
    /// Writes the whole MAC of `body` to the front of `mac`.
    fn compute(&self, body: &[u8], mac: &mut [u8; LONGEST_MAC]);
}

impl<M: Mac + Clone + Send + Sync> WholeMac for M {
    fn compute(&self, body: &[u8], mac: &mut [u8; LONGEST_MAC]) {
        let whole = self.clone().chain_update(body).finalize().into_bytes();
        for (slot, byte) in mac.iter_mut().zip(whole) {
            *slot = byte;
        }
    }
}

impl PacketMac {
    /// Makes a key ready for MACs; `material` is all of its bytes.
    pub(super) fn new(spec: PacketSpec, material: &[u8]) -> Self {
        // HMAC takes keys of any length.
        let state = match spec.digest() {
            Digest::Sha256 => <Hmac<Sha256> as KeyInit>::new_from_slice(material)
                .map_or(MacState::None, |state| MacState::Sha256(Box::new(state))),
            digest => with_digest!(
                digest,
                D => <SimpleHmac<D> as KeyInit>::new_from_slice(material)
                    .map_or(MacState::None, |state| MacState::Other(Box::new(state))),
                None => MacState::None
            ),
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

    /// Calls `then` with the MAC of `body`, whole or with zeros behind it.
    fn compute<T>(&self, body: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
        match &self.state {
            MacState::None => then(&[]),
            MacState::Sha256(state) => {
                let mac = Mac::chain_update((**state).clone(), body);
                then(&mac.finalize().into_bytes())
            }
            MacState::Other(state) => {
                let mut mac = [0; LONGEST_MAC];
                state.compute(body, &mut mac);
                then(&mac)
            }
        }
    }

    /// Appends the MAC of what stands behind `start`.
    pub(super) fn append(&self, out: &mut Vec<u8>, start: usize) {
        if self.len == 0 {
            return;
        }
        let body = out.get(start..).unwrap_or_default();
        // Copied out, because the body is borrowed from where the MAC goes.
        let mut mac = [0; LONGEST_MAC];
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

/// The digest of TLS before 1.2: an MD5 with a SHA-1 behind it.
#[derive(Clone, Default)]
struct Md5Sha1 {
    md5: Md5,
    sha1: Sha1,
}

impl HashMarker for Md5Sha1 {}

impl BlockSizeUser for Md5Sha1 {
    type BlockSize = U64;
}

impl OutputSizeUser for Md5Sha1 {
    type OutputSize = U36;
}

impl Update for Md5Sha1 {
    fn update(&mut self, bytes: &[u8]) {
        Update::update(&mut self.md5, bytes);
        Update::update(&mut self.sha1, bytes);
    }
}

impl FixedOutput for Md5Sha1 {
    fn finalize_into(self, out: &mut Output<Self>) {
        *out = self.md5.finalize_fixed().concat(self.sha1.finalize_fixed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_as_long_as_it_says() {
        for digest in Digest::all() {
            assert_eq!(digest.hash(b"abc").len(), digest.size(), "{digest}");
        }
    }
}
