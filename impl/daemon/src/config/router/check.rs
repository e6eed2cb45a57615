//! Whether the values of a `router.toml` are sound beside each other.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::ops::Range;

use toml::Spanned;
use v6router_core::name::NodeName;
use v6router_core::router::{Downstream, InterfaceAddress, Prefix, RouterConfig, SLAAC_LEN, Site};

use super::RouterError;
use super::file::{AdvertiseTable, File, SiteTable, Source};
use crate::config::layout::Layout;
use crate::config::name::rule;

/// Longest name of an interface, bytes (`IFNAMSIZ` without the zero at its end).
const MAX_INTERFACE_LEN: usize = 15;
/// How names of Bluetooth 6LoWPAN links begin.
const BLUETOOTH: &str = "bt";

/// Collects what is wrong.
pub(super) struct Checker<'s> {
    source: &'s Source,
    layout: &'s Layout,
    errors: Vec<RouterError>,
    /// Our own address, and its line.
    own: (InterfaceAddress, usize),
    /// Who has which addresses, in the order in which they were given out.
    given: Vec<Given>,
}

struct Given {
    prefix: Prefix,
    line: usize,
    /// In words, for the complaint about whoever wants it too.
    to: String,
}

impl<'s> Checker<'s> {
    /// Checks what was read from `source` for the network of `layout`.
    pub(super) fn check(
        source: &'s Source,
        layout: &'s Layout,
        file: File,
    ) -> Result<RouterConfig, Vec<RouterError>> {
        let at = file.address.span();
        let address = file.address.into_inner();
        let mut checker = Self {
            source,
            layout,
            errors: Vec::new(),
            own: (address, source.line(&at)),
            given: Vec::new(),
        };
        checker.own_address(at.clone());
        checker.give(address.link(), at, "the link of `address'".to_owned());
        if let Some(gateway) = &file.gateway {
            checker.on_link("gateway", gateway);
        }
        if let Some(pool) = &file.pool {
            checker.pool(pool);
        }
        let sites = checker.sites(file.site, file.pool.as_ref());
        let downstream = checker.downstream(file.advertise, file.prefix.as_ref());
        if !checker.errors.is_empty() {
            checker.errors.sort_by_key(|error| error.line);
            return Err(checker.errors);
        }
        Ok(RouterConfig {
            address,
            gateway: file.gateway.map(Spanned::into_inner),
            pool: file.pool.map(Spanned::into_inner),
            sites,
            downstream,
        })
    }

    fn wrong(&mut self, span: Range<usize>, reason: impl Into<String>) {
        self.errors.push(self.source.error(span, reason));
    }

    /// Gives addresses out, unless somebody has some of them.
    fn give(&mut self, prefix: Prefix, span: Range<usize>, to: String) {
        let taken = self
            .given
            .iter()
            .find(|given| given.prefix.overlaps(prefix));
        if let Some(Given {
            prefix: other,
            line,
            to: owner,
        }) = taken
        {
            let reason = format!("{prefix} overlaps {other}, {owner} (line {line})");
            self.wrong(span.clone(), reason);
        }
        let line = self.source.line(&span);
        self.given.push(Given { prefix, line, to });
    }

    fn own_address(&mut self, at: Range<usize>) {
        let own = self.own.0;
        let address = own.address;
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            self.wrong(at, format!("{address} is no address that a host can have"));
        } else if own.link().network() == address && own.len < 127 {
            let reason = format!(
                "{address} means any router of the link (RFC 4291 section 2.6.1): take the next one"
            );
            self.wrong(at, reason);
        }
    }

    /// A neighbour on the VPN has an address of its link that is not ours.
    fn on_link(&mut self, what: &str, neighbour: &Spanned<Ipv6Addr>) {
        let (own, line) = self.own;
        let (at, neighbour) = (neighbour.span(), *neighbour.get_ref());
        let link = own.link();
        if neighbour == own.address {
            self.wrong(
                at,
                format!("{what} {neighbour} is our own address (line {line})"),
            );
        } else if !link.contains(neighbour) && !Prefix::LINK_LOCAL.contains(neighbour) {
            let reason =
                format!("{what} {neighbour} is not on link: `address' is in {link} (line {line})");
            self.wrong(at, reason);
        }
    }

    fn pool(&mut self, pool: &Spanned<Prefix>) {
        let (own, line) = self.own;
        let (at, pool) = (pool.span(), *pool.get_ref());
        let link = own.link();
        if pool.len() > SLAAC_LEN {
            self.wrong(
                at,
                format!("{pool} is longer than /64: there is nothing to hand out"),
            );
        } else if link.covers(pool) {
            let reason = format!(
                "{pool} is all on link: `address' is in {link} (line {line}); give it a /64 of the pool"
            );
            self.wrong(at, reason);
        }
    }

    fn sites(&mut self, tables: Vec<SiteTable>, pool: Option<&Spanned<Prefix>>) -> Vec<Site> {
        let mut hops: HashMap<Ipv6Addr, (NodeName, usize)> = HashMap::new();
        let mut sites = Vec::new();
        for SiteTable { node, via, prefix } in tables {
            let (name, at) = (node.get_ref(), node.span());
            let node: NodeName = match name.parse() {
                Ok(node) => node,
                Err(error) => {
                    self.wrong(at, rule(name, error));
                    continue;
                }
            };
            let host = self.layout.host(&node);
            if !host.exists() {
                let reason = format!("there is no node {node}: {} does not exist", host.display());
                self.wrong(at, reason);
            }
            self.on_link("via", &via);
            let (hop_at, hop) = (via.span(), via.into_inner());
            let line = self.source.line(&hop_at);
            let (other, line) = hops.entry(hop).or_insert_with(|| (node.clone(), line));
            if *other != node {
                let reason = format!("{hop} is the address of {other} (line {line})");
                self.wrong(hop_at, reason);
            }
            self.site_prefix(&prefix, pool, &node);
            sites.push(Site {
                node,
                via: hop,
                prefix: prefix.into_inner(),
            });
        }
        sites
    }

    fn site_prefix(
        &mut self,
        prefix: &Spanned<Prefix>,
        pool: Option<&Spanned<Prefix>>,
        node: &NodeName,
    ) {
        let (at, prefix) = (prefix.span(), *prefix.get_ref());
        if prefix.len() > SLAAC_LEN {
            self.wrong(at.clone(), too_long(prefix));
        }
        if let Some(pool) = pool.filter(|pool| !pool.get_ref().covers(prefix)) {
            let (line, pool) = (self.source.line(&pool.span()), pool.get_ref());
            let reason = format!("{prefix} is not in the pool, {pool} (line {line})");
            self.wrong(at.clone(), reason);
        }
        self.give(prefix, at, format!("the prefix of {node}"));
    }

    /// Whoever names the same block, or none, gets the next /64 of it.
    fn downstream(
        &mut self,
        tables: Vec<AdvertiseTable>,
        ours: Option<&Spanned<Prefix>>,
    ) -> Vec<Downstream> {
        let mut taken: HashMap<Prefix, u128> = HashMap::new();
        let mut interfaces: HashMap<String, usize> = HashMap::new();
        let mut found = Vec::new();
        for table in tables {
            let at = table.interface.span();
            let name = table.interface.get_ref().clone();
            let line = self.source.line(&at);
            if let Some(reason) = bad_interface(&name) {
                self.wrong(at.clone(), reason);
            }
            if let Some(other) = interfaces.insert(name.clone(), line) {
                self.wrong(
                    at.clone(),
                    format!("{name} is advertised to already (line {other})"),
                );
            }
            let Some((block, block_at)) = table
                .prefix
                .as_ref()
                .or(ours)
                .map(|block| (*block.get_ref(), block.span()))
            else {
                self.wrong(
                    at,
                    format!("{name} has no `prefix', and the file names none for all"),
                );
                continue;
            };
            if block.len() > SLAAC_LEN {
                self.wrong(block_at, too_long(block));
                continue;
            }
            let nth = taken.entry(block).or_default();
            let index = usize::try_from(*nth).unwrap_or(usize::MAX);
            *nth += 1;
            if index == 0 {
                self.give(block, block_at.clone(), format!("the prefix of {name}"));
            }
            let Some(prefix) = block.split(SLAAC_LEN).nth(index) else {
                let reason =
                    format!("{block} has no /64 left for {name}: ask for a shorter prefix");
                self.wrong(at, reason);
                continue;
            };
            if let Some(one) = self.advertised(table, name, prefix) {
                found.push(one);
            }
        }
        if let Some(ours) = ours
            && !taken.contains_key(ours.get_ref())
        {
            self.wrong(
                ours.span(),
                "nothing is advertised from this prefix: [[advertise]] is missing",
            );
        }
        found
    }

    fn advertised(
        &mut self,
        table: AdvertiseTable,
        interface: String,
        prefix: Prefix,
    ) -> Option<Downstream> {
        let address = match table.address {
            None => prefix.address(1)?,
            Some(address) => {
                let (at, address) = (address.span(), address.into_inner());
                if !prefix.contains(address) || address == prefix.network() {
                    self.wrong(at, format!("{address} is no address of ours in {prefix}"));
                }
                address
            }
        };
        let is_bluetooth = is_bluetooth(&interface);
        let at = table.interface.span();
        let downstream = Downstream {
            hotplug: table.hotplug.unwrap_or(is_bluetooth),
            on_link: !is_bluetooth,
            interface,
            prefix,
            address,
            dns: table.dns,
            search: table.search,
            mtu: table.mtu,
        };
        if let Err(error) = downstream.advertisement().check() {
            self.wrong(at, error.to_string());
        }
        Some(downstream)
    }
}

fn too_long(prefix: Prefix) -> String {
    format!("{prefix} is longer than /64, which hosts need to form their addresses (RFC 4862)")
}

/// The kernel's rule for names, and no way out of a path.
fn bad_interface(name: &str) -> Option<String> {
    let legal = !name.is_empty()
        && name.len() <= MAX_INTERFACE_LEN
        && !matches!(name, "." | "..")
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    (!legal).then(|| format!("{name:?} is no name of an interface"))
}

/// Whether an interface of this name is a Bluetooth 6LoWPAN link, which a connected device makes.
fn is_bluetooth(interface: &str) -> bool {
    interface
        .strip_prefix(BLUETOOTH)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::testing::TempDir;

    const SERVER: &str = "\
address = \"2001:db8:85a3:ef00::1/64\"
pool = \"2001:db8:85a3:ef00::/56\"

[[site]]
node = \"node_one\"
via = \"2001:db8:85a3:ef00::11\"
prefix = \"2001:db8:85a3:ef11::/64\"
";
    const PI: &str = "\
address = \"2001:db8:85a3:ef00::11/64\"
gateway = \"2001:db8:85a3:ef00::1\"

[[advertise]]
interface = \"bt0\"
prefix = \"2001:db8:85a3:ef11::/64\"
dns = [\"2001:db8:85a3:ef00::1\"]
";

    /// What is said of a file, one complaint a line, without the file's name.
    fn said_of(text: &str) -> Vec<String> {
        let dir = TempDir::new();
        let path = dir.write("router.toml", text);
        dir.write("hosts/node_one", "");
        let errors = read(&dir.layout()).err().unwrap_or_default();
        let name = path.display().to_string();
        let plain = |line: String| line.strip_prefix(&name).unwrap().trim_start().to_owned();
        errors
            .iter()
            .map(|error| plain(error.to_string()))
            .collect()
    }

    #[test]
    fn both_files_of_the_how_to_are_sound() {
        for text in [SERVER, PI] {
            assert_eq!(said_of(text), [""; 0]);
        }
    }

    #[test]
    fn without_the_file_a_node_is_no_router() {
        assert_eq!(read(&TempDir::new().layout()), Ok(None));
    }

    #[test]
    fn each_mistake_is_told_with_its_line_and_that_of_the_other_place() {
        let site = "[[site]]\nnode = \"node_one\"\nvia = \"2001:db8:85a3:ef00::11\"\n";
        for (text, change, complaint) in [
            (
                PI,
                ("gateway", "gatway"),
                "line 2: unknown key `gatway'; did you mean `gateway'?",
            ),
            (
                PI,
                ("ef00::1\"\n\n", "ef01::1\"\n\n"),
                "line 2: gateway 2001:db8:85a3:ef01::1 is not on link: `address' is in 2001:db8:85a3:ef00::/64 (line 1)",
            ),
            (
                PI,
                ("ef00::11/64", "ef00::1/64"),
                "line 2: gateway 2001:db8:85a3:ef00::1 is our own address (line 1)",
            ),
            (
                PI,
                ("ef11::/64", "ef11::/65"),
                "line 6: 2001:db8:85a3:ef11::/65 is longer than /64, which hosts need to form their addresses (RFC 4862)",
            ),
            (
                PI,
                ("ef11::/64", "ef11::1/64"),
                "line 6: 2001:db8:85a3:ef11::1/64 has bits beyond the first 64: the prefix is 2001:db8:85a3:ef11::/64",
            ),
            (
                PI,
                ("ef11::/64", "ef00::/64"),
                "line 6: 2001:db8:85a3:ef00::/64 overlaps 2001:db8:85a3:ef00::/64, the link of `address' (line 1)",
            ),
            (
                PI,
                ("bt0", "../bt0"),
                "line 5: \"../bt0\" is no name of an interface",
            ),
            (
                PI,
                ("prefix = \"2001:db8:85a3:ef11::/64\"\n", ""),
                "line 5: bt0 has no `prefix', and the file names none for all",
            ),
            (
                SERVER,
                ("node_one", "node-one"),
                "line 5: a node name has only letters, digits and underscores, found '-'; node_one would do",
            ),
            (
                SERVER,
                ("node_one", "node_six"),
                "line 5: there is no node node_six: ",
            ),
            (
                SERVER,
                ("ef00::11", "ef07::11"),
                "line 6: via 2001:db8:85a3:ef07::11 is not on link: ",
            ),
            (
                SERVER,
                ("ef11::/64", "ff11::/64"),
                "line 7: 2001:db8:85a3:ff11::/64 is not in the pool, 2001:db8:85a3:ef00::/56 (line 2)",
            ),
            (
                SERVER,
                ("::1/64", "::1/56"),
                "line 2: 2001:db8:85a3:ef00::/56 is all on link: ",
            ),
            (
                SERVER,
                (
                    "[[site]]",
                    &format!("{site}prefix = \"2001:db8:85a3:ef11::/64\"\n[[site]]"),
                ),
                "line 11: 2001:db8:85a3:ef11::/64 overlaps 2001:db8:85a3:ef11::/64, the prefix of node_one (line 7)",
            ),
        ] {
            let said = said_of(&text.replacen(change.0, change.1, 1));
            assert!(
                said.iter().any(|line| line.starts_with(complaint)),
                "{change:?}: {said:#?}"
            );
        }
    }

    #[test]
    fn interfaces_share_a_short_prefix_in_the_order_in_which_they_are_written() {
        let dir = TempDir::new();
        let block = "prefix = \"2001:db8:85a3:ef12::/63\"\n";
        let table = |name: &str| format!("[[advertise]]\ninterface = \"{name}\"\n");
        let head = "address = \"2001:db8:85a3:ef00::11/64\"\n";
        let two = format!("{head}{block}{}{}", table("eth1"), table("bt0"));
        dir.write("router.toml", &two);
        let config = read(&dir.layout()).unwrap().unwrap();
        let found = config.downstream.iter();
        let found: Vec<_> = found
            .map(|one| {
                (
                    one.interface.as_str(),
                    one.interface_address().to_string(),
                    one.hotplug,
                )
            })
            .collect();
        let first = ("eth1", "2001:db8:85a3:ef12::1/64".to_owned(), false);
        assert_eq!(
            found,
            [first, ("bt0", "2001:db8:85a3:ef13::1/64".to_owned(), true)]
        );
        let said = said_of(&format!("{two}{}", table("eth2")));
        assert_eq!(
            said,
            ["line 8: 2001:db8:85a3:ef12::/63 has no /64 left for eth2: ask for a shorter prefix"]
        );
    }
}
