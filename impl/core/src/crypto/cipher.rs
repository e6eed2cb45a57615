//! Ciphers by OpenSSL's names and object numbers: block ciphers in modes of operation.

use std::fmt;

use super::spec::SpecError;

/// A block cipher with keys of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// AES with 128 bits of key.
    Aes128,
    /// AES with 192 bits of key.
    Aes192,
    /// AES with 256 bits of key.
    Aes256,
    /// Camellia with 128 bits of key.
    Camellia128,
    /// Camellia with 192 bits of key.
    Camellia192,
    /// Camellia with 256 bits of key.
    Camellia256,
    /// ARIA with 128 bits of key.
    Aria128,
    /// ARIA with 192 bits of key.
    Aria192,
    /// ARIA with 256 bits of key.
    Aria256,
    /// SM4.
    Sm4,
    /// Triple DES with two keys.
    DesEde,
    /// Triple DES with three keys.
    DesEde3,
    /// Blowfish with 128 bits of key, the default of tincd before 1.0.30.
    Blowfish,
}

/// A mode of operation (NIST SP 800-38A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Cipher block chaining.
    Cbc,
    /// Cipher feedback of whole blocks.
    Cfb,
    /// Output feedback.
    Ofb,
    /// Electronic code book.
    Ecb,
    /// Cipher feedback, a byte at a time.
    Cfb8,
    /// Cipher feedback, a bit at a time.
    Cfb1,
}

const MODES: [(Mode, &str); 6] = [
    (Mode::Cbc, "cbc"),
    (Mode::Cfb, "cfb"),
    (Mode::Ofb, "ofb"),
    (Mode::Ecb, "ecb"),
    (Mode::Cfb8, "cfb8"),
    (Mode::Cfb1, "cfb1"),
];

struct Row {
    block: Block,
    name: &'static str,
    /// Bytes of key.
    key_len: usize,
    /// Bytes of a block.
    block_len: usize,
    /// OpenSSL object numbers, in the order of [`MODES`]; 0 where there is none.
    numbers: [i32; MODES.len()],
}

#[rustfmt::skip]
const BLOCKS: [Row; 13] = [
    row(Block::Aes256, "aes-256", 32, 16, [427, 429, 428, 426, 655, 652]),
    row(Block::Aes192, "aes-192", 24, 16, [423, 425, 424, 422, 654, 651]),
    row(Block::Aes128, "aes-128", 16, 16, [419, 421, 420, 418, 653, 650]),
    row(Block::Camellia256, "camellia-256", 32, 16, [753, 759, 768, 756, 765, 762]),
    row(Block::Camellia192, "camellia-192", 24, 16, [752, 758, 767, 755, 764, 761]),
    row(Block::Camellia128, "camellia-128", 16, 16, [751, 757, 766, 754, 763, 760]),
    row(Block::Aria256, "aria-256", 32, 16, [1076, 1077, 1078, 1075, 1085, 1082]),
    row(Block::Aria192, "aria-192", 24, 16, [1071, 1072, 1073, 1070, 1084, 1081]),
    row(Block::Aria128, "aria-128", 16, 16, [1066, 1067, 1068, 1065, 1083, 1080]),
    row(Block::Sm4, "sm4", 16, 16, [1134, 1137, 1135, 1133, 0, 0]),
    row(Block::DesEde3, "des-ede3", 24, 8, [44, 61, 63, 33, 659, 658]),
    row(Block::DesEde, "des-ede", 16, 8, [43, 60, 62, 32, 0, 0]),
    row(Block::Blowfish, "bf", 16, 8, [91, 93, 94, 92, 0, 0]),
];

/// OpenSSL's other names.
#[rustfmt::skip]
const ALIASES: [(&str, i32); 17] = [
    ("aes128", 419), ("aes192", 423), ("aes256", 427),
    ("camellia128", 751), ("camellia192", 752), ("camellia256", 753),
    ("aria128", 1066), ("aria192", 1071), ("aria256", 1076),
    ("sm4", 1134), ("sm4-cfb128", 1137), ("sm4-ofb128", 1135),
    ("des3", 44), ("des-ede3", 33), ("des-ede", 32),
    ("bf", 91), ("blowfish", 91),
];

const fn row(
    block: Block,
    name: &'static str,
    key_len: usize,
    block_len: usize,
    numbers: [i32; MODES.len()],
) -> Row {
    Row {
        block,
        name,
        key_len,
        block_len,
        numbers,
    }
}

/// Parts of the names of OpenSSL's other ciphers, and why packets cannot be sealed by them.
const REFUSED: [(&[&str], &str); 4] = [
    (
        &["ctr", "chacha20"],
        "tincd lets its counter run on from packet to packet, so that one lost packet ends the \
         tunnel",
    ),
    (
        &["gcm", "ccm", "ocb", "siv", "hmac", "cts"],
        "tincd cannot open the packets it seals with it",
    ),
    (&["xts", "wrap"], "it is not made for packets"),
    (
        &["des", "desx", "cast", "cast5", "rc2", "rc4", "seed", "idea"],
        "OpenSSL 3 has it in its legacy provider only, without which tincd seals no packets with it",
    ),
];

/// A block cipher in a mode of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipher {
    /// The block cipher.
    pub block: Block,
    /// Its mode.
    pub mode: Mode,
}

impl Cipher {
    /// Every cipher there is, with its OpenSSL object number.
    fn all() -> impl Iterator<Item = (Self, i32)> {
        BLOCKS.iter().flat_map(|row| {
            MODES
                .iter()
                .zip(row.numbers)
                .filter(|(_, number)| *number != 0)
                .map(|(&(mode, _), number)| {
                    let block = row.block;
                    (Self { block, mode }, number)
                })
        })
    }

    fn from_number(number: i32) -> Option<Self> {
        let mut all = Self::all();
        all.find(|(_, known)| *known == number)
            .map(|(cipher, _)| cipher)
    }

    fn number(self) -> i32 {
        let mut all = Self::all();
        all.find(|(cipher, _)| *cipher == self)
            .map_or(0, |(_, number)| number)
    }

    fn row(self) -> Option<&'static Row> {
        BLOCKS.iter().find(|row| row.block == self.block)
    }

    fn key_len(self) -> usize {
        self.row().map_or(0, |row| row.key_len)
    }

    fn block_len(self) -> usize {
        self.row().map_or(0, |row| row.block_len)
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = self.row().map_or("", |row| row.name);
        let mode = MODES.iter().find(|(mode, _)| *mode == self.mode);
        write!(f, "{block}-{}", mode.map_or("", |(_, name)| name))
    }
}

/// Cipher of UDP packets (`Cipher`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketCipher {
    /// No encryption at all.
    None,
    /// A block cipher, which begins anew with each packet.
    Block(Cipher),
}

impl Default for PacketCipher {
    fn default() -> Self {
        Self::AES_256_CBC
    }
}

impl PacketCipher {
    /// The default of tinc 1.0.
    pub const AES_256_CBC: Self = Self::Block(Cipher {
        block: Block::Aes256,
        mode: Mode::Cbc,
    });

    /// Every cipher there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let blocks = Cipher::all().map(|(cipher, _)| Self::Block(cipher));
        std::iter::once(Self::None).chain(blocks)
    }

    /// Whether OpenSSL 3 has it in its legacy provider only, without which a tincd neither seals
    /// nor opens packets with it.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::Block(cipher) if matches!(cipher.block, Block::Blowfish))
    }

    /// Bytes of key; 0 for none.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Block(cipher) => cipher.key_len(),
        }
    }

    /// Bytes of IV; 0 for none.
    #[must_use]
    pub fn iv_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Block(cipher) if cipher.mode == Mode::Ecb => 0,
            Self::Block(cipher) => cipher.block_len(),
        }
    }

    /// The OpenSSL object number; 0 for none.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Block(cipher) => cipher.number(),
        }
    }

    /// The cipher of an OpenSSL object number, if we have it.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            _ => Cipher::from_number(number).map(Self::Block),
        }
    }

    /// The cipher of an OpenSSL name in any case.
    ///
    /// # Errors
    /// If we have none of that name; the message says why, or lists those we have.
    pub fn from_name(name: &str) -> Result<Self, SpecError> {
        let wanted = name.to_ascii_lowercase();
        let alias = ALIASES.iter().find(|(alias, _)| *alias == wanted);
        let found = match alias {
            Some((_, number)) => Self::from_number(*number),
            None => Self::all().find(|cipher| cipher.to_string() == wanted),
        };
        found.ok_or_else(|| {
            let refused = REFUSED
                .iter()
                .find(|(parts, _)| wanted.split('-').any(|part| parts.contains(&part)));
            match refused {
                Some((_, why)) => SpecError::Refused {
                    found: name.to_owned(),
                    why,
                    instead: "aes-256-cbc",
                },
                None => SpecError::Unknown {
                    kind: "cipher",
                    found: name.to_owned(),
                    known: format!(
                        "{}, each with -cbc, -cfb, -ofb or -ecb behind it, such as aes-256-cbc; and none",
                        BLOCKS.each_ref().map(|row| row.name).join(", ")
                    ),
                },
            }
        })
    }
}

impl fmt::Display for PacketCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Block(cipher) => cipher.fmt(f),
        }
    }
}

/// Stream cipher of meta connections: a block cipher in a feedback mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCipher(Cipher);

impl StreamCipher {
    /// Every stream cipher there is.
    pub fn all() -> impl Iterator<Item = Self> {
        Cipher::all()
            .map(|(cipher, _)| Self(cipher))
            .filter(|stream| matches!(stream.0.mode, Mode::Cfb | Mode::Ofb))
    }

    /// The block cipher and its mode.
    pub(super) const fn cipher(self) -> Cipher {
        self.0
    }

    /// Bytes of key.
    #[must_use]
    pub fn key_len(self) -> usize {
        self.0.key_len()
    }

    /// Bytes of IV, which are those of a block.
    #[must_use]
    pub fn iv_len(self) -> usize {
        self.0.block_len()
    }

    /// The OpenSSL object number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0.number()
    }

    /// The stream cipher of an OpenSSL object number, if we have it. There is none of number 0:
    /// a meta connection is never in clear.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let cipher = Cipher::from_number(number)?;
        Self::all().find(|stream| stream.0 == cipher)
    }

    /// The cipher a node announces for its meta connections: AES with a key as long as that of
    /// its UDP packets (legacy protocol).
    #[must_use]
    pub fn matching(cipher: PacketCipher) -> Self {
        let block = match cipher.key_len() {
            0..=16 => Block::Aes128,
            17..=24 => Block::Aes192,
            _ => Block::Aes256,
        };
        let mode = Mode::Cfb;
        Self(Cipher { block, mode })
    }
}

impl fmt::Display for StreamCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_openssl_s_in_any_case() {
        for (name, number) in [
            ("AES-256-CBC", 427),
            ("aes128", 419),
            ("Blowfish", 91),
            ("DES3", 44),
            ("des-ede3", 33),
            ("DES-EDE3-ECB", 33),
            ("sm4", 1134),
            ("CAMELLIA-192-OFB", 767),
            ("none", 0),
        ] {
            let cipher = PacketCipher::from_name(name).unwrap();
            assert_eq!(cipher.number(), number, "{name}");
        }
    }

    #[test]
    fn what_openssl_has_and_we_do_not_is_refused_with_its_reason() {
        for (name, why) in [
            ("aes-256-ctr", "counter"),
            ("ChaCha20-Poly1305", "counter"),
            ("id-aes256-GCM", "cannot open"),
            ("aes-256-xts", "not made"),
            ("cast5-cbc", "legacy provider"),
            ("des-cbc", "legacy provider"),
        ] {
            let error = PacketCipher::from_name(name).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert!(
                error.contains(name) && error.contains("aes-256-cbc"),
                "{error}"
            );
        }
        let error = PacketCipher::from_name("rot13").unwrap_err().to_string();
        assert!(
            error.contains("\"rot13\"") && error.contains("camellia-128"),
            "{error}"
        );
    }

    #[test]
    fn numbers_and_names_lead_back_to_their_cipher() {
        let mut numbers = Vec::new();
        for cipher in PacketCipher::all() {
            assert_eq!(PacketCipher::from_number(cipher.number()), Some(cipher));
            assert_eq!(PacketCipher::from_name(&cipher.to_string()), Ok(cipher));
            numbers.push(cipher.number());
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1 + 10 * 6 - 2 + 4 + 6 + 4);
    }

    #[test]
    fn meta_connections_take_whole_block_feedback_only() {
        for number in [421, 425, 429, 420, 424, 428, 93, 94, 61, 63, 1137] {
            let stream = StreamCipher::from_number(number).unwrap();
            assert_eq!(stream.number(), number);
        }
        for number in [0, 427, 426, 655, 906, 1, -1] {
            assert_eq!(StreamCipher::from_number(number), None, "{number}");
        }
    }

    #[test]
    fn a_meta_cipher_is_as_strong_as_the_one_of_packets() {
        for (packets, meta) in [
            ("none", "aes-128-cfb"),
            ("bf-cbc", "aes-128-cfb"),
            ("des-ede3-cbc", "aes-192-cfb"),
            ("aria-256-ecb", "aes-256-cfb"),
        ] {
            let packets = PacketCipher::from_name(packets).unwrap();
            assert_eq!(StreamCipher::matching(packets).to_string(), meta);
        }
    }
}
