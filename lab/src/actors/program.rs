//! Which daemon runs where, and where its program is.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::tinc11::Tinc11;
use super::{ActorError, Result};
use crate::built;
use crate::fabric::Node;
use crate::plan::Overlay;

/// Names the program to test instead of the one built with the lab.
const V6ROUTER_BIN: &str = "V6ROUTER_BIN";

/// Where distributions install tincd, and where one's own build lands.
const TINCD: [&str; 3] = ["/usr/sbin/tincd", "/usr/local/sbin/tincd", "/sbin/tincd"];

/// Which daemons a run puts to the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Daemons {
    /// v6router on every machine, called as `tincd`
    V6router,
    /// The tincd of the distribution on every machine
    Tincd,
    /// The tincd of tinc 1.1, in its legacy mode, on every machine
    Tinc11,
    /// v6router on the server; on the Pis tincd and v6router in turn, tincd first
    Mixed,
}

/// A daemon as a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Ours.
    V6router,
    /// tinc 1.0's.
    Tincd,
    /// tinc 1.1's, speaking the protocol of 1.0 only.
    Tinc11,
}

impl Product {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::V6router, Self::Tincd, Self::Tinc11];

    /// What a `tinc.conf` says beside what it would say for tinc 1.0, so that the protocol is that of 1.0 and nobody
    /// dials whom he was not told to.
    #[must_use]
    pub fn legacy(self) -> &'static str {
        match self {
            Self::V6router | Self::Tincd => "",
            Self::Tinc11 => "ExperimentalProtocol = no\nAutoConnect = no\n",
        }
    }
}

impl Daemons {
    /// What runs on the machine `node`.
    #[must_use]
    pub fn on(self, overlay: &Overlay, node: &str) -> Product {
        match self {
            Self::V6router => Product::V6router,
            Self::Tincd => Product::Tincd,
            Self::Tinc11 => Product::Tinc11,
            Self::Mixed => {
                let place = overlay.sites.iter().position(|site| site.node == node);
                match place {
                    Some(n) if n % 2 == 0 => Product::Tincd,
                    _ => Product::V6router,
                }
            }
        }
    }

    fn products(self) -> &'static [Product] {
        match self {
            Self::V6router => &[Product::V6router],
            Self::Tincd => &[Product::Tincd],
            Self::Tinc11 => &[Product::Tinc11],
            Self::Mixed => &[Product::V6router, Product::Tincd],
        }
    }
}

impl fmt::Display for Daemons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V6router => "v6router",
            Self::Tincd => "tincd",
            Self::Tinc11 => "tinc11",
            Self::Mixed => "mixed",
        })
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V6router => "v6router",
            Self::Tincd => "tincd",
            Self::Tinc11 => "tinc11",
        })
    }
}

/// The programs a run needs, found before anything is built.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    v6router: Option<PathBuf>,
    tincd: Option<PathBuf>,
    tinc11: Option<Tinc11>,
}

impl Programs {
    /// Looks for what `daemons` needs, and for tinc 1.1, which scenarios may ask for beside it.
    ///
    /// # Errors
    /// [`ActorError::Missing`]: what was looked for, where, and how to get it.
    pub fn locate(daemons: Daemons) -> Result<Self> {
        let mut found = Self::of(daemons.products(), None)?;
        found.tinc11 = found.tinc11.or_else(|| Tinc11::locate().ok());
        Ok(found)
    }

    /// Looks for what these products need; `ours` is the program of v6router, if not the one built with the lab.
    ///
    /// # Errors
    /// As [`Programs::locate`].
    pub fn of(products: &[Product], ours: Option<&Path>) -> Result<Self> {
        let mut found = Self::default();
        for product in products {
            match product {
                Product::V6router => {
                    found.v6router = Some(match ours {
                        Some(path) => chosen(path, &path.display().to_string())?,
                        None => v6router()?,
                    });
                }
                Product::Tincd => found.tincd = Some(tincd(&TINCD)?),
                Product::Tinc11 => found.tinc11 = Some(Tinc11::locate()?),
            }
        }
        Ok(found)
    }

    /// Puts a product's daemon into a node, to be called `tincd` there.
    ///
    /// # Errors
    /// [`ActorError::Missing`] for one this run does not have.
    pub async fn install(&self, node: &Node, product: Product) -> Result<()> {
        if product == Product::Tinc11 {
            return self.tinc11()?.install(node).await;
        }
        let program = self.path(product)?;
        node.install(program, "tincd").await?;
        if product == Product::V6router {
            // It does more than tincd, by its own name.
            node.install(program, "v6router").await?;
        }
        Ok(())
    }

    /// The command by which a product makes the keys of the tinc directory `folder`.
    pub(super) fn key_maker(&self, product: Product, folder: &Path) -> Result<Command> {
        if product == Product::Tinc11 {
            return Ok(self.tinc11()?.key_maker(folder));
        }
        let mut command = Command::new(self.path(product)?);
        command.arg0("tincd").arg("-c").arg(folder).arg("-K");
        Ok(command)
    }

    /// Our program, which does more than to be a daemon, whatever daemons are put to the test.
    ///
    /// # Errors
    /// [`ActorError::Missing`]: where it was looked for, and how to get it.
    pub fn ours(&self) -> Result<PathBuf> {
        match &self.v6router {
            Some(found) => Ok(found.clone()),
            None => v6router(),
        }
    }

    fn path(&self, product: Product) -> Result<&Path> {
        let path = match product {
            Product::V6router => self.v6router.as_deref(),
            Product::Tincd => self.tincd.as_deref(),
            Product::Tinc11 => None,
        };
        path.ok_or_else(|| ActorError::Missing {
            product: product.to_string(),
            searched: "it was not looked for".to_owned(),
            remedy: "choose --daemon so that it takes part",
        })
    }

    fn tinc11(&self) -> Result<&Tinc11> {
        match &self.tinc11 {
            Some(found) => Ok(found),
            None => Err(Tinc11::missing()),
        }
    }
}

fn v6router() -> Result<PathBuf> {
    match env::var_os(V6ROUTER_BIN) {
        Some(path) => chosen(
            path.as_ref(),
            &format!("{V6ROUTER_BIN} says {}", path.display()),
        ),
        None => built::program("v6router").map_err(no_v6router),
    }
}

/// A program of ours that somebody has chosen, if it is there; `said` tells how.
fn chosen(path: &Path, said: &str) -> Result<PathBuf> {
    let absolute = path.canonicalize().ok().filter(|path| path.is_file());
    absolute.ok_or_else(|| no_v6router(said.to_owned()))
}

fn no_v6router(searched: String) -> ActorError {
    ActorError::Missing {
        product: Product::V6router.to_string(),
        searched,
        remedy: "build it with `cargo build --release`, or say in V6ROUTER_BIN where it is",
    }
}

fn tincd(candidates: &[&str]) -> Result<PathBuf> {
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or_else(|| ActorError::Missing {
            product: Product::Tincd.to_string(),
            searched: format!("looked for {}", candidates.join(", ")),
            remedy: "install it with `apt-get install tinc`",
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Site;

    fn overlay() -> Overlay {
        let site = |n: &str| Site {
            node: n.to_owned(),
            address: "2001:db8::11".parse().unwrap(),
            prefix: "2001:db8:0:1::/64".parse().unwrap(),
            links: Vec::new(),
        };
        Overlay {
            server: "hub".to_owned(),
            address: "2001:db8::1".parse().unwrap(),
            network: "2001:db8::/64".parse().unwrap(),
            pool: "2001:db8::/56".parse().unwrap(),
            sites: ["a", "b", "c"].map(site).to_vec(),
        }
    }

    #[test]
    fn mixed_gives_the_server_to_us_and_the_pis_to_both_in_turn() {
        use Product::{Tincd, V6router};
        let on = |node| Daemons::Mixed.on(&overlay(), node);
        assert_eq!(
            [on("hub"), on("a"), on("b"), on("c")],
            [V6router, Tincd, V6router, Tincd]
        );
        assert_eq!(Daemons::Tincd.on(&overlay(), "hub"), Tincd);
    }

    #[test]
    fn a_missing_tincd_is_told_with_the_way_to_get_it() {
        let said = tincd(&["/nowhere/tincd"]).unwrap_err().to_string();
        assert!(
            said.contains("/nowhere/tincd") && said.contains("apt-get install tinc"),
            "{said}"
        );
    }
}
