//! RSA key pairs, made by the daemons themselves, once for each machine's name and product in a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::fs;
use tokio::sync::{OnceCell, Semaphore};

use super::{ActorError, Product, Programs, Result};

/// Key generation is nothing but arithmetic: more at once than there are cores would only delay what else runs.
const AT_ONCE: usize = 2;

/// A machine's keys, as PEM text.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// For `rsa_key.priv`.
    pub private: String,
    /// For the machine's host file.
    pub public: String,
}

/// Made when first asked for, and by whoever asks first.
type Slot = Arc<OnceCell<KeyPair>>;

/// The key pairs of one run. They cost a good part of a second each, and no feature depends on whether somebody else
/// has used them before; the feature that makes keys itself does not ask here.
#[derive(Debug)]
pub struct KeyRing {
    programs: Programs,
    scratch: PathBuf,
    pairs: Mutex<HashMap<(Product, String), Slot>>,
    turns: Semaphore,
}

impl KeyRing {
    /// An empty ring; `scratch` is a directory in which it may make others.
    #[must_use]
    pub fn new(programs: Programs, scratch: &Path) -> Self {
        Self {
            programs,
            scratch: scratch.to_owned(),
            pairs: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// The keys of `node`, made by `product` when first asked for.
    ///
    /// # Errors
    /// [`ActorError::Keys`] with what the daemon said.
    pub async fn pair(&self, product: Product, node: &str) -> Result<KeyPair> {
        let cell = {
            let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(pairs.entry((product, node.to_owned())).or_default())
        };
        cell.get_or_try_init(|| self.generate(product, node))
            .await
            .cloned()
    }

    async fn generate(&self, product: Product, node: &str) -> Result<KeyPair> {
        let _turn = self.turns.acquire().await;
        let folder = self.scratch.join(format!("keys-{product}-{node}"));
        let written = async {
            fs::create_dir_all(folder.join("hosts")).await?;
            fs::write(folder.join("tinc.conf"), format!("Name = {node}\n")).await
        };
        written.await.map_err(|reason| ActorError::File {
            path: folder.clone(),
            reason,
        })?;
        let failed = |reason: String| ActorError::Keys {
            product,
            node: node.to_owned(),
            reason,
        };
        let output = self
            .programs
            .key_maker(product, &folder)?
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(format!("{}: {}", output.status, said.trim())));
        }
        let read = |name: PathBuf| async {
            let path = folder.join(name);
            fs::read_to_string(&path)
                .await
                .map_err(|reason| ActorError::File { path, reason })
        };
        let pair = KeyPair {
            private: read("rsa_key.priv".into()).await?,
            public: read(Path::new("hosts").join(node)).await?,
        };
        fs::remove_dir_all(&folder)
            .await
            .map_err(|reason| ActorError::File {
                path: folder,
                reason,
            })?;
        Ok(pair)
    }
}
