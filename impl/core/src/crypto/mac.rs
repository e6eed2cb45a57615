//! Digests and the MACs made of them.

use blake2::{Blake2b512, Blake2s256};
use cipher::KeyInit;
use digest::common::BlockSizeUser;
use digest::consts::{U36, U64};
use digest::{Digest as _, FixedOutput, HashMarker, Output, OutputSizeUser, Update};
use hmac::{Mac, SimpleHmac};
use lanes::{HmacSha256, LANES};
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
    /// The default: of several packets at once.
    Sha256(HmacSha256),
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
            Digest::Sha256 => MacState::Sha256(HmacSha256::new(material)),
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

    /// Writes the MAC of each body, whole or with zeros behind it, to its place in `macs`.
    fn compute(&self, bodies: &[&[u8]], macs: &mut [[u8; LONGEST_MAC]]) {
        match &self.state {
            MacState::None => {}
            MacState::Sha256(state) => {
                for (bodies, macs) in bodies.chunks(LANES).zip(macs.chunks_mut(LANES)) {
                    let mut whole = [[0; 32]; LANES];
                    state.compute(bodies, &mut whole);
                    for (mac, whole) in macs.iter_mut().zip(&whole) {
                        for (slot, byte) in mac.iter_mut().zip(whole) {
                            *slot = *byte;
                        }
                    }
                }
            }
            MacState::Other(state) => {
                for (body, mac) in bodies.iter().zip(macs) {
                    state.compute(body, mac);
                }
            }
        }
    }

    /// Replaces the end of each datagram by the MAC of what is before it.
    pub(super) fn write(&self, datagrams: &mut [&mut [u8]]) {
        if self.len == 0 {
            return;
        }
        for datagrams in datagrams.chunks_mut(LANES) {
            let mut macs = [[0; LONGEST_MAC]; LANES];
            let mut bodies = [&[][..]; LANES];
            for (body, datagram) in bodies.iter_mut().zip(&*datagrams) {
                *body = self.split(datagram).map_or(&[][..], |(body, _)| body);
            }
            self.compute(bodies.get(..datagrams.len()).unwrap_or_default(), &mut macs);
            for (datagram, mac) in datagrams.iter_mut().zip(&macs) {
                let end = datagram.iter_mut().rev();
                for (slot, byte) in end.zip(mac.iter().take(self.len).rev()) {
                    *slot = *byte;
                }
            }
        }
    }

    /// Whether each datagram ends in the MAC of what is before it, written to its place in
    /// `authentic`; compared in constant time. At most [`LANES`] of them.
    pub(super) fn verify(&self, datagrams: &[&[u8]], authentic: &mut [bool]) {
        let mut macs = [[0; LONGEST_MAC]; LANES];
        let mut bodies = [&[][..]; LANES];
        for (body, datagram) in bodies.iter_mut().zip(datagrams) {
            *body = self.split(datagram).map_or(&[][..], |(body, _)| body);
        }
        let bodies = bodies.get(..datagrams.len()).unwrap_or_default();
        self.compute(bodies, &mut macs);
        for ((verdict, datagram), expected) in authentic.iter_mut().zip(datagrams).zip(&macs) {
            *verdict = self.split(datagram).is_some_and(|(_, mac)| {
                let expected = expected.get(..self.len);
                expected.is_some_and(|expected| expected.ct_eq(mac).into())
            });
        }
    }

    /// A datagram without its MAC, and the MAC.
    fn split<'a>(&self, datagram: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        datagram.split_at_checked(datagram.len().checked_sub(self.len)?)
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
