//! Somebody who knows a node's name and the server's public key, and lacks the private key that would prove the name.
//!
//! What the server says to that node he cannot read, but he can count it: whoever is let in is told more than a
//! challenge.

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use v6router_core::crypto::algorithm::{Digest, PacketCipher, StreamCipher};
use v6router_core::crypto::rsa::PublicKey;
use v6router_core::crypto::stream::MetaCipher;
use v6router_core::wire::request::{MetaKey, Request};

use super::{ActorError, Result};
use crate::fabric::Node;

/// Who has heard nothing for so long will hear nothing more.
const SILENCE: Duration = Duration::from_secs(2);

/// How long he listens at most, however much he is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What his keys and challenges are made of; that nobody guesses them matters to honest people only.
const NUMBER: u8 = 0x5a;

/// How he gets past the challenge that he cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pose {
    /// Gives an answer of the right length.
    Guessing,
    /// Goes on without an answer.
    Silent,
    /// Goes on before there is a key or a challenge, in the clear.
    Brazen,
}

/// How far he was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// He was told a name and a key, as is everybody who gives a name that is known.
    Greeted,
    /// He was asked to prove who he is, and told nothing after that.
    Challenged,
    /// He was told more than that: he is taken for the node.
    LetIn,
}

impl Pose {
    /// How far a server that is right lets him in.
    #[must_use]
    pub fn deserves(self) -> Reception {
        match self {
            Self::Guessing | Self::Silent => Reception::Challenged,
            Self::Brazen => Reception::Greeted,
        }
    }
}

impl FromStr for Pose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "guessing" => Ok(Self::Guessing),
            "silent" => Ok(Self::Silent),
            "brazen" => Ok(Self::Brazen),
            _ => Err(format!(
                "no intruder is {text:?}, only guessing, silent, brazen"
            )),
        }
    }
}

/// Dials `server` at `target` from `node`, says to be `name`, and finds out how far that gets him. `public_key` is the
/// server's, in PEM or behind other lines of its host file.
///
/// # Errors
/// When the server cannot be reached or does not greet him, or its key cannot be read.
pub async fn intrude(
    node: &Node,
    server: &str,
    target: SocketAddr,
    public_key: &str,
    name: &str,
    pose: Pose,
) -> Result<Reception> {
    let failed = |reason| ActorError::Intruder {
        node: node.name().to_owned(),
        reason,
    };
    let begin = public_key.find("-----BEGIN").unwrap_or_default();
    let pem = public_key.get(begin..).unwrap_or_default();
    let key = PublicKey::from_pem(pem).map_err(|error| failed(io::Error::other(error)))?;
    let words = Words::new(server, target, &key, name, pose).map_err(failed)?;
    let heard = node
        .run(move || Box::pin(async move { speak(target, &words).await }))
        .await?;
    heard.map_err(failed)
}

/// What he says; nothing of it depends on what he hears.
struct Words {
    /// His name.
    greeting: Vec<u8>,
    /// His key, unless he does without.
    key: Option<Vec<u8>>,
    /// What comes when a challenge was heard, or is not waited for. It ends with what a node says once it is let in, so
    /// that a server that lets him in finds him reachable.
    claim: Vec<u8>,
}

impl Words {
    fn new(
        server: &str,
        target: SocketAddr,
        key: &PublicKey,
        name: &str,
        pose: Pose,
    ) -> io::Result<Self> {
        let greeting = format!("0 {name} 17\n").into_bytes();
        let admitted = format!("4 655 1 c\n12 1 {name} {server} {} 655 c 1\n", target.ip());
        if pose == Pose::Brazen {
            return Ok(Self {
                greeting,
                key: None,
                claim: admitted.into_bytes(),
            });
        }
        let cipher = StreamCipher::matching(PacketCipher::default());
        let secret = vec![NUMBER; key.size()];
        let meta_key = Request::MetaKey(MetaKey {
            cipher: cipher.number(),
            digest: Digest::Sha256.number(),
            mac_length: 0,
            compression: 0,
            key: key.encrypt_block(&secret).map_err(io::Error::other)?,
        });
        let mut claim = format!("{}\n", Request::Challenge(vec![NUMBER; key.size()]));
        if pose == Pose::Guessing {
            let guess = Request::ChalReply(vec![NUMBER; Digest::Sha256.size()]);
            claim.push_str(&format!("{guess}\n"));
        }
        claim.push_str(&admitted);
        let mut claim = claim.into_bytes();
        let mut stream = MetaCipher::encryptor(cipher, &secret).map_err(io::Error::other)?;
        stream
            .apply(&mut claim)
            .map_err(|_| io::Error::other("one key cannot seal that much"))?;
        Ok(Self {
            greeting,
            key: Some(format!("{meta_key}\n").into_bytes()),
            claim,
        })
    }
}

/// He waits for each answer: what a server has not sent yet when it has had enough, it keeps to itself.
async fn speak(target: SocketAddr, words: &Words) -> io::Result<Reception> {
    let mut stream = BufReader::new(TcpStream::connect(target).await?);
    stream.write_all(&words.greeting).await?;
    let (mut id, mut meta_key) = (String::new(), String::new());
    timeout(PATIENCE, stream.read_line(&mut id)).await??;
    timeout(PATIENCE, stream.read_line(&mut meta_key)).await??;
    if !meta_key.starts_with("1 ") {
        return Err(io::Error::other("nobody greeted him"));
    }
    if let Some(key) = &words.key {
        stream.write_all(key).await?;
        // A METAKEY holds a number as long as the node's modulus, and so does a challenge.
        let number = meta_key.trim_end().rsplit(' ').next().unwrap_or_default();
        let mut challenge = vec![0; "2 ".len() + number.len() + "\n".len()];
        timeout(PATIENCE, stream.read_exact(&mut challenge)).await??;
    }
    stream.write_all(&words.claim).await?;
    Ok(match (rest(stream).await, &words.key) {
        (0, None) => Reception::Greeted,
        (0, Some(_)) => Reception::Challenged,
        _ => Reception::LetIn,
    })
}

/// How many bytes come until there is silence or an end.
async fn rest(mut stream: BufReader<TcpStream>) -> usize {
    let mut heard = 0;
    let mut buffer = [0; 1024];
    let all = async {
        while let Ok(Ok(len @ 1..)) = timeout(SILENCE, stream.read(&mut buffer)).await {
            heard += len;
        }
    };
    // Who is never silent has said enough.
    let _ = timeout(PATIENCE, all).await;
    heard
}
