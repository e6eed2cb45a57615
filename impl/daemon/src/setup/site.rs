//! One more site: the next address on the VPN, and the next prefix of the pool.

use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use v6router_core::name::NodeName;
use v6router_core::router::{InterfaceAddress, Prefix, RouterConfig, Site};

use super::wrong;
use crate::config::{ConfigSet, Layout, own_name, router};
use crate::store::{self, Draft};

/// Number of the first site: below it is room for servers and whatever else has an address there, until no other
/// address is left.
const FIRST: u128 = 0x11;
/// Numbers tried; ours.
const MOST: u128 = 1 << 16;

/// What a new site was given.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) name: NodeName,
    pub(crate) address: InterfaceAddress,
    /// The server's own address on the VPN.
    pub(crate) gateway: Ipv6Addr,
    pub(crate) prefix: Prefix,
    /// What the server calls itself, if that can be told.
    pub(crate) server: Option<NodeName>,
    /// Where the site's host file is to be put, if nobody has put it there yet.
    pub(crate) awaited: Option<PathBuf>,
}

/// Gives the site of `name` an address and a prefix of `len` bits, and writes both into router.toml,
/// of which not a sign changes otherwise.
///
/// # Errors
/// If there is no router.toml with a pool, the site has something already, nothing is left, or it cannot be written.
pub(crate) fn add(layout: &Layout, name: NodeName, len: u8) -> anyhow::Result<Added> {
    let path = layout.router_toml();
    let missing = || {
        let path = path.display();
        anyhow::anyhow!("there is no {path}; `v6router init server' makes it")
    };
    let dir = layout.confbase();
    // Until the file is written: somebody else who adds a site meanwhile would be given the same.
    let _lock = match store::lock(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        lock => lock.with_context(|| format!("cannot lock {}", dir.display()))?,
    };
    let config = match router::read(layout) {
        Ok(Some(config)) => config,
        Ok(None) => return Err(missing()),
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            bail!("{}", lines.join("\n"));
        }
    };
    if let Some(site) = config.sites.iter().find(|site| site.node == name) {
        bail!("{name} has {} already, through {}", site.prefix, site.via);
    }
    let site = next(&config, &name, len)?;
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!(
        "\n[[site]]\nnode = \"{}\"\nvia = \"{}\"\nprefix = \"{}\"\n",
        site.node, site.via, site.prefix
    ));
    let awaited = Awaited::place(layout, &name)?;
    router::parse(layout, text.clone()).map_err(|errors| wrong(&errors))?;
    Draft::write(&path, text.as_bytes(), 0o644)
        .and_then(Draft::commit)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Added {
        name,
        address: InterfaceAddress {
            address: site.via,
            len: config.address.len,
        },
        gateway: config.address.address,
        prefix: site.prefix,
        server: server_name(layout),
        awaited: awaited.keep(),
    })
}

fn server_name(layout: &Layout) -> Option<NodeName> {
    let set = ConfigSet::server(layout, &[]).ok()?;
    own_name(&set, "tinc.conf").ok()
}

/// The first number that is free as an address and as a prefix: so both are as easily remembered. Where there is none,
/// the first address and the first prefix that are free.
fn next(config: &RouterConfig, name: &NodeName, len: u8) -> anyhow::Result<Site> {
    let Some(pool) = config.pool else {
        bail!("router.toml names no pool to take a prefix from");
    };
    let link = config.address.link();
    let address = |number: u128| {
        let address = link.address(number)?;
        let others = config.sites.iter().map(|site| site.via);
        let taken = others
            .chain(config.gateway)
            .chain([config.address.address])
            .any(|other| other == address);
        (!taken).then_some(address)
    };
    // The pool's prefixes from a number on.
    let blocks = |first: u128| {
        let blocks = (first..MOST).map_while(|number| Some((number, block(pool, len, number)?)));
        blocks.filter(|(_, block)| {
            let sites = config.sites.iter().map(|site| site.prefix);
            let downstream = config.downstream.iter().map(|one| one.prefix);
            !sites
                .chain(downstream)
                .chain([link])
                .any(|other| other.overlaps(*block))
        })
    };
    let both = blocks(FIRST).find_map(|(number, block)| Some((address(number)?, block)));
    let (via, prefix) = match both {
        Some(both) => both,
        None => {
            let (_, block) = blocks(0)
                .next()
                .with_context(|| format!("no /{len} is left in the pool, {pool}"))?;
            let address = (FIRST..MOST).chain(1..FIRST).find_map(address);
            (
                address.with_context(|| format!("no address is left in {link}"))?,
                block,
            )
        }
    };
    Ok(Site {
        node: name.clone(),
        via,
        prefix,
    })
}

/// The prefix of `len` bits with a number within the pool; `None` beyond its end.
fn block(pool: Prefix, len: u8, number: u128) -> Option<Prefix> {
    let shift = 128_u32.checked_sub(len.into())?;
    let bits = number.checked_shl(shift)?;
    let fits = len >= pool.len() && bits >> shift == number;
    Some(Prefix::of(pool.address(bits).filter(|_| fits)?, len))
}

/// A host file that waits for its content: with nothing in its place the daemon would not know the site's node.
struct Awaited {
    path: Option<PathBuf>,
    kept: bool,
}

impl Awaited {
    fn place(layout: &Layout, name: &NodeName) -> anyhow::Result<Self> {
        let path = layout.host(name);
        let text = format!(
            "# {name}'s own hosts/{name} belongs here: it has the key by which {name} is known.\n"
        );
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path);
        let path = match made {
            Ok(mut file) => {
                io::Write::write_all(&mut file, text.as_bytes())?;
                Some(path)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write {}", path.display()));
            }
        };
        Ok(Self { path, kept: false })
    }

    fn keep(mut self) -> Option<PathBuf> {
        self.kept = true;
        self.path.take()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if let (false, Some(path)) = (self.kept, &self.path) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::TempDir;

    const ROUTER: &str = "\
# the server
address = \"2001:db8:85a3:ef00::1/64\" # ours
pool = \"2001:db8:85a3:ef00::/56\"

# in the hall
[[site]]
node = \"node_one\"
via = \"2001:db8:85a3:ef00::11\"
prefix = \"2001:db8:85a3:ef11::/64\"";

    fn dir() -> TempDir {
        let dir = TempDir::new();
        dir.write("router.toml", ROUTER);
        dir.write("hosts/node_one", "");
        dir
    }

    fn added(dir: &TempDir, name: &str, len: u8) -> Added {
        add(&dir.layout(), name.parse().unwrap(), len).unwrap()
    }

    #[test]
    fn the_next_site_has_the_next_number_and_comments_stay() {
        let dir = dir();
        let two = added(&dir, "node_two", 64);
        assert_eq!(two.address.to_string(), "2001:db8:85a3:ef00::12/64");
        assert_eq!(two.prefix.to_string(), "2001:db8:85a3:ef12::/64");
        assert_eq!(two.gateway.to_string(), "2001:db8:85a3:ef00::1");
        let text = fs::read_to_string(dir.path().join("router.toml")).unwrap();
        assert!(text.starts_with(ROUTER), "{text}");
        assert_eq!(two.awaited, Some(dir.path().join("hosts/node_two")));
        assert_eq!(router::read(&dir.layout()).unwrap().unwrap().sites.len(), 2);
        assert!(
            added(&dir, "node_six", 63)
                .prefix
                .to_string()
                .ends_with("ef26::/63")
        );
    }

    #[test]
    fn who_has_something_or_can_have_nothing_is_told_and_nothing_changes() {
        let dir = dir();
        for (name, len, said) in [
            ("node_one", 64, "already"),
            ("node_two", 56, "is left"),
            ("node_two", 65, "/64"),
        ] {
            let error = add(&dir.layout(), name.parse().unwrap(), len)
                .unwrap_err()
                .to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(
            fs::read_to_string(dir.path().join("router.toml")).unwrap(),
            ROUTER
        );
        assert!(!dir.path().join("hosts/node_two").exists());
        let empty = TempDir::new();
        let nowhere = Layout::new(None, Some(empty.path().join("vpn")), None, None).unwrap();
        for layout in [empty.layout(), nowhere] {
            let error = add(&layout, "a".parse().unwrap(), 64).unwrap_err();
            assert!(error.to_string().contains("init server"), "{error}");
        }
    }

    #[test]
    fn sites_that_are_added_at_once_are_all_there_and_share_nothing() {
        let dir = dir();
        std::thread::scope(|threads| {
            for n in 0..8 {
                let dir = &dir;
                threads.spawn(move || added(dir, &format!("n{n}"), 64));
            }
        });
        // The file is refused if two have the same.
        assert_eq!(router::read(&dir.layout()).unwrap().unwrap().sites.len(), 9);
    }

    #[test]
    fn every_address_of_a_narrow_link_is_given_out() {
        let dir = TempDir::new();
        let (server, _) = ROUTER.split_once("# in the hall").unwrap();
        dir.write("router.toml", &server.replace("/64", "/124"));
        dir.write("hosts/v6router", "");
        for n in 2..16 {
            let one = added(&dir, &format!("n{n}"), 64);
            let address = format!("2001:db8:85a3:ef00::{n:x}/124");
            assert_eq!(one.address.to_string(), address);
        }
        let error = add(&dir.layout(), "late".parse().unwrap(), 64).unwrap_err();
        assert!(error.to_string().contains("no address is left"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever is asked for, nobody gets what another has.
        #[test]
        fn prefixes_and_addresses_are_given_once(lens in prop::collection::vec(58_u8..=64, 1..12)) {
            let dir = dir();
            for (n, len) in lens.iter().enumerate() {
                let _ = add(&dir.layout(), format!("n{n}").parse().unwrap(), *len);
            }
            // The file is refused if anything in it overlaps.
            prop_assert!(router::read(&dir.layout()).is_ok());
        }
    }
}
