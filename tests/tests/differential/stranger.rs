//! A peer that says whatever it is told to, over a real meta connection, and notes what it hears.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use data_encoding::HEXUPPER;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use v6lab::fabric::Node;
use v6router_core::crypto::algorithm::{PacketCipher, StreamCipher};
use v6router_core::crypto::rsa::{PrivateKey, PublicKey};
use v6router_core::crypto::stream::MetaCipher;
use v6router_core::wire::request::Request;

/// How long a daemon may take for a step of a handshake, on a busy machine.
const STEP_LIMIT: Duration = Duration::from_secs(15);

/// Name of the daemon that is spoken to.
pub(crate) const SUBJECT: &str = "subject";

/// The numbers of the handshake's requests, in their order.
pub(crate) const HANDSHAKE: [u8; 5] = [0, 1, 2, 3, 4];

/// One that no line of this run had: a daemon ignores what it has heard before.
pub(crate) fn fresh_nonce() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Its end of a meta connection.
pub(crate) struct Stranger {
    pub(crate) name: String,
    key: PrivateKey,
    subject: PublicKey,
    stream: TcpStream,
    encrypt: Option<MetaCipher>,
    decrypt: Option<MetaCipher>,
    input: Vec<u8>,
    /// Bytes of the packet that was announced.
    packet: Option<usize>,
    challenge: Vec<u8>,
    /// Lines heard, and packets in hexadecimal behind theirs.
    pub(crate) heard: Vec<String>,
    /// Whether the other end has closed.
    pub(crate) closed: bool,
    rng: StdRng,
}

impl Stranger {
    /// Dials from `node`.
    pub(crate) async fn dial(
        node: &Node,
        to: SocketAddr,
        name: &str,
        key: &PrivateKey,
        subject: &PublicKey,
    ) -> anyhow::Result<Self> {
        let dialled = node.run(move || {
            Box::pin(async move {
                let stream = TcpStream::connect(to).await?;
                stream.set_nodelay(true)?;
                stream.into_std()
            })
        });
        Ok(Self {
            name: name.to_owned(),
            key: key.clone(),
            subject: subject.clone(),
            stream: TcpStream::from_std(dialled.await??)?,
            encrypt: None,
            decrypt: None,
            input: Vec::new(),
            packet: None,
            challenge: Vec::new(),
            heard: Vec::new(),
            closed: false,
            rng: StdRng::seed_from_u64(1),
        })
    }

    /// Does the whole handshake, and says that it sees the daemon, so that it can be reached.
    pub(crate) async fn introduce(&mut self) -> anyhow::Result<()> {
        for number in HANDSHAKE {
            self.say_right(number).await?;
            self.hear_number(number).await?;
        }
        let seen = self.stream.peer_addr()?.ip();
        let edge = format!(
            "12 {} {} {SUBJECT} {seen} 655 c 5\n",
            fresh_nonce(),
            self.name
        );
        self.say(edge.as_bytes()).await;
        self.settle().await
    }

    /// Says what is right where request `number` is due.
    pub(crate) async fn say_right(&mut self, number: u8) -> anyhow::Result<()> {
        if number == 1 {
            return self.say_meta_key("429 672 0 0").await;
        }
        let line = match number {
            0 => format!("0 {} 17", self.name),
            2 => {
                // Each modulus has its top bit set, so that any length of its own is right.
                format!("2 {}", HEXUPPER.encode(&vec![0x5a; self.subject.size()]))
            }
            3 => format!("3 {}", HEXUPPER.encode(&Sha256::digest(&self.challenge))),
            _ => "4 655 1 c".to_owned(),
        };
        self.say(format!("{line}\n").as_bytes()).await;
        Ok(())
    }

    /// Says a METAKEY with these numbers, and encrypts from then on as if the cipher were the usual one.
    pub(crate) async fn say_meta_key(&mut self, numbers: &str) -> anyhow::Result<()> {
        let mut block = vec![0; self.subject.size()];
        self.rng.fill_bytes(&mut block);
        block[0] &= 0x7f;
        let secret = HEXUPPER.encode(&self.subject.encrypt_block(&block)?);
        self.say(format!("1 {numbers} {secret}\n").as_bytes()).await;
        let usual = StreamCipher::matching(PacketCipher::default());
        self.encrypt = Some(MetaCipher::encryptor(usual, &block)?);
        Ok(())
    }

    /// Says bytes. That nobody takes them any more will show in what is heard.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if let Some(cipher) = &mut self.encrypt {
            cipher
                .apply(&mut bytes)
                .expect("too little is said to use up a key");
        }
        if self.stream.write_all(&bytes).await.is_err() {
            self.closed = true;
        }
    }

    /// Waits until a request of that number was heard.
    pub(crate) async fn hear_number(&mut self, number: u8) -> anyhow::Result<()> {
        let deadline = Instant::now() + STEP_LIMIT;
        let prefix = number.to_string();
        let is_it = |line: &String| line.split(' ').next() == Some(prefix.as_str());
        while !self.heard.iter().any(is_it) {
            if self.closed || timeout_at(deadline, self.hear()).await.is_err() {
                bail!(
                    "{} heard no request {number}, but {:?}",
                    self.name,
                    self.heard
                );
            }
        }
        Ok(())
    }

    /// Waits until everything that was said has been answered and all that is due was heard.
    pub(crate) async fn catch_up(&mut self) -> anyhow::Result<()> {
        self.say(b"8\n").await;
        self.hear_number(9).await
    }

    /// Catches up, and forgets what was heard.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        self.catch_up().await?;
        self.heard.clear();
        Ok(())
    }

    /// Closes the connection; what was heard stays.
    pub(crate) fn hang_up(&mut self) {
        // With whatever was not read, which makes it a reset: the daemon notices at once in either case.
        let _ = socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Both);
    }

    /// Waits for whatever comes next, or the end.
    pub(crate) async fn hear(&mut self) {
        let mut buffer = [0; 4096];
        // Waiting may be given up; reading after it takes what is there.
        if !self.closed && self.stream.readable().await.is_ok() {
            match self.stream.try_read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(len) => {
                    let mut bytes = buffer[..len].to_vec();
                    if let Some(cipher) = &mut self.decrypt {
                        cipher
                            .apply(&mut bytes)
                            .expect("too little is heard to use up a key");
                    }
                    self.input.extend(bytes);
                    if let Err(error) = self.sort() {
                        self.heard.push(format!("nonsense: {error:#}"));
                        self.closed = true;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => self.closed = true,
            }
        }
    }

    /// Cuts what came into lines and packets.
    fn sort(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(len) = self.packet {
                if self.input.len() < len {
                    return Ok(());
                }
                let frame: Vec<u8> = self.input.drain(..len).collect();
                self.heard
                    .push(format!("17 {len} {}", HEXUPPER.encode(&frame)));
                self.packet = None;
            }
            let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
                return Ok(());
            };
            let line: Vec<u8> = self.input.drain(..=end).take(end).collect();
            match Request::parse(&line) {
                Ok(Request::MetaKey(told)) => {
                    let block = self.key.decrypt_block(&told.key, &mut self.rng)?;
                    let cipher = StreamCipher::from_number(told.cipher).context("no cipher")?;
                    let mut cipher = MetaCipher::decryptor(cipher, &block)?;
                    cipher
                        .apply(&mut self.input)
                        .expect("too little is heard to use up a key");
                    self.decrypt = Some(cipher);
                }
                Ok(Request::Challenge(challenge)) => self.challenge = challenge,
                Ok(Request::Packet { len }) => {
                    self.packet = Some(len);
                    continue;
                }
                _ => {}
            }
            self.heard.push(String::from_utf8_lossy(&line).into_owned());
        }
    }
}
