//! The axes of the matrix, and which combinations there are.

use std::fmt;

use v6lab::actors::Product;

/// Who makes the meta connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dials {
    Ours,
    Peer,
}

/// What the daemons carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Switch,
    Router,
}

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    TcpOnly,
    /// By a third machine, a tincd 1.0: the two have no Ethernet in common.
    Relayed,
}

/// The network outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    Ipv4,
    Ipv6,
}

/// What a node asks its peers to seal packets with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealing {
    pub(crate) cipher: &'static str,
    pub(crate) digest: &'static str,
    pub(crate) mac_length: u8,
    pub(crate) compression: u8,
}

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Combination {
    pub(crate) dials: Dials,
    pub(crate) mode: Mode,
    pub(crate) transport: Transport,
    pub(crate) outside: Outside,
    pub(crate) peer: Product,
    /// Ours has the kernel save it work where it can.
    pub(crate) offloads: bool,
    /// What ours and the peer ask for; as if nothing had been configured, if there is none.
    pub(crate) sealing: Option<[Sealing; 2]>,
}

const DIALS: [Dials; 2] = [Dials::Ours, Dials::Peer];
const MODES: [Mode; 2] = [Mode::Switch, Mode::Router];
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::TcpOnly, Transport::Relayed];
const OUTSIDES: [Outside; 2] = [Outside::Ipv4, Outside::Ipv6];
const PEERS: [Product; 2] = [Product::Tincd, Product::Tinc11];

const fn sealing(cipher: &'static str, digest: &'static str, mac_length: u8) -> Sealing {
    Sealing {
        cipher,
        digest,
        mac_length,
        compression: 0,
    }
}

const fn compressed(level: u8) -> Sealing {
    Sealing {
        compression: level,
        ..sealing("aes-256-cbc", "sha256", 4)
    }
}

/// What ours asks for, then the peer. Each cipher, each digest and each edge of MAC lengths once on either side.
const SEALINGS: [[Sealing; 2]; 14] = [
    [
        sealing("aes-256-cbc", "sha256", 4),
        sealing("aes-128-cbc", "sha1", 4),
    ],
    [
        sealing("aes-128-cbc", "sha1", 20),
        sealing("aes-192-cbc", "sha256", 32),
    ],
    [
        sealing("aes-192-cbc", "sha512", 64),
        sealing("aes-256-cbc", "sha512", 10),
    ],
    [
        sealing("aes-256-cbc", "sha384", 48),
        sealing("aes-256-cbc", "sha224", 28),
    ],
    [
        sealing("aes-256-cbc", "sha224", 1),
        sealing("aes-128-cbc", "sha384", 12),
    ],
    [
        sealing("aes-128-cbc", "sha256", 16),
        sealing("aes-128-cbc", "sha256", 16),
    ],
    [
        sealing("aes-192-cbc", "sha1", 8),
        sealing("aes-192-cbc", "sha1", 8),
    ],
    [
        sealing("aes-256-cbc", "sha256", 32),
        sealing("aes-256-cbc", "sha256", 32),
    ],
    [
        sealing("aes-256-cbc", "sha512", 64),
        sealing("aes-256-cbc", "sha512", 64),
    ],
    [
        sealing("aes-256-cbc", "sha256", 0),
        sealing("aes-256-cbc", "sha256", 4),
    ],
    [
        sealing("aes-256-cbc", "none", 0),
        sealing("aes-256-cbc", "sha256", 4),
    ],
    [
        sealing("none", "sha256", 4),
        sealing("aes-256-cbc", "sha256", 4),
    ],
    [
        sealing("none", "none", 0),
        sealing("aes-256-cbc", "sha1", 20),
    ],
    [
        sealing("none", "sha1", 20),
        sealing("aes-128-cbc", "sha512", 32),
    ],
];

/// Likewise: what is seldom asked for, and compression.
const RARE_SEALINGS: [[Sealing; 2]; 12] = [
    [
        sealing("aes-256-cfb", "sha256", 4),
        sealing("aes-256-ofb", "sha256", 4),
    ],
    [
        sealing("aes-128-ofb", "sha1", 20),
        sealing("aes-192-cfb", "sha1", 4),
    ],
    [
        sealing("camellia-256-cbc", "sha512-256", 32),
        sealing("camellia-128-cbc", "md5", 16),
    ],
    [
        sealing("des-ede3-cbc", "ripemd160", 20),
        sealing("aria-256-cbc", "sha3-256", 32),
    ],
    [
        sealing("sm4-cbc", "sm3", 32),
        sealing("camellia-192-cbc", "blake2b512", 64),
    ],
    [
        sealing("aes-256-cbc", "blake2s256", 8),
        sealing("aes-128-cbc", "sha3-512", 64),
    ],
    [compressed(1), compressed(9)],
    [compressed(9), compressed(1)],
    [compressed(10), compressed(11)],
    [compressed(11), compressed(10)],
    [compressed(0), compressed(6)],
    [compressed(6), compressed(0)],
];

/// Every combination, in the order in which they are played.
pub(crate) fn all() -> Vec<Combination> {
    let mut all = Vec::new();
    for peer in PEERS {
        for mode in MODES {
            for transport in TRANSPORTS {
                for outside in OUTSIDES {
                    for offloads in [true, false] {
                        all.extend(DIALS.map(|dials| Combination {
                            dials,
                            mode,
                            transport,
                            outside,
                            peer,
                            offloads,
                            sealing: None,
                        }));
                    }
                }
            }
        }
        all.extend(
            SEALINGS
                .iter()
                .chain(&RARE_SEALINGS)
                .map(|pair| Combination {
                    dials: Dials::Ours,
                    mode: Mode::Switch,
                    transport: Transport::Udp,
                    outside: Outside::Ipv4,
                    peer,
                    offloads: true,
                    sealing: Some(*pair),
                }),
        );
    }
    all
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([ours, theirs]) = self.sealing {
            return write!(f, "{}::sealed::{ours}::{theirs}", self.peer);
        }
        let mode = match self.mode {
            Mode::Switch => "switch",
            Mode::Router => "router",
        };
        let transport = match self.transport {
            Transport::Udp => "udp",
            Transport::TcpOnly => "tcp_only",
            Transport::Relayed => "relayed",
        };
        let outside = match self.outside {
            Outside::Ipv4 => "ipv4",
            Outside::Ipv6 => "ipv6",
        };
        let dials = match self.dials {
            Dials::Ours => "ours_dials",
            Dials::Peer => "peer_dials",
        };
        write!(f, "{}::{mode}::{transport}::{outside}::{dials}", self.peer)?;
        if !self.offloads {
            f.write_str("::without_offloads")?;
        }
        Ok(())
    }
}

impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cipher,
            digest,
            mac_length,
            compression,
        } = self;
        write!(f, "{cipher}_{digest}_{mac_length}")?;
        if *compression > 0 {
            write!(f, "_compressed_{compression}")?;
        }
        Ok(())
    }
}

/// OpenSSL's numbers of the algorithms, which are those on the wire.
const NUMBERS: [(&str, u32); 27] = [
    ("none", 0),
    ("aes-128-ofb", 420),
    ("aes-192-cfb", 425),
    ("aes-256-ofb", 428),
    ("aes-256-cfb", 429),
    ("des-ede3-cbc", 44),
    ("camellia-128-cbc", 751),
    ("camellia-192-cbc", 752),
    ("camellia-256-cbc", 753),
    ("aria-256-cbc", 1076),
    ("sm4-cbc", 1134),
    ("md5", 4),
    ("ripemd160", 117),
    ("blake2b512", 1056),
    ("blake2s256", 1057),
    ("sha512-256", 1095),
    ("sha3-256", 1097),
    ("sha3-512", 1099),
    ("sm3", 1143),
    ("aes-128-cbc", 419),
    ("aes-192-cbc", 423),
    ("aes-256-cbc", 427),
    ("sha1", 64),
    ("sha224", 675),
    ("sha256", 672),
    ("sha384", 673),
    ("sha512", 674),
];

impl Sealing {
    /// Cipher, digest, MAC length and compression as a dump has them.
    pub(crate) fn numbers(&self) -> [u32; 4] {
        let number = |name| {
            let found = NUMBERS.iter().find(|(known, _)| *known == name);
            found.expect("every name used above is known").1
        };
        [
            number(self.cipher),
            number(self.digest),
            self.mac_length.into(),
            self.compression.into(),
        ]
    }

    /// The lines of the host file that ask for it.
    pub(crate) fn lines(&self) -> String {
        let Self {
            cipher,
            digest,
            mac_length,
            compression,
        } = self;
        format!(
            "Cipher = {cipher}\nDigest = {digest}\nMACLength = {mac_length}\nCompression = {compression}\n"
        )
    }
}
