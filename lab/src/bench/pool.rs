//! RSA keys of 2,048 bits, one pair for each leaf of a star: made once and kept in the build directory, since a
//! thousand cost minutes.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use futures::future::try_join_all;
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use crate::actors::{KeyPair, KeyRing, Product, Programs};
use crate::{built, session};

/// How a public key begins, in which a file of both is cut.
const PUBLIC: &str = "-----BEGIN RSA PUBLIC KEY-----";

/// As many pairs as asked for, made by the programs' `product` where none are kept. Those that cannot be kept are of
/// use all the same.
///
/// # Errors
/// What the daemon said.
pub(super) async fn keys(
    programs: &Programs,
    product: Product,
    count: usize,
    tell: &impl Fn(&str),
) -> Result<Vec<KeyPair>> {
    let folder = built::kept("bench-keys");
    let ring = KeyRing::new(programs.clone(), session::path());
    let kept = |n: usize| folder.join(format!("{n:05}.pem"));
    let have = (0..count).filter(|n| kept(*n).is_file()).count();
    if have < count {
        tell(&format!(
            "making {} of {count} keys, to be kept in {}",
            count - have,
            folder.display()
        ));
    }
    let pairs = (0..count).map(async |n| match read(&kept(n)).await {
        Some(pair) => Ok(pair),
        None => {
            let pair = ring.pair(product, &format!("key{n}")).await?;
            if let Err(error) = keep(&pair, &kept(n)).await {
                tracing::debug!(%error, "a key is not kept");
            }
            Ok(pair)
        }
    });
    try_join_all(pairs).await
}

async fn read(path: &Path) -> Option<KeyPair> {
    split(&fs::read_to_string(path).await.ok()?)
}

fn split(text: &str) -> Option<KeyPair> {
    let (private, public) = text.split_at(text.find(PUBLIC)?);
    let whole = private.contains("-----END RSA PRIVATE KEY-----")
        && public.contains("-----END RSA PUBLIC KEY-----");
    whole.then(|| KeyPair {
        private: private.to_owned(),
        public: public.to_owned(),
    })
}

/// All of it or nothing, so that a run that is killed leaves no half of a key.
async fn keep(pair: &KeyPair, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await?;
    }
    let fresh: PathBuf = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = fs::OpenOptions::from(options).open(&fresh).await?;
    file.write_all(pair.private.as_bytes()).await?;
    file.write_all(pair.public.trim_start().as_bytes()).await?;
    file.flush().await?;
    fs::rename(fresh, path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n";

    #[test]
    fn a_file_that_was_cut_off_is_no_key() {
        let whole = format!("{PRIVATE}{PUBLIC}\nMIIB\n-----END RSA PUBLIC KEY-----\n");
        let pair = split(&whole).unwrap();
        assert_eq!(pair.private, PRIVATE);
        assert!(pair.public.starts_with(PUBLIC));
        for len in 0..whole.len() - 1 {
            assert!(split(&whole[..len]).is_none(), "{len} bytes");
        }
    }
}
