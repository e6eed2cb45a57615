//! Sealing and opening UDP packets (legacy protocol, packet layout): sequence number and frame,
//! which may be compressed, a block cipher with the key's own IV for every packet, then a
//! truncated HMAC over the ciphertext.

pub use lanes::LANES;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::algorithm::{Digest, PacketCipher, PacketSpec, SpecError};
use super::body::{Decryptor, Encryptor};
use super::compression::Compression;
use super::mac::PacketMac;
use crate::constants::SEQNO_LEN;
use crate::name::NodeName;
use crate::wire::request::{AnsKey, AnsKeyMaterial};

/// A packet key with everything that was agreed on for it. The bytes are wiped when dropped.
pub struct PacketKey {
    spec: PacketSpec,
    material: Zeroizing<Vec<u8>>,
}

impl PacketKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(spec: PacketSpec, rng: &mut dyn CryptoRng) -> Self {
        let mut material = Zeroizing::new(vec![0; spec.material_len()]);
        rng.fill_bytes(&mut material);
        Self { spec, material }
    }

    /// The key that a peer chose for packets to it; `ours` is how packets to us are sealed.
    ///
    /// # Errors
    /// If it is malformed, or asks for something we cannot do. A peer cannot talk us into
    /// sending plaintext by a key that is none, for cipher 0 must come with its one byte of key;
    /// nor into sending what anybody can read or forge, unless our own operator wants that too.
    pub fn from_ans_key(answer: &AnsKey, ours: PacketSpec) -> Result<Self, KeyError> {
        let cipher = PacketCipher::from_number(answer.cipher).ok_or(KeyError::Cipher {
            found: answer.cipher,
        })?;
        let digest = Digest::from_number(answer.digest).ok_or(KeyError::Digest {
            found: answer.digest,
        })?;
        let spec = PacketSpec::new(cipher, digest, answer.mac_length, answer.compression)?;
        if spec.cipher() == PacketCipher::None && ours.cipher() != PacketCipher::None {
            return Err(KeyError::Readable);
        }
        if spec.mac_on_wire() == 0 && ours.mac_on_wire() > 0 {
            return Err(KeyError::Forgeable);
        }
        let material = answer.key.bytes().ok_or(KeyError::NotHex)?;
        if material.len() != spec.material_len() {
            return Err(KeyError::Length {
                cipher,
                expected: spec.material_len(),
                found: material.len(),
            });
        }
        Ok(Self { spec, material })
    }

    /// The ANS_KEY by which `from`, who made the key, tells it to `to`.
    #[must_use]
    pub fn announce(&self, from: NodeName, to: NodeName) -> AnsKey {
        let (cipher, digest, mac_length, compression) = self.spec.numbers();
        AnsKey {
            from,
            to,
            key: AnsKeyMaterial::from_bytes(&self.material),
            cipher,
            digest,
            mac_length,
            compression,
            endpoint: None,
        }
    }

    /// What was agreed on.
    #[must_use]
    pub const fn spec(&self) -> PacketSpec {
        self.spec
    }

    /// Key and IV of the cipher; both empty without one.
    fn parts(&self) -> (&[u8], &[u8]) {
        self.material
            .split_at_checked(self.spec.cipher().key_len())
            .unwrap_or_default()
    }
}

/// Why a key of a peer is refused. All of these are the peer's doing; the connection stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// We do not have the cipher.
    #[error("its cipher has OpenSSL number {found}, which is not supported")]
    Cipher {
        /// The number.
        found: i32,
    },
    /// We do not have the digest.
    #[error("its digest has OpenSSL number {found}, which is not supported")]
    Digest {
        /// The number.
        found: i32,
    },
    /// MAC length or compression do not fit.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Packets would not be encrypted, although ours are.
    #[error("it wants packets without encryption; `Cipher = none' of our own would allow that")]
    Readable,
    /// Packets would carry no MAC, although ours do.
    #[error("it wants packets without MAC; `Digest = none' of our own would allow that")]
    Forgeable,
    /// The key is not printed in hex.
    #[error("it is not hexadecimal")]
    NotHex,
    /// The key is not as long as key and IV of the cipher.
    #[error("a key for {cipher} has {expected} bytes, not {found}")]
    Length {
        /// The cipher.
        cipher: PacketCipher,
        /// Bytes of key and IV.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
}

/// Seals packets. Key schedule and HMAC state are made once.
pub struct Sealer {
    compression: Compression,
    cipher: Encryptor,
    mac: PacketMac,
}

impl Sealer {
    /// Makes a key ready for sealing.
    #[must_use]
    pub fn new(key: &PacketKey) -> Self {
        let (secret, iv) = key.parts();
        Self {
            compression: key.spec.compression(),
            cipher: Encryptor::new(key.spec.cipher(), secret, iv),
            mac: PacketMac::new(key.spec, &key.material),
        }
    }

    /// Appends the datagram for one frame to `out`. Allocates only if `out` has no room.
    pub fn seal(&self, seqno: u32, frame: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        self.lay_out(seqno, frame.len(), |room| room.copy_from_slice(frame), out);
        self.finish(&mut [out.get_mut(start..).unwrap_or_default()]);
    }

    /// Appends everything of the datagram for a frame of `len` bytes but what makes it a secret:
    /// [`Sealer::finish`] is still to come. `write` writes the frame to where it goes.
    pub fn lay_out(
        &self,
        seqno: u32,
        len: usize,
        write: impl FnOnce(&mut [u8]),
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.extend_from_slice(&seqno.to_be_bytes());
        self.compression.append_written(len, write, out);
        self.pad(out, start);
    }

    /// Like [`Sealer::lay_out`], but the datagram is as long as any for a frame of that length
    /// can be: what compression saves on one frame says nothing of the next.
    pub fn lay_out_probe(&self, seqno: u32, frame: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&seqno.to_be_bytes());
        self.compression.append_stored(frame, out);
        self.pad(out, start);
    }

    fn pad(&self, out: &mut Vec<u8>, start: usize) {
        self.cipher.pad(out, start);
        out.resize(out.len() + self.mac.len(), 0);
    }

    /// Encrypts datagrams that were laid out and signs them, side by side.
    pub fn finish(&self, datagrams: &mut [&mut [u8]]) {
        let mac = self.mac.len();
        for datagrams in datagrams.chunks_mut(LANES) {
            let mut bodies = <[&mut [u8]; LANES]>::default();
            let count = datagrams.len();
            for (body, datagram) in bodies.iter_mut().zip(&mut *datagrams) {
                let len = datagram.len().saturating_sub(mac);
                *body = datagram.get_mut(..len).unwrap_or_default();
            }
            self.cipher
                .encrypt(bodies.get_mut(..count).unwrap_or_default());
            self.mac.write(datagrams);
        }
    }
}

/// Opens packets. Key schedule and HMAC state are made once.
pub struct Opener {
    compression: Compression,
    cipher: Decryptor,
    mac: PacketMac,
    /// Shortest datagram that is looked at, in bytes.
    shortest: usize,
}

/// Why a datagram does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is shorter than a sequence number and a MAC.
    #[error("the datagram is too short")]
    Short,
    /// Its MAC is not that of this key; the datagram is unchanged.
    #[error("the MAC is not authentic")]
    Mac,
    /// What was encrypted is no padded plaintext.
    #[error("the datagram does not decrypt")]
    Decrypt,
}

impl Opener {
    /// Makes a key ready for opening.
    #[must_use]
    pub fn new(key: &PacketKey) -> Self {
        let (secret, iv) = key.parts();
        Self {
            compression: key.spec.compression(),
            cipher: Decryptor::new(key.spec.cipher(), secret, iv),
            mac: PacketMac::new(key.spec, &key.material),
            shortest: SEQNO_LEN + usize::from(key.spec.mac_length()),
        }
    }

    /// Opens a datagram in place: its sequence number and its body, which is the frame once
    /// [`Opener::expand`] has seen it.
    ///
    /// # Errors
    /// If it is not authentic or was not sealed by this key. With [`OpenError::Mac`] the bytes
    /// are as they were, so that another key can be tried.
    pub fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<(u32, &'a mut [u8]), OpenError> {
        if datagram.len() < self.shortest {
            return Err(OpenError::Short);
        }
        let mut authentic = [false];
        self.verify(&[datagram], &mut authentic);
        if authentic != [true] {
            return Err(OpenError::Mac);
        }
        self.open_authentic(datagram)
    }

    /// Whether each datagram is authentic, side by side; at most [`LANES`] of them.
    pub fn verify(&self, datagrams: &[&[u8]], authentic: &mut [bool]) {
        self.mac.verify(datagrams, authentic);
    }

    /// The other half of [`Opener::open`], for what [`Opener::verify`] has found authentic.
    ///
    /// # Errors
    /// If it was not sealed by this key all the same.
    pub fn open_authentic<'a>(
        &self,
        datagram: &'a mut [u8],
    ) -> Result<(u32, &'a mut [u8]), OpenError> {
        if datagram.len() < self.shortest {
            return Err(OpenError::Short);
        }
        let body_len = datagram.len().saturating_sub(self.mac.len());
        let body = datagram.get_mut(..body_len).ok_or(OpenError::Short)?;
        let plain_len = self.cipher.decrypt(body).ok_or(OpenError::Decrypt)?;
        let plain = body.get_mut(..plain_len).ok_or(OpenError::Decrypt)?;
        let (seqno, body) = plain
            .split_first_chunk_mut::<SEQNO_LEN>()
            .ok_or(OpenError::Short)?;
        Ok((u32::from_be_bytes(*seqno), body))
    }

    /// The frame in the body of a packet: the body itself, or what it expands to in `room`,
    /// which is used again and again.
    ///
    /// `None` if it is compressed and malformed, or too long.
    #[must_use]
    pub fn expand<'a>(&self, body: &'a mut [u8], room: &'a mut Vec<u8>) -> Option<&'a mut [u8]> {
        self.compression.expand(body, room)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn key(spec: PacketSpec) -> PacketKey {
        PacketKey::generate(spec, &mut StdRng::seed_from_u64(7))
    }

    fn specs() -> impl Strategy<Value = PacketSpec> {
        let ciphers = prop::sample::select(PacketCipher::all().collect::<Vec<_>>());
        let digests = prop::sample::select(Digest::all().collect::<Vec<_>>());
        (ciphers, digests, 0_i32..=64, 0_i32..=11).prop_map(
            |(cipher, digest, mac_length, level)| {
                let longest = i32::try_from(digest.size()).unwrap();
                PacketSpec::new(cipher, digest, mac_length.min(longest), level).unwrap()
            },
        )
    }

    #[test]
    fn a_datagram_is_as_long_as_the_protocol_says() {
        let sealer = Sealer::new(&key(PacketSpec::default()));
        for (frame, datagram) in [(200, 212), (1451, 1460), (1514, 1524)] {
            let mut out = Vec::new();
            sealer.seal(1, &vec![0; frame], &mut out);
            assert_eq!(out.len(), datagram, "frame of {frame} bytes");
        }
    }

    #[test]
    fn the_bytes_before_a_datagram_are_left_alone() {
        let sealer = Sealer::new(&key(PacketSpec::default()));
        let mut out = b"before".to_vec();
        sealer.seal(1, &[1; 60], &mut out);
        assert_eq!(&out[..6], b"before");
        let mut alone = Vec::new();
        sealer.seal(1, &[1; 60], &mut alone);
        assert_eq!(out[6..], alone);
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused() {
        let spec = PacketSpec::default();
        let mut answer = key(spec).announce("a".parse().unwrap(), "b".parse().unwrap());
        answer.key = AnsKeyMaterial::from_bytes(&[0; 47]);
        assert!(matches!(
            PacketKey::from_ans_key(&answer, spec),
            Err(KeyError::Length { .. })
        ));
        // The same key with the cipher field turned to 0 on the way, to somebody who allows none.
        answer.key = AnsKeyMaterial::from_bytes(&[0; 48]);
        answer.cipher = 0;
        let open = PacketSpec::new(PacketCipher::None, Digest::None, 0, 0).unwrap();
        assert!(matches!(
            PacketKey::from_ans_key(&answer, open),
            Err(KeyError::Length { .. })
        ));
    }

    #[test]
    fn a_peer_cannot_make_us_send_what_anybody_can_read_or_forge() {
        let spec = |cipher: &str, digest: &str, mac_length| {
            let cipher = PacketCipher::from_name(cipher).unwrap();
            PacketSpec::new(cipher, Digest::from_name(digest).unwrap(), mac_length, 0).unwrap()
        };
        let plain = spec("none", "sha256", 4);
        let forgeable = [
            spec("aes-256-cbc", "none", 4),
            spec("aes-256-cbc", "sha256", 0),
        ];
        let both = spec("none", "none", 0);
        let weakest = spec("des-ede-ecb", "md5", 1);
        let refusal = |wanted, ours| {
            let answer = key(wanted).announce("a".parse().unwrap(), "b".parse().unwrap());
            PacketKey::from_ans_key(&answer, ours).err()
        };
        let usual = PacketSpec::default();
        assert_eq!(refusal(plain, usual), Some(KeyError::Readable));
        assert_eq!(refusal(both, usual), Some(KeyError::Readable));
        assert_eq!(refusal(both, plain), Some(KeyError::Forgeable));
        for wanted in forgeable {
            assert_eq!(refusal(wanted, usual), Some(KeyError::Forgeable));
            assert_eq!(refusal(wanted, plain), Some(KeyError::Forgeable));
            // A network whose operator wants it so.
            for ours in forgeable {
                assert_eq!(refusal(wanted, ours), None);
            }
        }
        assert_eq!(refusal(plain, plain), None);
        assert_eq!(refusal(both, both), None);
        assert_eq!(refusal(weakest, usual), None);
        assert_eq!(refusal(usual, both), None);
    }

    proptest! {
        #[test]
        fn packets_sealed_side_by_side_are_those_sealed_alone(
            spec in specs(),
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
        ) {
            let sealer = Sealer::new(&key(spec));
            let (mut together, mut alone) = (Vec::new(), Vec::new());
            for (seqno, frame) in (1..).zip(&frames) {
                let mut datagram = Vec::new();
                let write = |room: &mut [u8]| room.copy_from_slice(frame);
                sealer.lay_out(seqno, frame.len(), write, &mut datagram);
                together.push(datagram);
                let mut datagram = Vec::new();
                sealer.seal(seqno, frame, &mut datagram);
                alone.push(datagram);
            }
            let mut lanes: Vec<&mut [u8]> = together.iter_mut().map(Vec::as_mut_slice).collect();
            sealer.finish(&mut lanes);
            prop_assert_eq!(together, alone);
        }

        #[test]
        fn what_is_sealed_opens(spec in specs(), seqno: u32, frame in prop::collection::vec(any::<u8>(), 0..1600)) {
            let key = key(spec);
            let mut datagram = Vec::new();
            Sealer::new(&key).seal(seqno, &frame, &mut datagram);
            // Without a MAC on the wire short packets are dropped all the same.
            prop_assume!(datagram.len() >= SEQNO_LEN + usize::from(spec.mac_length()));
            let opener = Opener::new(&key);
            let (number, body) = opener.open(&mut datagram).unwrap();
            prop_assert_eq!(number, seqno);
            let mut room = Vec::new();
            prop_assert_eq!(&*opener.expand(body, &mut room).unwrap(), &frame[..]);
        }

        #[test]
        fn a_flipped_bit_is_noticed_and_changes_nothing(frame in prop::collection::vec(any::<u8>(), 0..200), flip: prop::sample::Index) {
            let key = key(PacketSpec::default());
            let mut datagram = Vec::new();
            Sealer::new(&key).seal(5, &frame, &mut datagram);
            let bit = flip.index(8 * datagram.len());
            datagram[bit / 8] ^= 1 << (bit % 8);
            let before = datagram.clone();
            prop_assert_eq!(Opener::new(&key).open(&mut datagram), Err(OpenError::Mac));
            prop_assert_eq!(datagram, before);
        }

        #[test]
        fn rubbish_never_panics(spec in specs(), mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Opener::new(&key(spec)).open(&mut bytes);
        }
    }
}
